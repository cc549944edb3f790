# SPDX-License-Identifier: MIT
"""The seeds of the fuzzers in tests/fuzz. They are small and always the same."""

import copy
import os
import struct

from . import delta, minisign
from .archive import MAGIC, OLD_MAGIC, Archive
from .codecs import (
    BROTLI, CODECS, KIB, LZMA, MIB, ZSTD, brotli_run, compress, xz_compress, xz_with_dictionary,
    zstd_run)
from .hostile import BOMB, CASES, CODEC_ERROR
from .noise import sample_data
from .protobuf import unknown_fields
from .release import release, signed_fields


PREFIXED = "28b52ffd20288d0000580b6e6501020304050607080100e15642"


def write_file(directory, name, data):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data)


def write_delta_codec_corpus(directory):
    """For fuzz_delta_codec: what it is, output size - 1, size of the base, base, delta. A program is
    steps of three varints, differences and new bytes."""
    base = bytes(range(1, 41))
    steps = {
        "copy": (40, [0, 40, 0]), "differences": (40, [10, 30, 10]), "new": (40, [0, 0, 40]),
        "swapped": (40, [40, 20, 0, 79, 20, 0]), "idle": (40, [0, 0, 0, 0, 40, 0]),
        "beyond": (40, [2, 40, 0]), "before": (40, [1, 40, 0]), "short": (40, [0, 30, 0]),
        "long": (30, [0, 40, 0]), "cut": (40, [0, 40]),
    }
    for name, (size, numbers) in steps.items():
        program = bytes(numbers) + bytes([0, 1]) * (size // 2)
        for what, delta in ((1, compress(ZSTD, program)), (2, program)):
            head = bytes([what]) + struct.pack("<HH", size - 1, len(base))
            write_file(f"{directory}/delta_codec", f"{name}-{what}", head + base + delta)
    head = bytes([0]) + struct.pack("<HH", 39, len(base)) + base
    write_file(f"{directory}/delta_codec", "zstd", head + compress(ZSTD, base))
    write_file(f"{directory}/delta_codec", "zstd-two", head + compress(ZSTD, base[:20]) * 2)
    write_file(f"{directory}/delta_codec", "zstd-bomb", head + zstd_run(MIB))
    # "zstd -19 --patch-from" of 40 other bytes, most of which the base has.
    frame = bytes.fromhex(PREFIXED)
    write_file(f"{directory}/delta_codec", "zstd-prefix", head + frame)


def write_store_corpus(directory):
    """For fuzz_store: what it is, then the text."""
    texts = {
        0: {"two": b"ihop-store 1\nfolder-digits 2\n", "four": b"ihop-store 1\nfolder-digits 4\n",
            "three": b"ihop-store 1\nfolder-digits 3\n", "later": b"ihop-store 2\nfolder-digits 2\n",
            "cut": b"ihop-store 1\nfolder-digits 2", "empty": b"", "zeros": bytes(30),
            "behind-a-nul": b"ihop-store 1\nfolder-digits 2\n\0more",
            "more": b"ihop-store 1\nfolder-digits 2\nsequence 7\n", "long": b"ihop-store 1\n" * 30},
        1: {"name": b"v1", "dot": b".v1", "slash": b"a/b", "chunks": b"Chunks", "long": b"x" * 201,
            "longest": b"x" * 200, "utf8": "\u00e4\u20ac\U0001f600".encode(), "latin1": b"\xe4",
            "c1": b"a\xc2\x85b", "escape": b"a\x1b[2J", "del": b"a\x7f", "surrogate": b"\xed\xa0\x80"},
        2: {"path": b"store/v1", "root": b"/v1", "bare": b"v1", "folder": b"store/", "dots": b"store/..",
            "deep": b"/a/b/../c/v1"},
        3: {"chunk": b"0123456789abcdef" * 8 + b".chunk", "short": b"0123abcd.chunk",
            "upper": b"0123ABCD.chunk", "odd": b"0123abc.chunk", "tail": b"0123abcd.chunk.bak",
            "long": b"01" * 65 + b".chunk", "suffix": b".chunk"},
    }
    for kind, named in texts.items():
        for name, text in named.items():
            write_file(f"{directory}/store", f"{('format', 'name', 'path', 'chunk')[kind]}-{name}",
                       bytes([kind]) + text)


# For fuzz_response: header lines after PARTIAL, for the bytes 10 to 19 of 1000.
PARTIAL = "HTTP/1.1 206 Partial Content"
RANGE = "Content-Range: bytes 10-19/1000"
RESPONSES = {
    "good": [PARTIAL, RANGE, "Content-Length: 10", 'ETag: "a"', "Content-Type: x/y"],
    "interim": ["HTTP/1.1 103 Early", "Content-Range: bytes 5-9/10", "", PARTIAL, RANGE],
    "two-ranges": [PARTIAL, RANGE, RANGE],
    "no-total": [PARTIAL, "Content-Range: bytes 10-19/*"],
    "unsatisfied": ["HTTP/1.1 416 No", "Content-Range: bytes */1000"],
    "huge-range": [PARTIAL, "Content-Range: bytes 10-99999999999999999999/9223372036854775807"],
    "two-lengths": [PARTIAL, RANGE, "Content-Length: 10", "Content-Length: 11"],
    "short-length": [PARTIAL, RANGE, "Content-Length: 9"],
    "bad-length": [PARTIAL, RANGE, "Content-Length: 1e1"],
    "chunked": [PARTIAL, RANGE, "Content-Length: 11", "Transfer-Encoding: chunked"],
    "encodings": [PARTIAL, RANGE, "Content-Encoding: identity,, aws-chunked ,none", "Content-Encoding:"],
    "gzip": [PARTIAL, RANGE, "Content-Encoding: identity, gzip"],
    "multipart": [PARTIAL, "Content-Type: multipart/byteranges; boundary=x"],
    "digest": ["HTTP/1.1 401 No", 'WWW-Authenticate: Digest realm="a, b", nonce="c", Basic realm=d'],
    "seconds": ["HTTP/1.1 503 No", "Retry-After: 120"],
    "seconds-huge": ["HTTP/1.1 503 No", "Retry-After: " + "9" * 60],
    "date": ["HTTP/1.1 503 No", "Date: Sat, 21 Nov 2026 12:00:00 GMT",
             "Retry-After: Saturday, 21-Nov-26 12:00:05 GMT"],
    "date-alone": ["HTTP/1.1 429 No", "Retry-After: Thu, 01 Jan 1970 00:00:07 GMT"],
    "long-line": [PARTIAL, RANGE, "ETag: " + "e" * 700],
    "no-status": ["HTTP/1.1", "HTTP/1.1 2x6 No", "no colon", ":", ": x"],
}


def write_responses(directory):
    asked = struct.pack("<III", 10, 9, 1000)
    for name, lines in RESPONSES.items():
        text = "".join(line + "\r\n" for line in lines + [""])
        write_file(f"{directory}/response", name, asked + text.encode())


def verity_superblock(**changes):
    """Of veritysetup: 256 data blocks of 4 KiB with SHA-256."""
    f = {"signature": b"verity", "version": 1, "type": 1, "algorithm": b"sha256", "data_block": 4096,
         "hash_block": 4096, "data_blocks": 256, "salt": b"salt", "salt_size": None} | changes
    size = len(f["salt"]) if f["salt_size"] is None else f["salt_size"]
    return struct.pack("<8sII16s32sIIQH6x256s168x", f["signature"], f["version"], f["type"], b"u" * 16,
                       f["algorithm"], f["data_block"], f["hash_block"], f["data_blocks"], size,
                       f["salt"])


VERITIES = {
    "good": {}, "chrome": {"type": 0}, "no-salt": {"salt": b""}, "one-block": {"data_blocks": 1},
    "small-blocks": {"data_block": 512, "hash_block": 512}, "signature": {"signature": b"LUKS"},
    "version": {"version": 2}, "algorithm": {"algorithm": b"sha256 x"},
    "unended": {"algorithm": b"a" * 32}, "many-blocks": {"data_blocks": 2 ** 63},
    "large-block": {"data_block": 65536}, "odd-block": {"hash_block": 4097},
    "long-salt": {"salt_size": 65535}, "longest-salt": {"salt": b"s" * 256},
}


def write_verities(directory):
    """For fuzz_verity: sectors before and after, bytes of the root hash - 16, superblock, text."""
    head = struct.pack("<IIB", 2048, 64, 16)
    for name, changes in VERITIES.items():
        write_file(f"{directory}/verity", name, head + verity_superblock(**changes))
    write_file(f"{directory}/verity", "cut", head + verity_superblock()[:100])
    write_file(f"{directory}/verity", "no-room", struct.pack("<IIB", 2048, 8, 16) + verity_superblock())
    text = b"roothash=" + b"ab" * 32 + b",offset=512,on-corruption=restart,check-at-most-once"
    write_file(f"{directory}/verity", "demand", head + verity_superblock() + text)


def write_signatures(directory):
    """For fuzz_signature: signatures (0), a public key (1), a secret one (2), a cost (3)."""
    key, message = minisign.Key(1), bytes(64)
    texts = {f"text-{fault}": bytes([0]) + minisign.signature(key, message, b"c", fault)
             for fault in minisign.FAULTS}
    good = minisign.signature(key, message)
    texts["text-two"] = b"\0" + good + b"\n" + minisign.signature(key, message, b"v 7\t\x1b[2J")
    texts["text-zeros-behind"] = b"\0" + good + bytes(50)
    texts["text-more-behind"] = b"\0" + good + bytes(50) + b"x"
    texts["text-two-returns"] = b"\0" + good.replace(b"comment: \n", b"comment: \r\r\n")
    texts["text-thousand"] = b"\0" + good * 40
    texts["public-minisign"] = b"\1" + key.public_file()
    texts["public-pem"] = b"\1a title\n" + key.public_pem()
    texts["public-two"] = b"\1" + key.public_pem() * 2
    texts["public-small"] = b"\1" + minisign.pem(b"PUBLIC KEY", minisign.SPKI + bytes(32))
    texts["secret-minisign"] = b"\2" + key.secret_file()
    texts["secret-pem"] = b"\2" + key.secret_pem()
    texts["secret-encrypted"] = b"\2" + minisign.pem(b"ENCRYPTED PRIVATE KEY", bytes(60))
    texts["cost-usual"] = b"\3" + struct.pack("<QQ", 1 << 25, 1 << 30)
    texts["cost-most"] = b"\3" + b"\xff" * 16
    for name, text in texts.items():
        write_file(f"{directory}/signature", name, text)


def signed_archive():
    """What fuzz_signed_release knows: four chunks of 100 bytes, the last one of zeros."""
    a = Archive(sample_data(400)[:300] + bytes(100), [100, 200, 300])
    a.params.update(max=100)
    return a


def write_signed_releases(directory):
    """For fuzz_signed_release: releases of one image, by key 1 but for one."""
    usual, old, unknown, versioned = (signed_archive() for _ in range(4))
    old.magic = OLD_MAGIC
    unknown.extra = unknown_fields()
    versioned.metadata = [(b"ihop.version", b"3")]

    def write(name, a, keep=False, key=1, texts=1):
        text = minisign.signature(minisign.Key(key), a.header()[-64:], b"c") * texts
        write_file(f"{directory}/signed_release", name, release(a, signed=signed_fields(a, b"v1", text, keep)))

    write("usual", usual)
    write("versioned", versioned)
    write("kept-usual", usual, keep=True)
    write("kept-old", old, keep=True)
    write("kept-unknown", unknown, keep=True)
    write("not-kept", unknown)
    write("another-key", usual, key=2)
    write("two-texts", usual, texts=2)
    write_file(f"{directory}/signed_release", "unsigned", release(usual))


def delta_table():
    """What fuzz_delta_pack knows: six chunks; zero is the fifth."""
    t = delta.Table()
    t.chunks = [[bytes([i + 1]) * 64, 3000, 1000, 1000 * i] for i in range(6)]
    return t


DELTA_LISTS = {
    "none": [],
    "copies": [delta.Delta(i, delta.COPY, bytes(1000)) for i in (0, 1, 2, 3, 5)],
    "all-kinds": [delta.Delta(0, delta.COPY, bytes(1000)),
                  delta.Delta(2, delta.ZSTD, bytes(300), [[100, 32], [50, 1], [10240, 1]]),
                  delta.Delta(3, delta.ZSTD, bytes(1000)),
                  delta.Delta(5, delta.BSDIFF, bytes(1), [[0, 1024]])],
    "most-ranges": [delta.Delta(1, delta.BSDIFF, bytes(77), [[9000 - i, 64] for i in range(16)])],
    "zeros": [delta.Delta(4, delta.COPY, bytes(1000))],
    "large-base": [delta.Delta(1, delta.ZSTD, bytes(77), [[0, 1024], [0, 1]])],
    "beyond": [delta.Delta(1, delta.ZSTD, bytes(77), [[10240, 2]])],
    "many-ranges": [delta.Delta(1, delta.ZSTD, bytes(77), [[0, 1]] * 17)],
}


def delta_headers():
    """Archives whose table shares chunks with delta_table, by name."""
    a = Archive(sample_data(400), [100, 200, 300])
    usual = delta.table_of_archive(a.header())
    known = copy.deepcopy(usual)
    for i, d in enumerate(delta_table().chunks[1:4]):
        known.chunks[i][0] = d[0]
    yield "new", usual
    yield "known", known
    short = Archive(sample_data(400), [100, 200, 300], hash_length=16)
    short.metadata = [(b"key", b"value")]
    yield "short-hashes", delta.table_of_archive(short.header())
    yield "empty", delta.table_of_archive(Archive().header())


def write_packs(directory):
    """For fuzz_delta_pack: beginnings (0), lists (1), header patches (2), headers (3)."""
    def write(kind, name, data):
        kinds = ("pack", "list", "patch", "header")
        write_file(f"{directory}/delta_pack", f"{kinds[kind]}-{name}", bytes([kind]) + data)

    p = delta.Pack()
    p.old_size, p.header_size, p.archive_size = 123456, 2000, 54321
    p.set_list([])
    write(0, "no-patch", p.encode())
    p.set_patch(b"patch")
    p.signatures = minisign.signature(minisign.Key(1), bytes(64))
    write(0, "usual", p.encode())
    p.extra = unknown_fields()
    write(0, "unknown-fields", p.encode())
    p.patch_plain = 2001
    write(0, "large-patch", p.encode())
    write(0, "cut", p.encode()[:50])
    for name, rows in DELTA_LISTS.items():
        total = struct.pack("<I", sum(d.size for d in rows))
        write(1, name, total + delta.encode_list(rows))
    for name, t in delta_headers():
        header = t.header()
        patch = delta.make_patch(delta_table(), t, len(header)).encode(len(header))
        write(2, name, struct.pack("<I", len(header)) + patch)
        write(2, name + "-cut", struct.pack("<I", len(header)) + patch[:-1])
        write(3, name, header)


def write_corpus(directory):
    """Small seeds, deterministic: valid ones of each kind and the small hostile ones."""
    tiny = sample_data(400)
    variants = {}
    for name, codec in CODECS.items():
        variants[name] = Archive(tiny, [100, 200, 300], codec)
    variants["empty"] = Archive()
    variants["unpacked"] = Archive(tiny, [100, 200, 300], hash_length=16)
    variants["unpacked"].packed = False
    variants["extras"] = Archive(tiny, [100, 200, 300], hash_length=32)
    variants["extras"].metadata = [(b"key", b"value"), (b"", b"")]
    variants["extras"].extra = variants["extras"].nested_extra = unknown_fields()
    variants["old-magic"] = Archive(tiny, [100])
    variants["old-magic"].magic = OLD_MAGIC
    for name, a in variants.items():
        write_file(f"{directory}/archive", name, a.header())
        write_file(f"{directory}/release", name, release(a))
        write_file(f"{directory}/release", name + "-original", release(a, extras=False))
    for name, (make, _, _, flags) in CASES.items():
        if flags == "-" and not any(w in name for w in CODEC_ERROR.values()):
            data = make()
            if 14 <= len(data) < 6000 and data[:6] == MAGIC:
                size = min(struct.unpack("<Q", data[6:14])[0] + 86, len(data))
                write_file(f"{directory}/archive", name, data[:size])
    # For fuzz_codec: codec, output size - 1 (u16 LE), stream.
    for name, codec in CODECS.items():
        head = bytes([codec]) + struct.pack("<H", len(tiny) - 1)
        write_file(f"{directory}/codec", name, head + compress(codec, tiny))
    run = struct.pack("<H", 4095)
    write_file(f"{directory}/codec", "brotli-run", bytes([BROTLI]) + run + brotli_run(4096))
    write_file(f"{directory}/codec", "brotli-bomb", bytes([BROTLI]) + run + brotli_run(BOMB))
    write_file(f"{directory}/codec", "zstd-bomb", bytes([ZSTD]) + run + zstd_run(MIB))
    write_file(f"{directory}/codec", "zstd-two", bytes([ZSTD]) + run + zstd_run(128 * KIB) * 2)
    write_file(f"{directory}/codec", "xz-bomb", bytes([LZMA]) + run + xz_compress(bytes(MIB)))
    huge = xz_with_dictionary(bytes(4096), 40)
    write_file(f"{directory}/codec", "xz-4g", bytes([LZMA]) + run + huge)
    write_delta_codec_corpus(directory)
    write_store_corpus(directory)
    write_responses(directory)
    write_verities(directory)
    write_signatures(directory)
    write_signed_releases(directory)
    write_packs(directory)
