#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every valid form of an archive clones, and the store then holds the image: both
# magics, all codecs, packed and unpacked order, unknown fields, short hashes, odd
# sizes, gaps, repeated descriptors.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3

python3 - "$tmp" <<'EOF_PY'
import random, sys
tmp = sys.argv[1]
noise = random.Random(3).randbytes
images = {
    "plain": noise(200000) + bytes(100000) + b"text " * 20000 + noise(7),
    "empty": b"",
    "byte": b"x",
    "odd": noise(65537),
    "even": noise(4 * 65536),
    "zeros": bytes(1000000),
    "repeated": noise(65536) * 5,
}
for name, data in images.items():
    with open(f"{tmp}/{name}.img", "wb") as f:
        f.write(data)
EOF_PY

number=0

# clone_variant EXIT IMAGE CLONE-OPTIONS MAKE-OPTION...: makes an archive of IMAGE with the
# options given, and clones it.
clone_variant() {
    local code=$1 image=$2 clone_options=$3

    shift 3
    number=$((number + 1))
    store=$tmp/store$number
    $cba make "$@" "$tmp/$image.img" "$tmp/v.cba"
    # shellcheck disable=SC2086 # no option or several
    expect_exit "$code" "$ihop_clone" $clone_options "$tmp/v.cba" "$store/v1"
}

# works IMAGE MAKE-OPTION...: such an archive can be cloned, and the image comes back from the
# store by the independent reader of cba.py, which checks sizes, checksums and the length of
# each chunk.
works() {
    local image=$1

    shift
    clone_variant 0 "$image" "${clone_options:-}" "$@"
    $cba image "$store/v1" >"$tmp/back"
    cmp "$tmp/back" "$tmp/$image.img"
    echo "ok $image $*"
}

test_forms() {
    works plain
    works plain --old-magic
    works plain --unpacked
    works plain --unknown-fields
    works plain --unknown-fields --unpacked --old-magic --codec xz
    works plain --metadata board=a --metadata empty= --metadata "=no key"
    for codec in none xz zstd brotli; do
        works plain --codec $codec
        works plain --codec $codec --raw-every 2
        works empty --codec $codec
        works byte --codec $codec
        works zeros --codec $codec
        works repeated --codec $codec
    done
    for tool in zstd brotli; do
        if command -v $tool >/dev/null; then
            works plain --codec $tool --tools
            works plain --codec $tool --tools --fixed 4096
            works zeros --codec $tool --tools
        else
            echo "not installed, so its own streams are not tried: $tool"
        fi
    done
    for image in odd even; do
        works $image
        works $image --fixed 1000
        works $image --cuts 1,2,3,50000
    done
    works plain --gap 3000
    works plain --gap 1 --shuffle
    works plain --shuffle --codec xz
    works plain --data-offset-gap 5000
    works plain --unreferenced --codec brotli
    works plain --duplicate
    works repeated --duplicate --codec zstd
    works plain --fixed 500
    for length in 64 63 32 17 16; do
        works plain --hash-length $length
    done
}

# Shorter hashes are no content address: refused, unless one insists.
test_short_hashes() {
    for length in 15 8 4; do
        clone_variant 5 plain "" --hash-length $length
        one_line_on_stderr
        expect_stderr "chunk hashes have $length bytes.*--allow-short-hash"
        [ ! -e "$store/v1" ] || fail "a release with short hashes appeared"
        clone_options=--allow-short-hash works plain --hash-length $length
    done
}

# What nothing refers to is not fetched, and one content has one file.
test_unreferenced() {
    clone_variant 0 repeated "" --duplicate --unreferenced
    [ "$(find "$store/chunks" -name '*.chunk' | wc -l)" -eq 1 ] || fail "more chunks than are needed"
}

# Zeros take no space.
test_zeros() {
    clone_variant 0 zeros "" --fixed 1000000
    [ "$(du -k "$store/chunks" | tail -1 | cut -f1)" -lt 64 ] || fail "a zero chunk is not sparse"
}

run_cases "$@"
