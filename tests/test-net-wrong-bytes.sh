#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The right number of bytes, but wrong ones: the chunk is fetched once more, then
# it is exit code 5 with the chunk's hash and place.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
hash=$(dd if="$tmp/image" bs=32768 skip=12 count=1 status=none | b2sum | cut -d' ' -f1)
at=$(offset_of 12)

# Once: mended by fetching that chunk alone.
rules "path=/bad/ offset=$at n=1 : corrupt=$((at + 5))"
expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/bad/apart.cba" "$tmp/once/r"
holds "$tmp/once/r" "$tmp/image"
equal "$(requests "first=$at")" 2 "requests for the chunk"
equal "$(json bytes_downloaded)" $((655360 + 32768 + apart_header)) "bytes downloaded"

# Once, inside one long range: no more than that chunk comes again.
rules "path=/bad/ past=$solid_header n=1 : corrupt=$((solid_header + 40000))"
expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/bad/solid.cba" "$tmp/long/r"
holds "$tmp/long/r" "$tmp/image"
equal "$(json bytes_downloaded)" $((655360 + 32768 + solid_header)) "bytes downloaded"
equal "$(requests)" 4 "requests"

# Always.
rules "path=/bad/ offset=$at : corrupt=$((at + 5))"
expect_fault 5 "$url/bad/apart.cba: chunk $hash at bytes $at-$((at + 32767)) is damaged" \
    --connections 1 "$url/bad/apart.cba" "$tmp/s/r"
equal "$(requests "first=$at")" 2 "requests for the chunk"
at_least "$(good_chunks "$tmp/s")" 12 "chunks kept"
recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))

# Every chunk, all at once: many workers find the error together.
mkdir "$tmp/zeros"
cp "$tmp/www/apart.cba" "$tmp/zeros/"
dd if=/dev/zero of="$tmp/zeros/apart.cba" bs=1 seek="$apart_header" \
    count=$(($(file_size "$tmp/www/apart.cba") - apart_header)) conv=notrunc status=none
for connections in 1 4 16; do
    rules "path=/bad/ past=$apart_header : root=$tmp/zeros etag='\"x\"'" \
        "path=/bad/ : etag='\"x\"'"
    expect_fault 5 "is damaged in the archive or on the way" --jobs 16 --connections $connections \
        "$url/bad/apart.cba" "$tmp/all/r"
    equal "$(good_chunks "$tmp/all")" 0 "chunks kept"
done
