# SPDX-License-Identifier: MIT
"""Writes bita archives (.cba), which may be bent before they are encoded, and reads their
headers. docs/formats.md describes the format.
"""

import hashlib
import random
import struct

from .codecs import KIB, MIB, NONE, compress
from .noise import sample_data
from .protobuf import blob, fields, number, unpack_numbers, varint

MAGIC = b"BITA1\0"
OLD_MAGIC = b"\0BITA1"
BUZHASH, ROLLSUM, FIXED = range(3)


def blake2b(data):
    return hashlib.blake2b(data).digest()


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
    """Returns a header with a valid checksum."""
    end = len(magic) + 8 + len(dictionary) + 8 + 64
    head = magic + struct.pack("<Q", len(dictionary)) + dictionary
    head += struct.pack("<Q", end + gap if data_offset is None else data_offset)
    return head + blake2b(head)


def fixed_cuts(size, step):
    return list(range(step, size, step))


def small(codec=NONE, hash_length=64):
    data = sample_data(4000)
    return Archive(data, fixed_cuts(len(data), 1000), codec, hash_length)


def header_size(path):
    """Returns how many bytes the header of the archive at path has."""
    with open(path, "rb") as f:
        return 86 + struct.unpack("<Q", f.read(14)[6:])[0]


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
