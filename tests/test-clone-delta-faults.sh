#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A delta pack that is hostile, cut, stale, replaced or lost while it is read, a rotten old release,
# a kill in the middle: the release comes out right, with exit code 0 and one note, or one error
# where the archive is not there either; and what came is kept.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/delta.sh"
make_update
start_server "$tmp/www"
# Without --quiet, as notes are looked at.
clone=("$ihop_clone" --json --retry-delay 0 --timeout 5 --connect-timeout 5)
s=$tmp/s
from_pack=path=/good/$pack_name

# fresh [RULE...]: $s has v1 alone.
fresh() {
    old_store "$s"
    rules "$@"
}

# falls_back REGEX DELTAS DOWNLOADS [ARGUMENT...]: v2 is there with one note; so many chunks are of
# the pack and of the archive.
falls_back() {
    expect_exit 0 "${clone[@]}" "${@:4}" "$url/good/v2.cba" "$s/v2"
    one_line_on_stderr
    expect_stderr "$1"
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "$2 $3" "chunks of the pack and of the archive ($1)"
}

# bent NAME: serves the pack of this hostile case in place of the good one.
bent() {
    mkdir -p "$tmp/bent"
    cp "$tmp/www/v2.cba" "$tmp/bent/v2.cba"
    $cba pack-hostile "$1" "$pack" "$tmp/www/v2.cba" "$tmp/bent/$pack_name"
}

# hostile NAME KIND REGEX: what the case promises, from a server; alone it gives nothing, or what is
# sound of it.
hostile() {
    local name=$1 kind=$2 regex=$3 deltas

    bent "$name"
    fresh "$from_pack : root=$tmp/bent"
    expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
    updated "$s/v2"
    deltas=$(json chunks_delta)
    case $kind in
    pack) equal "$deltas" 0 "deltas that were used of $name" ;;
    header) equal "$deltas" 13 "deltas that were used of $name" ;;
    chunk) at_least "$deltas" 9 "deltas that were used of $name" && at_most "$deltas" 12 "deltas of $name" ;;
    esac
    at_most "$(requests "$from_pack")" 4 "requests for $name"
    case $kind-$name in
    header-* | pack-magic | pack-empty | pack-cut-prefix | pack-web-page) silent ;; # no pack, or no harm
    chunk-*) one_line_on_stderr && expect_stderr "$pack_name: this delta pack is wrong or damaged: " ;;
    *) one_line_on_stderr && expect_stderr "$pack_name.*($regex)|build" ;;
    esac
    fresh
    got=0
    "${clone[@]}" -q "$tmp/bent/$pack_name" "$s/v2" >"$tmp/out" 2>"$tmp/err" || got=$?
    equal "$got-$name" "5-$name" "exit code alone"
    [ ! -e "$s/v2" ] || fail "$name has published a release"
}

test_hostile() {
    while IFS=$'\t' read -r name kind regex; do
        echo "pack $name"
        hostile "$name" "$kind" "$regex"
    done < <($cba pack-list)
}

# Truncated at each interesting place.
test_cut() {
    local size

    for size in 0 1 13 14 127 128 129 500 $((head - 1)) "$head" $((head + 1)) $(($(file_size "$pack") - 1)); do
        mkdir -p "$tmp/cut"
        head -c "$size" "$pack" >"$tmp/cut/$pack_name"
        fresh "$from_pack : root=$tmp/cut"
        expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
        updated "$s/v2"
        equal "$(json chunks_delta) $(json chunks_fetched)" "0 13" "chunks with $size bytes of a pack"
        if [ "$size" -lt 128 ]; then
            silent
        else
            one_line_on_stderr
            expect_stderr 'cut short.*going on without this delta pack'
        fi
    done
}

# A dictionary that is larger than the archive's header by more than 64 KiB is not read.
test_large_dictionary() {
    local spare

    mkdir -p "$tmp/large"
    for spare in 65000 66000; do
        "$python" - "$pack" "$tmp/large/$pack_name" $((4 * header + spare)) <<'EOF_PY'
import sys
from ihopformat.delta import read_pack
from ihopformat.protobuf import blob
pack = read_pack(sys.argv[1])
pack.extra = blob(99, bytes(int(sys.argv[3]) - len(pack.dictionary()) - 78 - 6))
with open(sys.argv[2], "wb") as f:
    f.write(pack.encode())
EOF_PY
        fresh "$from_pack : root=$tmp/large"
        if [ $spare = 65000 ]; then
            expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
            silent
            equal "$(json chunks_delta)" 13 "deltas"
        else
            falls_back 'more than the archive can need: going on without' 0 13
            equal "$(requests "$from_pack")" 1 "requests for the pack"
        fi
    done
}

# Of another build: same image, another archive.
test_stale() {
    make_update_archive 2 --metadata-value build 2
    fresh
    falls_back 'another build of the archive: going on without' 0 13
    equal "$(requests "$from_pack") $(requests "$from_pack" "past=$head")" "2 0" "requests for the pack"
    # With a header of the same size as well.
    make_update_archive 2 --metadata-value build 3
    cp "$tmp/www/v2.cba" "$tmp/three.cba"
    make_update_archive 2 --metadata-value build 4
    "$ihop_compress" -q -f --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    cp "$tmp/three.cba" "$tmp/www/v2.cba"
    fresh
    falls_back 'another build of the archive: going on without' 0 13
    make_update
}

# The probe meets a server that is not there: one note. There is one retry, and it is told, since a
# server may ask for a pause before it.
test_probe_fails() {
    fresh "$from_pack : status=503"
    falls_back 'status 503.*going on without this delta pack' 0 13 --retry 0
    equal "$(requests "$from_pack")" 1 "requests"
    fresh "$from_pack : status=503"
    expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
    expect_stderr 'status 503\); trying again .*\(1 of 1\)'
    expect_stderr 'status 503.*going on without this delta pack'
    equal "$(requests "$from_pack")" 2 "requests"
    fresh "$from_pack : hang-up"
    falls_back 'going on without this delta pack' 0 13 --retry 0
    fresh "$from_pack past=128 : status=500"
    falls_back 'going on without this delta pack' 0 13 --retry 0
}

# While its deltas are read.
test_lost() {
    local past="$from_pack past=$head"

    fresh "$past : status=404"
    falls_back "$pack_name.*no such archive.*: the rest of this delta pack is not used" 0 13
    fresh "$past : status=403"
    falls_back 'status 403.*is not used' 0 13
    fresh "$past : status=500"
    falls_back 'status 500.*is not used' 0 13 --retry 0
    fresh "$past : ignore-range"
    falls_back 'is not used' 0 13
    # The size changes, or the contents: another tag, and another checksum.
    fresh "$past : total=5"
    falls_back 'changed while it was read.*is not used' 0 13
    mkdir -p "$tmp/changed"
    "$python" - "$pack" "$tmp/changed/$pack_name" "$head" <<'EOF_PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3]) - 1] ^= 1
open(sys.argv[2], "wb").write(data)
EOF_PY
    fresh "$from_pack n=3- : root=$tmp/changed"
    falls_back 'changed while it was read.*is not used' 0 13
    # Only in the middle: what came is used. The first deltas are small; 31 and 34 are copies.
    fresh "$past : body=20000 end=close" "$past : status=404"
    expect_exit 0 "${clone[@]}" --retry 1 "$url/good/v2.cba" "$s/v2"
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "11 2" "chunks of the pack and of the archive"
    expect_stderr 'the rest of this delta pack is not used'
    rm -rf "$tmp/changed"
}

# Deltas that are damaged on the way are few: the rest of the pack is used.
test_damaged_on_the_way() {
    fresh "$from_pack : corrupt=$((head + 40))"
    falls_back "$pack_name: this delta pack is wrong or damaged" 12 1
    fresh "$from_pack : corrupt=$(($(file_size "$pack") - 5))"
    falls_back 'wrong or damaged' 12 1
}

# rot FILE...: damages chunks of the store.
rot() {
    for file in "$@"; do
        flip "$file" 1000
    done
}

old_chunk() {
    local hash

    hash=$(dd if="$tmp/i1" bs=32768 skip="$1" count=1 status=none | b2sum | cut -d' ' -f1)
    echo "$s/chunks/${hash:0:2}/$hash.chunk"
}

# An old chunk is rotten: its name is told, its heirs come from the archive; after a repair of the
# old release nothing is left of it.
test_rotten() {
    rm -rf "$s"
    rules
    expect_exit 0 "${clone[@]}" "$url/good/v1.cba" "$s/v1"
    rot "$(old_chunk 5)"
    expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
    one_line_on_stderr
    expect_stderr "$(basename "$(old_chunk 5)").*ihop-store verify --repair mends it"
    holds "$s/v2" "$tmp/i2"
    nothing_staged "$s"
    equal "$(json chunks_delta) $(json chunks_fetched)" "12 1" "chunks"
    expect_exit 7 "$ihop_store" verify "$s/v1"
    expect_exit 0 "$ihop_store" verify --repair "$s/v1"
    holds "$s/v1" "$tmp/i1"
    # All of them.
    fresh
    for i in $(seq 1 2 19); do
        rot "$(old_chunk "$i")"
    done
    expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
    one_line_on_stderr
    holds "$s/v2" "$tmp/i2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "3 10" "chunks"
    # The pack alone cannot do it. What came is kept.
    fresh
    rot "$(old_chunk 5)"
    expect_exit 5 "${clone[@]}" "$pack" "$s/v2"
    expect_stderr "$(basename "$(old_chunk 5)").*mends it"
    expect_stdout 'missing chunks cannot be made out of this delta pack'
    [ ! -e "$s/v2" ] || fail "a release was published"
    rules
    expect_exit 0 "${clone[@]}" --no-delta "$url/good/v2.cba" "$s/v2"
    equal "$(json chunks_reused) $(json chunks_fetched)" "40 1" "what the pack gave is kept"
}

# What deltas did not give has to fit --max-download: what came of the pack counts.
test_budget_anew() {
    local deltas=$(($(file_size "$pack") - head))

    fresh
    rot "$(old_chunk 5)"
    expect_exit 6 "${clone[@]}" --max-download $((deltas + 32767)) "$url/good/v2.cba" "$s/v2"
    expect_stdout "would download .*\($((deltas + 32768)) bytes\), but --max-download allows"
    equal "$(requests path=/good/v2.cba "past=$header" "not:$from_pack")" 0 "requests for chunks of the archive"
    [ ! -e "$s/v2" ] || fail "a release was published"
    # What came stays. The delta of that one chunk is asked for again, and in vain.
    rules
    expect_exit 0 "${clone[@]}" --max-download $((32768 + 100)) "$url/good/v2.cba" "$s/v2"
    equal "$(json chunks_fetched) $(json chunks_delta)" "1 0" "chunks"
    at_most "$(requests "$from_pack" "past=$head")" 1 "requests for deltas"
    fresh
    rot "$(old_chunk 5)"
    expect_exit 0 "${clone[@]}" --max-download $((deltas + 32768)) "$url/good/v2.cba" "$s/v2"
    holds "$s/v2" "$tmp/i2"
}

# arrived N: so many chunks are there or staged: 40 of v1, one of zeros, and those of the deltas.
arrived() {
    [ "$(find "$s" -name '*.chunk' | wc -l)" -ge "$1" ]
}

# Killed in the middle of the pack, twice: what came is kept, and only the rest is asked for. The
# deltas of 11 chunks lie before two copies of 32 KiB.
test_killed() {
    fresh "$from_pack past=$head : body=20000 end=stall"
    "${clone[@]}" "$url/good/v2.cba" "$s/v2" >"$tmp/out" 2>"$tmp/err" &
    wait_for 20 arrived 52
    kill -KILL $!
    wait $! 2>/dev/null || true
    [ ! -e "$s/v2" ] || fail "a release after a kill"
    rules "$from_pack past=$((head + 16500)) : body=40000 end=stall"
    "${clone[@]}" "$url/good/v2.cba" "$s/v2" >"$tmp/out" 2>"$tmp/err" &
    wait_for 20 arrived 53
    kill -KILL $!
    wait $! 2>/dev/null || true
    rules
    expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
    silent
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "1 0" "chunks"
    at_least "$(json chunks_adopted)" 1 "chunks adopted"
    equal "$(requests "$from_pack" "first=$(($(file_size "$pack") - 32768))")" 1 "requests for the last delta"
    at_most "$(json bytes_downloaded)" $((head + 32768 + 14 + 64)) "bytes downloaded"
}

run_cases "$@"
