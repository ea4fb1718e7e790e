"""inotify_simple with every event on each directory given. One line per event: KIND<TAB>PATH."""

import os
import signal
import sys

from inotify_simple import INotify, flags, masks


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


signal.signal(signal.SIGTERM, stop)
inotify = INotify()
directories = {inotify.add_watch(d, masks.ALL_EVENTS): d for d in sys.argv[1:]}
try:
    print("READY", flush=True)
    while True:
        for event in inotify.read():
            kind = ",".join(f.name for f in flags.from_mask(event.mask))
            if event.wd in directories:
                print(f"{kind}\t{os.path.join(directories[event.wd], event.name)}", flush=True)
            else:
                print(f"UNKNOWN WD {event.wd} {kind}", flush=True)
except Stop:
    inotify.close()
    print("STOPPED", flush=True)
