# libuv's tests of fs.event, which node's fs.watch is made of.
needs=(cc:gcc make:make python3:python3)

get() {
    source_package libuv1
    python_packages cmake
    local cmake=../venv/bin/cmake
    $cmake -S . -B build -DCMAKE_BUILD_TYPE=Release
    $cmake --build build --target uv_run_tests --parallel 2
    version "libuv $upstream, fs_event"
}

run() {
    local name said
    # Root is refused else.
    export UV_RUN_AS_ROOT=1
    for name in ${1:-$(build/uv_run_tests --list | grep '^fs_event')}; do
        said=$(under 60 build/uv_run_tests "$name") || true
        case $said in
            *"not ok"*) echo "fail $name" ;;
            *"# SKIP"*) echo "skip $name" ;;
            *"ok 1 "*) echo "pass $name" ;;
            *) echo "fail $name" ;;
        esac
    done
}
