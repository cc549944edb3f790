#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/real-images.sh runs from end to end on small images; updates cost less
# than what they update.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/sbin:/usr/sbin
requires bita nginx nbdkit nbdcopy nbdfuse python3 mkfs.ext4 debugfs mksquashfs mkfs.erofs

IHOP_BENCH_DIR=$tmp/images expect_exit 0 "$srcdir/bench/real-images.sh" --small "$builddir"
table=$(sed -n '/^image /,$p' "$tmp/out")
echo "$table"
[ "$(echo "$table" | wc -l)" -eq 10 ] || fail "the table has not nine rows"

# Uncompressed file systems: a release after the first one costs less than half.
echo "$table" | awk '
    $1 == "ext4" || $1 == "erofs" {
        if ($2 == "v1")
            first = $8
        else if ($8 * 2 >= first)
            exit 1
    }' || fail "an update costs more than half of the first release"
echo "$table" | awk 'NR > 1 && ($4 + $5 > $3 || $8 > $7) { exit 1 }' ||
    fail "the table does not add up"
