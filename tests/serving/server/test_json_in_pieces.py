"""JSON that is read in pieces is what `json.loads` makes of it, errors included."""

import json
import random

import pytest

from serving.server import json_in_pieces

_TEXTS = {
    "short": '{"instances": [1, 2.5, "a", null, true, NaN, -Infinity]}',
    "rows": json.dumps({"instances": [[[0.5] * 28] * 28] * 9}),
    "a long run": json.dumps({"inputs": list(range(20_000))}),
    "a long run, then more": json.dumps([*range(20_000), [1], "a", *range(9)]),
    "brackets in strings": '{"a]": ["]", "[", "{\\"}", {"}": "}"}], "b": "\\ud83e\\udd80 é \U0001f980"}',
    "a long string": json.dumps({"b64": "x" * 50_000}),
    "spaces": ' \n{ "a" : [ 1 , [ 2 ] , { } , [ ] ] ,\t"b":\r[ [ ] , 3 ] } ',
    "dicts": json.dumps([{"x": 1.0, "y": [1, 2]}] * 300),
    "the last name counts": '{"a": [[1]], "a": [[2]]}',
    "a scalar": "-1.5e3",
    "a BOM": "\ufeff[1]",
}


@pytest.mark.parametrize("text", _TEXTS.values(), ids=_TEXTS)
def test_the_value_is_that_of_json_loads(text):
    assert repr(json_in_pieces.loads(text.encode())) == repr(json.loads(text.encode()))


def test_what_is_wrong_is_wrong_in_the_same_way_and_place():
    rng = random.Random(7)  # noqa: S311 - repeatable on purpose
    for _ in range(3000):
        text = rng.choice([text for text in _TEXTS.values() if len(text) < 500] + ['[[1,2],[3,{"a":[4,[5]]}],6,7,"b"]'])
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(["", ",", "]", "[", "}", "{", '"', "0", " ", "\\", ":", "\n"]) + text[at + rng.randrange(2) :]
        assert _outcome(json_in_pieces.loads, text) == _outcome(json.loads, text), text


def _outcome(loads, text):
    try:
        return repr(loads(text.encode()))
    except json.JSONDecodeError as error:
        return error.msg, error.pos


def test_what_is_nested_deeper_than_a_tensor_or_fills_too_much_memory_is_refused_before_it_is_read():
    assert json_in_pieces.loads(b"[" * 60 + b"]" * 60) == json.loads(b"[" * 60 + b"]" * 60)
    with pytest.raises(RecursionError):
        json_in_pieces.loads(b"[" * 100_000)
    with pytest.raises(RecursionError):  # which Python itself would take
        json_in_pieces.loads(b"[" * 200 + b"]" * 200)
    for unit in (b"[],", b"0,", b'{"":0},', b'"",'):
        with pytest.raises(ValueError, match="Expected JSON of fewer values"):
            json_in_pieces.loads(b"[" + unit * 5_000_000 + b"0]")
