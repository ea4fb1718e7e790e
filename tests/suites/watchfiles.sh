# The tests of Python's watchfiles, which is Rust's notify below.
needs=(python3:python3-venv)

get() {
    # Its tests take warnings for errors, and pytest 9 warns.
    python_packages 'pytest<9' pytest-timeout pytest-mock anyio dirty-equals "watchfiles==$(pinned watchfiles)"
    python_source watchfiles "$(pinned watchfiles)"
    # The built one is to be imported, not the source beside the tests.
    rm -r watchfiles
    version "watchfiles $(pinned watchfiles)"
}

# test_ignore_permission_denied watches /, all of it.
run() { pytest_run 300 "${1:-tests}" --deselect tests/test_rust_notify.py::test_ignore_permission_denied; }
