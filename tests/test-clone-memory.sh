#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Peak resident memory of a clone: at most 64 MiB and three times the dictionary,
# whatever the archive; also when a control group allows no more.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/memory.sh"
the_program "$ihop_clone"
mkdir "$tmp/www"

# many.cba: 3,000 small chunks. wide.cba: a
# dictionary of 7 MB. large.cba: chunks of 16 MiB, compressed so that the decoder
# needs what xz -9 asks for (64 MiB, of which it touches what a chunk fills). text.cba:
# many large chunks of few bytes, for more threads than their memory would be allowed.
"$python" - "$tmp/www" <<'EOF_PYTHON'
import lzma, sys
from ihopformat import codecs
from ihopformat.archive import Archive, fixed_cuts
from ihopformat.codecs import BROTLI, LZMA, MIB, NONE
from ihopformat.noise import noise

def write(name, data, step, codec):
    archive = Archive(data, fixed_cuts(len(data), step), codec)
    with open(f"{sys.argv[1]}/{name}.cba", "wb") as f:
        f.write(archive.encode())

write("many", noise("many", 3000 * 4096), 4096, BROTLI)
write("wide", noise("wide", 80000 * 16), 16, NONE)
# The dictionary's size is all that a decoder sees of a preset; preset 9 is slow.
nine = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 64 * MIB}]
codecs.xz_compress = lambda data: lzma.compress(data, filters=nine)
text = b"".join(b"%d bottles of beer on the wall\n" % i for i in range(100000))[:2 * MIB]
write("text", b"".join((b"%d, %d, " % (i, 7 * i)) * (MIB // 4) for i in range(100, 124)), 4 * MIB, LZMA)
write("large", b"".join(noise(b"%d" % i, 14 * MIB) + text for i in range(3)), 16 * MIB, LZMA)
EOF_PYTHON
start_server "$tmp/www"

# make_bases: delta.cba, 24 chunks of 2 MiB, with a pack against base.cba: each delta has a base of
# 4 MiB, the largest that there may be, and is decoded in two steps.
make_bases() {
    "$python" - "$tmp/www" <<'EOF_PYTHON'
import io, sys
from ihopformat.archive import Archive, fixed_cuts
from ihopformat.codecs import MIB
from ihopformat.delta import BLOCK, BSDIFF, Delta, make_pack, near, read_table, zstd_encode
from ihopformat.noise import noise
from ihopformat.protobuf import varint

def write(name, data):
    with open(f"{sys.argv[1]}/{name}", "wb") as f:
        f.write(data)

size = 2 * MIB
old = noise("old", 8 * MIB)
new = b"".join(bytes([old[i * BLOCK] + 1 & 255]) + old[i * BLOCK + 1:][:size - 1] for i in range(24))
base, delta = (Archive(d, fixed_cuts(len(d), size)).encode() for d in (old, new))
write("base.cba", base)
write("delta.cba", delta)
table = read_table(f"{sys.argv[1]}/base.cba")
known = read_table(f"{sys.argv[1]}/base.cba") # as if nothing were missing: no deltas are made
known.chunks += read_table(f"{sys.argv[1]}/delta.cba").chunks
pack = make_pack(known, io.BytesIO(), delta)
pack.patch, pack.patch_plain = b"", 0
program = zstd_encode(near(0, 0) + varint(size) + varint(0) + b"\1" + bytes(size - 1))
pack.set_list([Delta(i, BSDIFF, program, [[i, 1024]]) for i in range(24)])
write(f"delta.cba.from-{table.checksum.hex()[:16]}", pack.encode())
EOF_PYTHON
}

# limit ARCHIVE: bytes.
limit() {
    echo $((64 * 1048576 + 3 * ($(header_size "$tmp/www/$1.cba") - 86)))
}

# peak CMD [ARG...]: runs it; its peak is $peak, bytes.
peak() {
    expect_exit 0 "${with_peak[@]}" "$tmp/peak" "$@"
    peak=$(cat "$tmp/peak")
}

# stays_small ARCHIVE SOURCE [OPTION...]
stays_small() {
    local archive=$1 source=$2

    shift 2
    rm -rf "$tmp/s"
    peak "$program" --quiet --jobs 4 "$@" "$source/$archive.cba" "$tmp/s/r"
    echo "$archive from $source $*: $peak bytes; at most $(limit "$archive")"
    at_least "$peak" 1000000 "bytes of resident memory, if they are measured"
    at_most "$peak" "$(limit "$archive")" "bytes of resident memory for $archive from $source $*"
}

test_peak() {
    stays_small many "$tmp/www"
    stays_small many "$url" --connections 16
    equal "$(good_chunks "$tmp/s")" 3000 "chunks"
    stays_small wide "$url" --dry-run
    stays_small wide "$tmp/www" --dry-run
    stays_small large "$tmp/www"
    stays_small large "$url" --connections 16
    equal "$(good_chunks "$tmp/s")" 3 "chunks"
    stays_small text "$tmp/www" --jobs 24
}

# Bases count as what is decoded does, however many threads there are.
test_bases() {
    make_bases
    for source in "$tmp/www" "$url"; do
        expect_exit 0 "$ihop_clone" -q "$tmp/www/base.cba" "$tmp/d/base"
        peak "$program" --quiet --json --jobs 16 "$source/delta.cba" "$tmp/d/delta"
        equal "$(json chunks_delta) $(json chunks_fetched)" "24 0" "chunks"
        echo "24 deltas with bases of 4 MiB from $source: $peak bytes; at most $(limit delta)"
        at_most "$peak" "$(limit delta)" "bytes of resident memory for deltas from $source"
        rm -rf "$tmp/d"
    done
}

# fits ARCHIVE [OPTION...]: the file cache counts as well, but can be given back.
fits() {
    limit "$1" >"$group/$knob"
    rm -rf "$tmp/s"
    expect_exit 0 bash -c 'echo $$ >"$1" && shift && exec "$@"' - "$group/cgroup.procs" \
        "$program" --quiet --jobs 4 "${@:2}" "$url/$1.cba" "$tmp/s/r"
}

# killed MIB: with too little, the kernel kills it or not; what is there is good, and a
# rerun with enough fetches the rest.
killed() {
    local code=0 had

    echo $(($1 * 1048576)) >"$group/$knob" 2>"$tmp/why" || return 0 # less than is in use
    rm -rf "$tmp/s"
    { bash -c 'echo $$ >"$1" && shift && exec "$@"' - "$group/cgroup.procs" "$program" --quiet \
        --jobs 4 "$url/many.cba" "$tmp/s/r" >"$tmp/out" 2>"$tmp/err" || code=$?; } 2>/dev/null
    case $code in
    0) ;;
    9) one_line_on_stderr ;;
    137) kills=$((kills + 1)) ;;
    *) show_output && fail "exit code $code within $1 MiB" ;;
    esac
    had=$(good_chunks "$tmp/s")
    [ $code = 0 ] || [ ! -e "$tmp/s/r" ] || fail "a release after exit code $code"
    expect_exit 0 "$program" --quiet --json "$url/many.cba" "$tmp/s/r"
    at_most "$(json chunks_fetched)" $((3000 - had)) "chunks fetched after exit code $code"
    equal "$(good_chunks "$tmp/s")" 3000 "chunks"
    nothing_staged "$tmp/s"
    echo "within $1 MiB: exit code $code with $had chunks"
}

# Under a limit.
test_under_a_limit() {
    memory_group

    fits many --connections 16
    fits large --connections 16

    kills=0

    killed 8
    killed 16
    killed 20
    at_least $kills 1 "clones killed by too little memory"
    group_used 1000000
}

run_cases "$@"
