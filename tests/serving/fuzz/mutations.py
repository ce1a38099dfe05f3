"""What can go wrong with bytes on their way, as functions of a random generator: each takes bytes and returns others."""

import gzip
from collections.abc import Callable
from random import Random

Mutation = Callable[[Random, bytes], bytes]

_HUGE_VARINT = b"\xff" * 9 + b"\x01"
_DEEPEST = 3000


def flip_bits(rng: Random, data: bytes) -> bytes:
    """Up to eight bits anywhere."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncate(rng: Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data) + 1)]


def behead(rng: Random, data: bytes) -> bytes:
    """The beginning is missing."""
    return data[rng.randrange(len(data) + 1) :]


def cut(rng: Random, data: bytes) -> bytes:
    """A part in the middle is missing."""
    start, stop = _part(rng, data)
    return data[:start] + data[stop:]


def duplicate(rng: Random, data: bytes) -> bytes:
    """A part, often a whole field, comes several times."""
    start, stop = _part(rng, data)
    return data[:stop] + data[start:stop] * rng.choice((1, 1, 2, 50)) + data[stop:]


def insert_noise(rng: Random, data: bytes) -> bytes:
    """Random bytes in between."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randint(1, 40)) + data[place:]


def insert_huge_length(rng: Random, data: bytes) -> bytes:
    """A varint of 2**64 - 1, or one that never ends, in the place of a byte."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice((_HUGE_VARINT, b"\xff" * 20, b"\xff\xff\xff\xff\x0f")) + data[place + 1 :]


def overwrite(rng: Random, data: bytes) -> bytes:
    """A part becomes one byte, repeated: NULs, ones, letters, or bytes that are no UTF-8."""
    start, stop = _part(rng, data)
    return data[:start] + rng.choice((b"\x00", b"\xff", b"A", b"\x80", b"\xc3")) * (stop - start) + data[stop:]


def shuffle(rng: Random, data: bytes) -> bytes:
    """Two halves change places."""
    place = rng.randrange(len(data) + 1)
    return data[place:] + data[:place]


def nothing_left(rng: Random, data: bytes) -> bytes:
    """Only noise is left."""
    return rng.randbytes(rng.choice((0, 1, 7, 300)))


BYTES: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits,
    truncate,
    behead,
    cut,
    duplicate,
    insert_noise,
    insert_huge_length,
    overwrite,
    shuffle,
    nothing_left,
)


def nest(rng: Random, data: bytes) -> bytes:
    """JSON in thousands of lists or objects, closed or not."""
    depth = rng.choice((10, 200, 1000, _DEEPEST))
    start, end = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"inputs":', b"}")))
    wrapped = start * depth + data + end * rng.choice((depth, depth, 0, depth - 1))
    return wrapped if rng.random() < 0.3 else b'{"instances": ' + wrapped + b"}"


def replace_value(rng: Random, data: bytes) -> bytes:
    """Another JSON value where a digit, a bracket or a quote was."""
    places = [place for place, byte in enumerate(data) if byte in b'0123456789["']
    if not places:
        return nest(rng, data)
    place = rng.choice(places)
    return data[:place] + rng.choice(_VALUES) + data[place + 1 :]


_VALUES = (
    b"null",
    b"true",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-0",
    b"1" * 400,
    b"1e-400",
    b"-1" + b"0" * 400,
    b"1" * 5000,
    b"[" * 40 + b"1" + b"]" * 40,
    b"9223372036854775808",
    b"18446744073709551616",
    b"{}",
    b"[]",
    b'""',
    b'"\\ud800"',
    b'"\\ud800": 1, "x',
    b'"\\u0000"',
    b'"\xff\xfe"',
    b'{"b64": "///"}',
    b'{"b64": null}',
    b"[[[[]]]]",
    b"0x10",
    b"1.",
    b"\x00",
)
JSON: tuple[Mutation, ...] = (nest, replace_value, replace_value, replace_value)


def broken_gzip(rng: Random, data: bytes) -> bytes:
    """Gzip that is cut, damaged, followed by more, nested, or none at all; sometimes whole."""
    packed = gzip.compress(data, mtime=0)
    return rng.choice(
        (packed, truncate(rng, packed), flip_bits(rng, packed), packed + b"more", gzip.compress(packed, mtime=0), data, b"\x1f\x8b" + data)
    )


def _part(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 5, 20, 100)))
