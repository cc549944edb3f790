# SPDX-License-Identifier: MIT
"""ed25519: signatures of RFC 8032 in plain numbers, for tests: slow, and open about its secrets.

Besides keys and signatures there is what an attacker makes: points of small order, encodings
that are not the canonical ones, and signatures that hold for them in the equation alone.
"""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    """The sum of two points, each (x, y), by the law of the curve -x2 + y2 = 1 + d x2 y2."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P)


NEUTRAL = (0, 1)


def times(n, point):
    total = NEUTRAL
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def x_of(y, odd):
    """The x of the point with this y and the wanted parity; None when there is no such point."""
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - x2) % P:
        return None
    return x if x % 2 == odd or x == 0 else P - x


BASE = (x_of(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    """The point of an encoding, canonical or not."""
    n = int.from_bytes(data, "little")
    y = n % 2**255 % P
    x = x_of(y, n >> 255)
    return None if x is None else (x, y)


def number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def expand(seed):
    h = hashlib.sha512(seed).digest()
    n = int.from_bytes(h[:32], "little")
    return n & (2**254 - 8) | 2**254, h[32:]


def public(seed):
    return encode(times(expand(seed)[0], BASE))


def sign(seed, message):
    a, prefix = expand(seed)
    key = encode(times(a, BASE))
    r = number(prefix, message) % L
    big_r = encode(times(r, BASE))
    s = (r + number(big_r, key, message) * a) % L
    return big_r + s.to_bytes(32, "little")


def verify(key, message, signature):
    """Whether the equation without a cofactor holds. Nothing else is asked, as in old libraries."""
    a, r = decode(key), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None:
        return False
    k = number(signature[:32], key, message) % L
    return encode(times(s, BASE)) == encode(add(r, times(k, a)))


def small_points():
    """The eight points whose order divides 8."""
    y = 2
    while True:
        x = x_of(y, 0)
        if x is not None:
            point = times(L, (x, y))
            if times(4, point) != NEUTRAL:
                return [times(i, point) for i in range(8)]
        y += 1


def encodings_of_small_points():
    """All 14 strings of 32 bytes that decode to a point of small order: each y below 2^255, with
    either sign bit where x is 0, and each y + p that still fits."""
    found = set()
    for _, y in small_points():
        for n in (y, y + P):
            if n < 2**255:
                found |= {(n | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    return sorted(found)


def small_key_signature(key, message):
    """A signature of the message that the equation accepts for a key of small order, whose secret
    nobody has: with R = s B, and s such that the key is multiplied by a multiple of 8."""
    s = 1
    while True:
        big_r = encode(times(s, BASE))
        if number(big_r, key, message) % L % 8 == 0:
            return big_r + s.to_bytes(32, "little")
        s += 1


def small_r_signature(seed, message):
    """What the owner of a key can make that has the neutral point as R: then the signature is
    one of nothing but the key and the message, and S tells the secret."""
    a, big_r = expand(seed)[0], encode(NEUTRAL)
    return big_r + (number(big_r, public(seed), message) * a % L).to_bytes(32, "little")


def print_vectors():
    """The table of tests/unit/ed25519_vectors.h: what strict verification refuses although the
    equation holds."""
    message, seed = bytes(64), bytes(range(32))
    for key in encodings_of_small_points():
        signature = small_key_signature(key, message)
        assert verify(key, message, signature)
        print(f'    {{"{key.hex()}",\n     "{signature[:32].hex()}"\n     "{signature[32:].hex()}"}},')
    signature = small_r_signature(seed, message)
    assert verify(public(seed), message, signature)
    print(f'    {{"{public(seed).hex()}",\n     "{signature[:32].hex()}"\n     "{signature[32:].hex()}"}},')


if __name__ == "__main__":
    print_vectors()
