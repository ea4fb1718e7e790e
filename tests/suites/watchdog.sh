# The tests of Python's watchdog.
needs=(python3:python3-venv)

get() {
    python_packages pytest pytest-timeout flaky PyYAML
    python_source watchdog "$(pinned watchdog)"
    version "watchdog $(pinned watchdog)"
}

# One of them takes all of the machine's inotify instances, and so fails whatever else watches.
run() {
    pytest_run 300 ${1:+"$1"} $([ -n "${1:-}" ] || ls tests/test_emitter.py tests/test_inotify_*.py) \
        --deselect tests/test_inotify_c.py::test_import_with_exhausted_inotify_instances
}
