# shellcheck shell=bash disable=SC2154 # tmp and others are of functions.sh
# SPDX-License-Identifier: MIT
# Sourced after functions.sh. A machine of user-mode Linux whose root comes from ihop: an initramfs
# of busybox with boot/lib/ihop-root.sh, a data disk with a store, and releases of some hundred
# KiB. It boots in two seconds, without root or KVM.
requires linux.uml busybox cpio mke2fs e2fsck nbdkit
uml_modules=$(echo /usr/lib/uml/modules/*)

# make_release_tree DIRECTORY: a root file system whose init does what the file "test" in the data
# partition says; $release is its name there, and the console shows what it prints.
make_release_tree() {
    local i

    mkdir -p "$1/bin" "$1/sbin" "$1/dev" "$1/proc" "$1/sys" "$1/run" "$1/tmp" "$1/data"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for i in $(busybox --list); do
        [ "$i" = init ] || [ -e "$1/bin/$i" ] || ln -s busybox "$1/bin/$i"
    done
    # Something to read: 3 MB.
    for i in 1 2 3; do
        noise "$1/data/file$i" 1000000 "$1$i"
    done
    (cd "$1/data" && sha256sum file*) >"$1/sums"
    cat >"$1/sbin/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin:/sbin
. /run/ihop/boot
release=$IHOP_RELEASE
data=/run/initramfs/ihop
home=/run/initramfs
attach() { chroot $home ihop-attach "$@"; }
status() { attach --status /dev/nbd0 | sed -n "s/^$1 //p"; }
now() { cut -d" " -f1 /proc/uptime; }
wait_until() { # SECONDS COMMAND...
    local end=$(($(now | cut -d. -f1) + $1))
    shift
    until "$@"; do
        [ "$(now | cut -d. -f1)" -lt $end ] || { echo "timeout: $*"; return 1; }
        sleep 0.05
    done
}
# All files of the release, past the page cache.
read_all() {
    echo 3 >/proc/sys/vm/drop_caches
    (cd /data && sha256sum -c /sums >/dev/null)
}
echo "booted $release overlay $IHOP_OVERLAY"
(set -e; . $data/test)
echo "test exit $?"
# As systemd-shutdown: nothing below /run/initramfs is unmounted.
sync
mount -o remount,ro $data
[ ! -d $home/overlay/ihop-overlay ] || mount -o remount,ro $home/overlay
poweroff -f
INIT
    chmod +x "$1/sbin/init"
}

# make_release_image NAME [COMMAND...]: makes a tree, lets the command change it, and makes $tmp/NAME.img.
make_release_image() {
    local name=$1 tree=$tmp/tree-$1

    shift
    make_release_tree "$tree"
    (cd "$tree" && "${@:-true}")
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tree" "$tmp/$name.img" 16M
}

# add_image NAME: clones $tmp/NAME.img, in chunks of 64 KiB.
add_image() {
    local name=$1

    $cba make --fixed 65536 "$tmp/$name.img" "$tmp/$name.cba"
    "$ihop_clone" -q "$tmp/$name.cba" "$tmp/disk/store/$name"
}

# add_release NAME [COMMAND...]: both.
add_release() {
    make_release_image "$@"
    add_image "$1"
}

# add_modules DIRECTORY PATH...: modules of user-mode Linux for a release or the initramfs, named in
# the order in which they are to be loaded.
add_modules() {
    local directory=$1 path i=10

    shift
    mkdir -p "$directory"
    for path in "$@"; do
        cp "$uml_modules/kernel/$path.ko" "$directory/$i-${path##*/}.ko"
        i=$((i + 1))
    done
}

# make_initramfs: $tmp/initramfs, as one's own maker would: the library, the programs, and an init.
make_initramfs() {
    local dir=$tmp/initramfs.d plugins

    mkdir -p "$dir/bin" "$dir/sbin" "$dir/lib/ihop" "$dir/dev" "$dir/proc" "$dir/sys" "$dir/run" "$dir/root"
    cp "$(command -v busybox)" "$dir/bin/busybox"
    cp "$srcdir/boot/lib/ihop-root.sh" "$dir/lib/ihop/"
    IHOP_SBINDIR=$builddir IHOP_KEEPERDIR=$builddir IHOP_PLUGINDIR=$builddir/.libs sh "$builddir/boot/lib/ihop-resident" "$dir/lib/ihop/resident"
    # Where nbdkit looks for a plugin by its name, as this one is not installed.
    plugins=$(nbdkit --dump-config | sed -n 's/^plugindir=//p')
    mkdir -p "$dir/lib/ihop/resident$plugins"
    mv "$dir/lib/ihop/resident$builddir/.libs/nbdkit-ihop-plugin.so" "$dir/lib/ihop/resident$plugins/"
    add_modules "$dir/lib/modules" drivers/block/nbd fs/overlayfs/overlay drivers/md/dm-mod drivers/md/dm-bufio \
        drivers/md/dm-verity
    cat >"$dir/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
echo "initramfs begins"
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
# As initramfs-tools mounts it.
mount -t tmpfs -o nodev,noexec,nosuid,mode=0755 none /run
for module in /lib/modules/*.ko; do
    insmod "$module"
done
. /lib/ihop/ihop-root.sh
if ihop_parse "$(cat /proc/cmdline)" && ihop_boot /root; then
    mount --move /dev /root/dev
    mount --move /proc /root/proc
    mount --move /sys /root/sys
    mount --move /run /root/run
    exec switch_root /root "$ihop_found_init"
fi
ihop_panic
echo "a shell"
poweroff -f
INIT
    chmod +x "$dir/init"
    (cd "$dir" && find . | cpio -o -H newc --quiet) >"$tmp/initramfs"
}

# make_disk: $tmp/data, an ext4 of what is in $tmp/disk.
make_disk() {
    rm -f "$tmp/data"
    mke2fs -q -F -t ext4 -L ihop-data -d "$tmp/disk" "$tmp/data" 96M
}

# put_file FILE PATH: writes it to the data disk.
put_file() {
    debugfs -w -R "rm $2" "$tmp/data" >/dev/null 2>&1 || true
    debugfs -w -R "write $1 $2" "$tmp/data" >/dev/null 2>&1
}

# get_file PATH: prints it from the data disk.
get_file() {
    debugfs -R "cat $1" "$tmp/data" 2>/dev/null
}

# boot_machine WORD...: boots with these on the command line, and with what stdin holds as the
# test that init runs. The machine's console is in $tmp/console.
boot_machine() {
    local tries=3

    cat >"$tmp/test"
    put_file "$tmp/test" test
    until run_machine "$@"; do
        tries=$((tries - 1))
        # On a busy host, user-mode Linux now and then cannot start a process from its beginning on.
        if [ $tries -eq 0 ] || grep '^initramfs begins' "$tmp/console" >/dev/null; then
            cat "$tmp/console" >&2
            fail "the machine did not come to its end"
        fi
    done
}

run_machine() {
    timeout 120 linux.uml "mem=${UML_MEMORY:-128M}" "umid=ihop-$$" "uml_dir=$tmp/uml" "initrd=$tmp/initramfs" \
        "ubd0=$tmp/data" con=null con0=null,fd:1 quiet noreboot "$@" >"$tmp/console" 2>&1 </dev/null
}

# said PATTERN: the console has a line with it.
said() {
    grep -e "$1" "$tmp/console" >/dev/null || { cat "$tmp/console" >&2; fail "the machine did not say: $1"; }
}

# is_clean FILE: a file system that needs neither e2fsck nor its journal.
is_clean() {
    local features

    e2fsck -fn "$1" >/dev/null 2>&1 || { e2fsck -fn "$1" >&2; fail "$1 is not clean"; }
    features=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Filesystem features: *//p')
    case $features in
        *needs_recovery*) fail "$1 needs its journal: $features" ;;
    esac
}
