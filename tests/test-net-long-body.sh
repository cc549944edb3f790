#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A body that is too long, announced or not, or that never ends: exit code 4 at
# the first byte too many.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
at=$(offset_of 12)

# too_long MOST-BYTES ACTIONS [REGEX]: MOST-BYTES beyond the honest ones, which the
# buffers of two sockets may hold.
too_long() {
    rules "path=/bad/ offset=$at : $2"
    rm -rf "$tmp/s"
    expect_fault 4 "$url/bad/apart.cba \(bytes $at-[0-9]+\): .*${3:-more bytes than were asked}" \
        --connections 1 "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(requests "first=$at")" 1 "requests for the range, with $2"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept, with $2"
    wait_for 10 grep -q "\"n\": 15, \"status\"" "$server_log"
    at_most "$(body_sent)" $((13 * 32768 + 2 * apart_header + $1)) "bytes sent, with $2"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
}

too_long 1 "announce-extra=1" "announces another length"
too_long 1 "no-length extra=1"
too_long 1 "chunked extra=1"
too_long 16777216 "announce-extra=1000 endless"
too_long 16777216 "endless"

# The body of an error or of a redirect is not read to its end, either.
rules "path=/bad/ : status=404 text=$(printf 'x%.0s' $(seq 100000))"
expect_fault 10 "status 404" "$url/bad/solid.cba" "$tmp/none/r"
