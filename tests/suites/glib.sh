# GLib's test of its file monitors, from Debian's package of its installed tests.
needs=(dpkg-deb:dpkg)

get() {
    apt_update
    apt_get download libglib2.0-tests
    dpkg-deb -x libglib2.0-tests_*.deb .
    ldd usr/libexec/installed-tests/glib/testfilemonitor
    version "GLib $(dpkg-deb -f libglib2.0-tests_*.deb Version | sed 's/-.*//'), testfilemonitor"
}

run() {
    local test=usr/libexec/installed-tests/glib/testfilemonitor name said
    # Debian skips all of them else, since they depend on time.
    export DEB_ALLOW_FLAKY_TESTS=1
    for name in ${1:-$($test -l | grep '^/')}; do
        said=$(under 60 $test -p "$name") || true
        case $said in
            *"not ok"*) echo "fail $name" ;;
            *"# SKIP"*) echo "skip $name" ;;
            *"ok 1 "*) echo "pass $name" ;;
            *) echo "fail $name" ;;
        esac
    done
}
