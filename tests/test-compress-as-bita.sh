#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With the options that bita was given for the archives of tests/data, headers say the
# same: chunks, their hashes and order, parameters, metadata. Sizes agree within 1 %.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"

data=$srcdir/tests/data
for name in image odd update-v1; do
    size=262144
    [ $name != odd ] || size=100001
    [ $name != update-v1 ] || size=393216
    python3 "$data/make-image.py" mixed "$tmp/$name.img" $size "${name%-v1}"
done

# check FIXTURE IMAGE [OPTION...]
check() {
    local fixture=$1 image=$tmp/$2.img ours bitas

    shift 2
    equal "$(b2sum <"$image" | cut -d' ' -f1)" "$(cat "$data/$fixture.b2")" "the image of $fixture"
    expect_exit 0 "$ihop_compress" --quiet --signature-space 0 "$@" "$image" "$tmp/$fixture.cba"
    $cba table "$data/$fixture.cba" >"$tmp/bitas"
    $cba table "$tmp/$fixture.cba" >"$tmp/ours"
    grep -q '^chunk 5: ' "$tmp/ours" || grep -q '^chunk 1: ' "$tmp/ours" || fail "$fixture has no chunks"
    diff -u "$tmp/bitas" "$tmp/ours" || fail "the header of $fixture differs from bita's"
    ours=$(file_size "$tmp/$fixture.cba") bitas=$(file_size "$data/$fixture.cba")
    echo "$fixture: $ours bytes, bita $bitas"
    at_most $((100 * ours)) $((101 * bitas)) "bytes of $fixture, in hundredths of bita's"
    expect_exit 0 "$ihop_clone" --quiet "$tmp/$fixture.cba" "$tmp/store/$fixture"
    holds "$tmp/store/$fixture" "$image"
}

small=(--avg-chunk-size 8KiB --min-chunk-size 2KiB --max-chunk-size 64KiB)
check brotli image
check lzma image --compression lzma "${small[@]}"
check zstd image --compression zstd "${small[@]}"
check none image --compression none --hash-chunking RollSum "${small[@]}"
check buzhash image --hash-chunking BuzHash --rolling-window-size 16B "${small[@]}"
check fixed image --fixed-size 4KiB
check hash16 image --hash-length 16 "${small[@]}"
check hash32 image --hash-length 32 "${small[@]}"
check metadata image --metadata-file notes "$data/metadata-notes.txt" --metadata-value version 1.2.3
check odd-size odd "${small[@]}"
check update-v1 update-v1 "${small[@]}"

# Uncompressed, nothing but the name of the program may differ.
"$python" - "$data/none.cba" "$tmp/none.cba" <<'EOF_PYTHON'
import struct, sys
from ihopformat.protobuf import blob, fields
parts = []
for path in sys.argv[1:]:
    raw = open(path, "rb").read()
    size = 14 + struct.unpack("<Q", raw[6:14])[0]
    name = next(v for n, v in fields(raw[14:size]) if n == 1)
    parts.append((raw[14:size].replace(blob(1, name), b"", 1), raw[size + 72:]))
assert parts[0] == parts[1], "more than the program's name differs"
EOF_PYTHON
