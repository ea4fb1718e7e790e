"""The same as fs_watch.js, with watchdog's observer. Run by scripts/smoke-macos."""

import os
import subprocess
import sys
import threading
import time

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

directory = sys.argv[1]
heard = set()
ended = threading.Event()


class Handler(FileSystemEventHandler):
    def on_any_event(self, event):
        if event.is_directory:
            return
        name = os.path.basename(event.src_path)
        if name == "end":
            ended.set()
        else:
            heard.add(name)


def write(name):
    with open(os.path.join(directory, name), "w") as file:
        file.write("x")


observer = Observer()
observer.schedule(Handler(), directory, recursive=True)
observer.start()
time.sleep(2)
heard.clear()
subject = os.path.join(directory, "a.txt")
os.chmod(subject, 0o600)
subprocess.run(["xattr", "-w", "com.example.smoke", "1", subject], check=True)
write("state.sqlite-wal")
write("b.txt")
time.sleep(2)
write("end")
if not ended.wait(30):
    print("nothing after 30 s")
    sys.exit(1)
print(" ".join(sorted(heard)) or "-")
observer.stop()
