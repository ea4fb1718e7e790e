"""A pool of 40 connections to a SQLite database in the current directory, all of them in use by 40 threads that borrow one
for each piece of work. Says WORKING once each thread has done one."""

import os
import sys
import threading
import time

from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import QueuePool

SIZE = 40
engine = create_engine(
    "sqlite:///app.db",
    poolclass=QueuePool,
    pool_size=SIZE,
    max_overflow=0,
    connect_args={"timeout": 60, "check_same_thread": False},
)


@event.listens_for(engine, "connect")
def in_wal_mode(connection, _):
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


with engine.begin() as connection:
    connection.execute(text("CREATE TABLE t(id INTEGER PRIMARY KEY, text)"))

worked = threading.Barrier(SIZE, action=lambda: print("WORKING", flush=True))


def work(number):
    first = True
    while True:
        with engine.connect() as connection:
            connection.execute(text("SELECT count(*) FROM t")).scalar()
            if number % 10 == 0:
                connection.execute(text("INSERT INTO t(text) VALUES(hex(randomblob(100)))"))
                connection.commit()
            # As long as all of them have one, all of the pool's are open.
            if first:
                worked.wait()
                first = False
        time.sleep(0.05)


def ends_with_its_failure(number):
    try:
        work(number)
    except Exception as error:
        print(f"FAILED {error!r}", flush=True)
        os._exit(1)


for number in range(SIZE):
    threading.Thread(target=ends_with_its_failure, args=(number,), daemon=True).start()
sys.stdin.read()
