#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --seed: what a file, a device or standard input holds is not downloaded, whatever
# else is in it, and whichever chunker the archive was cut with.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
data=$srcdir/tests/data
start_server "$data"

# image_of ARCHIVE FILE: the image in an archive of tests/data.
image_of() {
    rm -rf "$tmp/plain"
    expect_exit 0 "$ihop_clone" --quiet "$data/$1" "$tmp/plain/r"
    $cba image "$tmp/plain/r" >"$2"
}

# clone ARCHIVE [OPTION...]: into a new store; its image is $tmp/image.
clone() {
    local archive=$1

    shift
    rm -rf "$tmp/s"
    rules
    expect_exit 0 "$ihop_clone" --json --quiet "$@" "$url/good/$archive" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(body_sent)" "$(json bytes_downloaded)" "bytes that the server sent"
}

# update_images: $tmp/image, $tmp/v1 before it, and how many bytes are downloaded ($seeded)
# when that is the seed.
update_images() {
    image_of update-v2.cba "$tmp/image"
    image_of update-v1.cba "$tmp/v1"
    clone update-v2.cba --seed "$tmp/v1"
    seeded=$(json bytes_downloaded)
}

# All of the image, moved, in the middle of something else: only its ends are fetched.
test_moved() {
    for archive in update-v2.cba buzhash.cba; do
        image_of "$archive" "$tmp/image"
        noise "$tmp/other" 70001 other
        cat "$tmp/other" "$tmp/image" "$tmp/other" >"$tmp/seed"
        clone "$archive" --seed "$tmp/seed"
        at_most "$(json chunks_fetched)" 4 "chunks fetched of $archive"
        at_least "$(json chunks_seeded)" $(($(json chunks_total) - $(json chunks_zero) - 4)) "chunks seeded"
    done
}

# A fixed size finds what lies at the same places.
test_fixed_size() {
    image_of fixed.cba "$tmp/image"
    clone fixed.cba --seed "$tmp/image"
    equal "$(json chunks_fetched) $(json requests)" "0 2" "chunks fetched, and requests"
    printf x | cat - "$tmp/image" >"$tmp/seed"
    clone fixed.cba --seed "$tmp/seed"
    equal "$(json chunks_seeded)" 0 "chunks found in a seed that is shifted by a byte"
}

# From the release before: as many chunks as a store with that release would spare.
test_release_before() {
    image_of update-v2.cba "$tmp/image"
    image_of update-v1.cba "$tmp/v1"
    clone update-v2.cba
    whole=$(json bytes_downloaded)
    rm -rf "$tmp/o"
    expect_exit 0 "$ihop_clone" --quiet "$data/update-v1.cba" "$tmp/o/v1"
    expect_exit 0 "$ihop_clone" --json --quiet "$data/update-v2.cba" "$tmp/o/v2"
    update=$(json chunks_fetched)
    clone update-v2.cba --seed "$tmp/v1"
    equal "$(json chunks_fetched)" "$update" "chunks fetched with the old image as seed"
    at_most "$(json bytes_downloaded)" $((whole / 2)) "bytes downloaded"
    seeded=$(json bytes_downloaded)
}

# The seed comes through standard input, with one thread; or after seeds that have nothing.
test_standard_input() {
    update_images
    rm -rf "$tmp/s"
    "$ihop_clone" --json --quiet -j 1 --seed - "$url/good/update-v2.cba" "$tmp/s/r" <"$tmp/v1" >"$tmp/out"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(json bytes_downloaded)" "$seeded" "bytes downloaded with standard input as seed"
    : >"$tmp/empty"
    noise "$tmp/noise" 300000 seed
    clone update-v2.cba --seed "$tmp/empty" --seed "$tmp/noise" --seed "$tmp/v1"
    equal "$(json bytes_downloaded)" "$seeded" "bytes downloaded with three seeds"
    # Two seeds complete one another.
    clone update-v2.cba --seed "$tmp/v1" --seed "$tmp/image"
    equal "$(json chunks_fetched)" 0 "chunks fetched with both images as seeds"
}

# A dry run counts what a seed has; budgets are for what is left to download.
test_budgets() {
    update_images
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" --json --dry-run --seed "$tmp/v1" "$url/good/update-v2.cba" "$tmp/s/r"
    equal "$(json bytes_downloaded)" "$seeded" "bytes that a dry run tells"
    [ ! -e "$tmp/s" ] || fail "a dry run created the store"
    chunks=$((seeded - $(header_size "$data/update-v2.cba")))
    clone update-v2.cba --max-download "$chunks" --seed "$tmp/v1"
    rm -rf "$tmp/s"
    rules
    expect_exit 6 "$ihop_clone" --max-download $((chunks - 1)) --seed "$tmp/v1" "$url/good/update-v2.cba" "$tmp/s/r"
    expect_stderr "--max-download"
    equal "$(requests)" 2 "requests of a run over its budget"
}

# What came from a seed is kept when the network fails.
test_network_fails() {
    update_images
    rm -rf "$tmp/s"
    rules "n=3- : status=503"
    expect_exit 3 "$ihop_clone" "${quick[@]}" --retry 0 --seed "$tmp/v1" "$url/good/update-v2.cba" "$tmp/s/r"
    good_chunks "$tmp/s" >"$tmp/kept"
    rules
    expect_exit 0 "$ihop_clone" --json --quiet "$url/good/update-v2.cba" "$tmp/s/r"
    equal "$(json bytes_downloaded)" "$seeded" "bytes downloaded by the rerun, without the seed"
}

# Seeds that cannot be read.
test_unreadable() {
    expect_exit 10 "$ihop_clone" --seed "$tmp/none" "$url/good/update-v2.cba" "$tmp/n/r"
    expect_stderr "^ihop-clone: seed $tmp/none does not exist"
    expect_exit 7 "$ihop_clone" --seed "$tmp" "$url/good/update-v2.cba" "$tmp/n/r"
    expect_stderr "^ihop-clone: seed $tmp is a directory"
    one_line_on_stderr
}

# An archive that was cut as we cannot: its seeds are of no use, but it can be cloned.
test_odd_chunker() {
    noise "$tmp/image" 100000 odd
    $cba make --cuts 30000,60000 --window 10000000 "$tmp/image" "$tmp/odd.cba"
    expect_exit 0 "$ihop_clone" --seed "$tmp/image" "$tmp/odd.cba" "$tmp/odd/r"
    expect_stderr "^ihop-clone: seed $tmp/image is of no use, .*window"
    holds "$tmp/odd/r" "$tmp/image"
    image_of update-v2.cba "$tmp/image"
}

# A block device, and a link to it, as in /dev/disk.
test_device() {
    update_images
    if device=$(losetup --find --show --read-only "$tmp/v1" 2>"$tmp/losetup"); then
        at_exit losetup -d "$device"
        ln -s "$device" "$tmp/by-partlabel"
        clone update-v2.cba --seed "$tmp/by-partlabel"
        equal "$(json bytes_downloaded)" "$seeded" "bytes downloaded with a device as seed"
    else
        echo "no loop device here, so none was searched: $(cat "$tmp/losetup")"
    fi
}

run_cases "$@"
