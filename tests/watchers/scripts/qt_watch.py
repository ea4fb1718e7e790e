"""QFileSystemWatcher on the directory given and on the files in it. It names a directory only, so that
names which came or went are found by listing it anew. One line per signal: KIND<TAB>PATH."""

import os
import signal
import socket
import sys

from PyQt5.QtCore import QCoreApplication, QFileSystemWatcher, QSocketNotifier

directory = sys.argv[1]


def names():
    return {entry.name for entry in os.scandir(directory)}


def say(kind, path):
    print(f"{kind}\t{path}", flush=True)


def directory_changed(path):
    global known
    now = names()
    for name in known ^ now:
        say("added" if name in now else "removed", os.path.join(directory, name))
    for name in now - known:
        watcher.addPath(os.path.join(directory, name))
    known = now
    say("directory", path)


def file_changed(path):
    say("file", path)
    # A file that was replaced is no longer watched.
    if os.path.exists(path) and path not in watcher.files():
        watcher.addPath(path)


app = QCoreApplication(sys.argv)
watcher = QFileSystemWatcher()
known = names()
watcher.directoryChanged.connect(directory_changed)
watcher.fileChanged.connect(file_changed)
watcher.addPaths([directory] + [os.path.join(directory, name) for name in known])

# The signal arrives as a byte in a socket: Qt's loop runs no Python by itself.
reader, writer = socket.socketpair()
writer.setblocking(False)
signal.set_wakeup_fd(writer.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
stop = QSocketNotifier(reader.fileno(), QSocketNotifier.Read)
stop.activated.connect(app.quit)
print("READY", flush=True)
app.exec()
del watcher
print("STOPPED", flush=True)
