#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Images are cut as the real bita cuts them, where it is installed; and the vectors of
# test-chunker-vectors.sh are still what it makes.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/sbin:/usr/sbin
requires bita python3 mkfs.ext4 debugfs

cases="$srcdir/tests/lib/cutcases.py"
make_image="$srcdir/tests/data/make-image.py"
python3 "$cases" vectors >"$tmp/vectors"
diff "$srcdir/tests/data/chunk-sizes.txt" "$tmp/vectors" ||
    fail "bita cuts other chunks than in chunk-sizes.txt"

# compare OPTION...: both images.
compare() {
    python3 "$cases" compare "$builddir/tests/cut-file" "$tmp/ext4.img" "$@"
    python3 "$cases" compare "$builddir/tests/cut-file" "$tmp/mixed.img" "$@"
}

seed=${IHOP_TEST_SEED:-$(date +%s%N)}
echo "IHOP_TEST_SEED=$seed makes the mixed image again"
python3 "$make_image" mixed "$tmp/mixed.img" 9000001 "$seed"
python3 "$make_image" tree "$tmp/tree" 1
"$srcdir/contrib/make-ext4.sh" "$tmp/tree" "$tmp/ext4.img" 24M 0b0e0000-0000-4000-8000-000000000001

compare # bita's defaults
compare --hash-chunking BuzHash
small=(--avg-chunk-size 16KiB --min-chunk-size 4KiB --max-chunk-size 64KiB)
compare "${small[@]}"
compare "${small[@]}" --rolling-window-size 16B
compare "${small[@]}" --rolling-window-size 8KiB
compare --hash-chunking BuzHash "${small[@]}"
compare --hash-chunking BuzHash "${small[@]}" --rolling-window-size 48B
compare --avg-chunk-size 256KiB --min-chunk-size 64B --max-chunk-size 1MiB
compare --fixed-size 4KiB
compare --fixed-size 100000B
