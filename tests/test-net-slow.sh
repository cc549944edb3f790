#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Servers that stall or drip, at any point: exit code 3 after the timeout, with what came
# kept. The server itself would be patient for 120 seconds.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
at=$(offset_of 12)

# given_up ACTIONS: by us, after the timeout (5 s), not by the server.
given_up() {
    local begun

    rules "path=/bad/ offset=$at : $1"
    rm -rf "$tmp/s"
    begun=$(date +%s%N)
    expect_fault 3 "$url/bad/apart.cba \(bytes $at-[0-9]+\): " --retry 0 --connections 1 \
        "$url/bad/apart.cba" "$tmp/s/r"
    at_most $((($(date +%s%N) - begun) / 1000000)) 60000 "milliseconds with $1"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept, with $1"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
}

given_up "stall"
given_up "drip=header"
given_up "drip=body"
given_up "body=20000 end=stall"
given_up "body=0 end=stall"
given_up "trickle=600"

# After a fast beginning, too: the time counts from the last byte.
rules "path=/bad/ offset=$solid_header : rate=150000 body=400000 end=stall"
rm -rf "$tmp/s"
begun=$(date +%s%N)
expect_fault 3 "$url/bad/solid.cba \(bytes $solid_header-[0-9]+\): " --retry 0 \
    "$url/bad/solid.cba" "$tmp/s/r"
at_most $((($(date +%s%N) - begun) / 1000000)) 60000 "milliseconds"
equal "$(good_chunks "$tmp/s")" 12 "chunks kept"
recovers solid.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))

# A stall in one of several ranges, tried again: the others go on at the same time.
rules "path=/bad/ offset=$at n=1 : body=20000 end=stall"
expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/bad/apart.cba" "$tmp/one/r"
holds "$tmp/one/r" "$tmp/image"
equal "$(json retries)" 1 "retries"
equal "$(json bytes_downloaded)" $((655360 + apart_header)) "bytes downloaded"

# Slow is not stalled: eight seconds for a chunk.
rules "path=/bad/ offset=$at : rate=4000"
expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 0 "$url/bad/apart.cba" "$tmp/slow/r"
holds "$tmp/slow/r" "$tmp/image"
