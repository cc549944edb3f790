#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --info, --print-header and --metadata-key: from a file and from a URL, of archives of
# ours and of bita; and archives that are none.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"

mkdir "$tmp/www"
cp "$srcdir"/tests/data/{metadata,none,fixed}.cba "$tmp/www"
noise "$tmp/image" 2500000 image
esc=$(printf '\033')
expect_exit 0 "$ihop_compress" --print-header --metadata-value "key$esc[31m" "1${esc}2" \
    --metadata-value other text "$tmp/image" "$tmp/www/ours.cba"
pin=$(cat "$tmp/out")
[[ $pin =~ ^[0-9a-f]{128}$ ]] || fail "not a checksum: $pin"
[ "$(wc -l <"$tmp/out")" = 1 ]
start_server "$tmp/www" "path=/lost/ : status=404"

for place in "$tmp/www" "$url"; do
    expect_exit 0 "$ihop_compress" --print-header "$place/ours.cba"
    equal "$(cat "$tmp/out")" "$pin" "the checksum of $place/ours.cba"
    [ ! -s "$tmp/err" ] || fail "messages with --print-header"

    expect_exit 0 "$ihop_compress" --info "$place/ours.cba"
    for line in "Built with version: ihop-compress [0-9.]+" "Archive size: 2.4 MiB \([0-9]+ bytes\)" \
        "Metadata: key\?\[31m \(3 bytes\), other \(4 bytes\)" "Header checksum: $pin" \
        "Chunk hash length: 64 bytes" "Chunk compression: brotli \(level 6\)" "Chunking algorithm: RollSum" \
        "Rolling hash window size: 64 bytes" "Chunk minimum size: 16.0 KiB \(16384 bytes\)" \
        "Chunk maximum size: 16.0 MiB \(16777216 bytes\)" "Chunk average target size: 64.0 KiB \(65536 bytes\)" \
        "Source checksum: $(b2sum <"$tmp/image" | cut -d' ' -f1)" "Chunks in source: ([0-9]+) \(unique: \1\)" \
        "Source size: 2.4 MiB \(2500000 bytes\)"; do
        expect_stdout "^  $line\$"
    done
    ! LC_ALL=C grep -q "$esc" "$tmp/out" || fail "an archive drives the terminal"

    expect_exit 0 "$ihop_compress" --info --json "$place/ours.cba"
    equal "$(json header_checksum) $(json image_size) $(json archive)" "$pin 2500000 $place/ours.cba" "facts"
    equal "$(json archive_size) $(json header_size)" \
        "$(file_size "$tmp/www/ours.cba") $(header_size "$tmp/www/ours.cba")" "sizes"
    equal "$(json metadata)" "{'key\\x1b[31m': 3, 'other': 4}" "metadata"

    expect_exit 0 "$ihop_compress" --metadata-key "key$esc[31m" "$place/ours.cba"
    cmp "$tmp/out" <(printf '1\0332')
    expect_exit 0 "$ihop_compress" --info --metadata-key notes "$place/metadata.cba"
    cmp "$tmp/out" "$srcdir/tests/data/metadata-notes.txt"
    expect_exit 10 "$ihop_compress" --metadata-key nothing "$place/metadata.cba"
    expect_stderr "has no metadata named 'nothing'"

    expect_exit 0 "$ihop_compress" --info "$place/fixed.cba"
    expect_stdout "^  Chunking algorithm: fixed size$"
    expect_stdout "^  Fixed chunk size: 4.0 KiB"
    expect_stdout "^  Built with version: 0.15.0$"
done
# Only the header is read, and what may be signatures behind it.
: >"$server_log"
expect_exit 0 "$ihop_compress" --info "$url/ours.cba"
at_most "$(body_sent)" $(($(header_size "$tmp/www/ours.cba") + 14 + 1024)) "bytes for --info"

expect_exit 0 "$ihop_clone" -q --verify-header "$pin" "$url/ours.cba" "$tmp/store/r"
expect_exit 10 "$ihop_compress" --info "$tmp/none.cba"
expect_stderr "$tmp/none.cba"
expect_exit 10 "$ihop_compress" --print-header "$url/lost/ours.cba"
expect_exit 5 "$ihop_compress" --info "$tmp/image"
expect_stderr "not a bita archive"
head -c 500 "$tmp/www/ours.cba" >"$tmp/cut.cba"
expect_exit 5 "$ihop_compress" --print-header "$tmp/cut.cba"
one_line_on_stderr
