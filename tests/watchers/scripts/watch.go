// fsnotify on each directory given, with -recursive before them on all that is below and comes there. One line per event: KIND<TAB>PATH. At the end it takes its watches away itself.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	// Links libc where cgo is enabled.
	_ "os/user"
	"path/filepath"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// Watches a directory and what is below; what is gone meanwhile is passed over.
func addBelow(watcher *fsnotify.Watcher, path string) {
	filepath.WalkDir(path, func(below string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			watcher.Add(below)
		}
		return nil
	})
}

func main() {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		panic(err)
	}
	directories := os.Args[1:]
	recursive := directories[0] == "-recursive"
	if recursive {
		directories = directories[1:]
	}
	for _, dir := range directories {
		if recursive {
			addBelow(watcher, dir)
		} else if err := watcher.Add(dir); err != nil {
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
			if recursive && event.Op&fsnotify.Create != 0 {
				addBelow(watcher, event.Name)
			}
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
