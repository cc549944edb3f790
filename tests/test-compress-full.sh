#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A full disk is exit code 6, whether it fills up with chunk data, as the header is put
# before it, or at the start; nothing is left, and what was there before stays.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
[ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted"
mkdir "$tmp/disk"
mount -t tmpfs -o size=3m none "$tmp/disk" 2>"$tmp/mount" || skip "no mounts here: $(cat "$tmp/mount")"
at_exit umount -l "$tmp/disk"
noise "$tmp/large" 5000000 large
noise "$tmp/fits-once" 2000000 fits
noise "$tmp/small" 1000000 small
echo "what was there" >"$tmp/disk/old.cba"

# full ARGUMENT...
full() {
    expect_exit 6 "$ihop_compress" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-compress: cannot (write|create) $tmp/disk/.*No space left on device"
    equal "$(ls -A "$tmp/disk")" "old.cba" "what is on the disk"
    equal "$(cat "$tmp/disk/old.cba")" "what was there" "the old archive"
}

full "$tmp/large" "$tmp/disk/a.cba"
full -f "$tmp/large" "$tmp/disk/old.cba"
full -j 4 --compression none "$tmp/large" "$tmp/disk/a.cba"
# tmpfs cannot insert blocks: the copy is what does not fit.
full "$tmp/fits-once" "$tmp/disk/a.cba"
expect_exit 0 "$ihop_compress" -q "$tmp/small" "$tmp/disk/a.cba"
cmp <("$ihop_compress" --print-header "$tmp/disk/a.cba") \
    <("$ihop_compress" -q --print-header "$tmp/small" "$tmp/b.cba")

# The copy that has the signature does not fit; the archive stays.
$cba key 1 "$tmp/one" >/dev/null
head -c 1500000 /dev/zero >"$tmp/disk/filler"
cp "$tmp/disk/a.cba" "$tmp/before"
expect_exit 6 "$ihop_compress" --add-signature "$tmp/one.sec" "$tmp/disk/a.cba"
one_line_on_stderr
cmp "$tmp/disk/a.cba" "$tmp/before"
equal "$(ls -A "$tmp/disk" | paste -sd' ')" "a.cba filler old.cba" "what is on the disk"

# No inode for it.
umount "$tmp/disk"
mount -t tmpfs -o size=3m,nr_inodes=2 none "$tmp/disk"
echo "what was there" >"$tmp/disk/old.cba"
full "$tmp/small" "$tmp/disk/a.cba"
mount -o remount,ro "$tmp/disk"
expect_exit 7 "$ihop_compress" "$tmp/small" "$tmp/disk/a.cba"
one_line_on_stderr
expect_stderr "cannot create $tmp/disk/a.cba: Read-only file system"

# A limit on the size of files counts as a lack of space.
got=0
(ulimit -f 1000 && exec "$ihop_compress" "$tmp/large" "$tmp/limited.cba") 2>"$tmp/err" || got=$?
equal $got 6 "exit code at the limit of a file's size"
one_line_on_stderr
expect_stderr "cannot write $tmp/limited.cba: File too large"
[ ! -e "$tmp/limited.cba" ] || fail "an archive beyond the limit"
