#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clones at the same time, of the same release and of two, into a store that is
# new: each succeeds, none is kept waiting, and the releases are whole.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
noise "$tmp/image2" 300032 two
$cba make --codec xz --fixed 16384 "$tmp/image2" "$tmp/www/two.cba"
# Slow enough to overlap.
start_server "$tmp/www" "path=/slow/ past=$apart_header : delay=0.03"

# together STORE CLONES ARCHIVE:NAME...: each of them CLONES times at once.
together() {
    local store=$1 clones=$2 pids=() pair i code

    shift 2
    for ((i = 0; i < clones; i++)); do
        for pair in "$@"; do
            "$ihop_clone" --quiet "$url/slow/${pair%:*}" "$store/${pair#*:}" 2>"$tmp/err.$i.${pair#*:}" &
            pids+=($!)
        done
    done
    for i in "${pids[@]}"; do
        code=0
        wait "$i" || code=$?
        if [ "$code" != 0 ]; then
            cat "$tmp"/err.* >&2
            fail "a clone of several at once ends with $code"
        fi
    done
    nothing_staged "$store"
}

for round in 1 2 3; do
    together "$tmp/same$round" 2 apart.cba:r
    holds "$tmp/same$round/r" "$tmp/image"
    together "$tmp/two$round" 1 apart.cba:a two.cba:b
    holds "$tmp/two$round/a" "$tmp/image"
    holds "$tmp/two$round/b" "$tmp/image2"
done
# In a store that is there, nobody has to wait.
expect_exit 0 "$ihop_clone" --quiet "$tmp/www/two.cba" "$tmp/there/first"
together "$tmp/there" 2 apart.cba:a two.cba:b
holds "$tmp/there/a" "$tmp/image"
holds "$tmp/there/b" "$tmp/image2"
together "$tmp/many" 3 apart.cba:a solid.cba:a two.cba:b
holds "$tmp/many/a" "$tmp/image"
holds "$tmp/many/b" "$tmp/image2"
equal "$(find "$tmp/many" -maxdepth 1 -type f | wc -l)" 2 "releases"

# Two images for one name: one wins, the other is told; a whole release is there.
codes=()
pids=()
for archive in apart.cba two.cba; do
    "$ihop_clone" --quiet "$url/slow/$archive" "$tmp/race/r" 2>>"$tmp/race.err" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    code=0
    wait "$pid" || code=$?
    codes+=("$code")
done
case "${codes[*]}" in
"0 12") holds "$tmp/race/r" "$tmp/image" ;;
"12 0") holds "$tmp/race/r" "$tmp/image2" ;;
*) cat "$tmp/race.err" >&2; fail "exit codes ${codes[*]} of two images for one name" ;;
esac
