# SPDX-License-Identifier: MIT
"""The wire format of Protocol Buffers, as far as archives and releases use it."""


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value, always=False):
    """A varint field; left out when 0, as proto3 does, unless always."""
    return varint(field << 3) + varint(value) if value or always else b""


def blob(field, data):
    """A length-delimited field: bytes, string, message or packed numbers."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def unknown_fields():
    """One field of each wire type that proto3 knows, with numbers nobody uses."""
    return (number(1000, 7) + varint(1001 << 3 | 1) + b"\1" * 8 + blob(1002, b"later")
            + varint(1003 << 3 | 5) + b"\2" * 4)


def fields(message):
    """Yields (number, value) of a message: int for varints, bytes for the rest."""
    at = 0

    def take_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = take_varint()
        size = {1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            yield tag >> 3, take_varint()
            continue
        if size is None:
            assert tag & 7 == 2, "wire type"
            size = take_varint()
        assert size <= len(message) - at, "field beyond the end"
        yield tag >> 3, message[at:at + size]
        at += size


def unpack_numbers(value):
    if isinstance(value, int):
        return [value]
    return [v for _, v in fields(b"".join(b"\x08" + p for p in split_varints(value)))]


def split_varints(data):
    start = 0
    for i, byte in enumerate(data):
        if byte < 0x80:
            yield data[start:i + 1]
            start = i + 1
