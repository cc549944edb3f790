# SPDX-License-Identifier: MIT
"""storecheck: what is in a store, found out without our C code."""
import hashlib
import os

from cbaformat import read_release


class Damaged(Exception):
    """Something is not what it claims to be."""


def check_chunk(path):
    """The data of a chunk file, which is what its name says."""
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
    """The names of the chunks, all of which are good."""
    names = set()
    for directory, _, files in os.walk(os.path.join(store, "chunks")):
        for name in files:
            check_chunk(os.path.join(directory, name))
            names.add(name)
    return names


def check_release(release):
    """The checksum of a release's image, all of whose chunks are good."""
    try:
        info, chunks = read_release(release)
    except (OSError, AssertionError) as error:
        raise Damaged(f"{release} is not a whole release: {error}") from error
    whole, total = hashlib.blake2b(), 0
    for path, size in chunks:
        data = check_chunk(path)
        if len(data) != size:
            raise Damaged(f"{path} has {len(data)} bytes instead of {size}")
        whole.update(data)
        total += size
    if total != info["size"] or whole.digest() != info["checksum"]:
        raise Damaged(f"{release} is not the image that it claims to be")
    return info["checksum"]
