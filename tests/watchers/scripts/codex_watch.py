"""Codex's app-server (the program given), asked to watch the directory given as an editor asks it.
One line per path of a change: KIND<TAB>PATH."""

import json
import os
import signal
import subprocess
import sys

codex, directory, home = sys.argv[1:]
server = subprocess.Popen(
    [codex, "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    text=True, env={**os.environ, "CODEX_HOME": home})


def ask(method, params, **identity):
    server.stdin.write(json.dumps({"method": method, "params": params, **identity}) + "\n")
    server.stdin.flush()


# It ends when its standard input does.
signal.signal(signal.SIGTERM, lambda *_: server.stdin.close())
ask("initialize", {"clientInfo": {"name": "watchers", "version": "1"}}, id=1)
ask("initialized", {})
ask("fs/watch", {"path": directory, "watchId": "all"}, id=2)
for line in server.stdout:
    answer = json.loads(line)
    if answer.get("id") == 2:
        print("READY" if "result" in answer else f"ERROR {answer}", flush=True)
    if answer.get("method") == "fs/changed":
        for path in answer["params"]["changedPaths"]:
            print(f"changed\t{path}", flush=True)
server.wait()
print("STOPPED", flush=True)
