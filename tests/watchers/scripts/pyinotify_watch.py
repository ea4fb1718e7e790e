"""pyinotify with every event, recursive, on the directory given. One line per event: KIND<TAB>PATH."""

import signal
import sys

import pyinotify


def show(event):
    print(f"{event.maskname.replace('|', ',').replace('IN_', '')}\t{event.pathname}", flush=True)


manager = pyinotify.WatchManager()
# A thread of its own, so that the signal is waited for here.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
notifier = pyinotify.ThreadedNotifier(manager, show)
manager.add_watch(sys.argv[1], pyinotify.ALL_EVENTS, rec=True, auto_add=True)
notifier.start()
print("READY", flush=True)
signal.sigwait({signal.SIGTERM})
notifier.stop()
print("STOPPED", flush=True)
