# SPDX-License-Identifier: MIT
"""One described archive for each fault that ihop must see.

A case is a function that makes the archive; its docstring is the fault. Beside it
stand the exit code that ihop-clone must give and a regex of its message. Most bend
a valid small archive and sign it again.
"""

import struct

from .archive import MAGIC, Archive, small
from .codecs import (
    BROTLI, KIB, LZMA, MIB, NONE, ZSTD, brotli_run, compress, xz_compress, xz_run,
    xz_with_dictionary, zstd_run, zstd_stored)
from .noise import sample_data
from .protobuf import blob, number, varint

CASES = {}


def hostile(name, regex, flags="-", code=5):
    """Registers a case: the function makes the archive; its docstring is the
    fault. flags: 'bomb' when memory is to be watched."""

    def register(make):
        CASES[name] = (make, code, regex, flags)
        return make

    return register


def hostile_dictionary(name, regex, flags="-"):
    """The decorated function bends a valid small archive in place."""

    def register(bend):
        def make():
            archive = small()
            bend(archive)
            return archive.encode()

        make.__doc__ = bend.__doc__
        CASES[name] = (make, 5, regex, flags)
        return bend

    return register


BOMB = 256 * MIB
CODEC_ERROR = {LZMA: "xz", ZSTD: "zstd", BROTLI: "brotli"}


def one_chunk(codec, plain, stored):
    """An archive of one chunk with the given bytes in the archive."""
    a = Archive(plain, [], NONE)
    a.compression = codec
    d = a.descriptors[0]
    d.data, d.archive_size = stored, len(stored)
    assert d.archive_size != d.source_size
    a.data_size = len(stored)
    return a


def add_codec_cases():
    plain = sample_data(3000)
    runs = {LZMA: xz_run, ZSTD: zstd_run, BROTLI: brotli_run}
    for codec, run in runs.items():
        name = CODEC_ERROR[codec]
        regex = f"invalid {name} data"

        def bomb(codec=codec, run=run):
            return one_chunk(codec, sample_data(64 * KIB), run(BOMB)).encode()

        bomb.__doc__ = f"{name}: a chunk of 64 KiB that decodes to {BOMB // MIB} MiB"
        CASES[f"bomb-{name}"] = (bomb, 5, regex, "bomb")

        def short(codec=codec):
            return one_chunk(codec, plain, compress(codec, plain[:-1])).encode()

        short.__doc__ = f"{name}: the stream ends one byte before the chunk's size"
        CASES[f"short-output-{name}"] = (short, 5, regex, "-")

        def long(codec=codec):
            return one_chunk(codec, plain, compress(codec, plain + b"x")).encode()

        long.__doc__ = f"{name}: the stream holds one byte more than the chunk"
        CASES[f"long-output-{name}"] = (long, 5, regex, "-")

        def junk(codec=codec):
            return one_chunk(codec, plain, compress(codec, plain) + b"\0").encode()

        junk.__doc__ = f"{name}: one byte of junk after the stream"
        CASES[f"junk-after-{name}"] = (junk, 5, regex, "-")

        def cut(codec=codec):
            return one_chunk(codec, plain, compress(codec, plain)[:-1]).encode()

        cut.__doc__ = f"{name}: the stream lacks its last byte"
        CASES[f"cut-{name}"] = (cut, 5, regex, "-")

        def garbage(codec=codec):
            return one_chunk(codec, plain, b"\xa5" * 100).encode()

        garbage.__doc__ = f"{name}: not such a stream at all"
        CASES[f"garbage-{name}"] = (garbage, 5, regex, "-")


add_codec_cases()


@hostile("two-frames-zstd", "invalid zstd data")
def _():
    """zstd: two frames that together give the chunk"""
    plain = sample_data(3000)
    return one_chunk(ZSTD, plain, zstd_stored(plain[:1000]) + zstd_stored(plain[1000:])).encode()


@hostile("skippable-frame-zstd", "invalid zstd data")
def _():
    """zstd: a skippable frame before the real one"""
    plain = sample_data(3000)
    skip = struct.pack("<II", 0x184D2A50, 4) + b"skip"
    return one_chunk(ZSTD, plain, skip + zstd_stored(plain)).encode()


@hostile("two-streams-xz", "invalid xz data")
def _():
    """xz: two streams that together give the chunk"""
    plain = sample_data(3000)
    return one_chunk(LZMA, plain, xz_compress(plain[:1000]) + xz_compress(plain[1000:])).encode()


@hostile("dictionary-4g-xz", "invalid xz data: it demands more than", "bomb")
def _():
    """xz: a block header that demands a dictionary of 4 GiB"""
    plain = sample_data(3000)
    return one_chunk(LZMA, plain, xz_with_dictionary(plain, 40)).encode()


@hostile("none-compressed", "an uncompressed chunk of [0-9]+ bytes is stored in [0-9]+")
def _():
    """compression none, but a chunk's sizes differ"""
    plain = sample_data(3000)
    return one_chunk(NONE, plain, plain + b"x").encode()


# Framing: magic, sizes, checksum.


@hostile("empty-file", "cut short|not a bita archive")
def _():
    """a file of 0 bytes"""
    return b""


@hostile("not-an-archive", "not a bita archive")
def _():
    """an HTML page"""
    return b"<!DOCTYPE html><title>Login</title>" + b" " * 2000


for label, size in (("2e64-1", 2**64 - 1), ("2e63", 2**63), ("over-cap", 64 * MIB + 1)):

    @hostile(f"dictionary-size-{label}", "its dictionary claims [0-9]+ bytes", "bomb")
    def _(size=size):
        whole = small().encode()
        return whole[:6] + struct.pack("<Q", size) + whole[14:]

    _.__doc__ = f"a dictionary size of {size} bytes"


@hostile("dictionary-size-cap", "its header claims [0-9]+ bytes, but the whole archive has", "bomb")
def _():
    """a dictionary of the largest allowed size is announced in a tiny file"""
    whole = small().encode()
    return whole[:6] + struct.pack("<Q", 64 * MIB) + whole[14:]


def truncation_points():
    a = small()
    header = len(a.header())
    return {"magic": 3, "prefix": 13, "prefix-end": 14, "dictionary": 100,
            "offset": header - 68, "checksum": header - 1, "header-end": header,
            "last-byte": len(a.encode()) - 1}


for label, at in truncation_points().items():
    beyond = at >= truncation_points()["header-end"]
    text = ("beyond the end of the archive|out of range" if beyond
            else "cut short|its header claims [0-9]+ bytes, but the whole archive has")

    @hostile(f"truncated-{label}", text)
    def _(at=at):
        return small().encode()[:at]

    _.__doc__ = f"cut after {at} bytes"


@hostile("flipped-checksum", "its header checksum does not match its header")
def _():
    """one bit of the header checksum is wrong"""
    a = small()
    whole, end = bytearray(a.encode()), len(a.header())
    whole[end - 1] ^= 1
    return bytes(whole)


@hostile("flipped-dictionary", "its header checksum does not match its header")
def _():
    """one bit of the dictionary is wrong"""
    whole = bytearray(small().encode())
    whole[60] ^= 0x10
    return bytes(whole)


# Heap bombs: 16 MiB of dictionary that naive decoding blows up.


def padded_bomb(entry):
    a = small()
    a.extra = entry * (16 * MIB // len(entry))
    return a.encode()


@hostile("heap-empty-descriptors", "chunk 4 takes 0 bytes", "bomb")
def _():
    """16 MiB of empty chunk descriptors"""
    return padded_bomb(b"\x3a\x00")


@hostile("heap-empty-metadata", "more metadata than", "bomb")
def _():
    """16 MiB of empty metadata entries"""
    return padded_bomb(b"\x42\x00")


@hostile("heap-unpacked-order", "add up to|too many", "bomb")
def _():
    """16 MiB of unpacked order entries"""
    return padded_bomb(b"\x30\x00")


@hostile("heap-packed-order", "add up to|too many", "bomb")
def _():
    """16 MiB of packed order entries"""
    a = small()
    a.extra = blob(6, bytes(16 * MIB))
    return a.encode()


@hostile("heap-unknown-in-descriptor", "the dictionary's field 7 is not a valid", "bomb")
def _():
    """a descriptor of 16 MiB of unknown fields"""
    a = small()
    a.extra = blob(7, b"\xa0\x06\x00" * (16 * MIB // 3))
    return a.encode()


@hostile("heap-unknown-in-many", "chunk 4 takes 0 bytes|is not a valid", "bomb")
def _():
    """descriptors of 1 MiB of unknown fields each, 16 of them"""
    a = small()
    a.extra = blob(7, b"\xa0\x06\x00" * (MIB // 3 - 2)) * 16
    return a.encode()


@hostile("heap-groups", "the dictionary is not valid protobuf", "bomb")
def _():
    """4 MiB of nested group starts (fields of a wire type long gone)"""
    a = small()
    a.extra = b"\xa3\x06" * (2 * MIB)
    return a.encode()


@hostile("heap-groups-nested", "the dictionary's field 7 is not a valid", "bomb")
def _():
    """nested group starts inside a descriptor"""
    a = small()
    a.extra = blob(7, b"\xa3\x06" * (256 * KIB))
    return a.encode()


@hostile("metadata-too-long", "more metadata than|the dictionary's field 8 is not a valid", "bomb")
def _():
    """one metadata value of 8 MiB"""
    a = small()
    a.metadata = [(b"key", bytes(8 * MIB))]
    return a.encode()


@hostile("metadata-too-much", "more metadata than", "bomb")
def _():
    """16 metadata values of 128 KiB"""
    a = small()
    a.metadata = [(b"key%d" % i, bytes(128 * KIB)) for i in range(16)]
    return a.encode()


@hostile("metadata-key-not-utf8", "a metadata key is not valid UTF-8")
def _():
    """a metadata key that is not UTF-8"""
    a = small()
    a.metadata = [(b"bad \xc3\x28", b"value")]
    return a.encode()


# A valid checksum over a hostile dictionary.


@hostile_dictionary("index-out-of-range", "chunk index 4 is out of range")
def _(a):
    """an order entry just behind the chunk table"""
    a.order[-1] = len(a.descriptors)


@hostile_dictionary("index-huge", "out of range")
def _(a):
    """an order entry of 2^32 - 1"""
    a.order[0] = 2**32 - 1


@hostile_dictionary("index-beyond-32-bits", "out of range")
def _(a):
    """an order entry of 2^32: cut to 32 bits it would be chunk 0"""
    a.order[0] = 2**32


@hostile_dictionary("sum-too-small", "the chunks add up to [0-9]+ bytes, the image has")
def _(a):
    """the chunks give one byte less than the image's size"""
    a.source_size += 1


@hostile_dictionary("sum-too-large", "the chunks add up to [0-9]+ bytes, the image has")
def _(a):
    """the chunks give more than the image's size"""
    a.order.append(0)


@hostile_dictionary("size-without-chunks", "add up to 0 bytes")
def _(a):
    """an image of 4 EiB without any chunk"""
    a.source_size = 2**62
    a.order, a.descriptors = [], []


@hostile_dictionary("offset-overflow", "beyond the end of the archive")
def _(a):
    """offset + size of a chunk exceeds 64 bits"""
    a.descriptors[2].archive_offset = 2**64 - 1


@hostile_dictionary("offset-wraps-inside", "beyond the end of the archive")
def _(a):
    """a chunk's offset wraps around 2^64 to a place inside the archive"""
    a.descriptors[2].archive_offset = 2**64 - 200


@hostile_dictionary("chunk-beyond-end", "chunk 3 lies beyond the end of the archive")
def _(a):
    """the last chunk ends one byte behind the archive"""
    a.descriptors[3].archive_offset += 1


@hostile_dictionary("zero-size-chunk", "chunk 1 has a size of 0 bytes")
def _(a):
    """a chunk without bytes"""
    a.descriptors[1].source_size = 0


@hostile_dictionary("archive-size-zero", "chunk 1 takes 0 bytes of the archive")
def _(a):
    """a chunk that takes no bytes of the archive"""
    a.descriptors[1].archive_size = 0


@hostile_dictionary("chunk-too-large", "chunk 1 has a size of 67108865 bytes", "bomb")
def _(a):
    """a chunk of one byte more than 64 MiB"""
    a.descriptors[1].source_size = 64 * MIB + 1


@hostile_dictionary("chunk-4g", "chunk 1 has a size of 4294967295 bytes", "bomb")
def _(a):
    """a chunk of 2^32 - 1 bytes"""
    a.descriptors[1].source_size = 2**32 - 1


@hostile_dictionary("archive-size-too-large", "chunk 1 takes 67108865 bytes of the archive")
def _(a):
    """a chunk that takes one byte more than 64 MiB of the archive"""
    a.descriptors[1].archive_size = 64 * MIB + 1


@hostile_dictionary("hash-length-differs", "chunk 2 has a hash of 32 bytes, others of 64")
def _(a):
    """one chunk has a shorter hash than the others"""
    a.descriptors[2].checksum = a.descriptors[2].checksum[:32]


@hostile_dictionary("hash-length-not-declared", "have 64 bytes, but 32 are declared")
def _(a):
    """all hashes have 64 bytes, the parameters say 32"""
    a.params["length"] = 32


@hostile_dictionary("hash-length-undeclared", "have 64 bytes, but 0 are declared")
def _(a):
    """the parameters declare no hash length"""
    a.params["length"] = 0


@hostile_dictionary("hash-length-65", "chunk 0 has a hash of 65 bytes")
def _(a):
    """hashes of 65 bytes"""
    a.params["length"] = 65
    for d in a.descriptors:
        d.checksum += b"\0"


@hostile_dictionary("hash-length-0", "chunk 0 has a hash of 0 bytes")
def _(a):
    """no hashes at all"""
    for d in a.descriptors:
        d.checksum = b""


@hostile_dictionary("hash-length-3", "chunk 0 has a hash of 3 bytes")
def _(a):
    """hashes of 3 bytes"""
    for d in a.descriptors:
        d.checksum = d.checksum[:3]


@hostile("hash-length-15", "need.*--allow-short-hash")
def _():
    """hashes of 15 bytes are no content address (unless --allow-short-hash)"""
    return small(hash_length=15).encode()


@hostile_dictionary("one-hash-two-sizes", "two different chunks have the hash")
def _(a):
    """two descriptors with the same hash and different sizes"""
    a.descriptors[1].checksum = a.descriptors[0].checksum
    a.descriptors[1].source_size -= 1
    a.source_size -= a.order.count(1)


@hostile_dictionary("bad-compression", "unknown compression 4")
def _(a):
    """a compression nobody knows"""
    a.compression = 4


@hostile_dictionary("bad-compression-negative", "unknown compression")
def _(a):
    """a compression of -1 (ten bytes of varint)"""
    a.compression = 2**64 - 1


@hostile_dictionary("bad-chunker", "unknown chunking algorithm 3")
def _(a):
    """a chunking algorithm nobody knows"""
    a.params["algorithm"] = 3


@hostile_dictionary("no-compression", "the dictionary has no compression")
def _(a):
    """the compression is missing"""
    a.has_compression = False


@hostile_dictionary("no-chunker", "the dictionary has no chunker parameters")
def _(a):
    """the chunker parameters are missing"""
    a.has_params = False


@hostile_dictionary("no-source-checksum", "the dictionary has no source checksum")
def _(a):
    """the source checksum is missing"""
    a.source_checksum = None


@hostile_dictionary("source-checksum-63", "the source checksum has 63 bytes instead of 64")
def _(a):
    """a source checksum of 63 bytes"""
    a.source_checksum = a.source_checksum[:63]


@hostile_dictionary("data-offset-in-header", "its chunk data offset [0-9]+ is out of range")
def _(a):
    """the chunk data begins inside the header"""
    a.data_offset = len(a.header()) - 1


@hostile_dictionary("data-offset-beyond-end", "its chunk data offset [0-9]+ is out of range")
def _(a):
    """the chunk data begins behind the archive's end"""
    a.data_offset = len(a.encode()) + 1


@hostile_dictionary("data-offset-2e64-1", "its chunk data offset [0-9]+ is out of range")
def _(a):
    """a chunk data offset of 2^64 - 1"""
    a.data_offset = 2**64 - 1


@hostile_dictionary("version-not-utf8", "the dictionary's field 1 is not a valid text")
def _(a):
    """an application version that is not UTF-8"""
    a.version = b"bad \xc3\x28"


@hostile_dictionary("version-too-long", "the dictionary's field 1 is not a valid text")
def _(a):
    """an application version of 257 bytes"""
    a.version = b"v" * 257


@hostile_dictionary("varint-overlong", "the dictionary is not valid protobuf")
def _(a):
    """a varint of eleven bytes"""
    a.extra = b"\x18" + b"\x80" * 10 + b"\x01"


@hostile_dictionary("varint-overflow", "the dictionary is not valid protobuf")
def _(a):
    """a varint of ten bytes that exceeds 64 bits"""
    a.extra = b"\x18" + b"\xff" * 9 + b"\x02"


@hostile_dictionary("varint-cut", "the dictionary is not valid protobuf")
def _(a):
    """the dictionary ends inside a varint"""
    a.extra = b"\x18\x80"


@hostile_dictionary("field-beyond-end", "the dictionary is not valid protobuf")
def _(a):
    """a field that claims more bytes than the dictionary has"""
    a.extra = b"\x3a\x7f"


@hostile_dictionary("field-2e64-1", "the dictionary is not valid protobuf")
def _(a):
    """a field of 2^64 - 1 bytes"""
    a.extra = b"\x3a" + varint(2**64 - 1)


@hostile_dictionary("field-number-zero", "the dictionary is not valid protobuf")
def _(a):
    """field number 0"""
    a.extra = b"\x00\x00"


@hostile_dictionary("order-cut", "the dictionary's chunk order is not valid protobuf")
def _(a):
    """the packed order ends inside a varint"""
    a.extra = blob(6, b"\x00\x80")


@hostile_dictionary("descriptor-as-number", "the dictionary's field 7 is not a valid")
def _(a):
    """a descriptor that is a varint instead of a message"""
    a.extra = number(7, 1)


@hostile_dictionary("descriptor-broken", "the dictionary's field 7 is not a valid")
def _(a):
    """a descriptor whose own field ends beyond it"""
    a.extra = blob(7, b"\x0a\x7f")
