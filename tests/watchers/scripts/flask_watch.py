"""flask's development server with its reloader, which restarts it after each change to a Python file."""

import sys

import flask

# werkzeug watches what lies on the path, here without Python's own library and its packages: tests that
# run beside this one read them.
sys.path[0] = sys.argv[1]
flask.Flask("app").run(port=0, use_reloader=True, reloader_type="watchdog",
                       exclude_patterns=[f"{sys.prefix}*", f"{sys.base_prefix}*"])
