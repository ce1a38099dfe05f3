"""Mutated REST requests: the bytes of one HTTP/1.1 request, made from a valid one by number."""

import json
from dataclasses import dataclass
from random import Random

from tests.serving.fuzz.mutations import BYTES, JSON, broken_gzip

_MODELS = "/v1/models/"
_BODIES = (
    ("half_plus_two:predict", {"instances": [1.0, 2.0]}),
    ("half_plus_two/versions/123:predict", {"inputs": {"x": [[1.0], [2.0]]}}),
    ("numbered/labels/stable:predict", {"instances": [{"x": 1.0}]}),
    ("shapes:predict", {"instances": [{"a": 1, "b": 2}]}),
    ("shapes:predict", {"inputs": {"a": [1], "b": [2]}, "signature_name": "serving_default"}),
    ("echo:predict", {"signature_name": "string", "instances": [{"b64": "aGVsbG8="}, "x"]}),
    ("echo:predict", {"signature_name": "int64", "inputs": [[1, 2], [3, 4]]}),
    ("echo:predict", {"signature_name": "text", "instances": ["a", "é"]}),
    ("half_plus_two:classify", {"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}]}),
    ("half_plus_two:regress", {"signature_name": "regress_x_to_y", "context": {"x2": 1.0}, "examples": [{"x": [1.0]}]}),
)
_PATHS = ("half_plus_two", "half_plus_two/metadata", "numbered/versions/7", "numbered/labels/stable", "nobody", "")
_ODD = (
    b"%",
    b"%00",
    b"%ff%fe",
    b"%2e%2e%2f",
    b"/../",
    b"//",
    b"?",
    b"?a=%",
    b"#",
    b";",
    b"\xff\xfe",
    b"\x01",
    b"\\",
    b":",
    b"::predict",
    b"/versions/99999999999999999999",
    b"/versions/" + b"9" * 4301,
    b"/versions/\xd9\xa1",
    b"/labels/",
    b"a" * 3000,
    b"a" * 70000,
)


@dataclass(frozen=True)
class RestCase:
    """What is sent; `is_http` says that the frame around path and body is sound, so that there must be an answer."""

    data: bytes
    is_http: bool


def rest_case(rng: Random) -> RestCase:
    """One request with one thing or several wrong with it."""
    kind = rng.choice(("body", "body", "json", "json", "gzip", "path", "path", "header", "frame", "raw", "noise"))
    path, body = rng.choice(_BODIES)
    target, content, method = (_MODELS + path).encode(), json.dumps(body).encode(), b"POST"
    headers = [b"Host: localhost", b"Connection: close"]
    if kind == "noise":
        return RestCase(noise(rng), is_http=False)
    if kind in ("body", "json"):
        for _ in range(rng.randint(1, 3)):
            content = rng.choice(JSON if kind == "json" else BYTES)(rng, content)
    elif kind == "gzip":
        content = broken_gzip(rng, content)
        headers.append(b"Content-Encoding: " + rng.choice((b"gzip", b"gzip", b"gzip", b"deflate", b"br", b"x", b"gzip, gzip")))
    elif kind == "path":
        method, target = _odd_path(rng, target)
    elif kind == "header":
        headers.append(_odd_header(rng))
    headers.append(_odd_length(rng, content) if kind == "frame" else b"Content-Length: %d" % len(content))
    data = b"\r\n".join([method + b" " + target + b" HTTP/1.1", *headers, b"", content])
    if kind == "raw":
        data = rng.choice(BYTES)(rng, data)
    # A path or header may hold bytes that no HTTP request has; a connection that is closed is an answer to those.
    return RestCase(data, is_http=kind in ("body", "json", "gzip"))


def _odd_path(rng: Random, target: bytes) -> tuple[bytes, bytes]:
    method = rng.choice((b"POST", b"GET", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"GUESS", b"get"))
    if method != b"POST" and rng.random() < 0.5:
        target = (_MODELS + rng.choice(_PATHS)).encode()
    for _ in range(rng.randint(0, 2)):
        place = rng.randrange(1, len(target) + 1)
        target = target[:place] + rng.choice(_ODD) + target[place:]
    return method, target


def _odd_header(rng: Random) -> bytes:
    return rng.choice(
        (
            b"X-Long: " + b"a" * rng.choice((100, 9000, 100_000)),
            b"X-Nul: a\x00b",
            b"No colon here",
            b": no name",
            b"X-Folded: a\r\n b",
            b"X-Bytes: \xff\xfe",
            b"Expect: 100-continue",
            b"Expect: nonsense",
            b"Upgrade: websocket\r\nConnection: Upgrade",
            b"Content-Type: \xff",
            b"Content-Type: multipart/form-data; boundary=",
            b"Content-Type: text/plain; charset=nonsense",
            b"Host: two",
            b"\r\n".join(b"X-%d: a" % number for number in range(rng.choice((50, 2000)))),
            b"Connection: keep-alive",
            b"Cookie: " + rng.randbytes(20).replace(b"\r", b"").replace(b"\n", b""),
        )
    )


def _odd_length(rng: Random, content: bytes) -> bytes:
    return rng.choice(
        (
            b"Content-Length: -1",
            b"Content-Length: x",
            b"Content-Length: 1e3",
            b"Content-Length: %d" % (len(content) + 10),
            b"Content-Length: %d" % max(0, len(content) - 3),
            b"Content-Length: 99999999999999999999999",
            b"Content-Length: %d\r\nContent-Length: 1" % len(content),
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: nonsense",
            b"Transfer-Encoding: chunked\r\nContent-Length: %d" % len(content),
            b"X-Nothing: 1",
        )
    )


def noise(rng: Random) -> bytes:
    """Bytes that are no HTTP/1.1 request, and hardly anything else's."""
    return rng.choice(
        (
            rng.randbytes(rng.choice((1, 50, 5000))),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(100),  # a TLS hello
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\r\n" * 500,
            b"GET " + b"a" * 100_000,
        )
    )
