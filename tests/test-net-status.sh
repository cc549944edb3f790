#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Error statuses: those that pass are tried again, with a growing delay or when
# the server says; the others end the run at once, each with its exit code.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
at=$(offset_of 12)

# permanent STATUS CODE REGEX
permanent() {
    rules "path=/bad/ : status=$1"
    expect_fault "$2" "$url/bad/apart.cba .*$3.*status $1" "$url/bad/apart.cba" "$tmp/none/r"
    equal "$(requests)" 1 "requests after status $1"
    [ ! -e "$tmp/none" ] || fail "a store was created after status $1"
}

permanent 404 10 "no such archive"
permanent 410 10 "no such archive"
permanent 401 11 "refuses access"
permanent 403 11 "refuses access"
permanent 407 11 "refuses access"
permanent 400 4 ""
permanent 405 4 ""
permanent 418 4 ""

# In the middle, with chunks kept.
for case in 404:10 403:11 400:4; do
    rules "path=/bad/ offset=$at : status=${case%:*}"
    rm -rf "$tmp/s"
    expect_fault "${case#*:}" "status ${case%:*}" --connections 1 "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept after status ${case%:*}"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
done

# passing STATUS: goes away after two, then never.
passing() {
    rules "path=/bad/ offset=$at n=1-2 : status=$1" "path=/worse/ : status=$1"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/bad/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(requests)" 24 "requests with two of status $1"
    equal "$(json retries)" 2 "retries counted with status $1"
    expect_fault 3 "gave up after 2 retries: $url/worse/apart.cba .*status $1" --retry 2 \
        "$url/worse/apart.cba" "$tmp/none/r"
    equal "$(requests path=/worse)" 3 "requests with --retry 2 and status $1"
}

passing 500
passing 502
passing 503
passing 504
passing 408
passing 425
passing 429

# gap N: seconds between request N and the next, at least.
gap_at_least() {
    python3 -c 'import json, sys
times = [r["time"] for r in map(json.loads, open(sys.argv[1])) if r["event"] == "request"]
n, least = int(sys.argv[2]), float(sys.argv[3])
gap = times[n] - times[n - 1]
if gap < least:
    sys.exit(f"request {n + 1} came {gap:.2f} s after the one before it, not {least}")' \
        "$server_log" "$1" "$2"
}

# An error page without an end is left at once.
rules ": status=503 endless"
expect_fault 3 "$url/bad/apart.cba .*status 503" --retry 1 "$url/bad/apart.cba" "$tmp/none/r"
equal "$(requests)" 2 "requests for a page without an end"

# Our own backoff: 1 s, then 2 s, of which jitter takes half at most.
rules "path=/bad/ n=1-2 : status=503"
expect_exit 0 "$ihop_clone" --retry-delay 1 "$url/bad/solid.cba" "$tmp/backoff/r"
expect_stderr "^ihop-clone: $url/bad/solid.cba .*status 503.*trying again in .* \(2 of 5\)"
gap_at_least 1 0.5
gap_at_least 2 1

# The server's own wish, longer than ours.
rules "path=/bad/ n=1 : status=429 header='Retry-After: 2'"
expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/bad/solid.cba" "$tmp/after/r"
gap_at_least 1 1.9
