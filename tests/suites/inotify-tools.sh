# inotify-tools' own tests, those of inotifywait. Those of fanotify need a file system mounted for them.
needs=(c++:g++)

get() {
    source_package inotify-tools
    # What configure would write, which is not in the released source.
    printf '#define PACKAGE_VERSION "%s"\n#define PACKAGE_BUGREPORT ""\n' "$upstream" >config.h
    local header
    for header in inotify fanotify; do
        sed 's/^#undef \(SYS_.*\)/#define \1 1/' libinotifytools/src/inotifytools/$header.h.in \
            >libinotifytools/src/inotifytools/$header.h
    done
    c++ -O1 -std=c++17 -Ilibinotifytools/src -Ilibinotifytools/src/inotifytools -o src/inotifywait \
        src/inotifywait.cpp src/common.cpp libinotifytools/src/{inotifytools,redblack,stats}.cpp
    version "inotify-tools $upstream, t"
}

run() {
    local file
    cd t
    for file in ${1:+"${1%%:*}"} $([ -n "${1:-}" ] || ls inotifywait-*.t); do
        under 60 bash "$file" | sed -n "s/^ok \(.*\)/pass $file: \1/p; s/^not ok \(.*\)/fail $file: \1/p"
    done
    cd ..
}
