#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Random sequences of default, try, boot, good, clone, remove and gc, with releases that break and
# names that shells dislike, do what a model says; docs/which-boots.sh reads, counts and says the same.
set -euo pipefail
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
cd "$tmp"

for i in 0 1 2 3 4; do
    noise $i.data 20000 "image $i"
    $cba make --fixed 20000 $i.data $i.cba
    b2sum <$i.data | cut -d' ' -f1 >$i.id
    cp $i.id $i.chunk
done

sequences=$(by_length 20 500)
for shell in sh "busybox ash"; do
    [ -n "$(command -v ${shell%% *})" ] || continue
    "$python" "$srcdir/tests/lib/bootmodel.py" "$sequences" "${SEED:-1}" "$ihop_store" "$ihop_clone" \
        "$srcdir/docs/which-boots.sh" "$shell" "$tmp" >log || fail "$shell: $(cat log)"
    echo "measured: $shell: $(cat log)"
done
