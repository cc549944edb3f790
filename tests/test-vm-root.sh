#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A machine of user-mode Linux whose root comes from ihop, by boot/lib/ihop-root.sh in an initramfs
# of busybox: its server is killed, the next choice is taken, what is written stays or does not, memory
# runs out, dm-verity lies below the root; and the data partition is clean after each boot.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
. "$srcdir/tests/vm/root-machine.sh"
requires "$builddir/ihop-attach" debugfs blkid veritysetup
if is_sanitized "$builddir/ihop-attach"; then
    skip "the machine has not the memory that a sanitizer takes"
fi

mkdir -p "$tmp/disk/store"
# What swap on zram takes.
with_zram() { add_modules modules mm/zsmalloc drivers/block/zram/zram; }
add_release v1 with_zram
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

# Memory of 128 MiB runs out, while the release is read past the page cache: what eats it is killed, and
# not keeper or server; first without swap, then with swap on zram, then while the server is killed
# as well. All but keeper and server have a limit, as docs/device.md wants it: without one
# the machine may stand still for minutes, as each page of a program is read from the release anew.
test_memory() {
    fresh_disk v1
    boot_machine "ihop.data=$data" <<'TEST'
under_pressure() { # NAME [COMMAND]: which runs until the eater is gone
    local before="$(status server) $(status keeper)" begun=$(now)
    # A file of zeros without an end is a line without an end, which tail keeps.
    tail /dev/zero &
    eater=$!
    while kill -0 $eater 2>/dev/null; do
        read_all
        ${2:-true}
    done
    code=0
    wait $eater || code=$?
    echo "$1: eater exit $code after $(now) - $begun s"
    [ $code = 137 ]
    read_all
    [ -n "${2:-}" ] || [ "$(status server) $(status keeper)" = "$before" ]
}
total=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
mkdir /run/cgroup
mount -t cgroup2 none /run/cgroup
echo +memory >/run/cgroup/cgroup.subtree_control
mkdir /run/cgroup/system.slice
echo $((total * 1024 / 100 * 50)) >/run/cgroup/system.slice/memory.max
sh -c 'echo $PPID' >/run/cgroup/system.slice/cgroup.procs
kill_server() { [ -e /run/killed ] || kill -9 "$(status server)"; touch /run/killed; }
for module in /modules/*; do insmod $module; done
echo 64M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
under_pressure "no swap"
swapon /dev/zram0
under_pressure "swap on zram"
under_pressure "server killed" kill_server
dmesg | grep 'Killed process'
! dmesg | grep -E 'Killed process.*[(](nbdkit|ihop|init)'
TEST
    said '^test exit 0'
    grep -e 'eater exit' "$tmp/console"
    is_clean "$tmp/data"
}

# make_verity: the release "verity" with its hash tree behind the file system; $words says so to the
# kernel.
make_verity() {
    make_release_image verity
    veritysetup format --hash-offset=$((16 << 20)) "$tmp/verity.img" "$tmp/verity.img" >"$tmp/format"
    add_image verity
    words="ihop.release=verity ihop.overlay=none panic=1 ihop.verity=roothash=$(sed -n 's/^Root hash:[[:space:]]*//p' "$tmp/format"),offset=$((16 << 20))"
}

# spoil TEXT: changes a byte of the chunk in which the image has this text, and of no other one.
spoil() {
    $python - "$tmp/disk/store/chunks" "$1" <<'PYTHON'
import pathlib, sys
found = [path for path in pathlib.Path(sys.argv[1]).rglob("*.chunk") if bytes.fromhex(sys.argv[2]) in path.read_bytes()]
assert len(found) == 1, found
path = found[0]
content = bytearray(path.read_bytes())
content[content.index(bytes.fromhex(sys.argv[2]))] ^= 1
path.chmod(0o644)
path.write_bytes(content)
PYTHON
}

# dm-verity below the root: bytes that are not those of the release are never read. Where only a file
# has them, reading it fails, and the rest goes on; where the file system itself has them, it cannot be
# mounted, and as the root hash fits no other release, nothing boots.
test_verity() {
    make_verity
    fresh_disk v1
    # shellcheck disable=SC2086 # words
    boot_machine "ihop.data=$data" $words <<'TEST'
grep '^/dev/mapper/ihop-nbd0 / ' /proc/mounts
read_all
kill -9 $(status server)
read_all
[ "$(status corrupted)" = no ]
TEST
    said '^booted verity overlay none'
    said '^test exit 0'
    is_clean "$tmp/data"

    spoil "$(tail -c +600001 "$tmp/tree-verity/data/file2" | head -c 64 | od -An -v -tx1 | tr -d ' \n')"
    fresh_disk v1
    # shellcheck disable=SC2086
    boot_machine "ihop.data=$data" $words <<'TEST'
read_all && exit 1
dd if=/data/file2 of=/dev/null 2>/run/error && exit 1
grep 'Input/output error' /run/error
(cd /data && grep 'file[13]' /sums | sha256sum -c)
[ "$(status corrupted)" = yes ]
TEST
    said '^booted verity overlay none'
    said '^test exit 0'
    is_clean "$tmp/data"

    # The volume's UUID, which is in the superblock and in no other copy of it here.
    spoil "$(blkid -o value -s UUID "$tmp/verity.img" | tr -d -)"
    fresh_disk v1
    # shellcheck disable=SC2086
    boot_machine "ihop.data=$data" $words </dev/null
    said 'release verity cannot be mounted'
    said 'no release of /store in /dev/ubda can be booted'
    said 'rebooting in 1 s, because of panic='
    expect_exit 1 grep '^booted' "$tmp/console"
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
