# entr, with the options given, on the files of the directory given, in the loop its man page shows for new
# files. One line per change: KIND<TAB>PATH.
files() { find "$1" -maxdepth 1 -type f; }

while :; do
    before=$(files "$2")
    echo "$before" | entr "$1" printf 'changed\t%s\n' /_
    # It ends when a name comes or goes, and does not say which.
    { echo "$before"; files "$2"; } | sort | uniq -u | sed 's/^/altered\t/'
done
