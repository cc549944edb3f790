#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A body that ends early, in any way: the range goes on where it stopped, on a new
# connection; and when that helps no more, exit code 3 with the chunks kept.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
from=$solid_header

# cut_once ACTIONS: after 100000 bytes of the one range.
cut_once() {
    rules "path=/bad/ offset=$from n=1 : $1 body=100000"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/bad/solid.cba" "$tmp/s/r"
    [ ! -s "$tmp/err" ] || fail "stderr is not empty, with $1"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(requests)" 4 "requests, with $1"
    equal "$(json requests)" 4 "requests counted, with $1"
    equal "$(json retries)" 1 "retries counted, with $1"
    # A reset may throw away what the kernel held.
    if [[ $1 != *rst* ]]; then
        equal "$(requests "first=$((from + 100000))")" 1 "requests for the rest, with $1"
        equal "$(json bytes_downloaded)" $((655360 + from)) "bytes downloaded, with $1"
    fi
    at_most "$(json bytes_downloaded)" $((655360 + from)) "bytes downloaded, with $1"
    equal "$(connections)" 2 "connections, with $1"
}

cut_once "end=close"
cut_once "end=rst"
cut_once "end=close no-length"
cut_once "end=close chunked"
cut_once "end=stall"

# The server may be at odds with itself on that connection alone.
rules "path=/bad/ offset=$from n=1 : status=503"
rm -rf "$tmp/s"
expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 1 "$url/bad/solid.cba" "$tmp/s/r"
equal "$(connections)" 2 "connections, with a refusal"

# An answer that ends in its header says nothing yet, whatever its status is.
for status in "206 Partial" "200 OK" "302 Found" "308 Permanent" "404 Not Found" "403 Forbidden"; do
    rules "path=/bad/ offset=$from n=1 : raw='HTTP/1.1 $status\r\nLocation'"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 1 "$url/bad/solid.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
done

# Each try brings a little: progress forgives earlier failures.
rules "path=/bad/ past=$from : body=70000"
expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 1 --json "$url/bad/solid.cba" "$tmp/little/r"
holds "$tmp/little/r" "$tmp/image"
equal "$(json bytes_downloaded)" $((655360 + from)) "bytes downloaded in pieces"
equal "$(requests "past=$from")" 10 "requests for 655360 bytes in pieces of 70000"

# A cut at half, then nothing more: what came stays.
for end in hang-up "hang-up end=rst" "body=10 end=close" "body=10 end=close no-length"; do
    rules "path=/bad/ offset=$from n=1 : body=330000" \
        "path=/bad/ past=$((from + 1)) : $end"
    rm -rf "$tmp/s"
    expect_fault 3 "$url/bad/solid.cba \(bytes $from-[0-9]+\)" --retry 2 "$url/bad/solid.cba" "$tmp/s/r"
    expect_stderr "gave up after 2 retries"
    equal "$(requests "past=$from")" 3 "requests for chunks, with $end"
    equal "$(good_chunks "$tmp/s")" 10 "chunks kept, with $end"
    recovers solid.cba "$tmp/s/r" "$tmp/image" $((10 * 32768))
done

# --retry 0: one try, and no word of retries.
rules "path=/bad/ : hang-up"
expect_fault 3 "$url/bad/solid.cba \(bytes 0-13\): " --retry 0 "$url/bad/solid.cba" "$tmp/none/r"
equal "$(requests)" 1 "requests with --retry 0"
[ ! -e "$tmp/none" ] || fail "a store was created"
