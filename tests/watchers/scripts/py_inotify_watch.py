"""PyInotify (the package `inotify`), recursive, on the directory given. One line per event: KIND<TAB>PATH."""

import os
import signal
import sys

import inotify.adapters

stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
tree = inotify.adapters.InotifyTree(sys.argv[1])
print("READY", flush=True)
while not stopped:
    # Its generator ends after this second without events.
    for event in tree.event_gen(yield_nones=True, timeout_s=1):
        if event is not None:
            _, kinds, path, name = event
            print(f"{','.join(k.removeprefix('IN_') for k in kinds)}\t{os.path.join(path, name)}", flush=True)
        if stopped:
            break
print("STOPPED", flush=True)
