"""Verify Ed25519 with nothing but Python, as strictly as anybody does.

Changes never, short of a mistake: RFC 8032 section 5.1.7. On the other side is whoever
made the signature, perhaps with a key chosen for it: s must be below L, points must be in
their one canonical form, keys of small order (one signature fits many messages)
are refused, and R is compared as bytes, which is what OpenSSL and Go do.
Nothing here is secret, so nothing here takes constant time.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  #: order of the base point
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

#: Extended coordinates (x, y, z, t): the point (x/z, y/z), with t = xy/z.
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Y = 4 * pow(5, P - 2, P) % P
BASE: Point = (_X, _Y, 1, _X * _Y % P)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is one of ``message`` by the key ``public``.

    No input raises: what is not a key or not a signature does not verify.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    key = _point(public)
    s = int.from_bytes(signature[32:], "little")
    if key is None or s >= L or _small(key):
        return False
    r = signature[:32]
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    x, y, z, t = key
    return _bytes(_both(s, BASE, k, (P - x, y, z, P - t))) == r


def _point(data: bytes) -> Point | None:
    """RFC 8032 §5.1.3: decode a point, or None where there is none or not in this form."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == P - u and u:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _bytes(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _small(point: Point) -> bool:
    """Tell whether the point's order divides eight."""
    for _ in range(3):
        point = _double(point)
    x, y, z, _ = point
    return x == 0 and y == z


def _both(a: int, first: Point, b: int, second: Point) -> Point:
    """Return a*first + b*second, going through the bits of both at once."""
    table = {(1, 0): first, (0, 1): second, (1, 1): _add(first, second)}
    total = NEUTRAL
    for place in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        total = _double(total)
        bits = a >> place & 1, b >> place & 1
        if bits != (0, 0):
            total = _add(total, table[bits])
    return total


def _add(one: Point, two: Point) -> Point:
    """RFC 8032 §5.1.4; complete: it holds for every two points, equal ones too."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = two
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(point: Point) -> Point:
    x, y, z, _ = point
    a, b, c = x * x % P, y * y % P, 2 * z * z % P
    h = a + b
    e = h - (x + y) * (x + y) % P
    g = a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P
