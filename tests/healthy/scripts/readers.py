"""A database in WAL mode in the current directory: one connection that writes, eight that read, each in a thread of its
own or (`processes`) in a process of its own. Says WORKING once all of them have done something."""

import os
import sqlite3
import subprocess
import sys
import threading
import time

PATH = "app.db"


def connect():
    database = sqlite3.connect(PATH, isolation_level=None, timeout=30)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, text)")
    return database


def write(begun):
    database = connect()
    while True:
        with database:
            database.execute("BEGIN")
            for _ in range(5):
                database.execute("INSERT INTO t(text) VALUES(hex(randomblob(200)))")
            database.execute("DELETE FROM t WHERE id < (SELECT max(id) FROM t) - 1000")
        begun()
        time.sleep(0.005)


def read(begun):
    database = connect()
    while True:
        database.execute("SELECT count(*), max(text) FROM t").fetchall()
        begun()
        time.sleep(0.003)


def in_thread(work):
    begun = threading.Event()

    def ends_with_its_failure():
        try:
            work(begun.set)
        except Exception as error:
            print(f"FAILED {error!r}", flush=True)
            os._exit(1)

    threading.Thread(target=ends_with_its_failure, daemon=True).start()
    begun.wait()


if sys.argv[1] == "reader":
    in_thread(read)
    print("READING", flush=True)
    sys.stdin.read()
    sys.exit()

in_thread(write)
children = []
for _ in range(8):
    if sys.argv[1] == "threads":
        in_thread(read)
    else:
        child = subprocess.Popen(
            [sys.executable, __file__, "reader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout.readline() == b"READING\n"
        children.append(child)
print("WORKING", flush=True)
sys.stdin.read()
