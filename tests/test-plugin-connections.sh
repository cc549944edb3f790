#!/bin/bash
# SPDX-License-Identifier: MIT
# Many connections at once read the same bytes; several may be used as one
# device (multi-conn), with the block sizes that the server announces.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 6000000 1 2000000 1000000
make_store --layout 2 --min 5000 --max 60000 "$tmp/image" "$tmp/store/v1"
serve "$tmp/store/v1"

nbd "
assert h.can_multi_conn()
sizes = [h.get_block_size(s) for s in (nbd.SIZE_MINIMUM, nbd.SIZE_PREFERRED, nbd.SIZE_MAXIMUM)]
assert sizes == [1, 4096, 0xffffffff], sizes
"
nbdcopy --connections=4 --requests=32 "$uri" "$tmp/copy"
cmp "$tmp/image" "$tmp/copy"

# 64 connections, each with its own offset into the same requests.
nbd "
import threading
image = open('$tmp/image', 'rb').read()
failures = []

def reader(n):
    c = nbd.NBD()
    c.connect_uri('$uri')
    for i in range(40):
        start = (n * 90001 + i * 150001) % len(image)
        size = min(70000, len(image) - start)
        if c.pread(size, start) != image[start:start + size]:
            failures.append((n, start))
    c.shutdown()

threads = [threading.Thread(target=reader, args=(n,)) for n in range(64)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert not failures, failures
"
stop_server
