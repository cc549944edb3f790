#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A range whose bytes have all come is done, whatever becomes of the connection; what cannot
# be right is refused at the header; and libcurl's word for a thing is not taken for its
# cause.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
at=$(offset_of 12)

# done_with ACTIONS: about chunk 12: one request is enough.
done_with() {
    rules "offset=$at : $1"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --timeout 20 --retry 0 --json "$url/x/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(requests)" 22 "requests, with $1"
    equal "$(requests backwards)" 0 "requests for less than nothing"
    equal "$(json retries)" 0 "retries, with $1"
}

done_with "header='Content-Length: 99999'" # a second one
done_with "body=32768 end=rst"
done_with "body=32768 end=close"
done_with "extra=100 close" # rubbish after the body
done_with "no-length body=32768 end=rst"
done_with "no-length body=32768 end=stall"
done_with "chunked body=32768 end=close"
done_with "chunked body=32768 end=stall"

# Rubbish that comes late meets the next request on that connection: a new one has none.
rules "path=/bad/ every=3 : late=RUBBISH"
rm -rf "$tmp/s"
expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 1 --connections 1 "$url/bad/apart.cba" "$tmp/s/r"
holds "$tmp/s/r" "$tmp/image"

# at_header REGEX ACTIONS: refused before the body, once.
at_header() {
    rules "offset=$at : $2"
    rm -rf "$tmp/s"
    expect_fault 4 "$url/x/apart.cba \(bytes $at-[0-9]+\): .*$1" --connections 1 "$url/x/apart.cba" "$tmp/s/r"
    equal "$(requests "first=$at")" 1 "requests, with ${2:0:60}"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept, with ${2:0:60}"
}

at_header "announces another length" "announce-extra=1"
at_header "announces another length" "header='Content-Length: 5'"
at_header "announces another length|proper HTTP" "header='Content-Length: many'"

# Pieces of a body that have no size will not have one the next time.
rules ": raw='HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-13/9999\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'"
expect_fault 4 "proper HTTP: .*chunked" --retry 2 "$url/x/apart.cba" "$tmp/none/r"
equal "$(requests)" 1 "requests for a body in pieces without a size"

# Header lines and headers without end; from the first answer on, too.
"$python" -c 'print("offset='"$at"' : header=\"X-Long: " + "x" * 150000 + "\"")' >"$tmp/long"
"$python" -c 'print("offset='"$at"' : " + " ".join("header=\"X-%d: %s\"" % (i, "y" * 1000) for i in range(150)))' >"$tmp/many"
for case in long many; do
    rules "$(cat "$tmp/$case")"
    rm -rf "$tmp/s"
    expect_fault 4 "header" --connections 1 "$url/x/apart.cba" "$tmp/s/r"
    equal "$(requests "first=$at")" 1 "requests, with headers that are $case"
    rules "$(sed 's/^offset=[0-9]*//' "$tmp/$case")"
    expect_fault 4 "header" "$url/x/apart.cba" "$tmp/none/r"
    equal "$(requests)" 1 "requests, with headers that are $case"
done
at_header "headers without end" "interim=1000000"
at_header "" "raw='HTTP/1.1 206 Partial\r\nContent-Range: bytes $at-$((at + 32767))/999999999\r\n\r\n'"
# Many short lines are read as fast as few long ones: the limit is on processor time.
etags=$(printf 'ETag:\\r\\n%.0s' {1..12000})
(
    ulimit -t 3
    at_header "" "raw='HTTP/1.1 206 Partial\r\nContent-Range: bytes $at-$((at + 32767))/999999999\r\n$etags\r\n'"
)
[ ! -e "$tmp/none" ] || fail "a store was created"
