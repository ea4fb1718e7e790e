"""watchdog's Observer, recursive, on the directory given. One line per event: KIND<TAB>PATH."""

import signal
import sys

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer


class Printer(FileSystemEventHandler):
    def on_any_event(self, event):
        print(f"{event.event_type}\t{event.src_path}", flush=True)
        # Only moves have one before version 3.
        if getattr(event, "dest_path", None):
            print(f"{event.event_type}\t{event.dest_path}", flush=True)


# Blocked before the observer's threads start, so that sigwait below is the one that gets it.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
observer = Observer()
observer.schedule(Printer(), sys.argv[1], recursive=True)
observer.start()
print("READY", flush=True)
signal.sigwait({signal.SIGTERM})
observer.stop()
observer.join()
print("STOPPED", flush=True)
