"""A watchman server of its own and a subscription to the directory given. One line per file: KIND<TAB>PATH."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

directory, state = sys.argv[1:]
address = os.path.join(state, "socket")
server = subprocess.Popen(
    ["watchman", "--foreground", f"--sockname={address}", "--no-save-state",
     f"--logfile={state}/log", f"--pidfile={state}/pid"],
    stdin=subprocess.DEVNULL)
client = socket.socket(socket.AF_UNIX)
# It announces nothing when it listens.
while client.connect_ex(address) != 0:
    assert server.poll() is None, "watchman ended"
    time.sleep(0.01)
answers = client.makefile()


def ask(*request):
    client.sendall(json.dumps(request).encode() + b"\n")


def stop(*_):
    ask("shutdown-server")


signal.signal(signal.SIGTERM, stop)
ask("watch", directory)
for line in answers:
    answer = json.loads(line)
    if "watch" in answer:
        ask("subscribe", directory, "all", {"fields": ["name", "exists"], "empty_on_fresh_instance": True})
    elif "subscribe" in answer:
        print("READY", flush=True)
    elif "error" in answer:
        print(f"ERROR {answer['error']}", flush=True)
    elif "shutdown-server" in answer:
        break
    for file in answer.get("files", []):
        kind = "changed" if file["exists"] else "removed"
        print(f"{kind}\t{os.path.join(directory, file['name'])}", flush=True)
server.wait()
print("STOPPED", flush=True)
