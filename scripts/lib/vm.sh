# shellcheck shell=bash
# How scripts/vm gets kernels and roots, from Debian's packages. It sources this; it goes to the repository's root and sets:
#
#   vm     where they are kept

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
vm=${CARGO_TARGET_DIR:-$PWD/target}/vm
mkdir -p "$vm"

cannot() {
    echo "scripts/vm: $*" >&2
    exit 125
}

# pack DIR: an archive as the kernel unpacks it
pack() { (cd "$1" && find . -print0 | cpio --null --quiet -o -H newc -R 0:0 | gzip -1); }

# What the machine's programs are: a shell, a C compiler for scripts/smoke and the watchers, the tools to make namespaces.
PACKAGES=(
    base-files base-passwd bash coreutils findutils gawk gcc grep libc-bin libc6-dev mount musl-tools procps sed sqlite3 util-linux
)
# In the order they are asked for; what one needs comes before it. What a kernel has built in is left out.
MODULES=(virtio_pci virtio_blk virtio_console virtio_rng ext4 overlay 9pnet_virtio 9p virtiofs)

# own_apt SUITE ARCH: the words for an apt that knows this suite and architecture only, in the array `apt`
own_apt() {
    local suite=$1 arch=$2 dir=$vm/apt-$1-$2 keys=/usr/share/keyrings/debian-archive-keyring.gpg mirror=""
    [ -e "$keys" ] || cannot "to be installed: apt-get install debian-archive-keyring"
    # The mirror this system uses, where it is a Debian.
    mirror=$(grep -hrsoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d | head -n 1 | tr -d ' ') || true
    mirror=${mirror:-http://deb.debian.org/debian}
    mirror=${mirror%/}
    apt=(env APT_CONFIG="$dir/apt.conf")
    [ ! -e "$dir/complete" ] || return 0
    mkdir -p "$dir"/etc/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d} "$dir"/{lists,archives}/partial "$dir/dpkg"
    : >"$dir/dpkg/status"
    printf 'deb [signed-by=%s] %s main\n' "$keys" "$mirror $suite" \
        "$keys" "${mirror%/debian}/debian-security $suite-security" >"$dir/etc/sources.list"
    cat >"$dir/apt.conf" <<END
Dir::Etc "$dir/etc";
Dir::State "$dir";
Dir::State::status "$dir/dpkg/status";
Dir::Cache "$dir";
Dir::Log "$dir";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
END
    "${apt[@]}" apt-get -q update >"$dir/log" 2>&1 ||
        cannot "apt-get update for $suite, $arch: $(grep -m1 '^[EW]:' "$dir/log")"
    touch "$dir/complete"
}

# unpack PACKAGE TO: the newest of `apt`
unpack() {
    mkdir -p "$2"
    (cd "$2" && "${apt[@]}" apt-get -q download "$1" >log 2>&1 && dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb log) ||
        cannot "apt-get download $1: $(grep -m1 '^E:' "$2/log" || tail -n 1 "$2/log")"
}

# kernel_of VERSION ARCH: prints the directory that holds its vmlinuz and initrd, makes it if need be
kernel_of() {
    local arch=$2 dir=$vm/kernel-$1-$2 suite release from module file
    case $1 in
        5.10) suite=bullseye ;;
        6.1) suite=bookworm ;;
        6.12) suite=trixie ;;
        *) cannot "no kernel $1: 5.10, 6.1 or 6.12" ;;
    esac
    echo "$dir"
    [ ! -e "$dir/initrd" ] || return 0
    echo "scripts/vm: kernel $1, $arch" >&2
    own_apt "$suite" "$arch"
    from=$dir/packages
    rm -rf "$dir"
    mkdir -p "$dir/initial/modules" "$dir/initial/bin"
    # The metapackage names the newest.
    release=$("${apt[@]}" apt-cache show --no-all-versions "linux-image-$arch" | sed -n 's/^Depends: linux-image-\([^ ,]*\).*/\1/p')
    [ -n "$release" ] || cannot "$suite has no kernel for $arch"
    unpack "linux-image-$release" "$from"
    unpack busybox-static "$from"
    # Since Debian 13 modules lie in /usr/lib.
    [ -d "$from/lib/modules" ] || { mkdir -p "$from/lib" && mv "$from/usr/lib/modules" "$from/lib/"; }
    depmod -b "$from" "$release"
    for module in "${MODULES[@]}"; do
        modprobe -d "$from" -S "$release" --show-depends --ignore-install "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        module=$(basename "${file%.ko*}").ko
        case $file in
            *.xz) xz -dc "$file" ;;
            *.zst) zstd -dcq "$file" ;;
            *) cat "$file" ;;
        esac >"$dir/initial/modules/$module"
        echo "$module"
    done >"$dir/order"
    mv "$dir/order" "$dir/initial/modules/order"
    find "$from" -name busybox -path '*bin/*' -exec cp {} "$dir/initial/bin/busybox" \;
    cp scripts/lib/vm-initial "$dir/initial/init"
    cp "$from/boot/vmlinuz-$release" "$dir/vmlinuz"
    pack "$dir/initial" >"$dir/initrd.new"
    rm -rf "$from" "$dir/initial"
    # Whole or not at all.
    mv "$dir/initrd.new" "$dir/initrd"
}

# root_of ARCH: prints the image of a Debian 12, makes it if need be
root_of() {
    local arch=$1 image=$vm/root-$1.img dir=$vm/root-$1 name package
    echo "$image"
    [ ! -e "$image" ] || return 0
    echo "scripts/vm: the root file system, $arch" >&2
    own_apt bookworm "$arch"
    local archives=$vm/apt-bookworm-$arch/archives
    "${apt[@]}" apt-get -q install -y --download-only "${PACKAGES[@]}" >"$vm/log" 2>&1 ||
        cannot "apt-get install for $arch: $(grep -m1 '^E:' "$vm/log")"
    rm -rf "$dir"
    # Unpacked, not configured: that takes seconds, and no program of another architecture need run.
    for name in bin lib sbin lib64; do
        mkdir -p "$dir/usr/$name"
        ln -s "usr/$name" "$dir/$name"
    done
    for package in "$archives"/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -p -C "$dir" --keep-directory-symlink \
            --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
    done
    rm -f "$archives"/*.deb
    # What the packages' scripts would have done.
    cp "$dir/usr/share/base-passwd/passwd.master" "$dir/etc/passwd"
    cp "$dir/usr/share/base-passwd/group.master" "$dir/etc/group"
    echo 'user:x:1000:1000::/home/user:/bin/bash' >>"$dir/etc/passwd"
    echo 'user:x:1000:' >>"$dir/etc/group"
    install -d -o 1000 -g 1000 "$dir/home/user"
    mkdir -p "$dir"/{proc,sys,dev,run,tmp,mnt,vm}
    chmod 1777 "$dir/tmp"
    ln -sfn gawk "$dir/usr/bin/awk"
    ln -sfn gcc "$dir/usr/bin/cc"
    ln -sfn bash "$dir/usr/bin/sh"
    install -m 755 scripts/lib/vm-init "$dir/usr/sbin/vm-init"
    # Features that 5.10 has: a newer mke2fs has others by default.
    cat >"$vm/mke2fs.conf" <<'END'
[defaults]
    base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
    features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
    inode_size = 256
    inode_ratio = 8192
END
    MKE2FS_CONFIG=$vm/mke2fs.conf mke2fs -q -F -d "$dir" "$image.new" "$(($(du -sm "$dir" | cut -f 1) * 12 / 10 + 400))M" \
        >"$vm/log" 2>&1 || cannot "mke2fs: $(tail -n 1 "$vm/log")"
    rm -rf "$dir"
    mv "$image.new" "$image"
}
