# SPDX-License-Identifier: MIT
"""minisign: keys and signatures in minisign's form and in PEM, and the space of an archive that
holds signatures: between the header and the chunk data. Secrets are numbers, as this is for tests.
"""

import base64
import hashlib
import struct

from . import ed25519
from .archive import blake2b

SPKI = bytes.fromhex("302a300506032b6570032100")
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
# What can be wrong with a signature, for signature().
FAULTS = ("none", "legacy", "global", "comment", "flip", "short", "s-plus-l", "small-r", "other-id",
          "crlf")


def line(data):
    return base64.b64encode(data) + b"\n"


class Key:
    """A key pair of which the secret is a number."""

    def __init__(self, number):
        self.seed = number.to_bytes(32, "big")
        self.public = ed25519.public(self.seed)
        self.id = hashlib.sha256(self.seed).digest()[:8]

    def id_text(self):
        return self.id[::-1].hex().upper()

    def pem_id_text(self):
        """The id of the key when it comes as PEM, which has none."""
        return blake2b(self.public)[:8][::-1].hex().upper()

    def public_file(self):
        return b"untrusted comment: public key " + self.id_text().encode() + b"\n" + line(
            b"Ed" + self.id + self.public)

    def secret_file(self):
        return b"untrusted comment: secret key\n" + line(
            b"Ed" + bytes(2) + b"B2" + bytes(48) + self.id + self.seed + self.public + bytes(32))

    def public_pem(self):
        return pem(b"PUBLIC KEY", SPKI + self.public)

    def secret_pem(self):
        return pem(b"PRIVATE KEY", PKCS8 + self.seed)


def pem(label, der):
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, line(der), label)


def signature(key, message, comment=b"", fault="none"):
    """The four lines of a signature of the 64 bytes message, right ones or with a fault."""
    signed = ed25519.sign(key.seed, message)
    if fault == "small-r":
        signed = ed25519.small_r_signature(key.seed, message)
    if fault == "s-plus-l":
        s = int.from_bytes(signed[32:], "little") + ed25519.L
        signed = signed[:32] + s.to_bytes(32, "little")
    if fault == "flip":
        signed = bytes([signed[0] ^ 1]) + signed[1:]
    over = ed25519.sign(key.seed, signed + comment)
    if fault == "global":
        over = ed25519.sign(key.seed, b"another signature" + comment)
    algorithm = b"Ed" if fault == "legacy" else b"ED"
    kid = bytes(8) if fault == "other-id" else key.id
    text = (b"untrusted comment: by tests\n" + line(algorithm + kid + signed)
            + b"trusted comment: " + comment + (b"!" if fault == "comment" else b"") + b"\n" + line(over))
    if fault == "short":
        return text[:-20]
    return text.replace(b"\n", b"\r\n") if fault == "crlf" else text


def parse(text):
    """The signatures of a text: (id, signature, trusted comment, global signature) of each."""
    rows = text.rstrip(b"\0").decode().splitlines()
    for i in range(0, len(rows), 4):
        untrusted, head, trusted, over = rows[i:i + 4]
        raw = base64.b64decode(head, validate=True)
        assert untrusted.startswith("untrusted comment: ") and raw[:2] == b"ED" and len(raw) == 74
        assert trusted.startswith("trusted comment: ")
        yield raw[2:10], raw[10:], trusted[17:].encode(), base64.b64decode(over, validate=True)


def public_of(path):
    """The 32 bytes of a public key file."""
    with open(path, "rb") as f:
        raw = base64.b64decode(f.read().splitlines()[1])
    return raw[-32:]


def space(data):
    """The places where the space for signatures of an archive begins and ends."""
    end = 14 + struct.unpack("<Q", data[6:14])[0] + 8
    return end + 64, struct.unpack("<Q", data[end - 8:end])[0]


def checksum(data):
    start = space(data)[0]
    return data[start - 64:start]


def signed_by(data, keys):
    """For each signature in an archive, its id, which of the keys (their 32 bytes) made it (None:
    none of them), and its comment. The header checksum must be right."""
    start, end = space(data)
    assert checksum(data) == blake2b(data[:start - 64]), "checksum"
    for kid, signed, comment, over in parse(data[start:end]):
        who = [i for i, key in enumerate(keys) if ed25519.verify(key, checksum(data), signed)
               and ed25519.verify(key, signed + comment, over)]
        yield kid[::-1].hex().upper(), who[0] if who else None, comment


def put(data, text):
    """The archive with this text in its space, and zeros behind it."""
    start, end = space(data)
    assert len(text) <= end - start, "no space"
    return data[:start] + text + bytes(end - start - len(text)) + data[end:]
