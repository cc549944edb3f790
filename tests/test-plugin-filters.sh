#!/bin/bash
# SPDX-License-Identifier: MIT
# The filters of nbdkit that people put on top of the plugin work with it.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 3000001 1 1000000 500000
make_store --layout 2 --url http://example.com/v1.cba "$tmp/image" "$tmp/store/v1"
cp -r "$tmp/store" "$tmp/before"

with() {
    local filters=() filter

    for filter in $1; do
        filters+=("--filter=$filter")
    done
    shift
    rm -f "$tmp/copy"
    ihop_run "nbdcopy \"\$uri\" '$tmp/copy'" "${filters[@]}" -- "$tmp/store/v1" "$@"
}

same() {
    with "$@"
    cmp "$tmp/image" "$tmp/copy"
}

same readahead
same cache
same cache cache-on-read=true
same blocksize maxdata=16k
same log logfile=/dev/null
same noextents
same nocache
same retry-request retry-request-delay=1
same 'cow readahead'
expect_exit 0 with scan # it scans the default export only, and says so otherwise
cmp "$tmp/image" "$tmp/copy"
[ ! -s "$tmp/err" ] || fail "$(cat "$tmp/err")"

with truncate round-up=512
[ "$(stat -c %s "$tmp/copy")" = 3000320 ] || fail "truncate did not round up"
cmp -n 3000001 "$tmp/image" "$tmp/copy"

with stats statsfile="$tmp/stats"
cmp "$tmp/image" "$tmp/copy"
grep -q '^read:' "$tmp/stats"

# Writes go to the overlay and the store stays as it is.
serve --filter=cow -- "$tmp/store/v1"
nbd "
image = bytearray(open('$tmp/image', 'rb').read())
assert not h.is_read_only()
h.pwrite(b'written', 1234567)
image[1234567:1234574] = b'written'
assert h.pread(len(image), 0) == image
"
stop_server
diff -r "$tmp/before" "$tmp/store"
compare "$tmp/image" "$tmp/store/v1"

# An export under another name.
expect_exit 0 ihop_run 'nbdinfo "$uri"' --filter=exportname -- "$tmp/store" \
    default-export=v1
expect_stdout 'export="v1"'

# A partition of an image.
requires sfdisk
truncate -s 8M "$tmp/disk"
sfdisk --quiet "$tmp/disk" <<'TABLE'
label: gpt
start=2048, size=4096
start=8192, size=2048
TABLE
noise "$tmp/part" $((4096 * 512)) 8
dd if="$tmp/part" of="$tmp/disk" bs=512 seek=2048 conv=notrunc status=none
make_store --layout 2 "$tmp/disk" "$tmp/store/disk"
ihop_run "nbdcopy \"\$uri\" '$tmp/copy'" --filter=partition -- \
    "$tmp/store/disk" partition=1
cmp "$tmp/part" "$tmp/copy"
