#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Servers that name the same archive by many entity tags: the header's checksum and
# the chunks' hashes are the judges, so the clone succeeds, with few requests more than
# it needs; and what is thrown away counts against --max-download.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
mkdir "$tmp/www" "$tmp/other"
noise "$tmp/image" 4194304 image
$cba make --fixed 65536 "$tmp/image" "$tmp/www/v1.cba"
noise "$tmp/image2" 4194304 other
$cba make --fixed 65536 "$tmp/image2" "$tmp/other/v1.cba"
header=$(header_size "$tmp/www/v1.cba")
start_server "$tmp/www"
each=": etag='\"{n}\"'"

# edges N: as many servers in turn, each with a tag of its own.
edges() {
    local i

    for i in $(seq "$1" -1 2); do
        printf 'every=%d : etag="\\"edge %d\\""\n' "$i" "$i"
    done
    echo ": etag='\"edge 1\"'"
}

# tagged MOST-REQUESTS RULE... -- ARGUMENT...
tagged() {
    local most=$1 list=()

    shift
    while [ "$1" != -- ]; do
        list+=("$1")
        shift
    done
    shift
    rules "${list[@]}"
    rm -rf "$tmp/s"
    expect_exit 0 timeout 60 "$ihop_clone" "${quick[@]}" --json "$@" "$url/x/v1.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    at_most "$(requests)" "$most" "requests, with ${list[0]}"
    at_most "$(requests "first=$((header - 64))")" 2 "looks at the header checksum"
}

tagged 20 "$each" -- # a new one with every answer
tagged 20 "$each" -- --retry 0
tagged 20 "$each" -- --connections 1
tagged 60 "$each" -- --connections 16
for n in 3 8 9 40; do
    mapfile -t list < <(edges $n)
    tagged 20 "${list[@]}" --
done
tagged 20 "$each body=700000" -- --retry 2 # and the bodies are cut
tagged 20 "$each" -- --max-download 4400000

# A budget that is just enough: what came wrong is fetched again only if that is allowed.
# What came right stays.
rules "past=$((header + 1000000)) n=1 : root=$tmp/other etag='\"x\"'" ": etag='\"x\"'"
expect_exit 6 "$ihop_clone" "${quick[@]}" --connections 1 --max-download 4194304 "$url/x/v1.cba" "$tmp/tight/r"
one_line_on_stderr
expect_stderr "$url/x/v1.cba: .*of no use.*--max-download"
at_most "$(body_sent)" $((4194304 + header + 65536)) "bytes sent, with a budget"
at_least "$(good_chunks "$tmp/tight")" 31 "chunks kept"
rules
expect_exit 0 "$ihop_clone" "${quick[@]}" --max-download 4300000 "$url/x/v1.cba" "$tmp/tight/r"
holds "$tmp/tight/r" "$tmp/image"

# Another archive is found out all the same, by the look or by the hashes.
for tag in "etag='\"{n}\"'" "etag='\"x\"'"; do
    rules "n=4- : root=$tmp/other $tag" ": $tag"
    rm -rf "$tmp/s"
    expect_fault 4 "$url/x/v1.cba.*the archive changed.*header checksum" --connections 1 \
        "$url/x/v1.cba" "$tmp/s/r"
    at_most "$(requests)" 20 "requests for an archive that changed, with $tag"
    [ ! -e "$tmp/s/r" ] || fail "a release was published"
done
