"""inotify_simple with every event on each directory given. One line per event: KIND<TAB>PATH."""

import os
import select
import signal
import sys

from inotify_simple import INotify, flags, masks

# The signal arrives as a byte in a pipe beside the events, so that it never cuts a line in two.
stop, stop_writer = os.pipe2(os.O_NONBLOCK)
signal.set_wakeup_fd(stop_writer)
signal.signal(signal.SIGTERM, lambda *_: None)

inotify = INotify()
directories = {inotify.add_watch(d, masks.ALL_EVENTS): d for d in sys.argv[1:]}
poll = select.poll()
poll.register(inotify.fileno(), select.POLLIN)
poll.register(stop, select.POLLIN)
print("READY", flush=True)
while stop not in dict(poll.poll()):
    for event in inotify.read(timeout=0):
        kind = ",".join(f.name for f in flags.from_mask(event.mask))
        if event.wd in directories:
            print(f"{kind}\t{os.path.join(directories[event.wd], event.name)}", flush=True)
        else:
            print(f"UNKNOWN WD {event.wd} {kind}", flush=True)
inotify.close()
print("STOPPED", flush=True)
