#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the input of the example archives: the same bytes on every machine.

    make-image.py mixed FILE SIZE SEED [CHANGED]
    make-image.py tree DIRECTORY VERSION

mixed: text, noise, zeros and repeated blocks, SIZE bytes in all. CHANGED counts
blocks of 16 KiB, spread over the image, that get other bytes than without it.

tree: the files of a small device, VERSION 1, 2 or 3. Version 2 changes a few
files and adds one, version 3 adds another one; all else is the same.
"""
import hashlib
import os
import sys

BLOCK = 16384
TIME = 1700000000
SYLLABLES = ("an bel cor dri en fa gol hum ir jas kel lo mer nit or pal qui "
             "ras sol tam und ver wil xan yor zed").split()


def noise(seed, size):
    """Bytes that do not compress. SHAKE128 gives the same ones everywhere."""
    return hashlib.shake_128(seed.encode()).digest(size)


def text(seed, size):
    """Lines of made-up words, which compress to about a third."""
    out = []
    length = 0
    source = noise("text " + seed, size)
    for i in range(0, len(source) - 3, 3):
        word = "".join(SYLLABLES[b % len(SYLLABLES)] for b in source[i:i + 1 + source[i] % 3])
        word += "\n" if source[i + 2] % 11 == 0 else " "
        out.append(word)
        length += len(word)
        if length >= size:
            break
    return "".join(out).encode()[:size].ljust(size, b"\n")


def mixed_block(seed, index, changed):
    name = f"{seed}/{index}" + ("/changed" if changed else "")
    kind = index % 8
    if changed:
        return noise(name, 4096) + text(name, BLOCK - 4096)
    if kind in (2, 6):
        return bytes(BLOCK)
    if kind == 4:
        return noise(name, BLOCK)
    if kind == 7:
        return text(seed + "/repeated", BLOCK)
    return text(name, BLOCK)


def make_mixed(path, size, seed, changed):
    blocks = -(-size // BLOCK)
    step = blocks // changed if changed else 0
    with open(path, "wb") as f:
        for i in range(blocks):
            is_changed = changed and i % step == 1 and i // step < changed
            f.write(mixed_block(seed, i, is_changed))
        f.truncate(size)


def tree_files(version):
    """Path and contents of each file. os.path order is the order of writing."""
    yield "etc/os-release", f'NAME="Example device"\nVERSION_ID={version}.0\n'.encode()
    yield "etc/hostname", b"example\n"
    yield "README", (b"An example release of ihop. Its files are made up; what counts is that\n"
                     b"version 2 shares most of them with version 1.\n")
    for i in range(64):
        changed = version >= 2 and i in (7, 40)
        name = f"manual/{i}" + ("/v2" if changed else "")
        yield f"usr/share/doc/manual-{i:02d}.txt", text(name, 16 * 1024 + 512 * i)
    for i in range(6):
        head = f"program/{i}" + ("/v2" if version >= 2 and i == 3 else "")
        yield (f"usr/bin/program-{i}",
               noise(head, 8192) + noise(f"program/{i}/rest", 24 * 1024) + text(f"program/{i}", 96 * 1024))
    yield "usr/lib/sparse.bin", noise("sparse", 8192) + bytes(2 * 1024 * 1024) + noise("end", 8192)
    if version >= 2:
        yield "usr/share/doc/changes.txt", text("changes", 12 * 1024)
    if version >= 3:
        yield "usr/bin/program-new", noise("program/new", 96 * 1024)


def make_tree(directory, version):
    os.umask(0o022)
    for path, data in tree_files(version):
        full = os.path.join(directory, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)
        os.chmod(full, 0o755 if path.startswith("usr/bin/") else 0o644)
    for where, _, files in os.walk(directory, topdown=False):
        for name in files:
            os.utime(os.path.join(where, name), (TIME, TIME))
        os.utime(where, (TIME, TIME))


def main(args):
    if len(args) in (4, 5) and args[0] == "mixed":
        make_mixed(args[1], int(args[2]), args[3], int(args[4]) if len(args) == 5 else 0)
    elif len(args) == 3 and args[0] == "tree" and args[2] in ("1", "2", "3"):
        make_tree(args[1], int(args[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
