#!/bin/bash
# SPDX-License-Identifier: MIT
# verify=first: a chunk whose content is wrong gives EIO, always; without it the
# wrong bytes are served (a check of sizes cannot see them).
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 800000
make_store --layout 2 "$tmp/image" "$tmp/store/v1"

compare "$tmp/image" "$tmp/store/v1" verify=first
compare "$tmp/image" "$tmp/store/v1" verify=first maxfds=0

rotten=$(chunk 3 3)
start=$(chunk 3 1)
size=$(chunk 3 2)
cp "$tmp/store/$rotten" "$tmp/good"
python3 - "$tmp/store/$rotten" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-1, 2)
    last = f.read(1)[0]
    f.seek(-1, 2)
    f.write(bytes([last ^ 1]))
PYTHON

reads="$python_eio
image = open('$tmp/image', 'rb').read()
start, size = $start, $size
for i in range(3):
    eio(h, start, 1)              # far from the flipped bit
    eio(h, start + size - 1, 1)
    eio(h, 0, len(image))
    for a, b in ((0, start), (start + size, len(image))):
        assert h.pread(b - a, a) == image[a:b]
"
for fds in 4096 0; do
    serve "$tmp/store/v1" verify=first maxfds=$fds
    nbd "$reads"
    expect_log "error: the content of chunk $tmp/store/$rotten does not match its hash; .*ihop-clone --recheck.*restart"
    [ "$(grep -c error: "$tmp/log")" = 9 ] || fail "not one line for each failed read"
    # A device must not change under a file system: bad stays bad.
    cp "$tmp/store/$rotten" "$tmp/rotten-copy"
    rm "$tmp/store/$rotten"
    cp "$tmp/good" "$tmp/store/$rotten"
    nbd "$reads"
    stop_server
    compare "$tmp/image" "$tmp/store/v1" verify=first maxfds=$fds
    mv "$tmp/rotten-copy" "$tmp/store/$rotten"
done

# A file that fails while it is open is opened anew: what lies in its place must be verified,
# whatever was known of the one before.
cp "$tmp/good" "$tmp/store/$rotten"
python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[0] ^= 1
open(sys.argv[2], "wb").write(data)' "$tmp/good" "$tmp/rotten-copy"
serve "$tmp/store/v1" verify=first
nbd "assert h.pread($size, $start) == open('$tmp/good', 'rb').read()"
truncate -s 10 "$tmp/store/$rotten"
mv "$tmp/rotten-copy" "$tmp/store/$rotten"
nbd "$python_eio
eio(h, $start + $size - 1, 1)
eio(h, $start, 1)"
expect_log "the content of chunk $tmp/store/$rotten does not match its hash"
stop_server

# Many readers of unverified chunks at once.
cp "$tmp/good" "$tmp/store/$rotten"
serve -D ihop.stats=1 -v -- "$tmp/store/v1" verify=first
nbdcopy --connections=4 "$uri" "$tmp/copy"
cmp "$tmp/image" "$tmp/copy"
nbdcopy --connections=4 "$uri" "$tmp/copy"
cmp "$tmp/image" "$tmp/copy"
stop_server
chunks=$(awk '{ print $3 }' "$tmp/chunks" | sort -u | wc -l)
expect_log "stats: verified chunks: $chunks\$"

cp "$tmp/store/$rotten" "$tmp/good"
printf x >>"$tmp/good" # any other content of the same size
tail -c "$size" "$tmp/good" >"$tmp/store/$rotten"
expect_exit 1 compare "$tmp/image" "$tmp/store/v1"
