#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The original ihop 0.1 itself, where it is installed: it reads our dictionaries,
# finds our chunks, and updates stores that we wrote to or made.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/real.sh"
requires ihop nbdkit nbdcopy b2sum python3 tar xz
ihop --version | grep -q '^ihop 0\.' || skip "not installed: ihop 0.1 (another ihop is)"

data=$srcdir/tests/data

# original_clone ARCHIVE STORE/NAME PRESENT MISSING: ihop 0.1 finds PRESENT
# chunks and fetches MISSING. It does not wait for its writes: when the result is
# not whole, we tried too early and not in vain; a rerun repairs it.
original_clone() {
    local try store
    store=$(dirname "$2")
    expect_exit 0 ihop clone "$1" "$2"
    cat "$tmp/out" >>"$tmp/err"
    expect_stderr "(^|[^0-9])$3 chunks present in store, $4 chunks to fetch"
    for try in $(seq 20); do
        if [ -s "$2" ] && [ -z "$(wrong_chunks "$store")" ]; then
            return 0
        fi
        expect_exit 0 ihop clone --force-create "$1" "$2"
    done
    fail "the original wrote no whole store in $try tries"
}

# dictionary_of STORE/NAME: what ihop 0.1 says about it. Without a device,
# mounting fails, but only after the dictionary was read.
dictionary_of() {
    ihop mount "$1" "$tmp/no-such-device" >"$tmp/mount.log" 2>&1 </dev/null || true
    sed -n 's/.*\(load device of .*\)/\1/p' "$tmp/mount.log"
}

counts_of() {
    chunk_names "$1" | wc -l
}

# Our release in a store of ihop 0.1.
tar -C "$tmp" -xJf "$data/original-store.tar.xz"
store=$tmp/original-store
expect_exit 0 "$ihop_clone" --quiet --json "$data/update-v2.cba" "$store/update-v2"
cp "$tmp/out" "$tmp/summary"
total=$(summary chunks_total)
original_clone "$data/update-v2.cba" "$store/again" "$total" 0
equal "$(served_sum "$store/again")" "$(cat "$data/update-v2.b2")" "release that the original made of our chunks"
dictionary=$(dictionary_of "$store/again")
[[ $dictionary == *", total 393216 bytes ("*"$(cat "$data/update-v2.b2")"* ]] ||
    fail "the original does not read its own dictionary: $dictionary"
equal "$(dictionary_of "$store/update-v2")" "$dictionary" "our dictionary, read by the original"

# A compatible store of ours: ihop 0.1 updates it, and we update it afterwards.
expect_exit 0 "$ihop_clone" --compat-store "$data/update-v1.cba" "$tmp/compat/update-v1"
before=$(counts_of "$tmp/compat")
chunk_names "$tmp/compat" >"$tmp/have"
chunk_names "$store" >"$tmp/all"
missing=$(comm -13 "$tmp/have" "$tmp/all" | wc -l)
original_clone "$data/update-v2.cba" "$tmp/compat/update-v2" $((total - missing)) "$missing"
equal "$(counts_of "$tmp/compat")" $((before + missing)) "chunks in the compatible store"
equal "$(served_sum "$tmp/compat/update-v1")" "$(cat "$data/update-v1.b2")" "our release"
equal "$(served_sum "$tmp/compat/update-v2")" "$(cat "$data/update-v2.b2")" "the original's release"
expect_exit 0 "$ihop_clone" --quiet --json "$data/update-v2.cba" "$tmp/compat/ours"
cp "$tmp/out" "$tmp/summary"
equal "$(new_chunks)" 0 "new chunks of what the original had cloned"

# A dictionary of ours can be read anywhere, in the layout that it does not know.
expect_exit 0 "$ihop_clone" "$data/update-v2.cba" "$tmp/new/update-v2"
equal "$(dictionary_of "$tmp/new/update-v2")" "$dictionary" "our dictionary in a store of ours"
