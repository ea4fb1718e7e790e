# The unit tests of Rust's notify. A release candidate: earlier releases have next to no tests of inotify.
needs=(cargo:cargo python3:python3)
release=9.0.0-rc.7

get() {
    mkdir -p fetch/src
    printf '[package]\nname = "fetch"\nedition = "2021"\n[dependencies]\nnotify = "=%s"\n[workspace]\n' "$release" >fetch/Cargo.toml
    touch fetch/src/lib.rs
    local manifest
    manifest=$(cargo metadata --quiet --format-version 1 --manifest-path fetch/Cargo.toml | python3 -c '
import json, sys
print(*[p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "notify"])')
    cp -r "$(dirname "$manifest")" notify
    rm -r fetch
    # The empty table makes it no member of the workspace around it.
    grep -q '^\[workspace\]' notify/Cargo.toml || echo '[workspace]' >>notify/Cargo.toml
    CARGO_TARGET_DIR=$PWD/build cargo test --locked --lib --no-run --manifest-path notify/Cargo.toml
    ln -s "$(find build/debug/deps -name 'notify-*' -type f -perm -100)" tests
    version "notify $release, unit tests"
}

run() {
    under 300 ./tests --test-threads=1 ${1:+--exact "$1"} |
        sed -n 's/^test \(.*\) \.\.\. ok$/pass \1/p; s/^test \(.*\) \.\.\. ignored.*/skip \1/p; s/^test \(.*\) \.\.\. FAILED$/fail \1/p'
}
