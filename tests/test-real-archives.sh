#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Archives that the real bita made (tests/data): each one, from a file and from
# nginx, gives the image that it was made of.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/real.sh"
requires nbdkit nbdcopy b2sum nginx python3

data=$srcdir/tests/data
start_nginx "$data"

check_served() {
    local got
    got=$(served_sum "$1")
    [ "$got" = "$(cat "$2")" ] || fail "$1 is served with other bytes than its image has"
}

count=0
for archive in "$data"/*.cba; do
    name=$(basename "$archive" .cba)

    expect_exit 0 "$ihop_clone" "$archive" "$tmp/from-file/$name"
    check_served "$tmp/from-file/$name" "$data/$name.b2"

    # Each has a store of its own here, so that all of its chunks are fetched.
    : >"$tmp/access.log"
    mkdir "$tmp/$name"
    expect_exit 0 "$ihop_clone" --quiet --json "$url/$name.cba" "$tmp/$name/store/$name"
    check_served "$tmp/$name/store/$name" "$data/$name.b2"

    # The summary counts what nginx saw.
    cp "$tmp/out" "$tmp/summary"
    equal "$(summary bytes_downloaded)" "$(bytes_in_log)" "bytes downloaded of $name"
    equal "$(summary requests)" "$(requests_in_log)" "requests for $name"
    [ "$(bytes_in_log)" -le "$(stat -c %s "$archive")" ] ||
        fail "$name: more bytes downloaded than the archive has"
    equal "$(requests_in_log ' 206 ')" "$(requests_in_log)" "partial responses for $name"
    equal "$(summary chunks_reused)" 0 "chunks reused of $name"
    equal "$(new_chunks)" "$(summary chunks_total)" "new chunks of $name"
    equal "$(find "$tmp/$name/store/chunks" -name '*.chunk' | wc -l)" "$(summary chunks_total)" \
        "chunks in the store of $name"
    rm -rf "${tmp:?}/$name"
    count=$((count + 1))
done
[ "$count" -ge 14 ] || fail "only $count archives in $data"

# A size that is not a multiple of 512: the kernel would cut the tail, so say so.
expect_exit 0 "$ihop_clone" "$data/odd-size.cba" "$tmp/odd"/odd-size
expect_stderr '512'
