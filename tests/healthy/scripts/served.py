"""What gunicorn serves: a page made of a few rows of a database, each request with a connection of its own."""

import sqlite3


def app(environ, start_response):
    database = sqlite3.connect("served.db")
    database.execute("CREATE TABLE IF NOT EXISTS t(x)")
    count = database.execute("SELECT count(*) FROM t").fetchone()[0]
    database.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{count} rows\n".encode()]
