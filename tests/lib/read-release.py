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
from storecheck import Damaged, check_chunks, check_release


def check(release, image_path=None):
    checksum = check_release(release)
    if image_path:
        with open(image_path, "rb") as f:
            if hashlib.blake2b(f.read()).digest() != checksum:
                raise Damaged(f"{release} is not {image_path}")


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
        print(len(check_chunks(args[1])))
    elif len(args) > 2 and args[0] == "lost":
        lose(args[1], args[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Damaged as damage:
        sys.exit(f"read-release.py: {damage}")
