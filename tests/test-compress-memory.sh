#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Peak resident memory while an archive is made: bounded whatever the size of the image,
# the chunks and the order in which they get ready; also when a control group allows no
# more.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/memory.sh"
the_program "$ihop_compress"
MIB=1048576

# An image of 400 MiB, never on the disk: noise, text, and zeros in chunks of 16 MiB.
cat >"$tmp/image.py" <<'EOF_PYTHON'
import hashlib, sys
MIB = 1 << 20
for i in range(10):
    noise = hashlib.shake_128(b"%d" % i).digest(4 * MIB)
    text = b"".join(b"%d bottles of beer on wall %d\n" % (n, i) for n in range(60000))
    for data in noise, text, bytes(34 * MIB), text[::-1]:
        sys.stdout.buffer.write(data)
EOF_PYTHON

# peak CMD [ARG...]: runs it with the image as its input; its peak is $peak, bytes.
peak() {
    expect_exit 0 bash -c '"$1" "$2" | "${@:3}"' - "$python" "$tmp/image.py" \
        "${with_peak[@]}" "$tmp/peak" "$@"
    peak=$(cat "$tmp/peak")
}

# stays_below MIB [OPTION...]
stays_below() {
    peak "$program" -q -f "${@:2}" - "$tmp/a.cba"
    echo "${*:2}: $((peak / MIB)) MiB, at most $1"
    at_least "$peak" $MIB "bytes of resident memory, if they are measured"
    at_most "$peak" $(($1 * MIB)) "bytes of resident memory with ${*:2}"
}

stays_below 96 --jobs 2
stays_below 96 --jobs 2 --compression zstd --compression-level 3
stays_below 96 --jobs 4 --compression none
stays_below 128 --jobs 4 --compression lzma --compression-level 1
stays_below 128 --jobs 4 --compression none --fixed-size 4096

# ---- under a limit ----

memory_group
echo $((160 * MIB)) >"$group/$knob"
# What it writes counts as well, but can be given back.
expect_exit 0 bash -c '"$1" "$2" | (echo $BASHPID >"$3" && exec "${@:4}")' - "$python" "$tmp/image.py" \
    "$group/cgroup.procs" "$program" -q -f --jobs 2 --compression zstd - "$tmp/a.cba"
group_used $MIB
