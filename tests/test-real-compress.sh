#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Beside the real bita, where it is installed: the same chunks, hashes and order for
# images that are new in each run, every compression and chunker; sizes within 1 %; and
# bita clones our archives, as ihop 0.1 does.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/real.sh"
requires bita python3

seed=${IHOP_TEST_SEED:-$(date +%s%N)}
echo "IHOP_TEST_SEED=$seed makes these images again"
python3 "$srcdir/tests/data/make-image.py" mixed "$tmp/mixed" 1500100 "$seed"
# Runs of zeros longer than the largest chunk, and the image again after them.
{ cat "$tmp/mixed"; head -c 20000000 /dev/zero; cat "$tmp/mixed"; } >"$tmp/runs"

# check IMAGE [OPTION...]: bita takes the same options.
check() {
    local image=$tmp/$1 ours bitas

    shift
    bita_compress "$image" "$tmp/bita.cba" "$@"
    expect_exit 0 "$ihop_compress" -q -f --signature-space "$space" "$@" "$image" "$tmp/ours.cba"
    $cba table "$tmp/bita.cba" >"$tmp/bitas"
    $cba table "$tmp/ours.cba" >"$tmp/table"
    cmp "$tmp/bitas" "$tmp/table" || fail "the header differs from bita's: $image $*"
    ours=$(($(file_size "$tmp/ours.cba") - 2 * space)) bitas=$(file_size "$tmp/bita.cba")
    echo "$(basename "$image") $*: $ours bytes, bita $bitas"
    at_most $((100 * ours)) $((101 * bitas)) "bytes with $*, in hundredths of bita's"
    rm -f "$tmp/back"
    bita clone "$tmp/ours.cba" "$tmp/back" >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; fail "bita clone with $*"; }
    cmp "$image" "$tmp/back"
}

# With space for signatures, which is 4 to 8 KiB, and without.
space=0
check mixed
space=4096
small=(--avg-chunk-size 16KiB --min-chunk-size 4KiB --max-chunk-size 128KiB)
for chunker in "" "--hash-chunking BuzHash" "--fixed-size 32KiB"; do
    read -ra options <<<"$chunker"
    check mixed --compression none "${options[@]}"
    check mixed --compression zstd --compression-level 3 "${options[@]}"
    check mixed --compression lzma --compression-level 2 "${options[@]}"
    check runs "${options[@]}"
done
check mixed "${small[@]}" --compression-level 9
check mixed "${small[@]}" --compression zstd
check mixed "${small[@]}" --compression lzma
check mixed --hash-length 20 --rolling-window-size 100B --avg-chunk-size 40KiB
check runs "${small[@]}" --hash-chunking BuzHash --rolling-window-size 20B

command -v ihop >/dev/null || exit 0
mkdir "$tmp/original"
for _ in $(seq 20); do # it does not wait for its own writes
    ihop clone --force-create "$tmp/ours.cba" "$tmp/original/r" >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; fail "ihop clone"; }
    if [ -s "$tmp/original/r" ] && $cba check "$tmp/original/r" "$tmp/runs"; then
        exit 0
    fi
    rm -rf "$tmp/original"
    mkdir "$tmp/original"
done
fail "the original ihop makes no whole store of our archive"
