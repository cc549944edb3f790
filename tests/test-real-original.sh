#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A store that the original ihop 0.1 made (tests/data/original-store.tar.xz) is served and
# updated as it is. tests/test-real-original-tool.sh lets ihop 0.1 itself use it afterwards.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/real.sh"
requires nbdkit nbdcopy b2sum nginx python3 tar xz

data=$srcdir/tests/data
tar -C "$tmp" -xJf "$data/original-store.tar.xz"
store=$tmp/original-store
cp -a "$store" "$tmp/rotten-store"
start_nginx "$data"

# What the second release has, and what the store of ihop 0.1 lacks of it.
expect_exit 0 "$ihop_clone" --compat-store "$data/update-v2.cba" "$tmp/reference/update-v2"
chunk_names "$store" >"$tmp/have"
chunk_names "$tmp/reference" >"$tmp/want"
missing=$(comm -13 "$tmp/have" "$tmp/want" | wc -l)
shared=$(comm -12 "$tmp/have" "$tmp/want" | wc -l)
[ "$missing" -gt 0 ] && [ "$shared" -gt "$missing" ] || fail "the example releases share too little"

# Served as it is, and nothing is written into it.
find "$store" -printf '%P %s %T@\n' | sort >"$tmp/before"
equal "$(served_sum "$store/update-v1")" "$(cat "$data/update-v1.b2")" "release of the original"
find "$store" -printf '%P %s %T@\n' | sort >"$tmp/after"
cmp "$tmp/before" "$tmp/after"

# A new release: only what is missing is fetched, into directories of four digits.
expect_exit 0 "$ihop_clone" --quiet --json "$url/update-v2.cba" "$store/update-v2"
cp "$tmp/out" "$tmp/summary"
equal "$(new_chunks)" "$missing" "new chunks"
equal "$(summary chunks_reused)" "$shared" "chunks reused"
find "$store/chunks" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -Evx '[0-9a-f]{4}' >"$tmp/directories" || true
[ ! -s "$tmp/directories" ] || fail "chunk directories without four digits: $(head -n 3 "$tmp/directories")"
while IFS= read -r hash; do
    [ -f "$store/chunks/${hash:0:4}/$hash.chunk" ] || fail "chunk $hash is not where the original looks"
done <"$tmp/want"
equal "$(wrong_chunks "$store")" "" "wrong chunks"
equal "$(served_sum "$store/update-v1")" "$(cat "$data/update-v1.b2")" "first release"
equal "$(served_sum "$store/update-v2")" "$(cat "$data/update-v2.b2")" "second release"

# The original does not sync: after a power cut a chunk may have its size and
# hold zeros. Such a one is found by its hash, and fetched again.
hash=$(comm -12 "$tmp/have" "$tmp/want" | sed -n 5p)
chunk=$tmp/rotten-store/chunks/${hash:0:4}/$hash.chunk
size=$(stat -c %s "$chunk")
head -c "$size" /dev/zero >"$chunk"
equal "$(wrong_chunks "$tmp/rotten-store")" "$chunk" "rotten chunk"
expect_exit 0 "$ihop_clone" --quiet --json "$url/update-v2.cba" "$tmp/rotten-store/update-v2"
cp "$tmp/out" "$tmp/summary"
equal "$(new_chunks)" $((missing + 1)) "new chunks with a rotten one"
equal "$(wrong_chunks "$tmp/rotten-store")" "" "wrong chunks after the clone"
equal "$(served_sum "$tmp/rotten-store/update-v1")" "$(cat "$data/update-v1.b2")" "first release"
equal "$(served_sum "$tmp/rotten-store/update-v2")" "$(cat "$data/update-v2.b2")" "second release"

# A release of ihop 0.1 is not taken for whole, nor for durable: cloned again it is
# published anew, after all its chunks were hashed; then nothing is left to do.
expect_exit 0 "$ihop_clone" --quiet --json "$data/update-v1.cba" "$store/update-v1"
cp "$tmp/out" "$tmp/summary"
expect_stdout '"outcome":"published"'
equal "$(new_chunks)" 0 "new chunks"
equal "$(served_sum "$store/update-v1")" "$(cat "$data/update-v1.b2")" "the same release, published anew"
expect_exit 0 "$ihop_store" info "$store/update-v1"
expect_stdout "^header checksum: +[0-9a-f]{128}"
expect_exit 0 "$ihop_clone" --quiet --json "$data/update-v1.cba" "$store/update-v1"
expect_stdout '"outcome":"complete"'
