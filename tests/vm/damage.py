# SPDX-License-Identifier: MIT
"""damage.py DEVICE EXPECTED STORE/RELEASE COUNT: damages one chunk after another of a release that
is attached with dm-verity, at its first byte, in the middle and at its last one, and reads it from
the device: each block is right or fails, and the one with the byte, if it is data, fails. COUNT
chunks, spread over the image. Prints what it saw. Each chunk is mended again."""

import errno
import os
import pathlib
import sys

sys.path.insert(0, os.path.join(os.environ["srcdir"], "tests/lib"))
from ihopformat import release

BLOCK = 4096


def read_block(device, offset):
    try:
        return os.pread(device, BLOCK, offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return None


def drop(device):
    os.posix_fadvise(device, 0, 0, os.POSIX_FADV_DONTNEED)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1]))


def check(device, expected, begin, end, wrong_at):
    """The blocks of the range; returns how many failed."""
    failed = 0
    for offset in range(begin // BLOCK * BLOCK, min(end, len(expected)), BLOCK):
        got = read_block(device, offset)
        if got is None:
            failed += 1
        elif got != expected[offset : offset + BLOCK]:
            sys.exit(f"wrong data at {offset}, after byte {wrong_at} was changed")
        elif offset <= wrong_at < offset + BLOCK:
            sys.exit(f"the changed byte {wrong_at} was not noticed")
    return failed


def main():
    name, expected, where, count = sys.argv[1:]
    expected = pathlib.Path(expected).read_bytes()
    device = os.open(name, os.O_RDONLY)
    os.posix_fadvise(device, 0, 0, os.POSIX_FADV_RANDOM)
    chunks, begin = [], 0
    for path, size in release.read_release(where)[1]:
        chunks.append((path, begin, size))
        begin += size
    changes = failed = 0
    step = max(1, len(chunks) // int(count))
    for path, begin, size in chunks[::step] + chunks[-1:]:
        for at in (0, size // 2, size - 1):
            drop(device)
            flip(path, at)
            failed += check(device, expected, begin, begin + size, begin + at)
            flip(path, at)
            changes += 1
    drop(device)
    if check(device, expected, 0, len(expected), -1):
        sys.exit("what was mended still fails")
    print(f"changes {changes} failed {failed}")


main()
