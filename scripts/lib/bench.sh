# shellcheck shell=bash
# What the bench scripts share. They source it; it goes to the repository's root and sets:
#
#   target     where cargo builds
#   work       a directory for this run, removed at the end; WORK_BELOW says where it is made
#   failed     1 once a limit was not kept
#   other, as_other    as root: another user, and the words before a command that is to run as that user

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d -p "${WORK_BELOW:-${TMPDIR:-/tmp}}")
trap 'rm -rf "$work"' EXIT
failed=0
other="" as_other=""
if [ "$(id -u)" = 0 ]; then
    other=60990
    as_other="setpriv --reuid=$other --regid=$other --clear-groups"
    # That user comes this way.
    chmod 755 "$work"
fi

# limit WHAT VALUE MAXIMUM
limit() {
    if awk -v v="$2" -v m="$3" 'BEGIN { exit !(v <= m) }'; then
        printf '  ok    %-46s %s (at most %s)\n' "$1" "$2" "$3"
    else
        printf '  OVER  %-46s %s (at most %s)\n' "$1" "$2" "$3"
        failed=1
    fi
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

# The middle of the numbers on standard input, and the least of them.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
least() { sort -n | head -n 1; }

# seconds COMMAND...: how long it takes, whatever becomes of it
seconds() {
    local start=$EPOCHREALTIME
    "$@" >/dev/null 2>&1 || true
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.6f\n", b - a }'
}

# hold STATE...: starts mkfds in $work, as another user if that can be; sets pid once it is ready
hold() {
    local line
    install -m 755 "$target/debug/mkfds" "$work"
    mkdir "$work/tree"
    [ -z "$other" ] || chown "$other:$other" "$work/tree"
    pid=
    coproc victim { cd "$work" && exec $as_other "$work/mkfds" "$@"; }
    while read -r line <&"${victim[0]}"; do
        case $line in
            PID*) pid=${line#PID } ;;
            READY) return ;;
        esac
    done
    echo "${0##*/}: mkfds $* did not get ready" >&2
    exit 1
}

# Ends what hold started.
let_go() {
    eval "exec ${victim[1]}>&-"
    # shellcheck disable=SC2154 # coproc sets it
    wait "$victim_PID" || true
    rm -rf "$work/tree"
}
