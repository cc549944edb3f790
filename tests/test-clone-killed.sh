#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 at system calls spread over a clone: whatever the point, what is in the
# store is good, a release is whole or absent, and a rerun completes it without
# fetching again what was committed.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires strace
make_archives
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
archive=$tmp/www/apart.cba
kills=0

# killed_at CALL N: at the N-th CALL of any one thread (strace counts by thread).
killed_at() {
    local store=$tmp/k code=0 had missing

    rm -rf "$store"
    { strace -qq -f -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
        "$ihop_clone" --quiet --jobs 2 "$archive" "$store/r" || code=$?; } 2>/dev/null
    if [ "$code" = 0 ]; then # it never came to that
        holds "$store/r" "$tmp/image"
        return 0
    fi
    equal "$code" 137 "exit code when killed at $1 number $2"
    kills=$((kills + 1))
    had=$(good_chunks "$store")
    if [ -e "$store/r" ]; then holds "$store/r" "$tmp/image"; fi
    missing=$((20 - had))
    expect_exit 0 "$ihop_clone" --quiet --json "$archive" "$store/r"
    holds "$store/r" "$tmp/image"
    at_most "$(json chunks_fetched)" "$missing" "chunks fetched after $1 number $2"
    nothing_staged "$store"
    # When the release is there already, whatever else stays is the clean-up's.
    [ "$(json outcome)" = complete ] || [ -z "$(ls "$store/.ihop/partial")" ] || fail "a partial release stays after $1 number $2"
    find "$tmp" -maxdepth 1 | sort >"$tmp/after"
    diff "$tmp/before" "$tmp/after" || fail "something beside the store after $1 number $2"
}

mkdir "$tmp/k"
: >"$tmp/before"
: >"$tmp/after"
: >"$tmp/out"
: >"$tmp/err"
find "$tmp" -maxdepth 1 | sort >"$tmp/before"
for point in openat:20 openat:40 openat:60 mkdir:1 mkdirat:1 mkdirat:4 mkdirat:6 pwrite64:1 pwrite64:5 \
    sync_file_range:3 fsync:1 fsync:4 syncfs:1 syncfs:2 renameat:1 renameat:2 renameat:5 renameat:12 renameat:21 renameat2:1 \
    flock:2 unlinkat:1 unlinkat:2 write:1 write:2 write:3 write:4 close:30 close:60; do
    killed_at "${point%:*}" "${point#*:}"
done
at_least $kills 20 "points at which a clone was really killed"

# While an update replaces the release: the old or the new, never none.
noise "$tmp/image2" 300032 two
$cba make --fixed 16384 "$tmp/image2" "$tmp/two.cba"
for point in renameat2:1 renameat2:2 fsync:1 fsync:2 fsync:3 syncfs:1 syncfs:2 unlinkat:1; do
    rm -rf "$tmp/k"
    expect_exit 0 "$ihop_clone" --quiet "$archive" "$tmp/k/r"
    strace -qq -f -o /dev/null -e trace="${point%:*}" -e inject="${point%:*}:signal=KILL:when=${point#*:}" \
        "$ihop_clone" --quiet --force "$tmp/two.cba" "$tmp/k/r" 2>/dev/null || true
    [ -s "$tmp/k/r" ] || fail "no release after a kill at $point"
    if ! cmp -s <($cba image "$tmp/k/r") "$tmp/image"; then
        holds "$tmp/k/r" "$tmp/image2"
    fi
    expect_exit 0 "$ihop_clone" --quiet --force "$tmp/two.cba" "$tmp/k/r"
    holds "$tmp/k/r" "$tmp/image2"
done
