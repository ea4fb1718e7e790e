"""As the development server of incident 1, on watchfiles: after a change in the project it runs a command there,
by `uv run`, which takes a lock in the project meanwhile.

usage: uv_run.py UV PROJECT

Prints one line per run, when it is over: what had changed. It ends when standard input does.
"""

import os
import subprocess
import sys
import threading

from watchfiles import watch

uv, project = sys.argv[1:]
ended = threading.Event()


def wait_for_the_end():
    sys.stdin.read()
    ended.set()


threading.Thread(target=wait_for_the_end, daemon=True).start()
ready = False
# It has no callback for "watches are placed"; the first time-out comes after that.
for changes in watch(project, watch_filter=None, stop_event=ended, rust_timeout=100, yield_on_timeout=True):
    if not ready:
        ready = True
        print(f"READY {os.getpid()}", flush=True)
    if changes:
        subprocess.run([uv, "run", "--quiet", "true"], cwd=project, check=True)
        print("ran for", ",".join(sorted(os.path.relpath(path, project) for _, path in changes)), flush=True)
