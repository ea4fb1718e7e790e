// fsnotify on each directory given. One line per event: KIND<TAB>PATH. At the end it takes its watches away itself.
package main

import (
	"fmt"
	"os"
	"os/signal"
	// Links libc where cgo is enabled.
	_ "os/user"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

func main() {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		panic(err)
	}
	for _, dir := range os.Args[1:] {
		if err := watcher.Add(dir); err != nil {
			panic(err)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("READY")
	for {
		select {
		case event := <-watcher.Events:
			fmt.Printf("%s\t%s\n", event.Op, event.Name)
		case err := <-watcher.Errors:
			fmt.Println("ERROR", err)
		case <-stop:
			for _, dir := range watcher.WatchList() {
				if err := watcher.Remove(dir); err != nil {
					fmt.Println("ERROR", dir, err)
				}
			}
			watcher.Close()
			fmt.Println("STOPPED")
			return
		}
	}
}
