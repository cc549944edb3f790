#!/bin/bash
# SPDX-License-Identifier: MIT
# Chunks that are missing at start: nbdkit refuses, counts them and says what to
# run; check=no serves what is there.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 1000000 1 400000 300000
url=http://releases.example.com/v1.cba
make_store --layout 2 --url $url "$tmp/image" "$tmp/store/v1"
total=$(awk '{ print $3 }' "$tmp/chunks" | sort -u | wc -l)

refused() {
    expect_exit 1 ihop_run true -- "$1"
    one_line_on_stderr
    expect_stderr "release $1 cannot be served: $2 of $total chunks \\($3 bytes\\) are missing"
}

refused_with_command() {
    refused "$tmp/store/v1" "$1" "$2"
    expect_stderr "run: ihop-clone $url $tmp/store/v1\$"
}

one=$(chunk 1 3) two=$(chunk 3 3)
mv "$tmp/store/$one" "$tmp/kept"
refused_with_command 1 "$(chunk 1 2)"
truncate -s -1 "$tmp/store/$two"
refused_with_command 2 $(($(chunk 1 2) + $(chunk 3 2)))

# check=no starts, and fails only the reads of those two.
serve "$tmp/store/v1" check=no
nbd "$python_eio
image = open('$tmp/image', 'rb').read()
eio(h, 0, 1)
start = $(chunk 2 1)
assert h.pread(100, start) == image[start:start + 100]
eio(h, $(chunk 3 1), 5)
start = $(chunk 4 1)
assert h.pread(300000, start) == image[start:start + 300000]
"
expect_log "error: chunk $tmp/store/$one is missing; to restore it, run: ihop-clone $url $tmp/store/v1"
expect_log "error: chunk $tmp/store/$two has .* bytes instead of"

# What ihop-clone restores is served at once.
mv "$tmp/kept" "$tmp/store/$one"
nbd "
image = open('$tmp/image', 'rb').read()
assert h.pread(1000, 0) == image[:1000]
"

# Zero chunks need no file.
make_store --layout 2 --url $url "$tmp/image" "$tmp/store/v1"
zero=$(awk '$4 == "zero" { print $3; exit }' "$tmp/chunks")
[ -n "$zero" ] || fail "the image has no zero chunk"
awk '$4 == "zero" { print $3 }' "$tmp/chunks" | (cd "$tmp/store" && xargs rm -f)
compare "$tmp/image" "$tmp/store/v1"

# A recorded URL that a shell would not take as one word, or ihop-clone for an option, is
# not put into a command.
for odd in "http://example.com/\$(id)" --force; do
    make_store --layout 2 --url="$odd" "$tmp/image" "$tmp/store/v1"
    rm "$tmp/store/$one"
    refused "$tmp/store/v1" 1 "$(chunk 1 2)"
    expect_stderr "run ihop-clone again for $tmp/store/v1\$"
done

# The whole chunk directory, in a store of ihop 0.1.
make_store "$tmp/image" "$tmp/original/v1"
rm -r "$tmp/original/chunks"
expect_exit 1 ihop_run true -- "$tmp/original/v1"
expect_stderr "are missing or have the wrong size; to restore it, run ihop-clone again"
one_line_on_stderr
