#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An image of more than 4 GiB in a small archive: no size or offset on the way to a program
# or a client is cut to 31 or 32 bits.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
cd "$tmp"

# 300 times 16 MiB of zeros, and 64 KiB of noise before, in the middle and after them.
"$python" - <<'EOF_PY'
from ihopformat.archive import Archive, blake2b
from ihopformat.codecs import KIB, LZMA, MIB
from ihopformat.noise import noise
pieces = [noise(b"%d" % n, 64 * KIB) for n in range(3)]
a = Archive(codec=LZMA)
zeros, *rest = [a.add(data) for data in (bytes(16 * MIB), *pieces)]
a.order = [rest[0], *[zeros] * 200, rest[1], *[zeros] * 100, rest[2]]
a.source_size = 300 * 16 * MIB + 3 * 64 * KIB
a.source_checksum = blake2b(b"an image of this size")
open("large.cba", "wb").write(a.encode())
for i, data in enumerate(pieces):
    open(f"noise-{i}", "wb").write(data)
EOF_PY
size=$((300 * 16777216 + 3 * 65536))

expect_exit 0 "$ihop_compress" --info --json large.cba
equal "$(json image_size)" $size "size of the image by ihop-compress --info"
expect_exit 0 "$ihop_clone" --json large.cba s/large
equal "$(json image_size)" $size "size of the image by ihop-clone"
at_most "$(json bytes_written)" 1000000 "bytes written"
expect_exit 0 "$ihop_store" info --json s/large
equal "$(json image_size)" $size "size of the image by ihop-store info"
expect_exit 0 "$ihop_store" list s
expect_stdout "large .* 4\.7 GiB "
expect_exit 0 "$ihop_store" verify --quiet s
expect_exit 0 "$ihop_clone" --json --dry-run large.cba s/large
equal "$(json image_size)" $size "size of the image by ihop-clone --dry-run"

serve store=s release=large
nbd "
assert h.get_size() == $size, h.get_size()
noise = [open('$tmp/noise-%d' % i, 'rb').read() for i in range(3)]
middle, end = 65536 + 200 * 16777216, $size - 65536
assert h.pread(65536, 0) == noise[0]
assert h.pread(65536, middle) == noise[1]
assert h.pread(65536, end) == noise[2]
assert h.pread(200, end - 100) == bytes(100) + noise[2][:100]
for around in (2**31, 2**32):
    assert h.pread(65536, around - 32768) == bytes(65536)
def extents(count, offset):
    found = []
    h.block_status(count, offset, lambda name, at, entries, error: found.extend(entries))
    return found
assert extents(2**30, middle - 2**20)[:4] == [2**20, 3, 65536, 0]
assert extents(2**29, 2**32 - 4096) == [2**29, 3]
assert extents(2**19 + 65536, end - 2**19)[:3] == [2**19, 3, 65536]
"
stop_server
