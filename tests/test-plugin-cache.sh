#!/bin/bash
# SPDX-License-Identifier: MIT
# cache=none leaves nothing in the page cache; NBD's cache command and sequential
# reads fetch ahead what is not there yet, and neither ever fails.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
requires fincore

noise "$tmp/image" 8000000
make_store --layout 2 --min 30000 --max 90000 "$tmp/image" "$tmp/store/v1"

cached() {
    find "$tmp/store/chunks" -name '*.chunk' -exec fincore --bytes --raw --noheadings -o RES {} + |
        awk '{ sum += $1 } END { print sum + 0 }'
}

# Pages that are being written, or that somebody else looks at, stay at the first attempt.
drop() {
    for _ in $(seq 20); do
        find "$tmp/store/chunks" -name '*.chunk' -exec sh -c \
            'for f; do dd if="$f" iflag=nocache count=0 status=none; done' sh {} +
        [ "$(cached)" -gt 0 ] || return 0
        sleep 0.05
    done
}

stat_of() {
    sed -n "s/.*stats: $1: //p" "$tmp/log"
}

read_in_order() {
    nbd "
image = open('$tmp/image', 'rb').read()
for at in range(0, len(image), 65536):
    size = min(65536, len(image) - at)
    assert h.pread(size, at) == image[at:at + size]
"
}

serve_in_order() {
    serve -v -D ihop.stats=1 -- "$tmp/store/v1"
    read_in_order
    stop_server
    prefetched=$(stat_of 'prefetched chunks')
}

# One reader from start to end: each chunk but the first few is announced once, or
# twice where a step of readahead ends in it; nothing is when all is in memory.
test_sequential() {
    local all

    all=$(wc -l <"$tmp/chunks")
    sync -f "$tmp/store" # dirty pages are never dropped
    drop
    serve_in_order
    if [ "$(cached)" -gt 0 ] && may_tell_what_is_cached; then
        [ "$prefetched" -le $((all + 8)) ] || fail "chunks were announced twice"
        [ "$prefetched" -ge $((all - 15)) ] || fail "only $prefetched of $all chunks were announced"
        serve_in_order
        [ "$prefetched" = 0 ] || fail "$prefetched chunks were announced that are in memory"
    fi
    [ "$(stat_of bytes)" = 8000000 ] || fail "the statistics count $(stat_of bytes) bytes"
}

# Others may not have reads that do not wait.
may_tell_what_is_cached() {
    [[ $(stat -f -c %T "$tmp/store") =~ ^(ext2/ext3|xfs|btrfs)$ ]]
}

test_scattered() {
    serve -v -D ihop.stats=1 -- "$tmp/store/v1"
    # At least 4 MiB from one read to the next.
    nbd "
for i in range(100):
    h.pread(4096, 4096 * i)
    h.pread(4096, 7900000 - 4096 * i)
"
    stop_server
    [ "$(stat_of 'prefetched chunks')" = 0 ] || fail "random reads were taken for sequential ones"
}

test_cache_none() {
    sync -f "$tmp/store"
    drop
    [ "$(cached)" -lt 100000 ] || skip "this file system keeps its page cache (tmpfs?)"
    compare "$tmp/image" "$tmp/store/v1"
    [ "$(cached)" -ge 8000000 ] || fail "nothing stayed in the page cache by default"
    # One reader: parallel ones may bring back a page that another has dropped.
    serve "$tmp/store/v1" cache=none
    read_in_order
    stop_server
    [ "$(cached)" -lt 100000 ] || fail "$(cached) bytes are still in the page cache"
}

test_cache_command() {
    local path

    path=$(chunk 4 3)
    rm "$tmp/store/$path"
    serve -v -D ihop.stats=1 -- "$tmp/store/v1" check=no
    nbd "
h.cache(h.get_size(), 0)
h.cache(1, $(chunk 4 1))
h.cache(1, h.get_size() - 1)
image = open('$tmp/image', 'rb').read()
assert h.pread(100, 0) == image[:100]
"
    stop_server
    make_store --layout 2 --min 30000 --max 90000 "$tmp/image" "$tmp/store/v1"
    [ "$(stat_of 'prefetched chunks')" = "$(wc -l <"$tmp/chunks")" ] ||
        fail "$(stat_of 'prefetched chunks') chunks were prefetched"
}

run_cases "$@"
