#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""read-release.py: checks a release in a store, without our C code.

    read-release.py check STORE/RELEASE [IMAGE]   every chunk has the size and hash
                                                  of its name, and together they are
                                                  the image (the file IMAGE, too)
    read-release.py chunks STORE                  every chunk file has the hash of its
                                                  name; prints how many there are
    read-release.py lost STORE/RELEASE N...       removes the N-th chunk files (from 0,
                                                  in source order); prints their bytes

Exits with 1 and a reason when something is wrong.
"""
import hashlib
import os
import sys

from cbaformat import read_release


def die(text):
    sys.exit("read-release.py: " + text)


def check_chunk(path):
    """The data of a chunk file, which is what its name says."""
    want = os.path.basename(path).removesuffix(".chunk")
    if os.path.islink(path):
        die(f"{path} is a link")
    with open(path, "rb") as f:
        data = f.read()
    if hashlib.blake2b(data).hexdigest()[:len(want)] != want:
        die(f"{path} does not have the content that its name says")
    return data


def check(release, image_path=None):
    info, chunks = read_release(release)
    whole, total = hashlib.blake2b(), 0
    for path, size in chunks:
        data = check_chunk(path)
        if len(data) != size:
            die(f"{path} has {len(data)} bytes instead of {size}")
        whole.update(data)
        total += size
    if total != info["size"] or whole.digest() != info["checksum"]:
        die(f"{release} is not the image that it claims to be")
    if image_path:
        with open(image_path, "rb") as f:
            if hashlib.blake2b(f.read()).digest() != info["checksum"]:
                die(f"{release} is not {image_path}")


def check_chunks(store):
    count = 0
    for folder, _, names in os.walk(os.path.join(store, "chunks")):
        for name in names:
            check_chunk(os.path.join(folder, name))
            count += 1
    print(count)


def lose(release, numbers):
    paths = list(dict.fromkeys(path for path, _ in read_release(release)[1]))
    lost = 0
    for n in numbers:
        lost += os.path.getsize(paths[int(n)])
        os.unlink(paths[int(n)])
    print(lost)


def main(args):
    if len(args) in (2, 3) and args[0] == "check":
        check(*args[1:])
    elif len(args) == 2 and args[0] == "chunks":
        check_chunks(args[1])
    elif len(args) > 2 and args[0] == "lost":
        lose(args[1], args[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
