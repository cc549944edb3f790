#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where a clone writes: only below STORE, readable for all whatever the umask;
# names that could lead elsewhere are usage errors.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
archive=$tmp/www/solid.cba

mkdir "$tmp/parent"
cd "$tmp/parent"
(umask 077 && expect_exit 0 "$ihop_clone" --quiet "$archive" store/r)
holds store/r "$tmp/image"
# Locks, and what is staged, are for those who may write there.
ours=(! -path store/.ihop/lock ! -path store/.ihop/publish ! -path store/.ihop/staging)
others=$(find store \( -type f ! -perm 0644 -o -type d ! -perm 0755 \) "${ours[@]}")
[ -z "$others" ] || fail "not 0644, or 0755 for a directory: $others"

# Relative, absolute, through a link, with slashes too many.
ln -s store link
for path in ./store/a store//b "$PWD/store/c" link/d ../parent/store/e; do
    expect_exit 0 "$ihop_clone" --json --quiet "$archive" "$path"
    equal "$(json chunks_fetched)" 0 "chunks fetched for $path"
    holds "store/${path##*/}" "$tmp/image"
done
(cd store && expect_exit 0 "$ihop_clone" --quiet "$archive" ./f)
holds store/f "$tmp/image"
equal "$(ls -A | tr '\n' ' ')" "link store " "what lies beside the store"

# One level is created, not two.
expect_exit 7 "$ihop_clone" "$archive" "none/store/r"
one_line_on_stderr
expect_stderr "none/store: its parent directory does not exist"
[ ! -e none ] || fail "a parent directory was created"
: >file
expect_exit 7 "$ihop_clone" "$archive" "file/r"
one_line_on_stderr
expect_stderr "cannot (open|create) store file"

# refused NAME REGEX: as the name of a release in the store.
find . | sort >"$tmp/before"
refused() {
    expect_exit 2 "$ihop_clone" "$archive" "store/$1"
    one_line_on_stderr
    expect_stderr "$2"
}

expect_exit 2 "$ihop_clone" "$archive" bare
one_line_on_stderr
expect_stderr "use STORE/RELEASE, for example images/bare"
refused "" "is empty"
refused . "begins with a dot"
refused .. "begins with a dot"
refused .hidden "begins with a dot"
refused .ihop "begins with a dot"
refused chunks "chunk directory"
refused Chunks "chunk directory"
refused CHUNKS "chunk directory"
refused "$(printf 'x%.0s' $(seq 201))" "longer than 200 bytes"
refused $'tab\there' "control character"
refused $'line\nbreak' "control character"
refused $'bell\a' "control character"
refused $'escape\033[2J' "control character"
refused $'delete\177' "control character"
refused $'c1\302\233' "control character"
refused $'latin\351' "not valid UTF-8"
refused $'overlong\300\257' "not valid UTF-8"
refused $'surrogate\355\240\200' "not valid UTF-8"
find . | sort >"$tmp/after"
diff "$tmp/before" "$tmp/after" || fail "a refused name left something behind"

# What a terminal is told of such a name has no control characters.
expect_exit 2 "$ihop_clone" "$archive" $'store/escape\033[2J'
! LC_ALL=C grep -q '[[:cntrl:]]' "$tmp/err" || fail "a control character on the terminal"

# Unusual, and fine.
for name in "$(printf 'x%.0s' $(seq 200))" "with space" $'gr\303\274n' 'a..b' '-dash' 'chunks2' '*' "quote'\""; do
    expect_exit 0 "$ihop_clone" --quiet "$archive" "store/$name"
    holds "store/$name" "$tmp/image"
done
