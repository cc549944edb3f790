#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Releases that hold ext4, squashfs and erofs, attached and mounted in a machine of user-mode Linux:
# every file has its bytes. Then the same machine runs out of memory, with swap on zram and without,
# while a release is read: what eats the memory is killed, not keeper or server; and when the
# server is killed in the middle of it, the mount lives.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs mksquashfs mkfs.erofs nbdkit mkswap
[ -e "$builddir/ihop-attach" ] || skip "built without ihop-attach"
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

mkdir "$tmp/files"
for i in $(seq 30); do
    noise "$tmp/files/noise$i" $((i * 20000)) "$i"
    head -c $((i * 30000)) < <(yes "line $i") >"$tmp/files/text$i"
done
(cd "$tmp/files" && sha256sum ./*) >"$tmp/sums"
mke2fs -q -F -t ext4 -b 1024 -O ^has_journal -d "$tmp/files" "$tmp/ext4.img" 40M
mksquashfs "$tmp/files" "$tmp/squashfs.img" -quiet -no-progress -comp gzip
mkfs.erofs --quiet "$tmp/erofs.img" "$tmp/files" >"$tmp/erofs.log" 2>&1
for name in ext4 squashfs erofs; do
    "$ihop_compress" -q "$tmp/$name.img" "$tmp/$name.cba"
    "$ihop_clone" -q "$tmp/$name.cba" "$tmp/store/$name"
done

cat >"$tmp/guest" <<'GUEST'
for m in drivers/block/nbd fs/squashfs/squashfs fs/erofs/erofs mm/zsmalloc drivers/block/zram/zram; do
    module $m || echo "no module $m"
done
attach() { "$builddir/ihop-attach" -q --plugin "$builddir/.libs/nbdkit-ihop-plugin.so" "$@"; }
status() { "$builddir/ihop-attach" --status /dev/nbd0 | sed -n "s/^$1 //p"; }
same_files() { (cd /run/mnt && sha256sum --quiet -c "$tmp/sums"); }
fresh() { echo 3 >/proc/sys/vm/drop_caches; }

for type in ext4 squashfs erofs; do
    [ "$(attach --timeout 2 "$tmp/store/$type")" = /dev/nbd0 ]
    mount -t $type -o ro /dev/nbd0 /run/mnt
    same_files
    kill -9 "$(status server)"
    fresh
    same_files
    umount /run/mnt
    attach --detach /dev/nbd0
    echo "$type good"
done
GUEST
cat >"$tmp/memory" <<'GUEST'
# The eater takes 8 MiB at a time and writes to each page, until it is killed.
eat() {
    python3 -c 'import time
pieces = []
while True:
    pieces.append(bytearray(b"x" * (8 << 20)))
    time.sleep(0.02)' || echo "eater: exit $?"
}
under_pressure() { # NAME
    local keeper server
    keeper=$(status keeper) server=$(status server)
    eat >/run/eater &
    for _ in 1 2 3 4; do
        fresh
        same_files
    done
    wait $!
    grep -q 'eater: exit 137' /run/eater
    same_files
    [ "$(status keeper) $(status server)" = "$keeper $server" ]
    echo "$1 good"
}
# nbdkit has 192 MiB of memory that it never touches. With less than that in the machine, the kernel
# starts it only when it may promise more than it has.
r=0
attach --timeout 2 "$tmp/store/ext4" || r=$?
[ $r -ne 0 ] || attach --detach /dev/nbd0
echo "without overcommit: exit $r"
echo 1 >/proc/sys/vm/overcommit_memory
attach --timeout 2 "$tmp/store/ext4"
mount -t ext4 -o ro /dev/nbd0 /run/mnt
echo 4 >/proc/sys/vm/swappiness
under_pressure "no memory"
echo 64M >/sys/block/zram0/disksize
mkswap -q /dev/zram0
swapon /dev/zram0
under_pressure "no memory, zram"
# A server that is killed when there is no memory.
eat >/run/eater &
eater=$!
for _ in 1 2 3; do
    kill -9 "$(status server)"
    fresh
    same_files
done
wait $eater
same_files
echo "killed server good"
GUEST
{ sed -n '1,/^fresh/p' "$tmp/guest"; cat "$tmp/memory"; } >"$tmp/guest-memory"

uml "${UML_SECONDS:-120}" "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
grep good "$tmp/console"
UML_MEMORY=128M uml "${UML_SECONDS:-120}" "$tmp/guest-memory" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
grep good "$tmp/console"
