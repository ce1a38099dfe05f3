"""`json.loads` for large bodies, in pieces: its scanner holds the interpreter's lock until it has read everything.

    containers that are short, and runs of numbers -> the scanner written in C
    what holds those together                      -> here, where other threads get their turn

The result, and the errors, are those of `json.loads`. What a body would fill is bounded before it is read.
"""

import json
import re
from collections.abc import Callable
from json import JSONDecodeError
from json.decoder import scanstring
from typing import Any

_DEEPEST = 64  # levels: a tensor's 32 dimensions, and what is around them
_PIECE = 16 * 1024  # characters: less than a millisecond
_SPACE = re.compile(r"[ \t\n\r]*")
_SHORT = re.compile(r"[\[{](?:[^\[\]{}]++|[\[{][^\[\]{}]*+[\]}])*+[\]}]")  # with one level in it, such as a row of pixels
_FLAT = re.compile(r'[^\[\]{}"]*')
# Bytes of the Python object that each of these begins, about: a number, a list, a dict, half a string.
_FILLED = {b",": 32, b"[": 256, b"{": 320, b'"': 96}
_MOST_FILLED = 48 * 2**20
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once


def loads(body: bytes) -> Any:
    """The value. Raises ValueError, or RecursionError for one that is nested deeper than any tensor."""
    _check_filled(body)
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    value, at = _value(text, _space(text, 0), 0)
    at = _space(text, at)
    if at != len(text):
        raise JSONDecodeError("Extra data", text, at)
    return value


def _check_filled(body: bytes) -> None:
    filled = 0
    for start in range(0, len(body), 2**20):
        part = body[start : start + 2**20]
        filled += sum(part.count(sign) * size for sign, size in _FILLED.items())
        if filled > _MOST_FILLED:
            raise ValueError(f"Expected JSON of fewer values: these take over {_MOST_FILLED} bytes of memory.")


def _space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """The value that begins there, and where it ends."""
    if depth > _DEEPEST:
        raise RecursionError
    if text[at : at + 1] in ("[", "{"):
        short = _SHORT.match(text, at, at + _PIECE)
        if short:
            try:
                return json.loads(short[0]), short.end()
            except ValueError:  # it is wrong, or its last bracket stands in a string
                pass
        return (_array if text[at] == "[" else _object)(text, at, depth)
    try:
        return _scan(text, at)
    except StopIteration as error:
        raise JSONDecodeError("Expecting value", text, error.value) from None


def _array(text: str, at: int, depth: int) -> tuple[list, int]:
    values: list = []
    at = _space(text, at + 1)
    if text[at : at + 1] == "]":
        return values, at + 1
    while True:
        run = _FLAT.match(text, at, at + _PIECE).end()
        if run > at and text[run : run + 1] == "]":
            values += _run(text, at, run)
            return values, run + 1
        comma = text.rfind(",", at, run)
        if comma > at:
            values += _run(text, at, comma)
            at = _space(text, comma + 1)
            continue
        value, at = _value(text, at, depth + 1)
        values.append(value)
        at = _space(text, at)
        if text[at : at + 1] == "]":
            return values, at + 1
        at = _after(",", text, at)


def _run(text: str, start: int, end: int) -> list:
    """Numbers and words between two commas or brackets."""
    try:
        return json.loads(f"[{text[start:end]}]")
    except JSONDecodeError as error:
        raise JSONDecodeError(error.msg, text, start + error.pos - 1) from None


def _object(text: str, at: int, depth: int) -> tuple[dict, int]:
    values: dict = {}
    at = _space(text, at + 1)
    if text[at : at + 1] == "}":
        return values, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        name, at = scanstring(text, at + 1, True)
        values[name], at = _value(text, _after(":", text, _space(text, at)), depth + 1)
        at = _space(text, at)
        if text[at : at + 1] == "}":
            return values, at + 1
        at = _after(",", text, at)


def _after(sign: str, text: str, at: int) -> int:
    if text[at : at + 1] != sign:
        raise JSONDecodeError(f"Expecting {sign!r} delimiter", text, at)
    return _space(text, at + 1)
