# SPDX-License-Identifier: MIT
"""Chunk stores: puts images into them, finds out what is in them, and damages them."""

import hashlib
import os
import random

from .archive import Archive
from .release import read_release, release


class Damaged(Exception):
    """Something in a store is not what it claims to be."""


# ---- checking ----


def check_chunk(path):
    """Returns the data of a chunk file, which is what its name says."""
    want = os.path.basename(path).removesuffix(".chunk")
    if os.path.islink(path):
        raise Damaged(f"{path} is a link")
    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.blake2b(data).hexdigest()[:len(want)] != want:
        raise Damaged(f"{path} ({len(data)} bytes) does not have the content that its name says")
    return data


def check_chunks(store):
    """Returns the names of the store's chunks, all of which are good."""
    names = set()
    for directory, _, files in os.walk(os.path.join(store, "chunks")):
        for name in files:
            check_chunk(os.path.join(directory, name))
            names.add(name)
    return names


def check_release(path):
    """Returns the checksum of a release's image, all of whose chunks are good."""
    try:
        info, chunks = read_release(path)
    except (OSError, AssertionError) as error:
        raise Damaged(f"{path} is not a whole release: {error}") from error
    whole, total = hashlib.blake2b(), 0
    for chunk, size in chunks:
        data = check_chunk(chunk)
        if len(data) != size:
            raise Damaged(f"{chunk} has {len(data)} bytes instead of {size}")
        whole.update(data)
        total += size
    if total != info["size"] or whole.digest() != info["checksum"]:
        raise Damaged(f"{path} is not the image that it claims to be")
    return info["checksum"]


def check_image(path, image_path):
    """Checks that a release is whole, and that it is the image in the file image_path."""
    checksum = check_release(path)
    with open(image_path, "rb") as f:
        if hashlib.blake2b(f.read()).digest() != checksum:
            raise Damaged(f"{path} is not {image_path}")


# ---- damaging ----


def lose_chunks(path, numbers):
    """Removes chunk files of a release by their numbers, counted from 0 in source order
    without repetitions. Returns how many bytes they had."""
    paths = list(dict.fromkeys(chunk for chunk, _ in read_release(path)[1]))
    lost = 0
    for n in numbers:
        lost += os.path.getsize(paths[n])
        os.unlink(paths[n])
    return lost


def flip_bit(path, offset):
    """Inverts the lowest bit of one byte of a file, in place."""
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))


# ---- making ----


def random_cuts(size, options):
    """Returns where an image of size bytes is cut: at places that depend on the seed alone."""
    rng = random.Random(options.seed)
    cuts, at = [], 0
    while at < size:
        length = rng.randint(options.min, options.max)
        if options.align:
            length = max(options.align, length // options.align * options.align)
        at += length
        cuts.append(at)
    return cuts


def write_chunk(path, chunk, sparse):
    """Writes a chunk file; sparse: blocks of 64 KiB of zeros become holes."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        if not sparse:
            f.write(chunk)
            return
        block = 65536
        for at in range(0, len(chunk), block):
            piece = chunk[at:at + block]
            if any(piece):
                f.seek(at)
                f.write(piece)
        f.truncate(len(chunk))


def write_format(store):
    os.makedirs(os.path.join(store, ".ihop"), exist_ok=True)
    with open(os.path.join(store, ".ihop", "format"), "w", encoding="ascii") as f:
        f.write("ihop-store 1\nfolder-digits 2\n")


def write_release(path, archive, options):
    """Writes a release under a temporary name first, as ihop does: a server may have the old
    one open."""
    ours = options.layout == 2
    url = options.url.encode() if options.url else None
    with open(path + ".new", "wb") as f:
        f.write(release(archive, extras=ours, url=url))
    os.rename(path + ".new", path)


def make_store(image_path, path, options):
    """Puts an image into a store as the release at path. Yields one line for each entry of
    the source order: OFFSET SIZE PATH-BELOW-STORE zero|data.

    options.layout 4: as ihop 0.1 writes it, with chunk directories of four digits and
    without .ihop; 2: as ihop does."""
    with open(image_path, "rb") as f:
        image = f.read()
    store = os.path.dirname(path)
    os.makedirs(os.path.join(store, "chunks"), exist_ok=True)
    if options.layout == 2:
        write_format(store)
    archive = Archive(image, random_cuts(len(image), options), hash_length=options.hash_length)
    archive.version = b"0.1.2"
    archive.params.update(min=options.min, max=options.max)
    names = []
    for d in archive.descriptors:
        name = d.checksum.hex()
        names.append(os.path.join("chunks", name[:options.layout], name + ".chunk"))
        write_chunk(os.path.join(store, names[-1]), d.data, options.sparse)
    write_release(path, archive, options)
    at = 0
    for index in archive.order:
        d = archive.descriptors[index]
        yield f"{at} {d.source_size} {names[index]} {'data' if any(d.data) else 'zero'}"
        at += d.source_size
