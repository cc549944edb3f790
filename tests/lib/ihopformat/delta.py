# SPDX-License-Identifier: MIT
"""Delta packs: read, applied, and written again with anything in them changed. It follows
docs/formats.md, and nothing else, and refuses what a reader MUST refuse.

What is decoded with zstd goes through the program of that name, and so do the deltas that are made;
lists and header patches that are written are stored.
"""

import functools
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from .archive import MAGIC, blake2b
from .codecs import MIB, zstd_stored
from .columns import Columns, Refused, must, near, planes
from .protobuf import blob, fields, number, unpack_numbers, varint
from .release import RELEASE_MAGIC

PACK_MAGIC = b"IHOPD1"
BLOCK = 4096
COPY, ZSTD, BSDIFF = range(3)
CODEC_NAMES = ("copy", "zstd", "bsdiff")
MAX_BASE, MAX_RANGES, MAX_CHUNK = 4 * MIB, 16, 64 * MIB
MAX_DICTIONARY, MAX_SIGNATURES = 64 * MIB, 64 * 1024
# Fields of the dictionary: number, member of Pack, and whether it is of bytes.
FIELDS = ((1, "version", True), (2, "old_checksum", True), (3, "old_size", False),
          (4, "header_checksum", True), (5, "header_size", False), (6, "archive_size", False),
          (7, "patch", True), (8, "patch_plain", False), (9, "list", True),
          (10, "list_plain", False), (11, "signatures", True))


# ---- zstd ----

def check_frame(frame):
    """That all of it is one frame, without a dictionary's number (RFC 8878)."""
    must(len(frame) > 5 and frame[:4] == b"\x28\xb5\x2f\xfd", "invalid zstd data: magic")
    descriptor = frame[4]
    single = descriptor >> 5 & 1
    must(descriptor & 3 == 0, "invalid zstd data: a dictionary's number")
    at = 5 + (1 - single) + (single, 2, 4, 8)[descriptor >> 6]
    last = False
    while not last:
        must(at + 3 <= len(frame), "invalid zstd data: cut short")
        head = int.from_bytes(frame[at:at + 3], "little")
        last = bool(head & 1)
        at += 3 + (1 if head >> 1 & 3 == 1 else head >> 3)
    must(at + 4 * (descriptor >> 2 & 1) == len(frame), "invalid zstd data: not one frame")


@functools.lru_cache(maxsize=64)
def zstd_decode(frame, most, base=b""):
    """The frame's content, with base as its prefix, of at most so many bytes."""
    check_frame(frame)
    if not shutil.which("zstd"):
        sys.exit("zstd is not installed")
    with tempfile.TemporaryDirectory() as directory:
        prefix, path = os.path.join(directory, "prefix"), os.path.join(directory, "frame")
        for name, data in ((prefix, base), (path, frame)):
            with open(name, "wb") as f:
                f.write(data)
        command = ["zstd", "-q", "-d", "-c", path] + ([f"--patch-from={prefix}"] if base else [])
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
            out = tool.stdout.read(most + 1)
            tool.stdout.close()
    must(len(out) <= most and tool.returncode == 0, "invalid zstd data")
    return out


# ---- tables of chunks ----

class Table:
    """What an archive or a release says about the chunks of its image. A chunk is
    [hash, source size, size in the archive, place in the chunk data]."""

    def __init__(self):
        self.front = self.back = b""  # of an archive's dictionary: before and behind the chunks
        self.data_offset = 0
        self.checksum, self.size = b"", 0  # of the image
        self.hash_length = 64
        self.chunks, self.order = [], []

    def is_zero(self, index):
        digest, size = self.chunks[index][:2]
        return hashlib.blake2b(bytes(size)).digest()[:len(digest)] == digest

    def header(self):
        """The header, as bita and ihop-compress write it."""
        d = self.front + (blob(6, b"".join(map(varint, self.order))) if self.order else b"")
        for digest, source, size, place in self.chunks:
            d += blob(7, blob(1, digest) + number(3, size) + number(4, place) + number(5, source))
        head = MAGIC + struct.pack("<Q", len(d + self.back)) + d + self.back
        head += struct.pack("<Q", self.data_offset)
        return head + blake2b(head)


def table_of_archive(header):
    t, n = Table(), struct.unpack("<Q", header[6:14])[0]
    t.data_offset = struct.unpack("<Q", header[14 + n:22 + n])[0]
    for field, value in fields(header[14:14 + n]):
        part = blob(field, value) if isinstance(value, bytes) else number(field, value)
        if field == 2:
            t.checksum = value
        elif field == 3:
            t.size = value
        if field == 6:
            t.order += unpack_numbers(value)
        elif field == 7:
            d = dict(fields(value))
            t.chunks.append([d[1], d[5], d[3], d.get(4, 0)])
        elif t.chunks:
            t.back += part
        else:
            t.front += part
    t.hash_length = len(t.chunks[0][0]) if t.chunks else 64
    return t


def table_of_release(raw):
    t = Table()
    for field, value in fields(raw[14:-64]):
        if field == 2:
            t.checksum = value
        elif field == 3:
            t.size = value
        elif field == 4:
            t.order += unpack_numbers(value)
        elif field == 5:
            d = dict(fields(value))
            t.chunks.append([d[1], d[2], d.get(101, 0), 0])
    t.hash_length = len(t.chunks[0][0]) if t.chunks else 64
    return t


def read_table(path):
    """Of an archive or a release."""
    with open(path, "rb") as f:
        raw = f.read(14)
        if raw[:6] == RELEASE_MAGIC:
            return table_of_release(raw + f.read())
        return table_of_archive(raw + f.read(struct.unpack("<Q", raw[6:])[0] + 72))


# ---- header patches ----

class Patch:
    """A header patch as its columns."""

    def __init__(self, data, header_size):
        c = Columns(data)
        self.front = c.take(c.number())
        self.back = c.take(c.number())
        self.data_offset = c.near(header_size)
        self.hash_length, count, order_count = c.number(), c.number(), c.number()
        must(4 <= self.hash_length <= 64, "hash length")
        must(count <= header_size // (self.hash_length + 8) and order_count <= min(header_size, 2 ** 22),
             "rows")
        self.references = [c.number() for _ in range(count)]
        new = self.references.count(0)
        self.hashes = [c.take(self.hash_length) for _ in range(new)]
        self.source_sizes, self.archive_sizes = c.planes(new), c.planes(new)
        self.kept_sizes = [c.number() for _ in range(count - new)]
        self.places = [c.number() for _ in range(count)]
        self.order = [c.number() for _ in range(order_count)]
        c.end()

    def encode(self, header_size):
        out = varint(len(self.front)) + self.front + varint(len(self.back)) + self.back
        out += near(header_size, self.data_offset) + varint(self.hash_length)
        out += varint(len(self.references)) + varint(len(self.order))
        out += b"".join(map(varint, self.references)) + b"".join(self.hashes)
        out += planes(self.source_sizes) + planes(self.archive_sizes)
        return out + b"".join(map(varint, self.kept_sizes + self.places + self.order))

    def apply(self, old):
        """The new table."""
        t = Table()
        t.front, t.back, t.data_offset = self.front, self.back, self.data_offset
        t.hash_length = self.hash_length
        new = iter(zip(self.hashes, self.source_sizes, self.archive_sizes))
        kept, places, expected, end = iter(self.kept_sizes), iter(self.places), 0, 0
        for reference in self.references:
            if reference == 0:
                digest, source, size = next(new)
            else:
                expected = Columns(varint(reference - 1)).near(expected)
                must(expected < len(old.chunks) and old.hash_length == t.hash_length, "reference")
                digest, source = old.chunks[expected][:2]
                size = Columns(varint(next(kept))).near(old.chunks[expected][2])
            place = Columns(varint(next(places))).near(end)
            must(source <= MAX_CHUNK and size <= MAX_CHUNK, "size of a chunk")
            t.chunks.append([digest, source, size, place])
            expected, end = expected + 1, (place + size) % 2 ** 64
        index = -1
        for n in self.order:
            index = Columns(varint(n)).near(index + 1)
            must(index < len(t.chunks), "index in the order")
            t.order.append(index)
        return t


def make_patch(old, new, header_size):
    """The patch of new's header from old's table."""
    p, known = Patch.__new__(Patch), {c[0]: i for i, c in reversed(list(enumerate(old.chunks)))}
    p.front, p.back, p.data_offset = new.front, new.back, new.data_offset
    p.hash_length = new.hash_length
    p.references, p.hashes, p.source_sizes, p.archive_sizes = [], [], [], []
    p.kept_sizes, p.places, p.order, expected, end = [], [], [], 0, 0

    def value(coded):
        return Columns(coded).number()

    for digest, source, size, place in new.chunks:
        old_index = known.get(digest)
        if old_index is None:
            p.references.append(0)
            p.hashes.append(digest)
            p.source_sizes.append(source)
            p.archive_sizes.append(size)
        else:
            p.references.append(1 + value(near(expected, old_index)))
            p.kept_sizes.append(value(near(old.chunks[old_index][2], size)))
            expected = old_index
        p.places.append(value(near(end, place)))
        expected, end = expected + 1, place + size
    for before, index in zip([-1] + new.order, new.order):
        p.order.append(value(near(before + 1, index)))
    return p


# ---- lists of deltas ----

class Delta:
    """One row of the list: the chunk's number, codec, bytes, and [block, count] of each range."""

    def __init__(self, chunk, codec, data, ranges=()):
        self.chunk, self.codec, self.data = chunk, codec, data
        self.size, self.ranges = len(data), [list(r) for r in ranges]


def encode_list(deltas):
    out, following, end = varint(len(deltas)), 0, 0
    for d in deltas:
        out += varint((d.chunk - following) % 2 ** 64)
        following = d.chunk + 1
    coded = [d for d in deltas if d.codec != COPY]
    out += b"".join(varint(d.codec) for d in deltas) + planes([d.size for d in coded])
    out += b"".join(varint(len(d.ranges)) for d in coded)
    ranges = [r for d in deltas for r in d.ranges]
    out += b"".join(varint(count) for _, count in ranges)
    for block, count in ranges:
        out += near(end, block)
        end = block + count
    return out


def check_delta(d, table, old_size):
    blocks = -(-old_size // BLOCK)
    must(1 <= d.size <= table.chunks[d.chunk][2], "size of a delta")
    must(len(d.ranges) <= MAX_RANGES and (d.codec != BSDIFF or d.ranges), "ranges")
    for block, count in d.ranges:
        must(1 <= count and block < 2 ** 32 and block + count <= blocks, "range")
    must(base_size(d, old_size) <= MAX_BASE, "size of a base")
    must(not table.is_zero(d.chunk), "a delta for zeros")


def base_size(d, old_size):
    return sum(min(count * BLOCK, old_size - block * BLOCK) for block, count in d.ranges)


def decode_list(data, table, old_size, deltas):
    """deltas: the pack's bytes behind its checksum."""
    c = Columns(data)
    count, following, at, end = c.number(), 0, 0, 0
    must(count <= len(table.chunks), "more deltas than chunks")
    rows = []
    for _ in range(count):
        rows.append(Delta(following + c.number(), COPY, b""))
        following = rows[-1].chunk + 1
        must(following <= len(table.chunks), "chunk")
    for d in rows:
        d.codec = c.number()
        must(d.codec <= BSDIFF, "codec")
    coded = [d for d in rows if d.codec != COPY]
    for d, d.size in zip(coded, c.planes(len(coded))):
        pass
    for d in coded:
        n = c.number()
        must(n <= MAX_RANGES, "ranges")
        d.ranges = [[0, 0] for _ in range(n)]
    for r in (r for d in coded for r in d.ranges):
        r[1] = c.number()
    for r in (r for d in coded for r in d.ranges):
        r[0] = c.near(end)
        end = r[0] + r[1]
    c.end()
    for d in rows:
        if d.codec == COPY:
            d.size = table.chunks[d.chunk][2]
        d.data = deltas[at:at + d.size]
        at += d.size
        check_delta(d, table, old_size)
    must(at == len(deltas), "the deltas do not add up to the pack's size")
    return rows


# ---- codecs ----

def bsdiff_decode(program, base, size):
    c = Columns(program[:max(0, len(program) - size)])
    must(size <= 4 * MIB and size <= len(program) <= size + size // 4 + 64, "size of a program")
    steps, place, made = [], 0, 0
    while c.at < len(c.data):
        place, copied, fresh = c.near(place), c.number(), c.number()
        must(copied + fresh > 0 and place <= len(base) and copied <= len(base) - place, "step")
        steps.append((place, copied, fresh))
        place, made = place + copied + fresh, made + copied + fresh
        must(made <= size, "steps beyond the chunk")
    must(made == size, "steps end too early")
    differences, out = program[len(c.data):], bytearray()
    new = differences[sum(copied for _, copied, _ in steps):]
    for place, copied, fresh in steps:
        out += bytes((a + b) & 255 for a, b in zip(base[place:place + copied], differences))
        out += new[:fresh]
        differences, new = differences[copied:], new[fresh:]
    return bytes(out)


def bsdiff_program(steps, base, content):
    """The program of steps (place, copied, fresh) that make content."""
    control, differences, new, expected, at = b"", b"", b"", 0, 0
    for place, copied, fresh in steps:
        control += near(expected, place) + varint(copied) + varint(fresh)
        differences += bytes((a - b) & 255 for a, b in zip(content[at:at + copied], base[place:]))
        new += content[at + copied:at + copied + fresh]
        expected, at = place + copied + fresh, at + copied + fresh
    return control + differences + new


def decode_delta(d, base, size):
    """What a delta that is no COPY gives."""
    out = zstd_decode(d.data, size + (size // 4 + 64 if d.codec == BSDIFF else 0), base)
    if d.codec == BSDIFF:
        return bsdiff_decode(out, base, size)
    must(len(out) == size, "size of what is decoded")
    return out


# ---- packs ----

class Pack:
    """The fields as they are in the file; deltas: all bytes behind the checksum."""

    version, patch, list, signatures = b"cba.py", b"", b"", b""
    old_checksum = header_checksum = bytes(64)
    old_size = header_size = archive_size = patch_plain = list_plain = 0
    deltas = extra = b""

    def dictionary(self):
        out = b""
        for n, name, is_bytes in FIELDS:
            value = getattr(self, name)
            out += (blob(n, value) if value else b"") if is_bytes else number(n, value)
        return out + self.extra

    def encode(self):
        d = self.dictionary()
        head = PACK_MAGIC + struct.pack("<Q", len(d)) + d
        return head + blake2b(head) + self.deltas

    def set_patch(self, plain):
        self.patch, self.patch_plain = zstd_stored(plain), len(plain)

    def set_list(self, deltas):
        """The rows, and their bytes behind the checksum."""
        plain = encode_list(deltas)
        self.list, self.list_plain = zstd_stored(plain), len(plain)
        self.deltas = b"".join(d.data for d in deltas)

    def header(self, old):
        """The archive's header, out of the old table; or None without a patch."""
        if not self.patch:
            return None
        plain = zstd_decode(self.patch, self.patch_plain)
        must(len(plain) == self.patch_plain, "size of the header patch")
        p = Patch(plain, self.header_size)
        must(self.header_size <= p.data_offset <= self.archive_size, "chunk data offset")
        header = p.apply(old).header()
        must(len(header) == self.header_size and header[-64:] == self.header_checksum, "header")
        return header

    def rows(self, table):
        must(self.list_plain <= 5 + 123 * len(table.chunks), "size of the list")
        plain = zstd_decode(self.list, self.list_plain)
        must(len(plain) == self.list_plain, "size of the list")
        return decode_list(plain, table, self.old_size, self.deltas)


def check_fields(p):
    must(len(p.old_checksum) == len(p.header_checksum) == 64, "checksums")
    must(86 <= p.header_size <= min(p.archive_size, MAX_DICTIONARY + 86), "sizes")
    must(p.old_size <= 2 ** 62 and p.archive_size < 2 ** 63, "sizes")
    must(p.list and p.list_plain, "no list")
    must(bool(p.patch) == (p.patch_plain > 0) and p.patch_plain <= p.header_size, "header patch")
    must(len(p.signatures) <= MAX_SIGNATURES, "signatures")


def parse_pack(raw):
    must(raw[:6] == PACK_MAGIC and len(raw) >= 78, "magic")
    n = struct.unpack("<Q", raw[6:14])[0]
    must(n <= MAX_DICTIONARY and 78 + n <= len(raw), "size of the dictionary")
    must(blake2b(raw[:14 + n]) == raw[14 + n:78 + n], "checksum")
    p, names = Pack(), {number_: (name, is_bytes) for number_, name, is_bytes in FIELDS}
    p.old_checksum = p.header_checksum = b""
    try:
        read = list(fields(raw[14:14 + n]))
    except (AssertionError, IndexError) as broken:
        raise Refused("protobuf") from broken
    for field, value in read:
        if field in names:
            name, is_bytes = names[field]
            must(isinstance(value, bytes) == is_bytes and (value != b"" or field == 1), name)
            setattr(p, name, value)
    check_fields(p)
    p.deltas = raw[78 + n:]
    return p


def read_pack(path):
    with open(path, "rb") as f:
        return parse_pack(f.read())


def decompressed(codec, data, size):
    """The content of a chunk out of its bytes in an archive."""
    if len(data) == size:
        return data
    must(codec > 0, "size of a chunk that is not compressed")
    done = subprocess.run([("xz", "zstd", "brotli")[codec - 1], "-d", "-c"], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    must(done.returncode == 0, "data in the archive's compression")
    return done.stdout


def delta_content(d, table, old_image, old_size, compression):
    source = table.chunks[d.chunk][1]
    if d.codec == COPY:
        return decompressed(compression, d.data, source)
    base = b""
    for block, count in d.ranges:
        old_image.seek(block * BLOCK)
        base += old_image.read(min(count * BLOCK, old_size - block * BLOCK))
    return decode_delta(d, base, source)


def old_places(old):
    """Where each chunk of the old image lies: hash -> (offset, size)."""
    places, at = {}, 0
    for i in old.order:
        places[old.chunks[i][0]] = (at, old.chunks[i][1])
        at += old.chunks[i][1]
    return places


def update(pack, old, old_image, table, out):
    """Writes table's image to out, of the old image and the pack alone."""
    must(old.checksum == pack.old_checksum and old.size == pack.old_size, "another old image")
    compression = dict(fields(dict(fields(table.front)).get(5, b""))).get(2, 0)
    rows, places = {d.chunk: d for d in pack.rows(table)}, old_places(old)
    whole, contents = hashlib.blake2b(), {}
    for i in table.order:
        digest, size = table.chunks[i][:2]
        data = contents.get(i)
        if data is None and i in rows:
            data = contents[i] = delta_content(rows[i], table, old_image, pack.old_size, compression)
        elif data is None and digest in places:
            old_image.seek(places[digest][0])
            data = old_image.read(size)
        elif data is None:
            data = bytes(size)
        must(len(data) == size and blake2b(data)[:len(digest)] == digest, f"content of chunk {i}")
        whole.update(data)
        out.write(data)
    must(whole.digest() == table.checksum, "checksum of the image")


# ---- making ----

def zstd_encode(data, base=b""):
    """A frame by the program, with base as its prefix."""
    if not shutil.which("zstd"):
        sys.exit("zstd is not installed")
    with tempfile.TemporaryDirectory() as directory:
        prefix, path = os.path.join(directory, "prefix"), os.path.join(directory, "content")
        for name, content in ((prefix, base), (path, data)):
            with open(name, "wb") as f:
                f.write(content)
        command = ["zstd", "-q", "-19", "-c", path] + ([f"--patch-from={prefix}"] if base else [])
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout


def new_places(table):
    """Each chunk's first place in the image."""
    places, at = {}, 0
    for i in table.order:
        places.setdefault(i, at)
        at += table.chunks[i][1]
    return places


def choose_delta(index, content, stored, place, old_image, old_size):
    """The smaller of a copy and of a delta against the same place of the old image; every second
    of those is of steps."""
    first, last = max(0, place // BLOCK - 4), min(-(-old_size // BLOCK), place // BLOCK + 60)
    if first >= last:
        return Delta(index, COPY, stored)
    old_image.seek(first * BLOCK)
    base = old_image.read(min((last - first) * BLOCK, old_size - first * BLOCK))
    codec, data = ZSTD, content
    if index % 2 == 0 and len(content) <= len(base):
        at = base.find(content[:64])
        at = at if 0 <= at <= len(base) - len(content) else 0
        codec, data = BSDIFF, bsdiff_program([(at, len(content) - 1, 1)], base, content)
    data = zstd_encode(data, base)
    if len(data) >= len(stored):
        return Delta(index, COPY, stored)
    return Delta(index, codec, data, [[first, last - first]])


def make_pack(old, old_image, archive):
    """A pack with a delta for each chunk that the old table lacks; archive: the bytes of one."""
    n = struct.unpack("<Q", archive[6:14])[0]
    header = archive[:86 + n]
    table, p = table_of_archive(header), Pack()
    p.old_checksum, p.old_size = old.checksum, old.size
    p.header_checksum, p.header_size, p.archive_size = header[-64:], len(header), len(archive)
    p.set_patch(make_patch(old, table, len(header)).encode(len(header)))
    known, places = {c[0] for c in old.chunks}, new_places(table)
    compression = dict(fields(dict(fields(table.front)).get(5, b""))).get(2, 0)
    rows = []
    for i, (digest, size, stored_size, place) in enumerate(table.chunks):
        if digest in known or table.is_zero(i):
            continue
        stored = archive[table.data_offset + place:][:stored_size]
        content = decompressed(compression, stored, size)
        rows.append(choose_delta(i, content, stored, places[i], old_image, old.size))
    p.set_list(rows)
    return p


def describe(pack, table):
    """What a pack says, a line for each fact and each delta."""
    yield f"old {pack.old_checksum.hex()} {pack.old_size}"
    yield f"archive {pack.header_checksum.hex()} {pack.header_size} {pack.archive_size}"
    yield f"patch {len(pack.patch)} {pack.patch_plain}"
    yield f"list {len(pack.list)} {pack.list_plain}"
    yield f"signatures {len(pack.signatures)}"
    for d in pack.rows(table):
        ranges = " ".join(f"{block}+{count}" for block, count in d.ranges)
        yield f"chunk {d.chunk} {CODEC_NAMES[d.codec]} {d.size} {ranges}".rstrip()
