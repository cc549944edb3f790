#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Images of 0 and of few bytes; hash lengths; chunks of exactly the limits; and two
# chunks that a short hash cannot tell apart, which no archive may have.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"

# round_trip NAME [OPTION...]: of $tmp/NAME, and from a pipe as well.
round_trip() {
    local name=$1 short=()

    shift
    [[ ! "$* " =~ --hash-length\ ([4-9]|1[0-5])\  ]] || short=(--allow-short-hash)
    expect_exit 0 "$ihop_compress" --json -f "$@" "$tmp/$name" "$tmp/$name.cba"
    $cba table "$tmp/$name.cba" >"$tmp/table"
    expect_exit 0 "$ihop_clone" -q "${short[@]}" "$tmp/$name.cba" "$tmp/store/$name-$#"
    holds "$tmp/store/$name-$#" "$tmp/$name"
    expect_exit 0 bash -c 'cat "$1" | "${@:2}"' - "$tmp/$name" \
        "$ihop_compress" -q -f "$@" - "$tmp/piped.cba"
    cmp "$tmp/$name.cba" "$tmp/piped.cba"
}

chunks() {
    grep -c '^chunk ' "$tmp/table" || true
}

: >"$tmp/empty"
printf x >"$tmp/one"
noise "$tmp/tiny" 63 tiny
noise "$tmp/window" 64 window
noise "$tmp/min" 16384 min
noise "$tmp/more" 16385 more
truncate -s 33M "$tmp/zeros"

for name in empty one tiny window min more; do
    for options in "--hash-chunking BuzHash --compression zstd" "--fixed-size 64 --compression lzma" \
        "--compression none"; do
        rm -rf "$tmp/store"
        read -ra options <<<"$options"
        round_trip $name "${options[@]}"
    done
done
round_trip empty
equal "$(chunks)" 0 "chunks of an empty image"
equal "$(file_size "$tmp/empty.cba")" 8192 "bytes for an empty image, with space for signatures"
round_trip empty --signature-space 0
at_most "$(file_size "$tmp/empty.cba")" 300 "bytes for an empty image"
round_trip one
equal "$(chunks)" 1 "chunks of one byte"
round_trip zeros
equal "$(chunks)" 2 "chunks of 33 MiB of zeros: the maximum, twice, and the rest"
equal "$(grep '^order' "$tmp/table")" "order 0 0 1" "their order"
at_most "$(file_size "$tmp/zeros.cba")" $((8192 + 1000)) "bytes for zeros"

for length in 4 5 15 16 17 63 64; do
    rm -rf "$tmp/store"
    round_trip more --fixed-size 1000 --hash-length $length
    expect_exit 0 grep -Eq "^chunk 0: [0-9a-f]{$((2 * length))} 1000$" "$tmp/table"
done
for length in 0 3 65; do
    expect_exit 2 "$ihop_compress" --hash-length $length "$tmp/more" "$tmp/x.cba"
    expect_stderr "--hash-length takes a whole number from 4 to 64, not '$length'"
done

# 200,000 hashes of 4 bytes: some are the same, in this image always the same ones.
noise "$tmp/many" 3200000 many
expect_exit 2 "$ihop_compress" --quiet --fixed-size 16 --hash-length 4 --compression none "$tmp/many" "$tmp/many.cba"
one_line_on_stderr
expect_stderr 'many.cba cannot be made.*--hash-length 4.*two different chunks have the hash [0-9a-f]{8}$'
[ ! -e "$tmp/many.cba" ] || fail "an archive with two chunks of one name"
expect_exit 0 "$ihop_compress" -q --fixed-size 16 --hash-length 8 --compression none "$tmp/many" "$tmp/many.cba"

# More chunks than any reader takes are refused as soon as that is known.
noise "$tmp/much" 4000000 much
expect_exit 2 "$ihop_compress" --fixed-size 4 --compression none "$tmp/much" "$tmp/much.cba"
one_line_on_stderr
expect_stderr 'too many chunks for an archive.*--avg-chunk-size'
[ ! -e "$tmp/much.cba" ] || fail "an archive that nobody reads"
