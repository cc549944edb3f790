# SPDX-License-Identifier: MIT
"""Numbers in columns, as delta packs have them (docs/formats.md), read strictly and written."""

import struct

from .protobuf import varint


class Refused(Exception):
    """A pack that a reader must not use."""


def must(condition, text):
    if not condition:
        raise Refused(text)


class Columns:
    """Reads numbers one behind the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        value, shift = 0, 0
        while True:
            must(self.at < len(self.data), "columns are cut short")
            byte = self.data[self.at]
            self.at += 1
            must(shift < 63 or byte <= 1, "a number of more than 64 bits")
            must(shift == 0 or byte != 0, "a number that is not in its shortest form")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def near(self, expected):
        n = self.number()
        return (expected + (n // 2 if n % 2 == 0 else -(n + 1) // 2)) % 2 ** 64

    def take(self, size):
        must(size <= len(self.data) - self.at, "columns are cut short")
        self.at += size
        return self.data[self.at - size:self.at]

    def planes(self, count):
        p = self.take(4 * count)
        return [int.from_bytes(p[i::count], "little") for i in range(count)]

    def end(self):
        must(self.at == len(self.data), "bytes behind the last column")


def near(expected, value):
    d = (value - expected) % 2 ** 64
    return varint(2 * d if d < 2 ** 63 else 2 * (2 ** 64 - d) - 1)


def planes(values):
    raw = [struct.pack("<I", v) for v in values]
    return b"".join(bytes(r[k] for r in raw) for k in range(4))
