#!/bin/bash
# SPDX-License-Identifier: MIT
# Zero chunks and holes in chunk files are reported as holes: exactly where the
# image has zeros, never beyond the request, neighbours as one.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

KiB=1024
# Zeros over several chunks; and 256 KiB of zeros inside one large chunk.
noise "$tmp/image" $((4096 * KiB)) 1 \
    $((512 * KiB)) $((1024 * KiB)) $((2560 * KiB)) $((256 * KiB))

# zero_chunks LAYOUT: the map of a store of that layout, which stays in $tmp/map.
zero_chunks() {
    make_store --layout "$1" --min $((16 * KiB)) --max $((16 * KiB)) "$tmp/image" "$tmp/store$1/v1"
    expect_exit 0 ihop_run 'nbdinfo --map "$uri"' -- "$tmp/store$1/v1"
    awk '{ print $1, $2, $3 }' "$tmp/out" >"$tmp/map"
    diff - "$tmp/map" <<MAP
0 $((512 * KiB)) 0
$((512 * KiB)) $((1024 * KiB)) 3
$((1536 * KiB)) $((1024 * KiB)) 0
$((2560 * KiB)) $((256 * KiB)) 3
$((2816 * KiB)) $((1280 * KiB)) 0
MAP
}

holes_in_files() {
    make_store --layout 2 --sparse --min $((2048 * KiB)) --max $((2048 * KiB)) \
        "$tmp/image" "$tmp/sparse/v1"
    # Does this file system tell holes? (stat: fewer blocks than the size needs)
    [ "$(stat -c %b "$tmp/sparse/$(chunk 2 3)")" -lt $((2048 * 2)) ] ||
        skip "$tmp is on a file system without holes"
    expect_exit 0 ihop_run 'nbdinfo --map "$uri"' -- "$tmp/sparse/v1"
    awk '{ print $1, $2, $3 }' "$tmp/out" >"$tmp/map-of-files"
    diff "$tmp/map" "$tmp/map-of-files"
}

# verified_holes: the same map when each chunk with holes is hashed first, more than one
# request hashes included. A chunk that was replaced by a hole of its size is none.
verified_holes() {
    local bad

    expect_exit 0 ihop_run 'nbdinfo --map "$uri"' -- "$tmp/sparse/v1" verify=first
    awk '{ print $1, $2, $3 }' "$tmp/out" >"$tmp/map-verified"
    diff "$tmp/map" "$tmp/map-verified"
    cp -a "$tmp/sparse" "$tmp/bad"
    bad=$tmp/bad/$(chunk 2 3)
    truncate -s 0 "$bad"
    truncate -s $((2048 * KiB)) "$bad"
    for fds in 4096 0; do
        serve "$tmp/bad/v1" verify=first maxfds=$fds
        nbdinfo --map "$uri" >"$tmp/out"
        awk '$1 >= 2048 * 1024 && $3 != 0' "$tmp/out" >"$tmp/zeros"
        [ ! -s "$tmp/zeros" ] || fail "holes that nobody has verified: $(cat "$tmp/zeros")"
        nbd "$python_eio
eio(h, 2048 * 1024 + 512 * 1024, 4096)
"
        expect_log "content of chunk $bad does not match its hash"
        stop_server
    done
    # Twenty chunks of 2 MiB, half of each a hole.
    noise "$tmp/large" $((40 * 1024 * KiB)) 3 $(for ((i = 0; i < 20; i++)); do echo $((i * 2048 * KiB)) $((1024 * KiB)); done)
    make_store --layout 2 --sparse --min $((2048 * KiB)) --max $((2048 * KiB)) "$tmp/large" "$tmp/larger/v1"
    for verify in off first; do
        expect_exit 0 ihop_run 'nbdinfo --map "$uri"' -- "$tmp/larger/v1" verify=$verify
        mv "$tmp/out" "$tmp/map-$verify"
    done
    diff "$tmp/map-off" "$tmp/map-first"
    [ "$(wc -l <"$tmp/map-first")" = 40 ] || fail "not forty extents"
}

# every_request STORE [PARAMETER...]: the answer to any request covers its start, stays inside
# of it, and agrees with the image.
every_request() {
    serve "$tmp/$1/v1" "${@:2}"
    nbd "
import random
image = open('$tmp/image', 'rb').read()
rng = random.Random(2)
border = 512 * 1024
requests = [(0, len(image)), (border - 1, 2), (border - 1, 1), (border, 1), (border + 5, 7)]
for i in range(300):
    start = rng.randrange(len(image))
    requests.append((start, rng.randint(1, len(image) - start)))
for start, size in requests:
    for flags in (0, nbd.CMD_FLAG_REQ_ONE):
        got = []
        h.block_status(size, start, lambda m, o, entries, e: got.extend(entries), flags)
        extents = list(zip(got[::2], got[1::2]))
        whole = whole if flags else extents # chunks that are alike are one extent
        assert extents and sum(length for length, kind in extents) <= size, (start, size, extents)
        if flags:
            assert extents == whole[:1], (start, size, extents, whole)
        else:
            assert sum(length for length, kind in extents) == size
        at, before = start, None
        for length, kind in extents:
            assert kind in (0, 3) and kind != before, extents
            piece = image[at:at + length]
            if kind == 3:
                assert not any(piece), (at, length)
            at, before = at + length, kind
"
    stop_server
}

sparse_copy() {
    ihop_run "nbdcopy --allocated \"\$uri\" '$tmp/full'" -- "$tmp/store2/v1"
    ihop_run "nbdcopy \"\$uri\" '$tmp/thin'" -- "$tmp/store2/v1"
    cmp "$tmp/image" "$tmp/full"
    cmp "$tmp/image" "$tmp/thin"
    [ "$(stat -c %b "$tmp/thin")" -le $(((4096 - 1280) * 2 + 64)) ] ||
        fail "the copy is not sparse: $(stat -c %b "$tmp/thin") blocks"
}

test_zero_chunks() {
    zero_chunks 2
    zero_chunks 4 # ihop 0.1 does not record them: they are found by their hash
    every_request store2
}

test_sparse_copy() {
    zero_chunks 2
    sparse_copy
}

# The last ones, because they skip where files have no holes.
test_holes_in_files() {
    zero_chunks 2
    holes_in_files
    every_request sparse
    every_request sparse verify=first
    verified_holes
}

run_cases "$@"
