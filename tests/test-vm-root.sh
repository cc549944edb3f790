#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A machine of user-mode Linux whose root comes from ihop, by boot/lib/ihop-root.sh in an initramfs
# of busybox: its server is killed, the next choice is taken, what is written stays or does not, and
# the data partition is clean after each boot.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
. "$srcdir/tests/vm/root-machine.sh"
requires "$builddir/ihop-attach" debugfs blkid
if is_sanitized "$builddir/ihop-attach"; then
    skip "the machine has not the memory that a sanitizer takes"
fi

mkdir -p "$tmp/disk/store"
add_release v1
add_release v2
add_release noinit rm sbin/init
make_initramfs

# fresh_disk DEFAULT [TRIAL]: with these chosen.
fresh_disk() {
    rm -rf "$tmp/disk/store/.ihop/boot"*
    "$ihop_store" default "$tmp/disk/store/$1" >/dev/null
    [ $# -eq 1 ] || "$ihop_store" try --tries 2 "$tmp/disk/store/$2" >/dev/null
    make_disk
    data=UUID=$(blkid -o value -s UUID "$tmp/data")
}

test_killed_server() {
    fresh_disk v1
    boot_machine "ihop.data=$data" <<'TEST'
[ "$IHOP_STORE $IHOP_RELEASE $IHOP_DEVICE" = "/run/initramfs/ihop/store v1 /dev/nbd0" ]
read_all
server=$(status server)
kill -9 $server
read_all
[ "$(status server)" != $server ]
# Keeper and server run from memory: nothing of theirs is on the root.
for process in $(status server) $(status keeper); do
    [ "$(readlink /proc/$process/root)" = $home ]
done
# The record and the lock are those that ihop-attach sees here.
[ -e /run/ihop-attach/nbd0 ]
echo written >/data/new
grep . /data/new
dmesg | grep 'ihop: root is release v1, overlay tmpfs'
TEST
    said '^booted v1 overlay tmpfs'
    said '^test exit 0'
    is_clean "$tmp/data"
    # What was written is gone; the next boot finds the release as it was.
    boot_machine "ihop.data=$data" ihop.overlay=none <<'TEST'
[ ! -e /data/new ]
! touch /data/new
read_all
TEST
    said '^booted v1 overlay none'
    said '^test exit 0'
    is_clean "$tmp/data"
}

test_next_choice() {
    fresh_disk v1 noinit
    for left in 1 0; do
        boot_machine "ihop.data=$data" ihop.overlay=none </dev/null
        said 'release noinit has no init'
        said '^booted v1 overlay none'
        get_file store/.ihop/boot >"$tmp/boot"
        equal "$(sed -n 's/^tries=//p' "$tmp/boot")" $left "tries left"
    done
    # No try is left: it is not the first choice any more. The command line still is.
    boot_machine "ihop.data=$data" </dev/null
    expect_exit 1 grep 'noinit has no init' "$tmp/console"
    said '^booted v1 overlay tmpfs'
    boot_machine "ihop.data=$data" ihop.release=noinit </dev/null
    said 'ihop.release=noinit cannot be booted: boot selection decides'
    said '^booted v1 overlay tmpfs'
    is_clean "$tmp/data"
}

test_overlay_stays() {
    fresh_disk v1
    for name in v1 v2; do
        boot_machine "ihop.data=$data" "ihop.overlay=$data" ihop.release=$name <<'TEST'
[ ! -e /data/new ]
echo $release >/data/new
rm /data/file1
TEST
        said "^booted $name overlay /dev/ubda"
        said '^test exit 0'
        is_clean "$tmp/data"
    done
    boot_machine "ihop.data=$data" "ihop.overlay=$data" <<'TEST'
[ "$(cat /data/new)" = v1 ]
[ ! -e /data/file1 ]
TEST
    said '^test exit 0'
    boot_machine "ihop.data=$data" ihop.overlay=/dev/ubdz ihop.timeout=1 <<'TEST'
[ -e /data/file1 ]
TEST
    said 'ihop.overlay=/dev/ubdz cannot be used'
    said '^booted v1 overlay tmpfs'
    is_clean "$tmp/data"
}

test_nothing_boots() {
    mkdir "$tmp/away"
    mv "$tmp/disk/store/v1" "$tmp/disk/store/v2" "$tmp/away/"
    fresh_disk noinit
    boot_machine "ihop.data=$data" </dev/null
    said 'release noinit has no init'
    said 'no release of /store in /dev/ubda can be booted'
    said '^a shell'
    is_clean "$tmp/data"
    boot_machine "ihop.data=$data" panic=1 </dev/null
    said 'rebooting in 1 s, because of panic='
    expect_exit 1 grep '^a shell' "$tmp/console"
    is_clean "$tmp/data"
    boot_machine ihop.data=UUID=none ihop.timeout=1 </dev/null
    said 'the data partition ihop.data=UUID=none did not appear within 1 s'
    mv "$tmp/away"/* "$tmp/disk/store/"
}

run_cases "$@"
