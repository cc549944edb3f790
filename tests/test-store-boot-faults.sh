#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kills at each call, calls that fail, power cuts and full disks while it is said or chosen which
# release boots: something always boots, and a trial never more often than it was armed.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
memory_directory
cd "$fast"
tool=$ihop_store
[ ! -x "$builddir/.libs/ihop-store" ] || tool=$builddir/.libs/ihop-store

# template: a store with three releases.
template() {
    local i

    [ ! -d template ] || return 0
    for i in 1 2 3; do
        noise image 20000 "image $i"
        $cba make --fixed 20000 image v$i.cba
        expect_exit 0 "$ihop_clone" --quiet v$i.cba template/v$i
    done
}

# cuts ARGUMENT...: bootcuts.py in a directory that is its own.
cuts() {
    local mode=$1

    shift
    rm -rf cuts
    mkdir cuts
    cp -a template cuts/
    "$python" "$srcdir/tests/faults/bootcuts.py" "$mode" "$@" "$fast/cuts" >"$tmp/cuts" || return
    sed -e '$s/^/measured: /' "$tmp/cuts"
}

test_killed() {
    template
    cuts kill "$tool" "$builddir/tests/faults/kill-at" || fail "$(cat "$tmp/cuts")"
}

test_failing_calls() {
    requires strace
    strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
    template
    cuts fail "$tool" || fail "$(cat "$tmp/cuts")"
}

test_power_cuts() {
    requires_disks ext4
    at_exit release_disks "$fast"
    template
    local plugin=$builddir/tests/faults/.libs/write-log.so

    cuts log --points "$(by_length 30 300)" "$tool" "$plugin" || fail "$(cat "$tmp/cuts")"
    if [ "${IHOP_FAULTS:-}" = full ]; then
        for fs in xfs btrfs ext4-writeback; do
            cuts log --fs $fs --points 150 "$tool" "$plugin" || fail "$(cat "$tmp/cuts")"
        done
    fi
    # It would have found a sync that is missing.
    ! cuts log --points 30 --faked "$tool" "$plugin" || fail "no breach though no sync was made"
    grep -q 'the selection is' "$tmp/cuts" || fail "other breaches than expected: $(cat "$tmp/cuts")"
}

# Not one block is free: a trial is counted all the same, and becomes the default.
test_full_disk() {
    [ "$(id -u)" = 0 ] || skip "mounting needs root"
    [ -c /dev/loop-control ] || skip "no loop device"
    template
    for kind in tmpfs ext4; do
        mkdir -p full
        if [ $kind = tmpfs ]; then
            mount -t tmpfs -o size=2m none full
        else
            truncate -s 8M disk
            mkfs.ext4 -q -b 1024 -m 0 disk
            mount -o loop disk full
        fi
        at_exit umount -l "$fast/full"
        cp -a template full/s
        expect_exit 0 "$ihop_store" default full/s/v1
        expect_exit 0 "$ihop_store" try --tries 2 full/s/v2
        head -c 16M /dev/zero >full/ballast 2>/dev/null || true
        sync
        head -c 1M /dev/zero >>full/ballast 2>/dev/null || true
        expect_exit 1 cp v1.cba full/more
        rm -f full/more
        head -c 1M /dev/zero >>full/ballast 2>/dev/null || true
        expect_exit 0 "$ihop_store" boot full/s
        equal "$(cat "$tmp/out")" v2 "choice on a full $kind"
        silent
        expect_exit 0 "$ihop_store" good full/s
        expect_stdout 'the default from now on'
        expect_exit 0 "$ihop_store" try full/s/v3
        expect_exit 0 "$ihop_store" boot full/s
        equal "$(cat "$tmp/out")" v3 "choice on a full $kind"
        # Without a spare it cannot be counted, and so it is not tried.
        rm full/s/.ihop/boot.spare
        sync
        for i in $(seq 20); do
            head -c 1k /dev/zero >"full/ballast-$i" 2>/dev/null || true
        done
        expect_exit 0 "$ihop_store" boot full/s
        equal "$(cat "$tmp/out")" v2 "choice without a spare on $kind"
        expect_stderr 'v3 is not tried, as that could not be counted: .*No space left'
        expect_stderr 'v2 is not recorded as booted: .*No space left'
        one=$("$ihop_store" selection --json full/s)
        [[ $one == *'"tries":2'* ]] || fail "it was counted: $one"
        umount full
    done
}

run_cases "$@"
