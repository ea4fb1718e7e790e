#!/bin/bash
# Starts bootstrap.py again whenever it ends, as launchd, runit or a loop in a container does.
#
# usage: supervisor.sh [--fixed] HOME
here=$(dirname "$0")
while :; do
    /usr/bin/python3 "$here/bootstrap.py" "$@"
    echo "supervisor $$ saw status $?"
    # A pause; it ends, and all of it, with standard input.
    read -r -t 0.3 _
    (($? > 128)) || exit 0
done
