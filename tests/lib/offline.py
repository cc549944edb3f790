#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""offline.py: whoever can write a store, while the device is off, attacks its signed releases.

    offline.py STORE IMAGES KEY NBDKIT-WORD... -- PLUGIN IHOP-STORE

STORE has signed releases, IMAGES the image of each under the same name, KEY is who signed them.
Each attack starts from a fresh copy of the store, changes something, and serves a release with
verify-key=KEY. What is read must be refused, or be EIO, or be the right bytes; which of these is
known beforehand. ihop-store verify must find it, too, unless nothing was gained. The words are the
command nbdkit. Exit code 1, and a line that tells which attack it was, if anything else happens.
"""

import os
import pathlib
import shutil
import struct
import subprocess
import sys

from ihopformat.archive import blake2b
from ihopformat.protobuf import blob, fields, number

REFUSED, EIO, RIGHT = "refused at start", "EIO", "the right bytes"
CHUNK, URL, SUM, HEADER_SIZE, ARCHIVE_SIZE, NUMBER, NAME, SIGNATURES, HEADER = 5, 100, 101, 102, 103, 106, 107, 108, 109
METADATA, ORDER, SOURCE_SUM, SOURCE_SIZE, VERSION = 105, 4, 2, 3, 1

pristine, images = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
key = sys.argv[3]
split = sys.argv.index("--")
nbdkit, (plugin, ihop_store) = sys.argv[4:split], sys.argv[split + 1:]
store = pristine.parent / "attacked"
copy, opened, socket = (store.parent / name for name in ("copied", "opened", "attacked.socket"))
counts = {REFUSED: 0, EIO: 0, RIGHT: 0}


def read(name):
    return (pristine / name).read_bytes()


def framed(dictionary):
    head = b"IHOP1\0" + struct.pack("<Q", len(dictionary)) + dictionary
    return head + blake2b(head)


def parsed(name):
    """The fields of a release, in their order."""
    return list(fields(read(name)[14:-64]))


def encoded(items):
    return framed(b"".join(blob(n, v) if isinstance(v, bytes) else number(n, v, always=True) for n, v in items))


def edited(name, changes, more=()):
    """The release with some fields changed (None: taken out), others added, and its checksum right."""
    items = [(n, changes.get(n, v)(v) if callable(changes.get(n, v)) else changes.get(n, v)) for n, v in parsed(name)]
    return encoded([(n, v) for n, v in items if v is not None] + list(more))


def field(name, wanted):
    return dict(parsed(name))[wanted]


def serve(release, *more):
    """What happened, and what was said."""
    for path in copy, opened, socket:
        path.unlink(missing_ok=True)
    command = f"touch {opened}; exec nbdcopy \"$uri\" {copy}"
    run = subprocess.run([*nbdkit, "-U", str(socket), "--run", command, plugin, f"{store}/{release}", f"verify-key={key}",
                          *more], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)
    if not opened.exists():
        assert run.returncode == 1 and f"error: release {store}/{release}" in run.stderr, run.stderr
        assert len(run.stderr.splitlines()) == 1, run.stderr
        return REFUSED, run.stderr
    if run.returncode != 0:
        return EIO, run.stderr
    return RIGHT if copy.read_bytes() == (images / release).read_bytes() else "OTHER BYTES", run.stderr


def verify(release):
    return subprocess.run([ihop_store, "verify", "--quiet", "--verify-key", key, f"{store}/{release}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)


def attack(what, expected, release, change, says="", by_verify=True):
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(pristine, store, symlinks=True)
    change()
    happened, text = serve(release)
    assert happened == expected, f"{what}: {happened} instead of {expected}: {text}"
    assert says in text, f"{what}: {text}"
    run = verify(release)
    found = run.returncode in (5, 7, 10)  # 10: it has not even the magic of a release
    assert found or run.returncode == 0, f"{what}: verify: {run}"
    if by_verify:
        assert found == (expected != RIGHT), f"{what}: verify: {run}"
    counts[expected] += 1


def write(name, data):
    """A change: the file has this content."""
    return lambda: (store / name).write_bytes(data)


def chunk_paths(name):
    """The chunk files of a release, each once, and which of them are all zeros."""
    for n, value in parsed(name):
        if n == CHUNK:
            d = dict(fields(value))
            digits = d[1].hex()
            yield f"chunks/{digits[:2]}/{digits}.chunk", bool(d.get(102, 0))


# ---- the attacks ----


def exchange_files():
    a, b = read("v1"), read("v2")

    def both():
        write("v1", b)()
        write("v2", a)()

    for name in "v1", "v2":
        attack("files exchanged", REFUSED, name, both, "has been renamed or copied")
    shutil.copy(images / "v1", images / "v9")
    attack("copied under another name", REFUSED, "v9", write("v9", a), "was published as 'v1' and has been renamed")
    attack("no name recorded", REFUSED, "v1", write("v1", edited("v1", {NAME: None})), "does not record its name")
    # The name is not signed: this is one of the signed images, and id= tells which.
    attack("name recorded anew", RIGHT, "v9", write("v9", edited("v1", {NAME: b"v9"})))
    right, other = (field(name, SOURCE_SUM).hex() for name in ("v1", "v2"))
    assert serve("v9", f"id={right}")[0] == RIGHT
    assert serve("v9", f"id={other}")[0] == REFUSED


def change_signatures():
    other = field("v2", SIGNATURES)
    for what, value, says in (("removed", None, "is not signed"), ("of another release", other, ""),
                              ("empty", b"", "is not signed"), ("cut", field("v1", SIGNATURES)[:-9], ""),
                              ("garbage", b"x" * 300, "")):
        attack(f"signatures {what}", REFUSED, "v1", write("v1", edited("v1", {SIGNATURES: value})), says)
    attack("checksum and signatures of another release", REFUSED, "v1",
           write("v1", edited("v1", {SIGNATURES: other, SUM: field("v2", SUM)})), "it was altered")
    attack("signed by somebody else", REFUSED, "foreign", lambda: None, "")
    attack("all of another release but the name", REFUSED, "v1",
           write("v1", edited("v2", {NAME: b"v1", SOURCE_SUM: field("v1", SOURCE_SUM)})), "it was altered")


def change_fields():
    def chunk(n, value):
        """The first chunk that has data, with a field replaced."""
        done = []

        def edit(v):
            d = dict(fields(v))
            if done or d.get(102, 0):
                return v
            done.append(1)
            d[n] = value
            return b"".join(blob(k, x) if isinstance(x, bytes) else number(k, x, always=True) for k, x in sorted(d.items()))
        return edit

    for what, changes in (
            ("zero flag set", {CHUNK: chunk(102, 1)}), ("size of a chunk", {CHUNK: chunk(2, 4095)}),
            ("hash of a chunk", {CHUNK: chunk(1, bytes(64))}), ("place of a chunk", {CHUNK: chunk(100, 9)}),
            ("order turned round", {ORDER: lambda v: v[::-1]}), ("order cut", {ORDER: lambda v: v[:-1]}),
            ("checksum of the image", {SOURCE_SUM: bytes(64)}), ("size of the image", {SOURCE_SIZE: 1}),
            ("header checksum", {SUM: bytes(64)}), ("size of the header", {HEADER_SIZE: 500}),
            ("size of the archive, too small", {ARCHIVE_SIZE: 600}), ("metadata removed", {METADATA: None}),
            ("program that made it", {VERSION: b"another"}),
            ("version", {METADATA: blob(1, b"ihop.version") + blob(2, b"99")})):
        attack(what, REFUSED, "v1", write("v1", edited("v1", changes)))
    attack("metadata added", REFUSED, "v1", write("v1", edited("v1", {}, [(METADATA, blob(1, b"k") + blob(2, b"v"))])))
    attack("harmless: a chunk that nothing uses", RIGHT, "v1",
           write("v1", edited("v1", {}, [(CHUNK, next(v for n, v in parsed("v2") if n == CHUNK))])))
    for what, changes, more in (
            ("address", {}, [(URL, b"http://evil.example/x.cba")]), ("size of the archive", {ARCHIVE_SIZE: 1 << 40}, []),
            ("number removed", {NUMBER: None}, []), ("number", {NUMBER: struct.pack("<QQ", 7, 7 ^ (1 << 64) - 1)}, []),
            ("zero flags cleared", {CHUNK: lambda v: encoded_chunk(v, 102, None)}, []), ("unknown field", {}, [(999, 1)])):
        attack(f"harmless: {what}", RIGHT, "v1", write("v1", edited("v1", changes, more)))


def encoded_chunk(value, n, to):
    d = dict(fields(value)) | {n: to}
    return b"".join(blob(k, x) if isinstance(x, bytes) else number(k, x) for k, x in sorted(d.items()) if x is not None)


def change_kept_headers():
    for name in "unused", "twice", "old", "unknown":
        header = field(name, HEADER)
        for at in range(0, len(header) - 64, len(header) // 8):
            bent = header[:at] + bytes([header[at] ^ 0x10]) + header[at + 1:]
            attack(f"{name}: byte {at} of the kept header", REFUSED, name, write(name, edited(name, {HEADER: bent})))
            resigned = bent[:-64] + blake2b(bent[:-64])
            attack(f"{name}: byte {at}, with its checksum", REFUSED, name, write(name, edited(name, {HEADER: resigned})))
        attack(f"{name}: no kept header", REFUSED, name, write(name, edited(name, {HEADER: None})), "it was altered")
        attack(f"{name}: size", REFUSED, name, write(name, edited(name, {ORDER: lambda v: v[::-1]})), "it was altered")
        attack(f"{name}: nothing", RIGHT, name, lambda: None)
    swapped = {HEADER: field("old", HEADER), HEADER_SIZE: len(field("old", HEADER))}
    attack("kept header of another", REFUSED, "unknown", write("unknown", edited("unknown", swapped)), "it was altered")


def change_release_bytes():
    """Some of them; tests/unit/test_signed_image.c changes them all."""
    good = read("v1")
    for at in range(0, len(good) - 64, 41):
        bent = bytearray(good)
        bent[at] ^= 0x20
        attack(f"byte {at} of the release", REFUSED, "v1", write("v1", bytes(bent)))
        if at >= 14 and SIGNATURES not in dict(parsed("v1")):
            raise AssertionError("not signed")
        if at >= 14:
            shutil.rmtree(store, ignore_errors=True)
            shutil.copytree(pristine, store, symlinks=True)
            write("v1", framed(bytes(bent[14:-64])))()
            happened, text = serve("v1")
            assert happened in (REFUSED, RIGHT), f"byte {at} with the checksum: {happened}: {text}"


def change_chunks():
    paths = list(dict.fromkeys(chunk_paths("tiny")))
    assert any(zero for _, zero in paths), "no zeros in the image"
    for path, zero in paths:
        good = read(path)
        expected = RIGHT if zero else EIO
        for at in range(len(good)):
            bent = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
            attack(f"byte {at} of {path}", expected, "tiny", write(path, bent), by_verify=not zero)
        for what, bent in ("cut", good[:-1]), ("longer", good + b"x"), ("empty", b""):
            attack(f"{path} {what}", RIGHT if zero else REFUSED, "tiny", write(path, bent), by_verify=not zero)
    # Holes are zeros to whoever asks for them before the chunk was hashed.
    path, size = max(((p, (pristine / p).stat().st_size) for p, zero in chunk_paths("large") if not zero), key=lambda x: x[1])
    assert size >= 65536, size

    def hollow():
        (store / path).write_bytes(b"")
        os.truncate(store / path, size)

    attack("a chunk of holes", EIO, "large", hollow)
    a, b = ([p for p, zero in chunk_paths(name) if not zero][0] for name in ("v1", "v2"))
    attack("a chunk of the other release", EIO, "v1", write(a, read(b)))


def main():
    for release in sorted(path.name for path in images.iterdir()):
        if release not in ("foreign", "v9"):
            attack(f"nothing, {release}", RIGHT, release, lambda: None)
    exchange_files()
    change_signatures()
    change_fields()
    change_kept_headers()
    change_release_bytes()
    change_chunks()
    print(", ".join(f"{n} {what}" for what, n in counts.items()))


main()
