#!/bin/bash
# SPDX-License-Identifier: MIT
# Every byte of an image comes back: both layouts, odd sizes, one-byte chunks,
# short hashes, reads across chunk borders; the chunks' access times stay as they are.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

test_sizes() {
    local size

    for size in 1 511 512 513 70000 1000001; do
        noise "$tmp/image" "$size" "$size"
        make_store "$tmp/image" "$tmp/original/v$size"
        make_store --layout 2 "$tmp/image" "$tmp/ours/v$size"
        compare "$tmp/image" "$tmp/original/v$size"
        compare "$tmp/image" "$tmp/ours/v$size"
        [ "$(stat -c %s "$tmp/copy")" = "$size" ] || fail "size $size is not exact"
    done
}

test_empty_image() {
    : >"$tmp/image"
    make_store "$tmp/image" "$tmp/original/empty"
    expect_exit 0 ihop_run 'nbdinfo --size "$uri"' -- "$tmp/original/empty"
    expect_stdout '^0$'
}

test_tiny_chunks() {
    noise "$tmp/image" 3001 7
    make_store --min 1 --max 1 "$tmp/image" "$tmp/tiny/one"
    make_store --min 1 --max 3 --layout 2 "$tmp/image" "$tmp/tiny2/three"
    compare "$tmp/image" "$tmp/tiny/one"
    compare "$tmp/image" "$tmp/tiny2/three"
}

test_hash_lengths() {
    local length

    noise "$tmp/image" 400000 3
    for length in 4 16 20 32; do
        make_store --hash-length $length "$tmp/image" "$tmp/hash/h$length"
        compare "$tmp/image" "$tmp/hash/h$length"
    done
}

# borders: a store whose chunks are small, so that it has many of them.
borders() {
    noise "$tmp/image" 600000 9 100000 200000
    make_store --layout 2 --min 1000 --max 20000 "$tmp/image" "$tmp/borders/v1"
}

test_across_borders() {
    borders
    serve "$tmp/borders/v1"
    nbd "
import random
image = open('$tmp/image', 'rb').read()
borders = [int(line.split()[0]) for line in open('$tmp/chunks')]
assert len(borders) > 30
for b in borders:
    for start, end in ((b - 1, b + 1), (b, b + 1), (b - 700, b + 700), (b, b + 60000)):
        start, end = max(0, start), min(len(image), end)
        assert h.pread(end - start, start) == image[start:end], (start, end)
rng = random.Random(4)
for i in range(500):
    start = rng.randrange(len(image))
    size = rng.randint(1, min(len(image) - start, 150000))
    assert h.pread(size, start) == image[start:start + size], (start, size)
assert h.pread(len(image), 0) == image
assert h.is_read_only()
"
}

last_access() {
    find "$@" -type f -printf '%A@\n' | sort -u
}

# Each read would write to the flash otherwise.
test_access_times() {
    borders
    echo control >"$tmp/control"
    find "$tmp/borders/chunks" "$tmp/control" -type f -exec touch -a -d @1000000000 {} +
    cat "$tmp/control" >/dev/null
    if [ "$(last_access "$tmp/control")" = 1000000000.0000000000 ]; then
        return 0 # mounted with noatime
    fi
    compare "$tmp/image" "$tmp/borders/v1"
    compare "$tmp/image" "$tmp/borders/v1" verify=first
    [ "$(last_access "$tmp/borders/chunks")" = 1000000000.0000000000 ] ||
        fail "reading a chunk changed its access time"
}

run_cases "$@"
