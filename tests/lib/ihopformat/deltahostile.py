# SPDX-License-Identifier: MIT
"""One described delta pack for each fault that a reader must see, out of a good one.

A case bends a good pack, of which it knows the rows of its list; its docstring is the fault. Beside
it stand what a reader must do and a regex of why:

    pack     the whole pack is not used
    header   the header is fetched from the archive; the rest may be used
    chunk    one chunk is fetched from the archive; the rest may be used
"""

import struct

from .archive import blake2b
from .codecs import MIB, brotli_run, zstd_run, zstd_stored
from .delta import (
    BLOCK, BSDIFF, COPY, MAX_DICTIONARY, MAX_RANGES, MAX_SIGNATURES, PACK_MAGIC, ZSTD, Delta,
    Patch, encode_list, table_of_archive, zstd_decode, zstd_encode)
from .protobuf import blob, number, varint

CASES = {}


class Bent:
    """A good pack that a case bends: pack, rows and patch are encoded again afterwards."""

    def __init__(self, pack, archive_header):
        self.pack, self.table = pack, table_of_archive(archive_header)
        self.rows = pack.rows(self.table)
        self.patch = None
        if pack.patch:
            self.patch = Patch(zstd_decode(pack.patch, pack.patch_plain), pack.header_size)
        self.list_tail = b""

    def coded(self, codec=ZSTD):
        """A row that is no copy: the first one of this codec, or one that becomes one."""
        rows = [d for d in self.rows if d.codec == codec]
        if rows:
            return rows[0]
        rows = [d for d in self.rows if d.codec != COPY]
        row = (rows or self.rows)[0]
        row.codec, row.ranges = codec, row.ranges or [[0, 1]]
        return row

    def content_of(self, row, data):
        row.data, row.size = data, len(data)

    def encode(self):
        self.pack.set_list(self.rows)
        if self.list_tail:
            plain = encode_list(self.rows) + self.list_tail
            self.pack.list, self.pack.list_plain = zstd_stored(plain), len(plain)
        if self.patch:
            self.pack.set_patch(self.patch.encode(self.pack.header_size))
        return self.pack


def case(name, kind, regex):
    """The decorated function bends a Bent in place, or returns the bytes of a pack."""

    def register(bend):
        CASES[name] = (bend, kind, regex)
        return bend

    return register


def after(name, kind, regex):
    """As case, but what it bends is the encoded pack, whose lists are made."""

    def register(bend):
        def run(b):
            pack = b.encode()
            changed = bend(pack)
            return pack.encode() if changed is None else changed

        run.__doc__ = bend.__doc__
        CASES[name] = (run, kind, regex)
        return bend

    return register


def hostile_pack(name, pack, archive_header):
    """The bytes of the case of that name."""
    b = Bent(pack, archive_header)
    made = CASES[name][0](b)
    return b.encode().encode() if made is None else made


# ---- the frame ----

def flipped(raw, at):
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]


# Name: (what is wrong, regex why, what makes it of a good pack's bytes and its dictionary's size).
FRAMES = {
    "magic": ("a pack of a later format", "wrong magic", lambda raw, n: b"IHOPD2" + raw[6:]),
    "web-page": ("a web page", "wrong magic", lambda raw, n: b"<!DOCTYPE html>" + b" " * 200),
    "empty": ("a file of no bytes", "", lambda raw, n: b""),
    "cut-prefix": ("13 bytes of a pack", "", lambda raw, n: raw[:13]),
    "cut-dictionary": ("half a dictionary", "", lambda raw, n: raw[:14 + n // 2]),
    "cut-checksum": ("a checksum of 63 bytes", "", lambda raw, n: raw[:14 + n + 63]),
    "cut-deltas": ("the last delta lacks its last byte", "cut short", lambda raw, n: raw[:-1]),
    "no-deltas": ("all deltas are missing", "cut short", lambda raw, n: raw[:78 + n]),
    "byte-behind": ("a byte behind the last delta", "1 bytes follow", lambda raw, n: raw + b"x"),
    "checksum": ("a bit of the checksum is flipped", "checksum",
                 lambda raw, n: flipped(raw, 14 + n + 63)),
    "dictionary-bit": ("a bit of the dictionary is flipped", "checksum",
                       lambda raw, n: flipped(raw, 14 + n // 2)),
    "huge-dictionary": ("a dictionary that claims a byte more than any may have", "at most",
                        lambda raw, n: PACK_MAGIC + struct.pack("<Q", MAX_DICTIONARY + 1) + raw[14:]),
    "endless-dictionary": ("a dictionary that claims 2^64 - 1 bytes", "at most",
                           lambda raw, n: PACK_MAGIC + b"\xff" * 8 + raw[14:]),
}


def add_frames():
    for name, (fault, regex, make) in FRAMES.items():
        def run(b, make=make):
            pack = b.encode()
            return make(pack.encode(), len(pack.dictionary()))

        run.__doc__ = fault
        CASES[name] = (run, "pack", regex)


add_frames()


@after("not-protobuf", "pack", "protobuf")
def _(p):
    """a dictionary that ends in the middle of a field"""
    p.extra = b"\x7a\x05abc"


# ---- what the dictionary says ----

@after("other-old", "pack", "")
def _(p):
    """it is for another old image"""
    p.old_checksum = blake2b(p.old_checksum)


@after("other-old-size", "pack", "")
def _(p):
    """it is for an old image of another size"""
    p.old_size += BLOCK


@after("other-archive", "pack", "")
def _(p):
    """it is for another archive"""
    p.header_checksum = blake2b(p.header_checksum)


@after("other-header-size", "pack", "")
def _(p):
    """it is for an archive with a longer header"""
    p.header_size += 1


@after("other-archive-size", "pack", "")
def _(p):
    """it is for a longer archive"""
    p.archive_size += 1


@after("short-checksum", "pack", "field 4")
def _(p):
    """a checksum of 63 bytes"""
    p.header_checksum = p.header_checksum[:63]


@after("no-old", "pack", "for which images")
def _(p):
    """it does not say for which old image it is"""
    p.old_checksum = b""


@after("no-list", "pack", "no list")
def _(p):
    """it has no list of deltas"""
    p.list, p.list_plain = b"", 0


@after("header-beyond-archive", "pack", "header of")
def _(p):
    """a header larger than its archive"""
    p.archive_size = p.header_size - 1


@after("header-in-numbers", "pack", "header of 0")
def _(p):
    """a header of no bytes"""
    p.header_size = 0


@after("header-too-large", "pack", "field 5")
def _(p):
    """a header larger than any may be"""
    p.header_size = MAX_DICTIONARY + 87


@after("old-too-large", "pack", "field 3")
def _(p):
    """an old image of 2^63 bytes"""
    p.old_size = 2 ** 63


@after("bytes-for-a-number", "pack", "field 6")
def _(p):
    """a text where the archive's size belongs"""
    p.extra = blob(6, b"12345")


@after("number-for-bytes", "pack", "field 9")
def _(p):
    """a number where the list belongs"""
    p.extra = number(9, 7)


@after("many-signatures", "pack", "field 11")
def _(p):
    """signatures of more than 64 KiB"""
    p.signatures = b"x" * (MAX_SIGNATURES + 1)


# ---- the list ----

@after("list-not-zstd", "pack", "zstd|list")
def _(p):
    """a list that is not zstd"""
    p.list = b"(\xb5/\xfd" + b"list of deltas"


@after("list-brotli", "pack", "zstd|list")
def _(p):
    """a list in another compression"""
    p.list = brotli_run(4096)


@after("list-cut", "pack", "zstd|list")
def _(p):
    """half a list"""
    p.list = p.list[:len(p.list) // 2]


@after("list-bomb", "pack", "zstd|list")
def _(p):
    """a list that unpacks to 256 MiB and says so"""
    p.list, p.list_plain = zstd_run(256 * MIB), 256 * MIB


@after("list-secret-bomb", "pack", "zstd|list")
def _(p):
    """a list that unpacks to 256 MiB and says less"""
    p.list = zstd_run(256 * MIB)


@after("list-plain-less", "pack", "zstd|list")
def _(p):
    """a list of one byte more than it says"""
    p.list_plain -= 1


@after("list-plain-more", "pack", "zstd|list")
def _(p):
    """a list of one byte less than it says"""
    p.list_plain += 1


@case("list-tail", "pack", "1 bytes too many")
def _(b):
    """a byte behind the last column"""
    b.list_tail = b"\0"


@case("list-cut-columns", "pack", "cut short|too many|follow")
def _(b):
    """a row is missing in all columns but the first"""
    pack = b.encode()
    plain = bytearray(zstd_decode(pack.list, pack.list_plain))
    del plain[-1]
    pack.list, pack.list_plain = zstd_stored(bytes(plain)), len(plain)
    return pack.encode()


@after("list-of-all", "pack", "more deltas than")
def _(p):
    """it claims 2^63 deltas"""
    plain = varint(2 ** 63)
    p.list, p.list_plain = zstd_stored(plain), len(plain)


@case("chunk-beyond", "pack", "more chunks than")
def _(b):
    """a delta for the chunk behind the last one"""
    b.rows[-1].chunk = len(b.table.chunks)


@case("chunk-twice", "pack", "more chunks than|more deltas than")
def _(b):
    """two deltas for the last chunk that has one"""
    b.rows.append(Delta(b.rows[-1].chunk, COPY, b.rows[-1].data))


@case("codec-unknown", "pack", "codec 3")
def _(b):
    """a codec that is not known"""
    b.coded().codec = 3


@case("delta-too-large", "pack", r"bytes \(1 to")
def _(b):
    """a delta of one byte more than the archive has for its chunk"""
    row = b.coded()
    b.content_of(row, bytes(b.table.chunks[row.chunk][2] + 1))


@case("delta-empty", "pack", r"0 bytes \(1 to")
def _(b):
    """a delta of no bytes"""
    b.content_of(b.coded(), b"")


@case("delta-size-huge", "pack", r"4294967295 bytes \(1 to")
def _(b):
    """a delta that claims 4 GiB"""
    b.coded().size = 2 ** 32 - 1


@case("too-many-ranges", "pack", "17 ranges")
def _(b):
    """a base of 17 ranges"""
    b.coded().ranges = [[0, 1]] * (MAX_RANGES + 1)


@case("bsdiff-without-range", "pack", "0 ranges")
def _(b):
    """steps without a base"""
    b.coded(BSDIFF).ranges = []


@case("range-empty", "pack", "range of 0 blocks")
def _(b):
    """a range of no blocks"""
    b.coded().ranges = [[0, 0]]


@case("range-huge", "pack", "range of 1025 blocks")
def _(b):
    """a range of more than 4 MiB"""
    b.coded().ranges = [[0, 1025]]


@case("base-huge", "pack", "base of|beyond the end")
def _(b):
    """a base of 64 MiB in 16 ranges"""
    b.coded().ranges = [[0, 1024]] * MAX_RANGES


@case("range-beyond", "pack", "beyond the end")
def _(b):
    """a range that ends behind the old image"""
    b.coded().ranges = [[-(-b.pack.old_size // BLOCK) - 1, 2]]


@case("range-behind", "pack", "beyond the end")
def _(b):
    """a range that begins behind the old image"""
    b.coded().ranges = [[-(-b.pack.old_size // BLOCK), 1]]


@case("range-before", "pack", "beyond the end")
def _(b):
    """a range that begins before the old image"""
    b.coded().ranges = [[2 ** 64 - 1, 1]]


# ---- the header patch ----

@after("patch-not-zstd", "header", "zstd|header")
def _(p):
    """a header patch that is not zstd"""
    p.patch = b"(\xb5/\xfd" + b"header patch"


@after("patch-bomb", "header", "zstd|header")
def _(p):
    """a header patch that unpacks to 256 MiB"""
    p.patch = zstd_run(256 * MIB)


@after("patch-larger-than-header", "pack", "header patch has")
def _(p):
    """a header patch that says it is larger than the header"""
    p.patch_plain = p.header_size + 1


@after("patch-cut", "header", "cut short|zstd|header")
def _(p):
    """a header patch whose last column is cut"""
    plain = zstd_decode(p.patch, p.patch_plain)[:-1]
    p.set_patch(plain)


@case("patch-reference", "header", "another chunk table|does not give")
def _(b):
    """a reference beyond the old table"""
    i = next(i for i, r in enumerate(b.patch.references) if r)
    b.patch.references[i] = 2 ** 40


@case("patch-order", "header", "index out of range")
def _(b):
    """an index beyond the table in the order"""
    b.patch.order[0] = 2 * len(b.patch.references)


@case("patch-other-hash", "header", "does not give")
def _(b):
    """a hash of a new chunk with a bit flipped"""
    digest = b.patch.hashes[0]
    b.patch.hashes[0] = bytes([digest[0] ^ 1]) + digest[1:]


@case("patch-other-place", "header", "does not give")
def _(b):
    """a chunk at another place of the archive"""
    b.patch.places[-1] += 2


# ---- the deltas ----

def bend_delta(name, kind, regex):
    """The decorated function gives the bytes of a delta instead of those of a good one."""

    def register(make):
        def run(b):
            row = b.coded()
            data = make(row)
            most = b.table.chunks[row.chunk][2]
            assert len(data) <= most, "the chunk is too small for this case"
            b.content_of(row, data)

        run.__doc__ = make.__doc__
        CASES[name] = (run, kind, regex)
        return make

    return register


@bend_delta("delta-noise", "chunk", "zstd")
def _(row):
    """a delta that is no zstd"""
    return blake2b(row.data)[:len(row.data)]


@bend_delta("delta-cut", "chunk", "zstd")
def _(row):
    """a delta that lacks its last byte"""
    return row.data[:-1]


@bend_delta("delta-two-frames", "chunk", "zstd")
def _(row):
    """a delta and an empty frame behind it"""
    return row.data + zstd_stored(b"x")


@bend_delta("delta-empty-frame-behind", "chunk", "zstd")
def _(row):
    """a delta and a frame of no bytes behind it"""
    return row.data + zstd_stored(b"")


@bend_delta("delta-frame-to-skip", "chunk", "zstd")
def _(row):
    """a delta behind a frame to skip"""
    return b"\x50\x2a\x4d\x18\0\0\0\0" + row.data


@bend_delta("delta-with-dictionary", "chunk", "zstd")
def _(row):
    """a frame that names a dictionary"""
    single = row.data[4] >> 5 & 1
    return row.data[:4] + bytes([row.data[4] | 1]) + row.data[5:6 - single] + b"\7" + row.data[6 - single:]


@bend_delta("delta-bomb", "chunk", "zstd")
def _(_):
    """a delta that unpacks to 1 MiB"""
    return zstd_run(MIB)


@bend_delta("delta-window", "chunk", "zstd|hash|content|size")
def _(_):
    """a frame that demands a window of 2 GiB"""
    return b"\x28\xb5\x2f\xfd\x00\xa8" + zstd_stored(b"x")[6:]


@case("delta-wrong-base", "chunk", "hash|content|zstd|bsdiff")
def _(b):
    """a good delta against another part of the old image"""
    row = next((d for d in b.rows if d.codec == ZSTD and d.ranges and d.ranges[0][0] > 0), None)
    row = row or b.coded()
    row.ranges[0][0] += -1 if row.ranges[0][0] > 0 else 1


@case("deltas-swapped", "chunk", "hash|content|zstd|bsdiff|size")
def _(b):
    """two deltas in each other's place"""
    one, two = [d for d in b.rows if d.codec != COPY][:2]
    for d, data in ((one, two.data), (two, one.data)):
        b.content_of(d, data[:b.table.chunks[d.chunk][2]])


@case("copy-wrong", "chunk", "hash|content|zstd|brotli|xz")
def _(b):
    """a copy that is not what the archive has"""
    row = next((d for d in b.rows if d.codec == COPY), b.rows[0])
    row.codec, row.ranges = COPY, []
    data = bytearray(row.data.ljust(b.table.chunks[row.chunk][2], b"\0"))
    data[len(data) // 2] ^= 1
    b.content_of(row, bytes(data))


def bend_program(name, regex, make):
    """A delta of steps; make gives the control and how many zeros follow it."""

    def run(b):
        row = max((d for d in b.rows if d.codec != COPY), key=lambda d: b.table.chunks[d.chunk][2])
        row.codec, row.ranges = BSDIFF, row.ranges[:1]
        control, zeros = make(b.table.chunks[row.chunk][1], row.ranges[0][1] * BLOCK)
        b.content_of(row, zstd_encode(control + bytes(zeros)))

    run.__doc__ = make.__doc__
    CASES[name] = (run, "chunk", regex)


def step(place, copied, fresh):
    return varint(place) + varint(copied) + varint(fresh)


def add_programs():
    def beyond_base(size, base):
        """steps that copy from behind the base"""
        return step(2 * base + 2, 0, size), size

    def before_base(size, _):
        """steps that copy from before the base"""
        return step(1, 1, size - 1), size

    def copy_beyond(size, base):
        """a copy that ends behind the base"""
        return step(2 * base - 2, 2, size - 2), size

    def beyond_chunk(size, _):
        """steps that end behind the chunk"""
        return step(0, 0, size + 1), size

    def overflow(size, _):
        """steps whose sizes overflow"""
        return step(0, 2 ** 64 - 1, 2), size

    def too_early(size, _):
        """steps that end before the chunk"""
        return step(0, 0, size - 1), size

    def nothing(size, _):
        """a step that makes nothing"""
        return step(0, 0, 0) + step(0, 0, size), size

    def many(size, _):
        """more steps than a chunk may have"""
        return step(0, 0, 1) * (size // 12 + 30), size

    def cut(size, _):
        """a number that is cut short"""
        return step(0, 0, size) + b"\x80", size

    def short(size, _):
        """a program shorter than its chunk"""
        return b"", size - 1

    for make in (beyond_base, before_base, copy_beyond, beyond_chunk, overflow, too_early, nothing,
                 many, cut, short):
        bend_program("bsdiff-" + make.__name__.replace("_", "-"), "bsdiff|too small", make)


add_programs()
