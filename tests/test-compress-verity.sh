#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-compress --verity: the hash tree that it appends is the one that veritysetup verifies, the
# same in every run; the image is left alone; and what goes wrong publishes nothing.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
requires veritysetup
real=$(command -v veritysetup)

# fact KEY: what the archive $tmp/a.cba records.
fact() { "$ihop_compress" --info --metadata-key "ihop.verity.$1" "$tmp/a.cba"; }

# clone: the image that a device has of $tmp/a.cba, in $tmp/clone.
clone() {
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" -q "$tmp/a.cba" "$tmp/s/a"
    $cba image "$tmp/s/a" >"$tmp/clone"
}

# fake SCRIPT: a program of the name veritysetup, which comes first.
fake() {
    mkdir -p "$tmp/bin"
    printf '#!/bin/bash\n%s\n' "$1" >"$tmp/bin/veritysetup"
    chmod +x "$tmp/bin/veritysetup"
}

# faked COMMAND...: with that program.
faked() { PATH="$tmp/bin:$PATH" "$@"; }

nothing_made() {
    [ ! -e "$tmp/a.cba" ] || fail "an archive was made"
    equal "$(find "$tmp" -name '.*' -type f)" "" "nothing is left beside the archive"
}

fresh() {
    rm -rf "$tmp/a.cba" "$tmp/b.cba" "$tmp/s" "$tmp/bin"
    noise "$tmp/image" 4096000 1
}

# The clone is the image, then superblock and tree: veritysetup says so, with the recorded facts.
test_verified() {
    fresh
    local size

    for size in 4096 8192 4096000; do
        rm -rf "$tmp/a.cba" "$tmp/s"
        noise "$tmp/image" $size $size
        cp -p "$tmp/image" "$tmp/before"
        expect_exit 0 "$ihop_compress" -q --verity --image-version 3 "$tmp/image" "$tmp/a.cba"
        cmp "$tmp/image" "$tmp/before"
        equal "$(stat -c '%s %Y' "$tmp/image")" "$(stat -c '%s %Y' "$tmp/before")" "the image is left alone"
        equal "$(fact hash-offset)" $size "where the tree begins"
        clone
        cmp -n $size "$tmp/image" "$tmp/clone"
        equal $(($(stat -c %s "$tmp/clone") % 4096)) 0 "whole blocks"
        expect_exit 0 veritysetup verify --hash-offset=$size "$tmp/clone" "$tmp/clone" "$(fact root-hash)"
        printf X | dd "of=$tmp/clone" bs=1 seek=$((size / 2)) conv=notrunc status=none
        if veritysetup verify --hash-offset=$size "$tmp/clone" "$tmp/clone" "$(fact root-hash)" 2>"$tmp/err"; then
            fail "a changed byte went unnoticed"
        fi
    done
}

# Two runs, two names, two numbers of threads: the same bytes. Salt and UUID are the image's.
test_reproducible() {
    fresh
    local sum

    expect_exit 0 "$ihop_compress" -q --verity -j 1 "$tmp/image" "$tmp/a.cba"
    cp "$tmp/image" "$tmp/other"
    "$ihop_compress" -q --verity -j 3 --input - "$tmp/b.cba" <"$tmp/other"
    cmp "$tmp/a.cba" "$tmp/b.cba"
    clone
    sum=$(b2sum "$tmp/image")
    equal "$(veritysetup dump --hash-offset=4096000 "$tmp/clone" | sed -n 's/^Salt:[[:space:]]*//p')" \
        "${sum:0:64}" "the salt"
    equal "$(veritysetup dump --hash-offset=4096000 "$tmp/clone" | sed -n 's/^UUID:[[:space:]]*//p' |
        tr -d -- -)" "${sum:64:12}8${sum:77:3}$(printf %x $((0x${sum:80:1} & 3 | 8)))${sum:81:15}" "the UUID"
    expect_exit 0 "$ihop_compress" --info "$tmp/a.cba"
    expect_stdout "^  Verity root hash: $(fact root-hash)\$"
    expect_stdout '^  Verity hash offset: 4096000 bytes$'
}

test_refused() {
    fresh
    local path

    noise "$tmp/odd" 5000 1
    : >"$tmp/empty"
    expect_exit 2 "$ihop_compress" -q --verity "$tmp/odd" "$tmp/a.cba"
    expect_stderr 'whole blocks of 4096 bytes, and .*odd has 5000 bytes: pad it'
    expect_exit 2 "$ihop_compress" -q --verity "$tmp/empty" "$tmp/a.cba"
    expect_stderr 'is empty or a pipe'
    path=$tmp/a.cba
    expect_exit 2 bash -c 'cat "$1" | "$2" -q --verity - "$3"' - "$tmp/image" "$ihop_compress" "$path"
    expect_stderr 'reads the image more than once: standard input is empty or a pipe'
    expect_exit 2 "$ihop_compress" -q --verity --info "$path"
    expect_stderr 'verity is for making an archive'
    expect_exit 2 "$ihop_compress" -q --verity --metadata-value ihop.verity.hash-offset 4096 \
        --metadata-value ihop.verity.root-hash "$(printf %064d 0)" "$tmp/image" "$path"
    expect_stderr 'records ihop.verity.hash-offset itself'
    nothing_made
}

# What veritysetup does wrong.
test_program_fails() {
    fresh
    fake 'exit 127'
    expect_exit 10 faked "$ihop_compress" -q --verity "$tmp/image" "$tmp/a.cba"
    expect_stderr 'needs the program veritysetup, which is not there: install'
    fake 'echo first >&2; echo "the last words" >&2; exit 1'
    expect_exit 7 faked "$ihop_compress" -q --verity "$tmp/image" "$tmp/a.cba"
    expect_stderr 'veritysetup cannot make the hash tree: the last words$'
    fake 'kill -9 $$'
    expect_exit 7 faked "$ihop_compress" -q --verity "$tmp/image" "$tmp/a.cba"
    expect_stderr 'veritysetup cannot make the hash tree: it says nothing$'
    fake 'echo "Root hash: 0123"'
    expect_exit 7 faked "$ihop_compress" -q --verity "$tmp/image" "$tmp/a.cba"
    expect_stderr 'prints no root hash of SHA-256'
    fake 'printf "Root hash: %064d\n" 0'
    expect_exit 7 faked "$ihop_compress" -q --verity "$tmp/image" "$tmp/a.cba"
    expect_stderr 'has made no hash tree'
    nothing_made
}

# An image that changes between its checksum and the stream is not published with a tree that does
# not fit; nor is one that grows or shrinks.
test_image_changes() {
    fresh
    local what

    export real image="$tmp/image"
    for what in 'changed:printf X | dd "of=$image" bs=1 seek=2000000 conv=notrunc status=none' \
        'grew:printf X >>"$image"' 'shrank:truncate -s -4096 "$image"'; do
        noise "$tmp/image" 4096000 1
        # shellcheck disable=SC2016
        fake '"$real" "$@" && '"${what#*:}"
        expect_exit 7 faked "$ihop_compress" -q --verity "$tmp/image" "$tmp/a.cba"
        expect_stderr "image ${what%%:*} while it was read"
    done
    nothing_made
}

run_cases "$@"
