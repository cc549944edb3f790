#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server that serves one connection at a time, and turns the others away or keeps them
# waiting: the clone goes on with fewer, says so, and counts no failures.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"

# crowded RULE ARGUMENT...
crowded() {
    rules "past=$apart_header : $1"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" --retry-delay 0 --timeout 10 --json "${@:2}" "$url/x/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    at_most "$(requests)" 70 "requests, with $*"
}

for how in 503 429; do
    for n in 2 4 16; do
        crowded "alone=$how rate=300000" --retry 1 --connections $n
        at_most "$(grep -c "connections: going on with" "$tmp/err" || true)" 4 "notes, with $n connections"
    done
    crowded "alone=$how rate=300000"
    grep -q "fewer than [24] connections: going on with [12]" "$tmp/err" || fail "no word of fewer connections"
done
crowded "alone=rst rate=300000" --retry-delay 1
# It is told from one that has no time for anybody.
rules "past=$apart_header : status=503"
expect_fault 3 "gave up after 2 retries: .*status 503" --retry 2 "$url/x/apart.cba" "$tmp/s2/r"
at_most "$(requests "past=$apart_header")" 24 "requests to a server without time"
