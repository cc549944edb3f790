#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --verify-header pins the archive before anything else of it is requested; short
# chunk hashes are refused unless allowed; --compat-store, --sync, --record-url.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"

pin_of() {
    python3 -c 'import sys
n = int(sys.argv[2])
print(open(sys.argv[1], "rb").read(n)[-64:].hex())' "$1" "$(header_size "$1")"
}
pin=$(pin_of "$tmp/www/apart.cba")
wrong=$(pin_of "$tmp/www/solid.cba")

expect_exit 5 "$ihop_clone" --verify-header "$wrong" "$url/good/apart.cba" "$tmp/s/r"
one_line_on_stderr
expect_stderr "$url/good/apart.cba: .*header checksum"
equal "$(requests "past=$apart_header")" 0 "requests for chunks"
[ ! -e "$tmp/s" ] || fail "a store was created"
expect_exit 0 "$ihop_clone" --quiet --verify-header "$pin" "$url/good/apart.cba" "$tmp/s/r"
holds "$tmp/s/r" "$tmp/image"
# A rerun is held to it, too, though it does not read the header.
expect_exit 0 "$ihop_clone" --quiet --verify-header "${pin^^}" "$url/good/apart.cba" "$tmp/s/r"
expect_exit 5 "$ihop_clone" --verify-header "$wrong" "$url/good/apart.cba" "$tmp/s/r"
expect_stderr "header checksum"
expect_exit 0 "$ihop_clone" -v --quiet "$url/good/apart.cba" "$tmp/s/r"
expect_stderr "$pin"

# Hashes: below 16 bytes only when allowed, with a pin at least 32.
for length in 4 15 16 31 32 64; do
    $cba make --hash-length $length "$tmp/image" "$tmp/www/hash$length.cba"
    got=0
    allowed=0
    [ $length -ge 16 ] || got=5
    expect_exit $got "$ihop_clone" "$url/good/hash$length.cba" "$tmp/h$length/r"
    [ $got = 0 ] || expect_stderr "hash.* $length bytes.*"
    expect_exit 0 "$ihop_clone" --allow-short-hash "$url/good/hash$length.cba" "$tmp/h$length/s"
    holds "$tmp/h$length/s" "$tmp/image"
    [ $length -ge 32 ] || allowed=5
    expect_exit $allowed "$ihop_clone" --allow-short-hash --verify-header \
        "$(pin_of "$tmp/www/hash$length.cba")" "$url/good/hash$length.cba" "$tmp/h$length/t"
    expect_exit $allowed "$ihop_clone" --allow-short-hash --verify-header \
        "$(pin_of "$tmp/www/hash$length.cba")" "$url/good/hash$length.cba" "$tmp/h$length/s"
done

# Layouts: new stores have two digits, --compat-store makes four; a store keeps its.
[ -d "$(find "$tmp/s/chunks" -maxdepth 1 -name '??' | sed -n 1p)" ] || fail "no directories of two digits"
expect_exit 0 "$ihop_clone" --quiet --compat-store "$tmp/www/solid.cba" "$tmp/compat/r"
holds "$tmp/compat/r" "$tmp/image"
equal "$(find "$tmp/compat/chunks" -mindepth 1 -type d ! -name '????' | wc -l)" 0 "directories of another length"
expect_exit 0 "$ihop_clone" --quiet --json "$tmp/www/apart.cba" "$tmp/compat/r2"
equal "$(json chunks_fetched)" 0 "chunks fetched into the same store"
equal "$(find "$tmp/compat/chunks" -mindepth 1 -type d ! -name '????' | wc -l)" 0 "directories of another length"

for sync in fs files auto; do
    expect_exit 0 "$ihop_clone" --quiet --sync $sync "$tmp/www/solid.cba" "$tmp/sync-$sync/r"
    holds "$tmp/sync-$sync/r" "$tmp/image"
done

expect_exit 0 "$ihop_clone" --quiet --record-url http://example.com/r.cba "$tmp/www/solid.cba" "$tmp/rec/r"
grep -qa http://example.com/r.cba "$tmp/rec/r" || fail "the address is not recorded"
if grep -qa http "$tmp/sync-fs/r"; then fail "an address of a local archive"; fi
