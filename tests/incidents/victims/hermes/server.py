"""A web UI's server, as in incident 4: a connection to the session database for each request.

usage: server.py [--fixed] HOME

HOME/webui.json names the port. Where that is 0, a free one is taken and written there: the next start
wants the same. A request for a session that is not there leaves its connection open; with --fixed it
does not. The server ends when standard input does: so nothing outlives the test.
"""

import http.server
import json
import os
import sqlite3
import sys
import threading

HOME = sys.argv[-1]
FIXED = "--fixed" in sys.argv
CONFIG = os.path.join(HOME, "webui.json")


def say(text):
    # In one write: others say something into the same pipe.
    os.write(1, f"server {os.getpid()} {text}\n".encode())


class SessionDB:
    """One connection to state.db. Who is not closed stays in `open`, as in a cache nobody empties."""

    open = set()

    def __init__(self):
        self.database = sqlite3.connect(os.path.join(HOME, "state.db"), check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = wal")
        self.database.execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, title TEXT)")
        SessionDB.open.add(self)

    def find(self, session):
        query = "SELECT title FROM sessions WHERE id = ?"
        return self.database.execute(query, (session,)).fetchone()

    def store(self, session):
        with self.database:
            self.database.execute("REPLACE INTO sessions VALUES (?, ?)", (session, "x" * 1000))

    def close(self):
        SessionDB.open.discard(self)
        self.database.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode() + b"\n")

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, "ok")
        kind, session = self.path.split("/")[-2:]
        sessions = SessionDB()
        row = sessions.find(session)
        if row is None:
            if FIXED:
                sessions.close()
            return self.answer(404, "no such session")
        try:
            self.answer(200, row[0])
            if kind == "stream":
                # A page that follows its session reads on while the connection is open.
                rows = sessions.database.execute("SELECT id FROM sessions UNION ALL SELECT 1")
                self.wfile.write(f"{rows.fetchone()[0]}\n".encode())
                self.rfile.read()
        finally:
            sessions.close()

    def do_POST(self):
        sessions = SessionDB()
        try:
            sessions.store(self.path.split("/")[-1])
        finally:
            sessions.close()
        self.answer(200, "stored")

    def log_message(self, *_):
        pass


def lifeline():
    # Not through sys.stdin, whose lock the interpreter wants when it ends.
    while os.read(0, 1):
        pass
    os._exit(0)


with open(CONFIG) as config:
    port = json.load(config)["port"]
try:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
except OSError as error:
    say(f"cannot listen on {port}: {error.strerror}")
    sys.exit(1)
with open(CONFIG, "w") as config:
    json.dump({"port": server.server_port}, config)
threading.Thread(target=lifeline, daemon=True).start()
say(f"listens on {server.server_port}")
server.serve_forever()
