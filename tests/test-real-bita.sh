#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fresh archives of the real bita, where it is installed: every compression and
# chunker; the second release costs its new chunks and no more.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/real.sh"
requires bita nbdkit nbdcopy b2sum nginx python3

seed=${IHOP_TEST_SEED:-$(date +%s%N)}
echo "IHOP_TEST_SEED=$seed makes these images again"
make_image="$srcdir/tests/data/make-image.py"
mkdir "$tmp/www"
python3 "$make_image" mixed "$tmp/v1.img" 1200128 "$seed"
python3 "$make_image" mixed "$tmp/v2.img" 1200128 "$seed" 5
start_nginx "$tmp/www"

header_size() {
    python3 -c 'import struct, sys
print(22 + 64 + struct.unpack("<Q", open(sys.argv[1], "rb").read(14)[6:])[0])' "$1"
}

# check_update NAME [BITA-OPTION...]
check_update() {
    local name=$1 v bytes chunks limit
    shift
    for v in 1 2; do
        bita_compress "$tmp/v$v.img" "$tmp/www/$name-v$v.cba" "$@"
        : >"$tmp/access.log"
        expect_exit 0 "$ihop_clone" --quiet --json "$url/$name-v$v.cba" "$tmp/$name/v$v"
        cp "$tmp/out" "$tmp/summary"
        equal "$(served_sum "$tmp/$name/v$v")" "$(file_sum "$tmp/v$v.img")" "$name, release $v"
    done

    # bita with the first image as its seed says what the second one needs.
    rm -f "$tmp/bita.img"
    bita clone --seed "$tmp/v1.img" "$tmp/www/$name-v2.cba" "$tmp/bita.img" >"$tmp/bita.log" 2>&1
    chunks=$(sed -nE 's/.*Fetching ([0-9]+) chunks from.*/\1/p' "$tmp/bita.log")
    bytes=$(sed -nE 's/.*Fetched .*\(([0-9]+) bytes\) from archive and.*/\1/p' "$tmp/bita.log")
    equal "$(new_chunks)" "$chunks" "new chunks of $name"
    equal "$(summary bytes_downloaded)" "$(bytes_in_log)" "bytes downloaded of $name"
    # Gaps of up to 512 bytes, and 0.5 % of the missing bytes, save requests.
    limit=$((bytes + bytes / 200 + 512 * $(requests_in_log) + $(header_size "$tmp/www/$name-v2.cba")))
    [ "$(bytes_in_log)" -le "$limit" ] ||
        fail "$name: $(bytes_in_log) bytes downloaded, more than the $limit that are needed"
    [ "$(requests_in_log)" -le $((chunks + 4)) ] ||
        fail "$name: $(requests_in_log) requests for $chunks chunks"
}

small=(--avg-chunk-size 16KiB --min-chunk-size 4KiB --max-chunk-size 128KiB)
check_update brotli "${small[@]}"
check_update brotli-defaults
check_update lzma --compression lzma "${small[@]}"
check_update zstd --compression zstd "${small[@]}"
check_update none --compression none "${small[@]}"
check_update buzhash --hash-chunking BuzHash "${small[@]}"
check_update fixed --fixed-size 8KiB
check_update hash16 --hash-length 16 "${small[@]}"
