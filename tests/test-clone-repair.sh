#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is wrong in a store is found and replaced: chunks of a wrong size always,
# chunks of wrong content with --recheck, damaged release files of the same name;
# what is no file at all is refused, quickly.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
archive=$tmp/www/solid.cba

chunk_path() {
    $cba chunks "$tmp/s/r" | sed -n "$1p"
}

expect_exit 0 "$ihop_clone" --quiet "$archive" "$tmp/s/r"
first=$(chunk_path 1)
second=$(chunk_path 2)
cp "$first" "$tmp/outside"
before=$(b2sum <"$tmp/outside")

# mended FETCHED [OPTION...]
mended() {
    local fetched=$1

    shift
    expect_exit 0 "$ihop_clone" --json --quiet "$@" "$archive" "$tmp/s/r"
    equal "$(json chunks_fetched)" "$fetched" "chunks fetched"
    holds "$tmp/s/r" "$tmp/image"
}

test_wrong_sizes() {
    : >"$first"
    printf x >>"$second"
    mended 2
    equal "$(json chunks_damaged)" 2 "chunks found damaged"
    truncate -s 100 "$first"
    mended 1
}

# A flipped byte: only hashing finds it.
test_recheck() {
    printf '\377' | dd of="$first" bs=1 seek=1000 conv=notrunc status=none
    if cmp -s "$first" <(head -c 32768 "$tmp/image"); then fail "the byte was 255 already"; fi
    expect_exit 0 "$ihop_clone" --json --quiet "$archive" "$tmp/s/r"
    equal "$(json outcome)" complete "outcome without --recheck"
    mended 1 --recheck
    equal "$(json chunks_damaged)" 1 "chunks found damaged"
    mended 0 --recheck
}

# A damaged release file of that name is replaced without --force.
test_damaged_release() {
    size=$(file_size "$tmp/s/r")
    for damage in ": >" "truncate -s 10" "truncate -s $((size - 1))" "printf x >>" \
        "printf x | dd bs=1 seek=$((size / 2)) conv=notrunc status=none of="; do
        eval "$damage$([[ $damage == *= ]] || echo ' ')\"\$tmp/s/r\""
        expect_exit 0 "$ihop_clone" "$archive" "$tmp/s/r"
        expect_stderr "^ihop-clone: release $tmp/s/r: .*; it will be replaced"
        holds "$tmp/s/r" "$tmp/image"
    done
}

# in_the_way WHAT COMMAND...: a chunk path that is no regular file.
in_the_way() {
    local what=$1

    shift
    rm -f "$first"
    "$@"
    expect_exit 7 timeout 120 "$ihop_clone" "$archive" "$tmp/s/r"
    one_line_on_stderr
    expect_stderr "$first is not a regular file or lies behind a link: remove it"
    expect_exit 7 timeout 120 "$ihop_clone" --recheck "$archive" "$tmp/s/new-$what"
    [ ! -e "$tmp/s/new-$what" ] || fail "a release was published over a $what"
    rm -rf "$first"
    mended 1
}

# Another image under the name: only with --force.
test_other_image() {
    noise "$tmp/image2" 100352 two
    $cba make "$tmp/image2" "$tmp/two.cba"
    cp "$tmp/s/r" "$tmp/release.before"
    expect_exit 12 "$ihop_clone" "$tmp/two.cba" "$tmp/s/r"
    one_line_on_stderr
    expect_stderr "$tmp/s/r holds a different image: .*--force"
    cmp "$tmp/s/r" "$tmp/release.before"
    equal "$(good_chunks "$tmp/s")" 20 "chunks, with nothing fetched"
    for force in -f --force --force-create; do
        expect_exit 0 "$ihop_clone" $force "$tmp/two.cba" "$tmp/s/r"
        holds "$tmp/s/r" "$tmp/image2"
        expect_exit 0 "$ihop_clone" $force "$archive" "$tmp/s/r"
        holds "$tmp/s/r" "$tmp/image"
    done
}

test_in_the_way() {
    in_the_way link ln -s "$tmp/outside" "$first"
    in_the_way broken-link ln -s "$tmp/nowhere" "$first"
    in_the_way directory mkdir "$first"
    in_the_way fifo mkfifo "$first"
    equal "$(b2sum <"$tmp/outside")" "$before" "the file behind the link"
    [ ! -e "$tmp/nowhere" ] || fail "something was written through a link"
}

# A chunk directory that is a link or a file.
test_chunk_directory() {
    directory=$(dirname "$first")
    mv "$directory" "$tmp/moved"
    ln -s "$tmp/moved" "$directory"
    expect_exit 7 timeout 120 "$ihop_clone" "$archive" "$tmp/s/r"
    expect_stderr "$directory is a link or a file instead of a directory"
    rm "$directory"
    : >"$directory"
    expect_exit 7 timeout 120 "$ihop_clone" "$archive" "$tmp/s/r"
    expect_stderr "$directory is a link or a file instead of a directory"
    rm "$directory"
    mv "$tmp/moved" "$directory"
    mended 0
}

# A release path that is a directory or a FIFO is not replaced; nor does it block.
test_release_path() {
    mkdir "$tmp/s/directory"
    mkfifo "$tmp/s/fifo"
    ln -s "$tmp/outside" "$tmp/s/link"
    for name in directory fifo link; do
        expect_exit 7 timeout 120 "$ihop_clone" --force --quiet "$archive" "$tmp/s/$name"
        one_line_on_stderr
        expect_stderr "$tmp/s/$name is not a regular file"
    done
    [ -d "$tmp/s/directory" ] && [ -p "$tmp/s/fifo" ] && [ -L "$tmp/s/link" ]
    equal "$(b2sum <"$tmp/outside")" "$before" "the file behind the link"
    nothing_staged "$tmp/s"
}

run_cases "$@"
