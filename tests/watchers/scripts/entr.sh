# entr on the files of the directory given, in the loop its man page shows for new files.
# One line per change: KIND<TAB>PATH.
files() { find "$1" -maxdepth 1 -type f; }

while :; do
    before=$(files "$1")
    echo "$before" | entr -dnp printf 'changed\t%s\n' /_
    # It ends when a name comes or goes, and does not say which.
    { echo "$before"; files "$1"; } | sort | uniq -u | sed 's/^/altered\t/'
done
