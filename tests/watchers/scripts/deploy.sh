# A deploy of the application in the directory given, whose files have the extension given: packages come and one goes,
# its own files are written by all the ways there are, at last new ones. Then it says DEPLOYED and waits for a line.
# With `rewrite` as third argument it writes files anew and does nothing else.
cd "$1" || exit
write() { echo '// deployed' >"$1"; }
files() { ls "$1"-*."$ext"; }
ext=$2

if [ "$3" != rewrite ]; then
    for package in 0 1 2 3 4 5 6 7; do
        mkdir "packages/new-$package"
        for file in 0 1 2 3 4; do write "packages/new-$package/file-$file.$ext"; done
    done
    sleep 0.5
    rm -r packages/gone
fi
for file in $(files rewritten); do write "$file"; done
if [ "$3" != rewrite ]; then
    for file in $(files replaced); do write "$file.new~" && mv "$file.new~" "$file"; done
    for file in $(files remade); do rm "$file" && write "$file"; done
    rm $(files removed)
    sleep 0.5
    for file in 0 1 2 3; do write "added-$file.$ext"; done
fi
echo DEPLOYED
read -r _
