# SPDX-License-Identifier: MIT
"""cbaformat: writes bita archives and ihop releases, reads releases.

For cba.py and its hostile cases. Brotli and zstd streams are put together by hand
(stored blocks and runs), so that Python's standard library is enough and so that
every bit of them can be wrong on purpose.
"""

import functools
import hashlib
import lzma
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib

KIB, MIB = 1024, 1024 * 1024

MAGIC = b"BITA1\0"
OLD_MAGIC = b"\0BITA1"
RELEASE_MAGIC = b"IHOP1\0"
NONE, LZMA, ZSTD, BROTLI = range(4)
CODECS = {"none": NONE, "xz": LZMA, "zstd": ZSTD, "brotli": BROTLI}
BUZHASH, ROLLSUM, FIXED = range(3)


def blake2b(data):
    return hashlib.blake2b(data).digest()


# ---- protobuf ----


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value, always=False):
    """A varint field; left out when 0, as proto3 does, unless always."""
    return varint(field << 3) + varint(value) if value or always else b""


def blob(field, data):
    """A length-delimited field: bytes, string, message or packed numbers."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def unknown_fields():
    """One field of each wire type that proto3 knows, with numbers nobody uses."""
    return (number(1000, 7) + varint(1001 << 3 | 1) + b"\1" * 8 + blob(1002, b"later")
            + varint(1003 << 3 | 5) + b"\2" * 4)


# ---- codecs ----


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
    parts = [data[at:at + 128 * KIB] for at in range(0, len(data), 128 * KIB)]
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
            sys.exit(f"cba.py: {name} is not installed")
        command = [name, "-c", "-6"] if name == "zstd" else [name, "-c", "-q", "6"]
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    if codec == ZSTD:
        return zstd_stored(data)
    if codec == BROTLI:
        return brotli_stored(data)
    return data


# ---- archives ----


class Descriptor:
    """One entry of the chunk table. data is what lies in the archive."""

    def __init__(self, plain, data, hash_length):
        self.checksum = blake2b(plain)[:hash_length]
        self.source_size = len(plain)
        self.data = data
        self.archive_size = len(data)
        self.archive_offset = 0  # relative to the chunk data offset
        self.extra = b""

    def encode(self):
        return (blob(1, self.checksum) + number(3, self.archive_size)
                + number(4, self.archive_offset) + number(5, self.source_size) + self.extra)


class Archive:
    """An archive that can be bent before it is encoded."""

    def __init__(self, data=b"", cuts=None, codec=NONE, hash_length=64, tools=False, raw_every=0):
        self.magic = MAGIC
        self.version = b"cba.py"
        self.source_checksum = blake2b(data)
        self.source_size = len(data)
        self.hash_length = hash_length
        self.params = dict(bits=15, min=16 * KIB, max=16 * MIB, window=64, length=hash_length,
                           algorithm=ROLLSUM)
        self.has_params = self.has_compression = True
        self.compression = codec
        self.order = []
        self.packed = True
        self.descriptors = []
        self.metadata = []
        self.extra = b""           # appended to the dictionary
        self.nested_extra = b""    # appended to parameters and compression
        self.data_offset_gap = 0   # bytes between the header and the chunk data
        self.data_offset = None    # written instead of the true one
        self.data_size = 0
        self.cut(data, cuts or [], tools, raw_every)

    def cut(self, data, cuts, tools, raw_every):
        known, bounds = {}, [0] + [c for c in cuts if 0 < c < len(data)] + [len(data)]
        for start, end in zip(bounds, bounds[1:]):
            plain = data[start:end]
            if not plain:
                continue
            if plain not in known:
                known[plain] = self.add(plain, tools, raw_every)
            self.order.append(known[plain])

    def add(self, plain, tools=False, raw_every=0):
        """Adds a chunk to the table, placed after the others; returns its index."""
        index = len(self.descriptors)
        stored = compress(self.compression, plain, tools)
        # A stream of the chunk's own size would be taken for a chunk stored raw.
        if len(stored) == len(plain) or (raw_every and index % raw_every == 0):
            stored = plain
        d = Descriptor(plain, stored, self.hash_length)
        d.archive_offset = self.data_size
        self.data_size += len(stored)
        self.descriptors.append(d)
        return index

    def place(self, shuffle=False, gap=0):
        """Places the chunks anew: in random order, with gaps between them."""
        order = list(self.descriptors)
        if shuffle:
            random.Random(1).shuffle(order)
        at = gap
        for d in order:
            d.archive_offset = at
            at += d.archive_size + gap
        self.data_size = at

    def encode_order(self):
        if not self.packed:
            return b"".join(number(6, i, always=True) for i in self.order)
        return blob(6, b"".join(varint(i) for i in self.order)) if self.order else b""

    def encode_params(self):
        p = self.params
        return (number(1, p["bits"]) + number(2, p["min"]) + number(3, p["max"])
                + number(4, p["window"]) + number(5, p["length"]) + number(6, p["algorithm"])
                + self.nested_extra)

    def dictionary(self):
        out = blob(1, self.version)
        if self.source_checksum is not None:
            out += blob(2, self.source_checksum)
        out += number(3, self.source_size)
        if self.has_params:
            out += blob(4, self.encode_params())
        if self.has_compression:
            out += blob(5, number(2, self.compression) + number(3, 6) + self.nested_extra)
        out += self.encode_order()
        out += b"".join(blob(7, d.encode()) for d in self.descriptors)
        out += b"".join(blob(8, blob(1, k) + blob(2, v)) for k, v in self.metadata)
        return out + self.extra

    def chunk_data(self):
        out = bytearray(b"\xee" * self.data_size)
        for d in self.descriptors:
            if d.archive_offset + len(d.data) <= self.data_size:
                out[d.archive_offset:d.archive_offset + len(d.data)] = d.data
        return bytes(out)

    def header(self):
        return sign(self.magic, self.dictionary(), self.data_offset, self.data_offset_gap)

    def encode(self):
        return self.header() + b"\xdd" * self.data_offset_gap + self.chunk_data()


def sign(magic, dictionary, data_offset=None, gap=0):
    """A header with a valid checksum."""
    end = len(magic) + 8 + len(dictionary) + 8 + 64
    head = magic + struct.pack("<Q", len(dictionary)) + dictionary
    head += struct.pack("<Q", end + gap if data_offset is None else data_offset)
    return head + blake2b(head)


def sample_data(size=40000, seed=7):
    """Random bytes, a repeated part and a run of zeros."""
    noise = random.Random(seed).randbytes(size)
    return noise[:size // 2] + bytes(size // 8) + noise[:size // 4] + noise[size // 2:size * 5 // 8]


def fixed_cuts(size, step):
    return list(range(step, size, step))


def small(codec=NONE, hash_length=64):
    data = sample_data(4000)
    return Archive(data, fixed_cuts(len(data), 1000), codec, hash_length)


def archive_table(path):
    """What the header of an archive says, as lines of text, without what may differ
    from one writer to the other: its name, and how well it compresses. The places of
    the chunks are checked instead: one behind the other, up to the end of the file."""
    with open(path, "rb") as f:
        raw = f.read()
    size = 14 + struct.unpack("<Q", raw[6:14])[0]
    start = struct.unpack("<Q", raw[size:size + 8])[0]
    assert raw[:6] == MAGIC and blake2b(raw[:size + 8]) == raw[size + 8:size + 72], "frame"
    assert start >= size + 72 and not any(raw[size + 72:start]), "gap"
    at, chunk = 0, 0
    for field, value in fields(raw[14:size]):
        if field == 7:
            d = dict(fields(value))
            assert d.get(4, 0) == at and 0 < d[3] <= d[5], f"place of chunk {chunk}"
            yield f"chunk {chunk}: {d[1].hex()} {d[5]}"
            at, chunk = at + d[3], chunk + 1
        elif field == 6:
            yield "order " + " ".join(map(str, unpack_numbers(value)))
        elif field in (4, 5, 8):
            yield f"{field} {sorted(dict(fields(value)).items())}"
        elif field != 1:
            yield f"{field} {value}"
    assert start + at == len(raw), "end"


# ---- releases (store dictionaries) ----


def release(archive, extras=True):
    """The release of an archive, as the original writes it or with our extras."""
    header = archive.header()
    out = blob(1, archive.version) + blob(2, archive.source_checksum)
    out += number(3, archive.source_size)
    out += blob(4, b"".join(varint(i) for i in archive.order)) if archive.order else b""
    for d in archive.descriptors:
        entry = blob(1, d.checksum) + number(2, d.source_size)
        if extras:
            entry += number(100, len(header) + d.archive_offset) + number(101, d.archive_size)
            entry += number(102, not any(d.data) and d.archive_size == d.source_size)
        out += blob(5, entry)
    out += blob(6, archive.encode_params())
    if extras:
        out += blob(100, b"http://example.com/v1.cba") + blob(101, header[-64:])
        out += number(102, len(header)) + number(103, len(archive.encode()))
        out += blob(104, number(2, archive.compression) + number(3, 6))
        out += b"".join(blob(105, blob(1, k) + blob(2, v)) for k, v in archive.metadata)
    head = RELEASE_MAGIC + struct.pack("<Q", len(out)) + out
    return head + blake2b(head)


def fields(message):
    """Yields (number, value) of a message: int for varints, bytes for the rest."""
    at = 0

    def take_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = take_varint()
        size = {1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            yield tag >> 3, take_varint()
            continue
        if size is None:
            assert tag & 7 == 2, "wire type"
            size = take_varint()
        yield tag >> 3, message[at:at + size]
        at += size


def unpack_numbers(value):
    if isinstance(value, int):
        return [value]
    return [v for _, v in fields(b"".join(b"\x08" + p for p in split_varints(value)))]


def split_varints(data):
    start = 0
    for i, byte in enumerate(data):
        if byte < 0x80:
            yield data[start:i + 1]
            start = i + 1


def read_release(path):
    """Paths and sizes of a release's chunks, in source order; checks its frame."""
    store, name = os.path.split(path)
    with open(path, "rb") as f:
        raw = f.read()
    assert raw[:6] == RELEASE_MAGIC, "magic"
    assert struct.unpack("<Q", raw[6:14])[0] == len(raw) - 78, "size"
    assert blake2b(raw[:-64]) == raw[-64:], "checksum"
    order, chunks, digits = [], [], 4
    info = {"checksum": b"", "size": 0}
    fmt = os.path.join(store, ".ihop", "format")
    if os.path.exists(fmt):
        with open(fmt, encoding="ascii") as f:
            digits = int(f.read().split("folder-digits ")[1])
    for field, value in fields(raw[14:-64]):
        if field == 2:
            info["checksum"] = value
        elif field == 3:
            info["size"] = value
        elif field == 4:
            order += unpack_numbers(value)
        elif field == 5:
            d = dict(fields(value))
            name = d[1].hex()
            chunks.append((os.path.join(store, "chunks", name[:digits], name + ".chunk"), d[2]))
    return info, [chunks[i] for i in order]


def write_image(path, out):
    """Reassembles the image and checks it against its own checksum and size."""
    info, chunks = read_release(path)
    whole, total = hashlib.blake2b(), 0
    for chunk, size in chunks:
        with open(chunk, "rb") as f:
            data = f.read()
        assert len(data) == size, f"{chunk}: {len(data)} bytes instead of {size}"
        whole.update(data)
        total += size
        out.write(data)
    assert total == info["size"], "total size"
    assert whole.digest() == info["checksum"], "whole-image checksum"
