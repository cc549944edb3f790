#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server whose answers to a range request break the rules: exit code 4, one line
# that says which rule, no second try, not a byte of it used; what came before
# stays, and a healthy server completes it.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
at=$(offset_of 12)
end=$((at + 32767))

start_server "$tmp/www"

# lie REGEX ACTIONS: told about chunk 12, with 12 chunks fetched before it.
lie() {
    rules "path=/bad/ offset=$at : $2"
    rm -rf "$tmp/s"
    expect_fault 4 "$url/bad/apart.cba \(bytes $at-$end\): .*$1" \
        --connections 1 "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(requests "first=$at")" "${tries:-1}" "requests for the range, with $2"
    equal "$(requests)" $((14 + ${tries:-1})) "requests in all, with $2"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept, with $2"
    [ ! -e "$tmp/s/r" ] || fail "a release was published"
    nothing_staged "$tmp/s"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
}

lie "ignores ranges \(status 200" "ignore-range"
lie "no Content-Range" "content-range=none"
lie "unusable Content-Range" "content-range='bytes $at-$end/*'"
lie "unusable Content-Range" "content-range='bytes $end-$at/800000'"
lie "unusable Content-Range" "content-range='bytes $at-$end'"
lie "unusable Content-Range" "content-range='bytes $at-$end/99999999999999999999'"
lie "unusable Content-Range" "content-range='bytes -1-$end/800000'"
lie "unusable Content-Range" "content-range='pages $at-$end/800000'"
lie "unusable Content-Range" "content-range="
lie "unusable Content-Range" "twice"
lie "instead of those asked" "shift=1"
lie "multipart" "multipart"
lie "status 416" "status=416"
lie "status 204" "status=204"
lie "status 304" "status=304"
lie "Content-Encoding" "encoding=gzip"
lie "Content-Encoding" "encoding=br"
# The bytes may be left over from the answer before: a new connection shows whether they are.
tries=2 lie "proper HTTP" "raw='SSH-2.0-nothing\\r\\n'"

# The same from the first request on: nothing is created.
rules "path=/bad/ : ignore-range rate=20000" # or socket buffers take all of it, or a busy machine
expect_fault 4 "$url/bad/apart.cba .*ignores ranges" "$url/bad/apart.cba" "$tmp/new/r"
equal "$(requests)" 1 "requests to a server without ranges"
at_most "$(body_sent)" 700000 "bytes sent"
[ ! -e "$tmp/new" ] || fail "a store was created"
