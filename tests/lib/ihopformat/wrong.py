# SPDX-License-Identifier: MIT
"""Archives for the list of hostile.py that are well-formed and wrong: what is decoded has
the right size, but not the hash.
"""

from .archive import blake2b, small
from .codecs import NONE, ZSTD, compress
from .hostile import CASES, CODEC_ERROR, hostile
from .noise import sample_data


def other(data):
    """data with one bit different, in the middle."""
    return bytes(b ^ (i == len(data) // 2) for i, b in enumerate(data))


def wrong_content(codec, raw=False, only=None):
    """A small archive whose chunks (only: this one) hold something else of their size.
    raw: they are stored as they are in spite of the codec."""
    a = small(codec)
    for i, d in enumerate(a.descriptors):
        plain = sample_data(4000)[1000 * a.order.index(i):][:d.source_size]
        assert blake2b(plain) == d.checksum
        bad = other(plain) if only in (None, i) else plain
        d.data = bad if raw else compress(codec, bad)
        d.archive_size = len(d.data)
        assert raw or codec == NONE or d.archive_size != d.source_size
    a.place()
    return a.encode()


def add_wrong_cases():
    for codec, name in {NONE: "none", **CODEC_ERROR}.items():
        message = "chunk .*(hash|checksum|content)"

        def whole(codec=codec):
            return wrong_content(codec)

        whole.__doc__ = f"{name}: good streams of the right sizes and of wrong content"
        CASES[f"wrong-content-{name}"] = (whole, 5, message, "-")

        def last(codec=codec):
            return wrong_content(codec, only=3)

        last.__doc__ = f"{name}: only the last chunk's content is wrong"
        CASES[f"wrong-last-{name}"] = (last, 5, message, "-")
        if codec == NONE:
            continue

        def raw(codec=codec):
            return wrong_content(codec, raw=True)

        raw.__doc__ = f"{name}: chunks that are stored as they are, of wrong content"
        CASES[f"wrong-raw-{name}"] = (raw, 5, message, "-")


add_wrong_cases()


@hostile("wrong-zeros", "chunk .*(hash|checksum|content)")
def _():
    """a chunk of zeros under the hash of something else"""
    a = small()
    d = a.descriptors[1]
    d.data = bytes(len(d.data))
    return a.encode()


@hostile("wrong-order", "chunk .*(hash|checksum|content)")
def _():
    """two chunks of one size, each in the other's place"""
    a = small(ZSTD)
    one, two = a.descriptors[0], a.descriptors[1]
    one.archive_offset, two.archive_offset = two.archive_offset, one.archive_offset
    one.data, two.data = two.data, one.data
    return a.encode()


@hostile("wrong-chunk", "chunk .*(hash|checksum|content)")
def _():
    """the first byte of a chunk is not that of its hash"""
    a = small()
    d = a.descriptors[1]
    d.data = b"?" + d.data[1:]
    return a.encode()


@hostile("wrong-hash-end", "chunk .*(hash|checksum|content)")
def _():
    """a hash whose last byte is wrong: no part of it may be left uncompared"""
    a = small()
    d = a.descriptors[1]
    d.checksum = d.checksum[:-1] + bytes([d.checksum[-1] ^ 1])
    return a.encode()


@hostile("wrong-hash-end-16", "chunk .*(hash|checksum|content)")
def _():
    """a hash of 16 bytes whose last one is wrong"""
    a = small(hash_length=16)
    d = a.descriptors[1]
    d.checksum = d.checksum[:-1] + bytes([d.checksum[-1] ^ 1])
    return a.encode()
