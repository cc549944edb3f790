#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the example archives of this directory with the real bita, and the example
# store with the original ihop 0.1. They are committed, so that tests need neither;
# run this only to change them:
#
#     tests/data/make.sh [DIRECTORY]        (DIRECTORY: default is this one)
#
# Needs bita 0.15 (with lzma and zstd), ihop 0.1.2, mkfs.ext4 and python3:
# contrib/install-deps.sh --tests --bita --original. The images are the same on
# every machine (make-image.py); each .b2 is the BLAKE2b-512 of one image.
#
# bita 0.15 at times ends with success and its last chunk unwritten, and the
# original ihop does not wait for its writes: each result is checked, and made
# again until it is whole. bita panics on an empty image, so there is no archive
# of one here; tests/lib/cba.py makes one.
set -euo pipefail
umask 022

data=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${1:-$data}" && pwd)
contrib=$data/../../contrib
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
attempts=20

die() {
    echo "make.sh: $*" >&2
    exit 1
}

# archive NAME IMAGE [BITA-OPTION...]: $out/NAME.cba, and $out/NAME.b2.
archive() {
    local name=$1 image=$2 try
    shift 2
    for ((try = 1; try <= attempts; try++)); do
        bita compress --force-create --input "$image" "$@" "$tmp/new.cba" >"$tmp/log" 2>&1 ||
            { cat "$tmp/log" >&2; die "bita failed on $name"; }
        rm -f "$tmp/back.img"
        if bita clone "$tmp/new.cba" "$tmp/back.img" >"$tmp/log" 2>&1 &&
            cmp -s "$tmp/back.img" "$image"; then
            mv "$tmp/new.cba" "$out/$name.cba"
            sum "$image" >"$out/$name.b2"
            printf '%-12s %8d bytes, try %d\n' "$name" "$(stat -c %s "$out/$name.cba")" "$try"
            return 0
        fi
    done
    die "bita gave no whole archive of $name in $attempts tries"
}

sum() {
    b2sum <"$1" | cut -d' ' -f1
}

mixed() {
    "$data/make-image.py" mixed "$tmp/$1.img" "${@:2}"
}

# Every chunk of the store has the bytes of its name, and no fewer than the
# archive has chunks.
store_is_whole() {
    local file name
    while IFS= read -r file; do
        name=$(basename "$file" .chunk)
        [ "$(sum "$file")" = "$name" ] || return 1
    done < <(find "$1/chunks" -name '*.chunk')
    [ "$(find "$1/chunks" -name '*.chunk' | wc -l)" -eq "$2" ]
}

# original_store NAME CHUNKS: from $out/NAME.cba.
original_store() {
    local try
    for ((try = 1; try <= attempts; try++)); do
        rm -rf "$tmp/original-store"
        mkdir "$tmp/original-store"
        if ihop clone "$out/$1.cba" "$tmp/original-store/$1" >"$tmp/log" 2>&1 &&
            [ -s "$tmp/original-store/$1" ] && store_is_whole "$tmp/original-store" "$2"; then
            tar -C "$tmp" --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner \
                -cJf "$out/original-store.tar.xz" original-store
            printf '%-12s %8d bytes, try %d\n' original "$(stat -c %s "$out/original-store.tar.xz")" "$try"
            return 0
        fi
    done
    die "ihop gave no whole store of $1 in $attempts tries"
}

chunks_of() {
    bita info "$1" 2>&1 | sed -n 's/.*(unique: \([0-9]*\)).*/\1/p'
}

for tool in bita ihop python3 b2sum xz; do
    command -v "$tool" >/dev/null || die "$tool is missing: contrib/install-deps.sh --tests --bita --original"
done
{
    bita --version
    ihop --version
} >"$out/made-by.txt"

small_chunks=(--avg-chunk-size 8KiB --min-chunk-size 2KiB --max-chunk-size 64KiB)

mixed image 262144 image
archive brotli "$tmp/image.img"
archive lzma "$tmp/image.img" --compression lzma "${small_chunks[@]}"
archive zstd "$tmp/image.img" --compression zstd "${small_chunks[@]}"
archive none "$tmp/image.img" --compression none --hash-chunking RollSum "${small_chunks[@]}"
archive buzhash "$tmp/image.img" --hash-chunking BuzHash --rolling-window-size 16B "${small_chunks[@]}"
archive fixed "$tmp/image.img" --fixed-size 4KiB
archive hash16 "$tmp/image.img" --hash-length 16 "${small_chunks[@]}"
archive hash32 "$tmp/image.img" --hash-length 32 "${small_chunks[@]}"
archive metadata "$tmp/image.img" --metadata-value version 1.2.3 \
    --metadata-file notes "$data/metadata-notes.txt"

# Not a multiple of 512 bytes.
mixed odd 100001 odd
archive odd-size "$tmp/odd.img" "${small_chunks[@]}"

# Two releases; the second one has a few new chunks. The store of ihop 0.1
# holds the first.
mixed update-v1 393216 update
mixed update-v2 393216 update 3
archive update-v1 "$tmp/update-v1.img" "${small_chunks[@]}"
archive update-v2 "$tmp/update-v2.img" "${small_chunks[@]}"
original_store update-v1 "$(chunks_of "$out/update-v1.cba")"

# File systems, for the README and for tests of updates.
for v in 1 2; do
    "$data/make-image.py" tree "$tmp/tree-v$v" "$v"
    "$contrib/make-ext4.sh" "$tmp/tree-v$v" "$tmp/demo-v$v.img" 24M 0b0e0000-0000-4000-8000-000000000001
    archive "demo-v$v" "$tmp/demo-v$v.img"
done
