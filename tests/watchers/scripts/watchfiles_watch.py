"""watchfiles.watch on the directory given. One line per change: KIND<TAB>PATH."""

import signal
import sys
import threading

from watchfiles import watch

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
ready = False
# It has no callback for "watches are placed"; the first time-out comes after that.
for changes in watch(sys.argv[1], stop_event=stop, rust_timeout=100, yield_on_timeout=True):
    for kind, path in changes:
        print(f"{kind.name}\t{path}", flush=True)
    if not ready:
        ready = True
        print("READY", flush=True)
print("STOPPED", flush=True)
