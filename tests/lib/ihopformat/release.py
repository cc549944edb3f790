# SPDX-License-Identifier: MIT
"""Writes and reads releases: the files of a store that say which chunks an image has."""

import hashlib
import os
import struct

from .archive import blake2b
from .protobuf import blob, fields, number, unpack_numbers, varint

RELEASE_MAGIC = b"IHOP1\0"


def release(archive, extras=True, url=b"http://example.com/v1.cba", signed=b""):
    """Returns the release of an archive, as ihop 0.1 writes it or, with extras, as ihop
    does. url is the recorded address of the archive; None stands for a local file. signed has
    more fields, encoded: those of signed_fields."""
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
        out += blob(100, url) if url else b""
        out += blob(101, header[-64:])
        out += number(102, len(header)) + number(103, len(archive.encode()))
        out += blob(104, number(2, archive.compression) + number(3, 6))
        out += b"".join(blob(105, blob(1, k) + blob(2, v)) for k, v in archive.metadata) + signed
    head = RELEASE_MAGIC + struct.pack("<Q", len(out)) + out
    return head + blake2b(head)


def signed_fields(archive, name, signatures, keep_header):
    """What the release of a signed archive has more."""
    out = blob(107, name) + blob(108, signatures)
    return out + (blob(109, archive.header()) if keep_header else b"")


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
