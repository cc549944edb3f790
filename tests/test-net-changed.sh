#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The archive changes while it is read: exit code 4 that says so, and the chunks
# fetched before stay. Another entity tag for the same archive is no change.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
at=$(offset_of 12)

# Another image of the same size, which gives an archive of the same size; it
# shares no chunk with the first.
mkdir "$tmp/other"
noise "$tmp/image2" 655360 other
$cba make --fixed 32768 --gap 4000 "$tmp/image2" "$tmp/other/apart.cba"
equal "$(file_size "$tmp/other/apart.cba")" "$(file_size "$tmp/www/apart.cba")" "size of the other"

# changed REGEX RULE...: 12 chunks came before the change.
changed() {
    local regex=$1

    shift
    rules "$@"
    rm -rf "$tmp/s"
    expect_fault 4 "$url/bad/apart.cba.*the archive changed.*$regex.*run again" \
        --connections 1 "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept"
    nothing_staged "$tmp/s"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
}

changed "it had [0-9]+ bytes and now has" "path=/bad/ n=15- : total=5"
changed "header checksum" "path=/bad/ n=15- : root=$tmp/other"
# Without entity tags, the first wrong chunk is the hint.
SERVER_OPTIONS='--etag none' start_server "$tmp/www"
changed "header checksum" "path=/bad/ n=15- : root=$tmp/other"
start_server "$tmp/www"

# Only the tag changes: the header's checksum is read again, once.
rules "path=/bad/ past=$at : etag='\"from-another-backend\"'"
expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/bad/apart.cba" "$tmp/tag/r"
holds "$tmp/tag/r" "$tmp/image"
equal "$(requests "first=$((apart_header - 64))")" 1 "looks at the header checksum"
at_most "$(json bytes_downloaded)" $((655360 + apart_header + 64)) "bytes downloaded"

# Two backends in turn: each new tag is looked at once.
rules "path=/bad/ every=2 : etag='\"b\"'" "path=/bad/ past=$at : etag='W/\"c\"'"
expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/bad/apart.cba" "$tmp/turn/r"
holds "$tmp/turn/r" "$tmp/image"
equal "$(requests "first=$((apart_header - 64))")" 1 "looks at the header checksum"

# The request for the header checksum fails twice; the third one shows the change.
rules "path=/bad/ offset=$((apart_header - 1)) n=2-3 : status=503" \
    "path=/bad/ past=$at : etag='\"d\"'"
expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/bad/apart.cba" "$tmp/look/r"
holds "$tmp/look/r" "$tmp/image"

# Changed while the header is being read: either the other release, whole, or an
# error; never a mixture.
rules "path=/bad/ n=2- : root=$tmp/other"
expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/bad/apart.cba" "$tmp/early/r"
holds "$tmp/early/r" "$tmp/image2"
