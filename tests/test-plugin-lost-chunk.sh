#!/bin/bash
# SPDX-License-Identifier: MIT
# A chunk is lost, cut short or replaced by something else while it is served:
# that read fails with EIO and a line in the log, other reads and the server go
# on, and a restored chunk is used without a restart.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 1000000
make_store --layout 2 --min 70000 --max 90000 "$tmp/image" "$tmp/store/v1"
cp -r "$tmp/store" "$tmp/copy-of-store"

# others_go_on LINE: everything but that chunk reads well.
others_go_on() {
    nbd "
image = open('$tmp/image', 'rb').read()
bad, size = $(chunk "$1" 1), $(chunk "$1" 2)
for start, end in ((0, bad), (bad + size, len(image))):
    assert h.pread(end - start, start) == image[start:end]
"
}

# broken LINE REGEX: reading the chunk fails, and so does reading across its end.
broken() {
    local path start

    path=$(chunk "$1" 3)
    start=$(chunk "$1" 1)
    : >"$tmp/log"
    nbd "$python_eio
eio(h, $start + 20000, 512)
eio(h, $start + $(chunk "$1" 2) - 100, 200)
"
    expect_log "^nbdkit: .*error: .*$path $2.*ihop-clone"
    [ "$(grep -c error: "$tmp/log")" = 2 ] || fail "not one line for each failed read"
    others_go_on "$1"
}

restore() {
    # A new file under the name, as ihop-clone makes it.
    rm -rf "${tmp:?}/store/$(chunk "$1" 3)"
    cp "$tmp/copy-of-store/$(chunk "$1" 3)" "$tmp/store/$(chunk "$1" 3)"
    nbd "
image = open('$tmp/image', 'rb').read()
assert h.pread(len(image), 0) == image
"
}

# run_all FDS: kept descriptors behave otherwise than those opened for each read.
run_all() {
    serve "$tmp/store/v1" maxfds="$1"
    # Missing before its first use.
    rm "$tmp/store/$(chunk 3 3)"
    broken 3 "is missing"
    restore 3
    # Cut short after its first use: the server may hold it open.
    truncate -s 10000 "$tmp/store/$(chunk 3 3)"
    broken 3 "has 10000 bytes instead of"
    # That is no hole, either: a copy must not take zeros for it.
    nbd "
def ask(metacontext, offset, entries, error):
    assert all(flags == 0 for flags in entries[1::2]), entries
h.block_status(1000000, 0, ask)
"
    restore 3
    # Something that is no file.
    rm "$tmp/store/$(chunk 5 3)"
    mkdir "$tmp/store/$(chunk 5 3)"
    stop_server
    serve "$tmp/store/v1" maxfds="$1" check=no
    broken 5 "is not a regular file"
    restore 5
    stop_server
    rm "$tmp/store/$(chunk 7 3)"
    mkfifo "$tmp/store/$(chunk 7 3)"
    serve "$tmp/store/v1" maxfds="$1" check=no
    broken 7 "is not a regular file"
    restore 7
    stop_server
    rm "$tmp/store/$(chunk 7 3)"
    ln -s "$tmp/copy-of-store/$(chunk 7 3)" "$tmp/store/$(chunk 7 3)"
    serve "$tmp/store/v1" maxfds="$1" check=no
    broken 7 "is not a regular file or lies behind a link"
    restore 7
    stop_server
}

run_all 4096
run_all 0
