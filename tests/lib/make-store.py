#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts an image into a chunk store, for tests of what reads stores.

    make-store.py [options] IMAGE STORE/RELEASE

By default the release and the store are as the original ihop writes them: chunk
directories of four digits, no .ihop. With --layout 2 they are as ours. The image is
cut at pseudo-random places from a fixed seed, so that the same call gives the
same store. Written independently of the C code, from docs/formats.md, so that a
test fails when one of the two is wrong.

Prints one line for each entry of the source order:
OFFSET SIZE PATH-BELOW-STORE zero|data
"""
import argparse
import hashlib
import os
import random
import sys


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def data(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def cut(image, args):
    """Yields the chunks."""
    rng = random.Random(args.seed)
    at = 0
    while at < len(image):
        size = rng.randint(args.min, args.max)
        if args.align:
            size = max(args.align, size // args.align * args.align)
        yield image[at : at + size]
        at += size


def write_chunk(path, chunk, sparse):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        if not sparse:
            f.write(chunk)
            return
        block = 65536
        for at in range(0, len(chunk), block):
            piece = chunk[at : at + block]
            if piece.count(0) != len(piece):
                f.seek(at)
                f.write(piece)
        f.truncate(len(chunk))


def dictionary(args, image, order, chunks):
    ours = args.layout == 2
    out = data(1, b"0.1.2") + data(2, hashlib.blake2b(image).digest())
    out += number(3, len(image))
    out += data(4, b"".join(varint(i) for i in order))
    offset = 1000
    for digest, chunk in chunks:
        c = data(1, digest) + number(2, len(chunk))
        if ours:
            c += number(100, offset) + number(101, len(chunk))
            c += number(102, 1 if not any(chunk) else 0)
            offset += len(chunk)
        out += data(5, c)
    rollsum = number(1, 15) + number(2, args.min) + number(3, args.max)
    out += data(6, rollsum + number(4, 64) + number(5, args.hash_length) + number(6, 1))
    if ours:
        if args.url:
            out += data(100, args.url.encode())
        out += data(101, bytes(64)) + number(102, 1000) + number(103, offset)
        out += data(104, b"")
    return out


def write_format(store):
    os.makedirs(os.path.join(store, ".ihop"), exist_ok=True)
    with open(os.path.join(store, ".ihop", "format"), "w", encoding="ascii") as f:
        f.write("ihop-store 1\nfolder-digits 2\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--layout", type=int, choices=(2, 4), default=4)
    p.add_argument("--min", type=int, default=4096, help="shortest chunk")
    p.add_argument("--max", type=int, default=131072, help="longest chunk")
    p.add_argument("--align", type=int, default=0, help="cut at multiples of this")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--hash-length", type=int, default=64)
    p.add_argument("--url", help="recorded archive URL (layout 2)")
    p.add_argument("--sparse", action="store_true", help="64 KiB of zeros become holes")
    p.add_argument("image")
    p.add_argument("release")
    args = p.parse_args()

    store, name = os.path.split(args.release)
    with open(args.image, "rb") as f:
        image = f.read()
    os.makedirs(os.path.join(store, "chunks"), exist_ok=True)
    if args.layout == 2:
        write_format(store)

    order, chunks, index, at, lines = [], [], {}, 0, []
    for chunk in cut(image, args):
        digest = hashlib.blake2b(chunk).digest()[: args.hash_length]
        text = digest.hex()
        path = os.path.join("chunks", text[: args.layout], text + ".chunk")
        if digest not in index:
            index[digest] = len(chunks)
            chunks.append((digest, chunk))
            write_chunk(os.path.join(store, path), chunk, args.sparse)
        order.append(index[digest])
        lines.append(f"{at} {len(chunk)} {path} {'data' if any(chunk) else 'zero'}\n")
        at += len(chunk)

    body = dictionary(args, image, order, chunks)
    release = b"IHOP1\0" + len(body).to_bytes(8, "little") + body
    # By rename, as our publish does: a server may hold the old one.
    with open(args.release + ".new", "wb") as f:
        f.write(release + hashlib.blake2b(release).digest())
    os.rename(args.release + ".new", args.release)
    sys.stdout.writelines(lines)


if __name__ == "__main__":
    main()
