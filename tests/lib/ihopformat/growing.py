# SPDX-License-Identifier: MIT
"""Archives of any number of items, for tests of how work grows with it.

    good      COUNT chunks of 100 bytes
    wrong     COUNT chunks of 1 byte, none of which is what its hash says
    alike8    as wrong, but all hashes begin with the same 8 bytes
    alike15   as wrong, but all hashes begin with the same 15 bytes, so that only a few of
              them differ in the first 16
    metadata  COUNT keys of 250 bytes, and one chunk
    order     one chunk, COUNT times
"""

import hashlib

from .archive import Archive
from .noise import noise


def good(count):
    return Archive(b"".join(noise(b"%d" % i, 100) for i in range(count)),
                   range(100, 100 * count, 100))


def wrong(count, alike=0):
    a = Archive()
    a.source_size = count
    for i in range(count):
        a.order.append(a.add(b"x"))
        a.descriptors[i].checksum = bytes(alike) + hashlib.blake2b(b"%d" % i).digest()[alike:]
    return a


def metadata(count):
    a = Archive(b"image")
    a.metadata = [(b"%0250d" % i, b"value") for i in range(count)]
    return a


def order(count):
    a = Archive(b"a chunk of an image")
    a.order *= count
    a.source_size *= count
    return a


KINDS = {"good": good, "wrong": wrong, "metadata": metadata, "order": order,
         "alike8": lambda n: wrong(n, 8), "alike15": lambda n: wrong(n, 15)}
