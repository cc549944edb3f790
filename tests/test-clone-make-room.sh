#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-clone --make-room on a small disk: the oldest releases go, no more than it
# takes, and none if that would not do; without the option nothing goes at all.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
requires flock
[ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted"
cd "$tmp"
mkdir disk www
mount -t tmpfs -o size=64k none disk 2>mount.err || skip "no mounts here: $(cat mount.err)"
at_exit umount -l "$tmp/disk"
store=$tmp/disk/s

# Each release has 8 chunks of 32 KiB that all have, and 16 of its own: 512 KiB.
noise common 262144 common
for n in 1 2 3 4 5; do
    noise own 524288 "own $n"
    cat common own >image-$n
    $cba make --fixed 32768 image-$n www/r$n.cba
done
noise big 4194304 big
$cba make --fixed 32768 big www/big.cba
start_server www
common=$((8 * 32768)) own=$((16 * 32768))

# full_disk: with r1 to r4, the oldest first, and too little room for another one.
full_disk() {
    umount disk
    mount -t tmpfs -o size=2600k none disk
    for n in 1 2 3 4; do
        expect_exit 0 "$ihop_clone" --quiet www/r$n.cba "$store/r$n"
    done
    at_most "$(df --output=avail -B1 disk | tail -n 1)" $((own - 1)) "free bytes to begin with"
    rules
}

everything() {
    find "$store" ! -path '*/.ihop/*' -type f -printf '%P %s %i\n' | sort
}

# refused CODE REGEX OPTION...: and nothing was removed, nor a chunk requested.
refused() {
    local code=$1 regex=$2

    shift 2
    everything >before
    expect_exit "$code" "$ihop_clone" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-clone: .*$regex"
    everything >after
    diff before after || fail "something was removed: $*"
    equal "$(requests past=10000)" 0 "requests for chunks"
    nothing_staged "$store"
}

# makes_room REMOVED LEFT OPTION...: these go, and are named.
makes_room() {
    local removed=$1 left=$2 name

    shift 2
    rules
    expect_exit 0 "$ihop_clone" --json --make-room "$@"
    equal "$(sed -nE "s#^ihop-clone: removed release $store/(.*) to make room\$#\1#p" err | tr '\n' ' ')" \
        "$removed" "releases named on stderr"
    equal "$(releases "$store")" "$left" "releases that are left"
    for name in r1 r2 r3 r4; do
        [ ! -e "$store/$name" ] || [ "$name" = "${REPLACED:-}" ] || holds "$store/$name" "image-${name#r}"
    done
}

# Without the option: both numbers, and how to go on.
test_without_the_option() {
    full_disk
    refused 6 "not enough space in store $store: .* \([0-9]+ bytes\) are needed, .*\([0-9]+ bytes\) are free.*--make-room" \
        "$url/r5.cba" "$store/r5"
}

# The oldest one is enough. What the new image shares stays: it is not fetched again.
test_oldest_goes() {
    full_disk
    makes_room "r1 " "r2 r3 r4 r5" --no-delta "$url/r5.cba" "$store/r5"
    equal "$(json bytes_downloaded)" $((own + $(header_size www/r5.cba))) "bytes downloaded"
    equal "$(json chunks_reused)" 8 "chunks reused"
    holds "$store/r5" image-5
    expect_exit 0 "$ihop_store" verify --quiet "$store"
    # With room enough nothing goes.
    makes_room "" "r2 r3 r4 r5" "$url/r5.cba" "$store/r5"
    expect_exit 0 "$ihop_store" remove --quiet "$store/r2"
    expect_exit 0 "$ihop_store" gc --quiet "$store"
    makes_room "" "r3 r4 r5 r1" "$url/r1.cba" "$store/r1"
}

# What nobody needs is freed before a release goes.
test_unneeded_chunks_first() {
    full_disk
    expect_exit 0 "$ihop_store" remove --quiet "$store/r3"
    makes_room "" "r1 r2 r4 r5" "$url/r5.cba" "$store/r5"
}

# A protected one, one that is served, and the name itself stay.
test_protected_and_served() {
    full_disk
    expect_exit 0 "$ihop_store" protect --quiet "$store/r1"
    serve "$store/r2"
    makes_room "r3 " "r1 r2 r4 r5" "$url/r5.cba" "$store/r5"
    nbdcopy "$uri" copy
    cmp copy image-2
    expect_exit 0 "$ihop_store" protect --quiet "$store/r4"
    expect_exit 0 "$ihop_store" protect --quiet "$store/r5"
    rules
    refused 6 "bytes\) and [0-9]+ inodes are needed.*without the 0 releases.*none was" --make-room "$url/r3.cba" "$store/r3"
    stop_server
    makes_room "r2 " "r1 r4 r5 r3" "$url/r3.cba" "$store/r3"
    full_disk
    REPLACED=r1 makes_room "r2 " "r3 r4 r1" --force "$url/r5.cba" "$store/r1"
    holds "$store/r1" image-5
}

# Two have to go.
test_two_go() {
    full_disk
    noise own $((own + own / 2)) larger
    cat common own >larger
    $cba make --fixed 32768 larger www/larger.cba
    makes_room "r1 r2 " "r3 r4 larger" "$url/larger.cba" "$store/larger"
    equal "$(json chunks_reused)" 8 "chunks reused"
    holds "$store/larger" larger
}

# Impossible even without any: nothing goes.
test_impossible() {
    full_disk
    refused 6 "not enough space in store $store: .*\([0-9]+ bytes\) .*needed.*\([0-9]+ bytes\) would be free without the 4 releases.*none was" \
        --make-room "$url/big.cba" "$store/big"
    equal "$(releases "$store")" "r1 r2 r3 r4" "releases"
}

# A budget that is exceeded, too.
test_budgets() {
    full_disk
    rules
    refused 6 "would download .*--max-download" --make-room --max-download $((own - 1)) "$url/r5.cba" "$store/r5"
    rules
    refused 6 "would write .*--max-write" --make-room --max-write 100k "$url/r5.cba" "$store/r5"
    rules
    expect_exit 0 "$ihop_clone" --dry-run --make-room "$url/r5.cba" "$store/r5"
    equal "$(releases "$store")" "r1 r2 r3 r4" "releases after a dry run"
}

# A damaged release: nothing can be told of its chunks.
test_damaged_release() {
    full_disk
    truncate -s 50 "$store/r2"
    rules
    refused 7 "nothing was deleted.*$store/r2" --make-room "$url/r5.cba" "$store/r5"
    expect_exit 0 "$ihop_store" remove --quiet "$store/r2"
}

# What a delta pack is against goes last, or not at all where nothing else would do.
test_base_of_a_pack() {
    local pack

    cp image-1 image-p
    for n in $(seq 8 23); do
        printf x | dd of=image-p bs=1 seek=$((n * 32768 + 100)) conv=notrunc status=none
    done
    "$ihop_compress" -q -f --fixed-size 32768 image-p www/p.cba
    "$ihop_compress" -q -f --delta-from www/r1.cba www/p.cba
    pack=$(echo www/p.cba.from-*)
    full_disk
    makes_room "r2 " "r1 r3 r4 p" --delta "$pack" "$url/p.cba" "$store/p"
    equal "$(json chunks_delta)" 16 "chunks by deltas"
    holds "$store/p" image-p
    full_disk
    for n in 2 3 4; do
        expect_exit 0 "$ihop_store" protect --quiet "$store/r$n"
    done
    # From the archive it can be had without the old image, unless that is too much.
    refused 6 "without the 0 releases" --make-room "$pack" "$store/p"
    refused 6 "without the 0 releases" --make-room --max-download 100k --delta "$pack" "$url/p.cba" "$store/p"
    makes_room "r1 " "r2 r3 r4 p" --delta "$pack" "$url/p.cba" "$store/p"
    equal "$(json chunks_fetched)" 16 "chunks from the archive"
    holds "$store/p" image-p
    # What the pack cannot do is known before anything goes.
    full_disk
    expect_exit 0 "$ihop_store" remove --quiet "$store/r1"
    expect_exit 0 "$ihop_clone" --quiet --make-room www/r5.cba "$store/r5"
    refused 5 "against an image that no release" --make-room "$pack" "$store/p"
}

# Another clone is at work.
test_in_use() {
    full_disk
    exec 9<"$store/.ihop/lock"
    flock -s 9
    dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null || true
    rules
    refused 8 "$store is in use" --make-room "$url/r5.cba" "$store/r5"
}

run_cases "$@"
