# entr's system tests. Its script ends at the first failure, so each test becomes a script of its own.
needs=(cc:gcc make:make gawk:gawk file:file pgrep:procps git:git vim:vim tmux:tmux)

get() {
    source_package entr
    ./configure
    make
    mkdir tests
    # git may lie outside the system's default path.
    sed 's/command -pv/command -v/' system_test.sh | awk '
        /^try "/ {
            if (out) print "exit 0" >out
            out = sprintf("tests/%02d", ++n)
            printf "%s", head >out
            name = $0
            gsub(/^try "|"$/, "", name)
            print name >"names"
        }
        { if (out) print >out; else head = head $0 "\n" }
        END { print "exit 0" >out }'
    version "entr $upstream, system_test"
}

run() {
    local number=0 name said
    # A server that runs already would keep its own environment.
    export TMUX_TMPDIR=$TMPDIR
    unset TMUX
    while read -r name; do
        number=$((number + 1))
        [ -z "${1:-}" ] || [ "$1" = "$name" ] || continue
        if ! said=$(under 60 bash -u "tests/$(printf %02d $number)"); then
            echo "fail $name"
        elif [[ $said == s* ]]; then
            echo "skip $name"
        else
            echo "pass $name"
        fi
    done <names
}
