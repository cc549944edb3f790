# SPDX-License-Identifier: MIT
"""Streams of the codecs, put together so that every bit of them can be wrong on purpose.

Brotli and zstd streams are made by hand from stored blocks and runs, so that Python's
standard library is enough.
"""

import functools
import lzma
import shutil
import struct
import subprocess
import sys
import zlib

KIB, MIB = 1024, 1024 * 1024
NONE, LZMA, ZSTD, BROTLI = range(4)
CODECS = {"none": NONE, "xz": LZMA, "zstd": ZSTD, "brotli": BROTLI}


class Bits:
    """Bits, least significant first, as brotli has them."""

    def __init__(self):
        self.value = self.count = 0

    def put(self, value, count):
        self.value |= value << self.count
        self.count += count

    def align(self):
        self.count = (self.count + 7) // 8 * 8

    def data(self):
        self.align()
        return self.value.to_bytes(self.count // 8, "little")


def brotli_end(bits):
    bits.put(0b11, 2)  # ISLAST, ISLASTEMPTY
    return bits.data()


def brotli_length(bits, size, last_flag):
    nibbles = max(4, ((size - 1).bit_length() + 3) // 4)
    bits.put(last_flag, 1)
    bits.put(nibbles - 4, 2)
    bits.put(size - 1, 4 * nibbles)


def brotli_stored(data):
    """A brotli stream of uncompressed meta-blocks."""
    out, bits = b"", Bits()
    bits.put(0, 1)  # window of 64 KiB
    for at in range(0, len(data), MIB):
        part = data[at:at + MIB]
        brotli_length(bits, len(part), 0)
        bits.put(1, 1)  # ISUNCOMPRESSED
        out += bits.data() + part
        bits = Bits()
    return out + brotli_end(bits)


def brotli_run(size):
    """A brotli stream of size zeros, about 15 bytes for each 16 MiB: a literal,
    then one copy at distance 1. Every prefix code has one symbol, hence no bits."""
    bits = Bits()
    bits.put(0, 1)
    while size > 0:
        part = min(size, 1 << 24)
        assert part > 2118, "too short for the one command used here"
        brotli_length(bits, part, 0)
        bits.put(0, 1)           # compressed
        bits.put(0, 3)           # one block type each: literals, commands, distances
        bits.put(0, 6)           # NPOSTFIX, NDIRECT
        bits.put(0, 2)           # context mode
        bits.put(0, 2)           # one prefix tree for literals, one for distances
        for symbol, width in ((0, 8), (399, 10), (16, 6)):
            bits.put(0b0001, 4)  # simple code, one symbol
            bits.put(symbol, width)
        bits.put(part - 1 - 2118, 24)  # command 399: insert 1, copy 2118 + this
        bits.put(0, 1)                 # distance code 16: 1 + this
        size -= part
    return brotli_end(bits)


def zstd_frame(blocks, window=0x58):
    """A zstd frame of (type, size, payload) blocks; no content size, no checksum.
    Window descriptor 0x58: 2 MiB."""
    out = b"\x28\xb5\x2f\xfd" + bytes([0, window])
    for i, (kind, size, payload) in enumerate(blocks):
        out += struct.pack("<I", size << 3 | kind << 1 | (i == len(blocks) - 1))[:3] + payload
    return out


def zstd_stored(data):
    parts = [data[at:at + 128 * KIB] for at in range(0, max(1, len(data)), 128 * KIB)]
    return zstd_frame([(0, len(p), p) for p in parts])


def zstd_run(size):
    """size zeros (a multiple of 128 KiB), 4 bytes for each 128 KiB."""
    return zstd_frame([(1, 128 * KIB, b"\0")] * (size // (128 * KIB)))


def xz_compress(data):
    return lzma.compress(data, preset=1)


@functools.lru_cache
def xz_run(size):
    encoder, out = lzma.LZMACompressor(preset=0), []
    for _ in range(size // MIB):
        out.append(encoder.compress(bytes(MIB)))
    return b"".join(out) + encoder.flush()


def xz_with_dictionary(data, code):
    """data as .xz, whose block header demands a dictionary of the size that code
    stands for (40: 4 GiB - 1)."""
    stream = bytearray(xz_compress(data))
    size = (stream[12] + 1) * 4
    header = stream[12:12 + size - 4]
    at = header.index(b"\x21\x01") + 2
    header[at] = code
    stream[12:12 + size] = header + struct.pack("<I", zlib.crc32(header))
    return bytes(stream)


def compress(codec, data, tools=False):
    if codec == LZMA:
        return xz_compress(data)
    name = {ZSTD: "zstd", BROTLI: "brotli"}.get(codec)
    if name and tools:
        if not shutil.which(name):
            sys.exit(f"{name} is not installed")
        command = [name, "-c", "-6"] if name == "zstd" else [name, "-c", "-q", "6"]
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    if codec == ZSTD:
        return zstd_stored(data)
    if codec == BROTLI:
        return brotli_stored(data)
    return data
