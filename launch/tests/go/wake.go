// "watch DIR" of wake.c in Go: an instance whose reads go through Go's poller, as fsnotify has it.
package main

import (
	"os"
	"strings"
	"syscall"
	"unsafe"
)

func main() {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		panic(err)
	}
	if _, err := syscall.InotifyAddWatch(fd, os.Args[2], syscall.IN_MODIFY|syscall.IN_CREATE|syscall.IN_MOVED_TO); err != nil {
		panic(err)
	}
	instance := os.NewFile(uintptr(fd), "")
	os.Stdout.WriteString("READY\n")
	buffer := make([]byte, 1<<16)
	for {
		n, err := instance.Read(buffer)
		if err != nil {
			panic(err)
		}
		for at := 0; at < n; {
			event := (*syscall.InotifyEvent)(unsafe.Pointer(&buffer[at]))
			name := buffer[at+syscall.SizeofInotifyEvent:][:event.Len]
			if event.Len > 0 {
				os.Stdout.WriteString(strings.TrimRight(string(name), "\x00") + "\n")
			}
			at += syscall.SizeofInotifyEvent + int(event.Len)
		}
	}
}
