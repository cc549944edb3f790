#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Power cuts by a write log: the disk of any moment of a clone, with unflushed writes
# missing or torn. A release is absent, old or new in full, and is there once the
# clone has ended; a rerun fetches at most what was missing and one batch. With syncs
# that do nothing the same run finds breaches: it would have found ours.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
requires_disks ext4
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
export ASAN_OPTIONS=detect_leaks=0
memory_directory
at_exit release_disks "$fast"

# cuts FS SCENARIO SYNC SAMPLE FULL [OPTION...]: so many of them in a sample, in full.
# Most with --late: the early start of writing hides a sync that is missing.
cuts() {
    local fs=$1 scenario=$2 sync=$3 points

    points=$(by_length "$4" "$5")
    shift 5
    [ "$points" -gt 0 ] || return 0
    requires_disks "${fs%-*}"
    fault "$fast/cuts" powercut.py log --fs "$fs" --scenario "$scenario" --sync "$sync" \
        --points "$points" "$@" "$program" "$builddir/tests/faults/.libs/write-log.so"
}

cuts ext4 update fs 11 200 --late
cuts ext4 replace files 5 100
cuts ext4 first fs 0 100 --late
cuts ext4 replace fs 0 100
cuts ext4 delta fs 0 60 --late
cuts ext4 update files 0 50
cuts ext4-writeback update fs 0 100 --late
cuts xfs update fs 0 120 --late
cuts xfs replace files 0 50
cuts btrfs update fs 0 120 --late
cuts btrfs replace files 0 30

# fooled FS SAMPLE REGEX: without syncs, breaches are found; by chance a sample has none,
# and a busy machine is more likely to have written early what was not synced.
fooled() {
    local seed code=0

    for seed in 1 2 3 4 5 6; do
        cuts "$1" update fs "$2" 15 --faked --seed $seed || code=$?
        [ $code = 0 ] || break
    done
    [ $code = 1 ] || fail "no breach on $1 though no sync was made: exit code $code"
    grep -Eq "breaches: .*$3" "$tmp/fault" || fail "not the breaches that were expected on $1"
}

fooled ext4 4 "(chunk|lost)"
if [ "${IHOP_FAULTS:-}" = full ]; then
    fooled xfs 0 "(chunk|lost)"
    fooled btrfs 0 "lost"
fi
