# SPDX-License-Identifier: MIT
"""Bytes that do not compress, the same ones every time."""

import hashlib
import random


def noise(seed, size):
    """Returns size bytes. seed is a text, or bytes."""
    return hashlib.shake_128(seed.encode() if isinstance(seed, str) else seed).digest(size)


def noise_with_zeros(seed, size, zeros):
    """Returns size bytes of noise in which each (start, size) of zeros is a run of zeros."""
    data = bytearray(noise(seed, size))
    for start, count in zeros:
        data[start:start + count] = bytes(count)
    return data


def sample_data(size=40000, seed=7):
    """Returns random bytes, a repeated part and a run of zeros."""
    data = random.Random(seed).randbytes(size)
    return data[:size // 2] + bytes(size // 8) + data[:size // 4] + data[size // 2:size * 5 // 8]
