"""Asks for the URL given, by eight connections that are kept, until standard input ends. Says LOADED once each has an answer."""

import http.client
import os
import sys
import threading
import time
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
answered = threading.Barrier(8, action=lambda: print("LOADED", flush=True))


def ask():
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    first = True
    while True:
        connection.request("GET", url.path)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        answer.read()
        if first:
            answered.wait()
            first = False
        time.sleep(0.005)


def ends_with_its_failure():
    try:
        ask()
    except Exception as error:
        print(f"FAILED {error!r}", flush=True)
        os._exit(1)


for _ in range(8):
    threading.Thread(target=ends_with_its_failure, daemon=True).start()
sys.stdin.read()
