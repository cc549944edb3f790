#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A disk whose writes fail, below a real file system: exit code 7 and one line, the old
# release stays, what a sync failed for is not synced again, and nothing of it gets a
# name. When the disk writes again a rerun succeeds, and what it calls durable is durable.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/faults.sh"
requires_disks ext4 xfs
requires e2fsck
export ASAN_OPTIONS=detect_leaks=0 # LeakSanitizer cannot work in a process that is traced
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
nbdkit --dump-plugin --filter=error null >/dev/null 2>&1 || skip "not installed: nbdkit's error filter"
memory_directory
at_exit release_disks "$fast"
mkdir "$fast/fuse" "$fast/mnt"
noise "$tmp/image" 2000000 one
noise "$tmp/image2" 4000000 two
$cba make --fixed 16384 "$tmp/image" "$tmp/one.cba"
$cba make --fixed 16384 "$tmp/image2" "$tmp/two.cba"
store=$fast/mnt/s

# bad_disk FS RATE: with the old release on it; that share of its writes fails while
# $fast/bad exists.
bad_disk() {
    rm -f "$fast/bad" "$fast/pid"
    truncate -s 0 "$fast/disk"
    truncate -s 320M "$fast/disk"
    case $1 in
    ext4) mkfs.ext4 -q -b 4096 "$fast/disk" ;;
    xfs) mkfs.xfs -q -s size=4096 "$fast/disk" ;;
    esac
    nbdfuse -P "$fast/pid" "$fast/fuse/disk" --command nbdkit -s --filter=error file "$fast/disk" \
        error-pwrite=EIO error-pwrite-rate="$2" error-pwrite-file="$fast/bad" 2>"$tmp/nbdfuse" &
    server=$!
    wait_for 10 test -s "$fast/pid"
    device=$(losetup --find --show "$fast/fuse/disk")
    # The loop driver takes a write for done of which FUSE wrote the first part: let no
    # write have parts. That is also why the blocks above are of 4 KiB.
    echo 64 >"/sys/block/${device#/dev/}/queue/max_sectors_kb"
    mount -t "$1" "$device" "$fast/mnt"
    "$ihop_clone" --quiet "$tmp/one.cba" "$store/r"
    sync -f "$fast/mnt"
}

# good_disk: the same one again, without what memory knows of it. Fails when the file
# system itself is damaged: ext4 may go on after losing what it wrote of its own.
good_disk() {
    umount "$fast/mnt"
    losetup -d "$device"
    umount "$fast/fuse"
    wait "$server"
    mount -o loop "$fast/disk" "$fast/mnt" 2>"$tmp/why" || return 1
    if [ "$(findmnt -no FSTYPE "$fast/mnt")" = ext4 ]; then
        umount "$fast/mnt" # its journal is replayed now
        e2fsck -fn "$fast/disk" >"$tmp/why" 2>&1 || return 1
        mount -o loop "$fast/disk" "$fast/mnt" 2>"$tmp/why" || return 1
    fi
}

# not_synced_again: in $tmp/trace nothing is synced for which that failed before.
not_synced_again() {
    grep -Eq '= -1 E' "$tmp/trace" || fail "no sync failed"
    sed -nE 's/.*(fsync|syncfs)\([0-9]+<([^>]*)>.*= (0|-1).*/\2 \3/p' "$tmp/trace" |
        awk 'bad[$1] { print; exit 1 } $2 == -1 { bad[$1] = 1 }' >"$tmp/again" ||
        fail "synced again after a failure: $(cat "$tmp/again")"
}

# after_all CODE: what holds on the disk, when a clone ended with that code. At times
# the file system itself does not survive that the disk forgot some of its writes.
after_all() {
    good_disk || { lost=$((lost + 1)) && return 0; }
    good_chunks "$store" >/dev/null
    if [ "$1" = 0 ]; then
        holds "$store/r" "$tmp/image2"
    else
        holds "$store/r" "$tmp/image"
    fi
    expect_exit 0 "$ihop_clone" --quiet --force "$tmp/two.cba" "$store/r"
    holds "$store/r" "$tmp/image2"
    nothing_staged "$store"
    umount "$fast/mnt"
}

# again: a rerun on the disk that writes again; its exit code. The file system may have
# had enough, or be as good as new.
again() {
    local code=0

    rm "$fast/bad"
    "$ihop_clone" --quiet --force "$tmp/two.cba" "$store/r" 2>"$tmp/again.err" || code=$?
    [ $code = 0 ] || [ $code = 7 ] || fail "exit code $code when the disk writes again: $(cat "$tmp/again.err")"
    echo $code
}

# no_writes FS SYNC
no_writes() {
    local code lost=0

    bad_disk "$1" 100%
    : >"$fast/bad"
    expect_exit 7 strace -qq -y -f -o "$tmp/trace" -e trace=syncfs,fsync,fdatasync \
        "$program" --quiet --force --jobs 1 --sync "$2" "$tmp/two.cba" "$store/r"
    one_line_on_stderr
    expect_stderr "^ihop-clone: .*$store.*(Input/output error|Read-only file system)"
    not_synced_again
    code=$(again)
    after_all "$code"
    [ $lost = 0 ] || fail "the file system is lost: $(cat "$tmp/why")"
    echo "measured: $1 --sync $2, no write succeeds: exit code 7, then $code when the disk writes again"
}

# some_writes FS SYNC TIMES: a few of them fail, so that the file system lives on.
some_writes() {
    local i code first=() second=() lost=0

    for ((i = 0; i < $3; i++)); do
        bad_disk "$1" 4%
        : >"$fast/bad"
        code=0
        "$ihop_clone" --quiet --force --sync "$2" "$tmp/two.cba" "$store/r" >"$tmp/out" 2>"$tmp/err" || code=$?
        [ $code = 0 ] || [ $code = 7 ] || { show_output; fail "exit code $code with a few bad writes"; }
        [ $code = 0 ] || one_line_on_stderr
        first+=($code)
        [ $code = 0 ] || code=$(again)
        second+=("$code")
        after_all "$code"
    done
    echo "measured: $1 --sync $2, some writes fail: exit codes ${first[*]}; then ${second[*]}; \
$lost file systems lost"
    [ $lost -lt "$3" ] || fail "no file system survived: $(cat "$tmp/why")"
}

# No write succeeds.
test_no_writes() {
    for fs in ext4 xfs; do
        no_writes $fs fs
        no_writes $fs files
    done
}

# Some writes fail.
test_some_writes() {
    for fs in ext4 xfs; do
        some_writes $fs fs "$(by_length 2 15)"
    done
    some_writes ext4 files "$(by_length 2 15)"
}

run_cases "$@"
