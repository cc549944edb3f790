#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A sync fails, and the clone is killed at each place before it has cleaned up. From then on
# the disk is good, but the page cache still has what was never written, and calls it clean.
# What a rerun publishes must be there when the page cache is gone.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/faults.sh"
requires_disks ext4 xfs
nbdkit --dump-plugin eval >/dev/null 2>&1 || skip "not installed: nbdkit's eval plugin"
library=$builddir/tests/faults/.libs/die-after-sync.so
[ -e "$library" ] || skip "not built: $library"
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
memory_directory
at_exit release_disks "$fast"
mkdir "$fast/fuse" "$fast/mnt"
store=$fast/mnt/s
mark=THE-DISK-TAKES-NO-SUCH-BLOCK

# Two chunks of sixteen have blocks that the disk does not take.
noise "$tmp/image" $((16 * 65536)) one
for block in 3 10; do
    printf %s $mark | dd of="$tmp/image" bs=65536 seek=$block conv=notrunc status=none
done
$cba make --fixed 65536 "$tmp/image" "$tmp/one.cba"

# bad_disk: a fresh one, mounted; while $fast/bad exists it takes no block with the mark.
bad_disk() {
    rm -f "$fast/bad" "$fast/none" "$fast/failed" "$fast/pid" "$fast/disk"
    truncate -s 320M "$fast/disk"
    case $fs in
    ext4) mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$fast/disk" 32M ;;
    xfs) mkfs.xfs -q -s size=4096 "$fast/disk" ;;
    esac
    nbdfuse -P "$fast/pid" "$fast/fuse/disk" --command nbdkit -s eval \
        get_size='stat -Lc %s '"$fast/disk" \
        pread='dd if='"$fast/disk"' iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=64K status=none' \
        pwrite='cat >'"$fast"'/block.$$
            if [ -e '"$fast/none"' ] || { [ -e '"$fast/bad"' ] && grep -q '$mark' '"$fast"'/block.$$; }; then
                rm '"$fast"'/block.$$; touch '"$fast/failed"'; echo EIO no >&2; exit 1
            fi
            dd if='"$fast"'/block.$$ of='"$fast/disk"' oflag=seek_bytes seek=$4 bs=64K conv=notrunc status=none
            rm '"$fast"'/block.$$' \
        can_write='exit 0' can_flush='exit 0' flush='exit 0' 2>"$tmp/nbdfuse" &
    server=$!
    wait_for 20 test -s "$fast/pid"
    device=$(losetup --find --show "$fast/fuse/disk")
    # As in test-clone-bad-disk.sh: no write may have parts.
    echo 64 >"/sys/block/${device#/dev/}/queue/max_sectors_kb"
    mount -t "$fs" "$device" "$fast/mnt"
}

# cold: the same file system without what memory knows of it.
cold() {
    umount "$fast/mnt"
    losetup -d "$device"
    wait_for 20 umount "$fast/fuse" # the loop device may take a moment to go
    wait "$server"
    mount -o loop "$fast/disk" "$fast/mnt"
}

# point SYNC N: the clone dies there, if it gets so far.
point() {
    local code=0 rerun

    bad_disk
    touch "$fast/bad"
    env LD_PRELOAD="$library" DIE_AFTER_SYNC="$2" "$program" --quiet --jobs 1 --sync "$1" \
        "$tmp/one.cba" "$store/r" >"$tmp/out" 2>"$tmp/err" || code=$?
    [ -e "$fast/failed" ] || fail "no write failed"
    [ $code = 137 ] || [ $code = 7 ] || fail "exit code $code when the disk takes no write"
    [ $code = 7 ] || killed=$((killed + 1))
    rm "$fast/bad"
    # The first one may be told of the error that the killed one did not live to see.
    for _ in 1 2 3; do
        rerun=0
        "$ihop_clone" --quiet --json "$tmp/one.cba" "$store/r" >"$tmp/json" 2>"$tmp/err" || rerun=$?
        [ $rerun != 0 ] || break
        [ $rerun = 7 ] || fail "exit code $rerun of a rerun: $(cat "$tmp/err")"
    done
    [ $rerun = 0 ] || fail "no rerun succeeds: $(cat "$tmp/err")"
    cold
    expect_exit 0 "$ihop_store" verify "$store"
    good_chunks "$store" >/dev/null
    holds "$store/r" "$tmp/image"
    expect_exit 0 "$ihop_clone" --quiet "$tmp/one.cba" "$store/r"
    umount "$fast/mnt"
}

# name_point N: the disk takes nothing any more as soon as the release has its name, and the
# clone dies at place N of what follows, or ends by itself. A rerun that says that all is there
# is right; or the file system has had enough, until it is mounted again.
name_point() {
    local code=0 rerun=0

    bad_disk
    env LD_PRELOAD="$library" DIE_AFTER_SYNC="$1" DIE_TOUCH="$fast/none" "$program" --quiet \
        "$tmp/one.cba" "$store/r" >"$tmp/out" 2>"$tmp/err" || code=$?
    [ -e "$fast/failed" ] || fail "no write failed"
    [ $code = 137 ] || [ $code = 7 ] || fail "exit code $code when the name cannot be made durable"
    rm "$fast/none"
    "$ihop_clone" --quiet "$tmp/one.cba" "$store/r" 2>"$tmp/err" || rerun=$?
    [ $rerun = 0 ] || [ $rerun = 7 ] || fail "exit code $rerun of a rerun: $(cat "$tmp/err")"
    cold
    [ $rerun != 0 ] || holds "$store/r" "$tmp/image"
    expect_exit 0 "$ihop_clone" --quiet "$tmp/one.cba" "$store/r"
    holds "$store/r" "$tmp/image"
    umount "$fast/mnt"
    reruns+=($rerun)
}

# adopts SYNC SAME: what is staged and on the disk is adopted, as it is or written anew.
adopts() {
    local staged=$store/.ihop/staging/0123456789abcdef chunk before same=no

    bad_disk
    "$ihop_clone" --quiet --sync "$1" "$tmp/one.cba" "$store/r"
    chunk=$(find "$store/chunks" -name '*.chunk' | sed -n 1p)
    exec 3<"$chunk" # so that its number is not taken again
    before=$(stat -c %i "$chunk")
    mkdir "$staged"
    mv "$chunk" "$staged/"
    expect_exit 0 "$ihop_clone" --json --sync "$1" "$tmp/one.cba" "$store/r"
    expect_stdout '"chunks_adopted": *1\b'
    expect_stdout '"chunks_fetched": *0\b'
    [ "$(stat -c %i "$chunk")" != "$before" ] || same=yes
    exec 3<&-
    [ $same = "$2" ] || fail "adopted with --sync $1 as it was: $same"
    cold
    holds "$store/r" "$tmp/image"
    umount "$fast/mnt"
}

test_adopts() {
    fs=ext4
    adopts fs yes
    adopts files no
}

test_killed_after_failed_sync() {
    for way in "ext4 fs" "ext4 files" "xfs fs"; do
        read -r fs sync <<<"$way"
        killed=0 points=0
        # shellcheck disable=SC2086 # a list
        for n in $(by_length "0 1 2 9" "$(seq 0 60 | tr '\n' ' ')"); do
            points=$((points + 1))
            point $sync "$n"
        done
        [ $killed -ge 3 ] || fail "killed at $killed of $points places only"
        echo "measured: $fs --sync $sync, a sync fails, killed at $killed of $points places: no damage"
    done
}

test_name_not_written() {
    for fs in ext4 xfs; do
        reruns=()
        for n in 0 1000; do name_point $n; done
        echo "measured: $fs, the name of a release is not written: a rerun on the same mount ends with ${reruns[*]}"
    done
}

run_cases "$@"
