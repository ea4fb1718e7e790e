"""Starts server.py, with the same arguments, in a session of its own, waits until the port answers, and
is done: so the server is an orphan. With --fixed it becomes the server.
"""

import json
import os
import select
import subprocess
import sys
import urllib.request


def say(text):
    # In one write: others say something into the same pipe.
    os.write(1, f"bootstrap {os.getpid()} {text}\n".encode())


def is_healthy():
    try:
        with open(os.path.join(sys.argv[-1], "webui.json")) as config:
            port = json.load(config)["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    # Not yet written, or nobody listens yet.
    except (OSError, ValueError):
        return False


command = [sys.executable, os.path.join(os.path.dirname(__file__), "server.py"), *sys.argv[1:]]
if "--fixed" in sys.argv:
    os.execv(command[0], command)
server = subprocess.Popen(command, start_new_session=True)
say(f"started {server.pid}")
# Whose answer it is, nobody asks. The pause ends early, and all of it, with standard input.
while not select.select([0], [], [], 0.1)[0] and not is_healthy():
    # The port was somebody else's, who has gone since: the next start gets it.
    if server.poll() is not None:
        break
say("is done")
