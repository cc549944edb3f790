#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A full disk: known up front it is exit code 6 before a chunk is requested; in the
# middle it is 6 as well, with the staging directory removed. A read-only store with
# nothing to do is fine.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
[ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted"
mkdir "$tmp/disk"
mount -t tmpfs -o size=64k none "$tmp/disk" 2>"$tmp/mount" || skip "no mounts here: $(cat "$tmp/mount")"
at_exit umount -l "$tmp/disk"
start_server "$tmp/www" "path=/slow/ past=$apart_header : delay=0.1"

# new_disk OPTIONS
new_disk() {
    umount "$tmp/disk"
    mount -t tmpfs -o "$1" none "$tmp/disk"
    rules "path=/slow/ past=$apart_header : delay=0.1"
}

# refused_up_front REGEX
refused_up_front() {
    expect_exit 6 "$ihop_clone" "$url/good/apart.cba" "$tmp/disk/s/r"
    one_line_on_stderr
    expect_stderr "^ihop-clone: not enough $1 in store $tmp/disk/s: .*needed.*free"
    equal "$(requests "past=$apart_header")" 0 "requests for chunks"
    nothing_staged "$tmp/disk/s"
    [ ! -e "$tmp/disk/s/r" ] || fail "a release on a full disk"
}

new_disk size=500k
refused_up_front space
new_disk size=100m,nr_inodes=20
refused_up_front inodes

# in_the_middle: somebody takes the space while the chunks come.
in_the_middle() {
    "$ihop_clone" --quiet --connections 1 "$url/slow/apart.cba" "$tmp/disk/s/r" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    wait_for 10 grep -q "\"first\": $(offset_of 3)" "$server_log"
    "$@"
    got=0
    wait "$pid" || got=$?
    [ $got = 6 ] || { show_output; fail "exit code $got instead of 6 on a disk that became full"; }
    one_line_on_stderr
    expect_stderr "$tmp/disk/s.*No space left"
    nothing_staged "$tmp/disk/s"
    good_chunks "$tmp/disk/s" >/dev/null
    [ ! -e "$tmp/disk/s/r" ] || fail "a release on a full disk"
    rm -rf "$tmp/disk/full"
    recovers apart.cba "$tmp/disk/s/r" "$tmp/image" 655360
}

fill_bytes() {
    dd if=/dev/zero of="$tmp/disk/full" bs=4k 2>/dev/null || true
}

fill_inodes() {
    mkdir "$tmp/disk/full"
    (cd "$tmp/disk/full" && for i in $(seq 200); do : >"$i" || break; done) 2>/dev/null || true
}

new_disk size=1m
in_the_middle fill_bytes
new_disk size=100m,nr_inodes=120
in_the_middle fill_inodes

# Read-only: nothing to do is fine, something to do is 7 with the reason.
mount -o remount,ro "$tmp/disk"
expect_exit 0 "$ihop_clone" "$url/good/apart.cba" "$tmp/disk/s/r"
expect_stderr "already complete"
expect_exit 0 "$ihop_clone" --dry-run "$url/good/solid.cba" "$tmp/disk/s/r2"
expect_exit 7 "$ihop_clone" "$url/good/solid.cba" "$tmp/disk/s/r2"
one_line_on_stderr
expect_stderr "$tmp/disk/s.*Read-only file system"
