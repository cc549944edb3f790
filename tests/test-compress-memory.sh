#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Peak resident memory while an archive is made: bounded whatever the size of the image,
# the chunks and the order in which they get ready; also when a control group allows no
# more.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
program=$ihop_compress # libtool may have made a script of it
[ ! -x "$builddir/.libs/ihop-compress" ] || program=$builddir/.libs/ihop-compress
libraries=$(ldd "$program")
[[ $libraries != *lib[at]san* ]] || skip "a sanitizer's own memory would be counted"
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
    expect_exit 0 bash -c '"$1" "$2" | "${@:3}"' - "$net_python" "$tmp/image.py" \
        "$net_python" -c 'import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as f:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=f)
sys.exit(code)' "$tmp/peak" "$@"
    peak=$(cat "$tmp/peak")
}

# stays_below MIB [OPTION...]
stays_below() {
    peak "$program" -q -f "${@:2}" - "$tmp/a.cba"
    echo "${*:2}: $((peak / MIB)) MiB, at most $1"
    at_least "$peak" $MIB "bytes of resident memory, if they are measured"
    at_most "$peak" $(($1 * MIB)) "bytes of resident memory with ${*:2}"
}

stays_below 128 --jobs 2
stays_below 128 --jobs 2 --compression zstd --compression-level 3
stays_below 128 --jobs 4 --compression none
stays_below 160 --jobs 4 --compression lzma --compression-level 1
stays_below 128 --jobs 4 --compression none --fixed-size 4096

# ---- under a limit ----

own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
group=/sys/fs/cgroup/memory$own/ihop-test-$$
knob=memory.limit_in_bytes
if [ -z "$own" ]; then
    group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/ihop-test-$$
    knob=memory.max
fi
mkdir "$group" 2>"$tmp/why" || skip "under a limit alone: $(cat "$tmp/why")"
at_exit rmdir "$group"
[ -w "$group/$knob" ] || skip "under a limit alone: $group has no $knob"
echo $((160 * MIB)) >"$group/$knob"
# What it writes counts as well, but can be given back.
expect_exit 0 bash -c '"$1" "$2" | (echo $BASHPID >"$3" && exec "${@:4}")' - "$net_python" "$tmp/image.py" \
    "$group/cgroup.procs" "$program" -q -f --jobs 2 --compression zstd - "$tmp/a.cba"
used=$group/memory.max_usage_in_bytes
[ -e "$used" ] || used=$group/memory.peak
[ ! -e "$used" ] || at_least "$(cat "$used")" $MIB "bytes that the group used"
