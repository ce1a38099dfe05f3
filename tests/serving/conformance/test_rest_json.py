"""JSON to tensors and back: which values are taken, which are refused in which words, and how numbers print."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conformance.target import predict_request


def _predict(target, body, model="echo"):
    return target.post(f"/v1/models/{model}:predict", body)


def _refused(answer):
    assert answer.status == 400, answer.text
    return answer.error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("", "JSON Parse error: The document is empty", id="no body"),
        pytest.param("instances = [1, 2]", "JSON Parse error: Invalid value", id="no JSON"),
        pytest.param('{"instances": [1]', "JSON Parse error", id="cut short"),
        pytest.param('{"instances": [1]} x', "JSON Parse error", id="text behind"),
        pytest.param('{"instances": [1,]}', "JSON Parse error", id="comma too many"),
        pytest.param("{'instances': [1]}", "JSON Parse error", id="single quotes"),
        pytest.param("[1, 2]", "Is not object", id="a list"),
        pytest.param("1", "Is not object", id="a number"),
        pytest.param("{}", "Missing 'inputs' or 'instances' key", id="neither key"),
        pytest.param('{"instances": [1], "inputs": [1]}', "expecting only one of 'inputs' or 'instances' keys to exist", id="both keys"),
        pytest.param('{"instances": 1}', "Excepting 'instances' to be an list/array", id="instances is no list"),
        pytest.param('{"instances": []}', "No values in 'instances' array", id="no instances"),
        pytest.param('{"signature_name": 5, "instances": [1]}', "'signature_name' key must be a string value.", id="signature is a number"),
        pytest.param('{"signature_name": null, "instances": [1]}', "'signature_name' key must be a string value.", id="signature is null"),
        pytest.param('{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1", id="ragged rows"),
        pytest.param('{"instances": [[1, 2], [[3, 4]]]}', "Expecting shape [2] but got: [1,2]", id="rows of different rank"),
        pytest.param('{"instances": [1, [1]]}', "Expecting shape [] but got: [1]", id="a value and a list"),
        pytest.param(
            '{"instances": [[[1], 2]]}', "found at incorrect level: 2 in the JSON DOM. Expected at level: 2", id="a value among lists"
        ),
        pytest.param('{"instances": [[1, [2]]]}', "Encountered list at unexpected level: 1 expected < 1", id="a list among values"),
        pytest.param(
            '{"inputs": [[1, 2], [3]]}', "Encountered list at unexpected size: 1 at level: 1 expected size: 2", id="ragged column"
        ),
        pytest.param('{"instances": [{"z": 1}]}', "JSON object: does not have named input: z", id="unknown input by row"),
        pytest.param('{"instances": [{"x": 1}, 2]}', "Expecting object but got list at item 1 of input list", id="object, then value"),
        pytest.param(
            '{"instances": [2, {"x": 1}]}', "Expecting value/list but got object at item 1 of input list", id="value, then object"
        ),
        pytest.param('{"instances": [{}]}', "keys must be equal to: x", id="empty object"),
        pytest.param('{"inputs": {"z": 1}}', "Missing named input: x in 'inputs' object.", id="unknown input by column"),
    ],
)
def test_a_request_of_another_form_is_refused(target, body, message):
    assert message in _refused(_predict(target, body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            {"instances": [1, 2]}, "instances is a plain list, but expecting list of objects as multiple input tensors", id="rows"
        ),
        pytest.param({"inputs": [1, 2]}, "inputs is a plain value/list, but expecting an object as multiple input tensors", id="columns"),
        pytest.param({"inputs": {"a": [1]}}, "Missing named input: b in 'inputs' object.", id="a column is missing"),
        pytest.param({"instances": [{"a": 1}]}, "keys must be equal to: a,b", id="a row lacks an input"),
        pytest.param({"instances": [{"a": 1, "b": 1, "c": 1}]}, "does not have named input: c", id="a row has one too many"),
        pytest.param({"instances": [{"a": 1, "b": "1"}]}, "Failed to process element: 0 key: b of 'instances' list.", id="element and key"),
    ],
)
def test_several_inputs_want_their_names(target, body, message):
    assert message in _refused(_predict(target, body, "shapes"))


@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        ("float", "x", "String"),
        ("float", True, "True"),
        ("float", None, "Null"),
        ("float", {"b64": "AAAA"}, "Object"),
        ("double", "1.0", "String"),
        ("int32", 1.5, "Number"),
        ("int32", 1.0, "Number"),
        ("int32", "1", "String"),
        ("int32", False, "False"),
        ("int32", 2**31, "Number"),
        ("int64", 1.5, "Number"),
        ("int64", 2**63, "Number"),
        ("uint32", -1, "Number"),
        ("uint64", -1, "Number"),
        ("bool", 1, "Number"),
        ("bool", "true", "String"),
        ("string", 1, "Number"),
        ("string", None, "Null"),
    ],
)
@pytest.mark.parametrize("form", ["row", "column"])
def test_wrong_json_types_are_refused(target, dtype, value, kind, form):
    signature = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    key = "instances" if form == "row" else "inputs"
    message = _refused(_predict(target, {"signature_name": signature, key: [value]}))
    assert f"Type: {kind} is not of expected type: {dtype}" in message
    assert "JSON Value: " in message


@pytest.mark.parametrize(
    ("signature", "value"),
    [("float32", 16777217), ("float32", 1.7976931348623157e308), ("float32", -16777217), ("float64", 9007199254740993)],
)
def test_numbers_that_do_not_fit_are_refused(target, signature, value):
    message = _refused(_predict(target, {"signature_name": signature, "instances": [value]}))
    assert "Cannot convert JSON value: " in message
    assert f" to {'float' if signature == 'float32' else 'double'} without loss of precision." in message


@pytest.mark.parametrize(
    "value", [{"b64": 1}, {"b64": "aGVsbG8=", "also": 1}, {"64b": "aGVsbG8="}], ids=["no string", "another key", "other key"]
)
def test_base64_must_be_formatted_rightly(target, value):
    _refused(_predict(target, {"signature_name": "string", "inputs": {"x": [value]}}))


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("+/+/", b"\xfb\xff\xbf"),
        (" aGVs\r\nbG8=\t\v\f\n", b"hello"),
        ("aGVsbG8= \n", b"hello"),
        ("a GVsbA = = ", b"hell"),
        ("aGVsbA", b"hell"),
        ("aGVsbA..", b"hell"),
        ("aGVsbB==", b"hell"),
        ("", b""),
        (" \n", b""),
    ],
    ids=[
        "alphabet",
        "white space",
        "white space after padding",
        "white space in padding",
        "no padding",
        "dots",
        "odd bits",
        "none",
        "blank",
    ],
)
def test_base64_is_read_as_abseil_reads_it(target, text, content):
    """White space is skipped wherever it stands; padding is left out or whole, and may be dots."""
    answer = _predict(target, {"signature_name": "bytes", "inputs": [{"b64": text}]})
    assert answer.json == {"outputs": [{"b64": base64.b64encode(content).decode()}]}


@pytest.mark.parametrize(
    "text", ["!", "-_-_", "aGVsbA=", "aGVsbG8==", "aGVsb", "aG=VsbG8", "aGVs=", "aGVsbG8=\u00a0", "aGVs\x1cbG8=", "aGVs\0"]
)
def test_base64_must_decode(target, text):
    message = _refused(_predict(target, {"signature_name": "string", "instances": [{"b64": text}]}))
    assert "Unable to base64 decode" in message


@pytest.mark.parametrize(("text", "status"), [("aGVs\nbG8=", 200), ("_-_-", 400)], ids=["line break", "web-safe"])
def test_base64_in_an_example_is_read_alike(target, text, status):
    answer = target.post(
        "/v1/models/half_plus_two:regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0, "b": {"b64": text}}]}
    )
    assert answer.status == status


def test_a_dtype_that_json_cannot_say_is_unimplemented(target):
    answer = _predict(target, {"signature_name": "complex64", "inputs": [1]})
    assert (answer.status, "to type: complex64" in answer.error) == (501, True)


@pytest.mark.parametrize("form", [("instances", "predictions"), ("inputs", "outputs")], ids=["rows", "columns"])
@pytest.mark.parametrize("signature", ["float32", "float64"])
def test_nan_and_infinity_are_taken_and_given(target, signature, form):
    body = f'{{"signature_name": "{signature}", "{form[0]}": [NaN, Infinity, -Infinity, 1]}}'
    answer = _predict(target, body)
    assert answer.status == 200, answer.text
    assert "".join(answer.text.split()) == f'{{"{form[1]}":[NaN,Infinity,-Infinity,1.0]}}'


@pytest.mark.parametrize(
    ("signature", "value", "text"),
    [
        ("float32", "0.1", "0.1"),
        ("float32", "0.2", "0.2"),
        ("float32", "1", "1.0"),
        ("float32", "-0.5", "-0.5"),
        ("float32", "999999", "999999.0"),
        ("float32", "555557.5", "555557.5"),
        ("float32", "0.0003", "0.0003"),
        ("float64", "0.1", "0.1"),
        ("float64", "2", "2.0"),
        ("int32", "7", "7"),
        ("bool", "true", "true"),
        ("string", '"a\\"b"', '"a\\"b"'),
    ],
)
def test_values_print_in_their_shortest_form(target, signature, value, text):
    answer = _predict(target, f'{{"signature_name": "{signature}", "inputs": {value}}}')
    assert "".join(answer.text.split()) == f'{{"outputs":{text}}}'


@pytest.mark.parametrize(("signature", "dtype"), [("float32", np.float32), ("float64", np.float64)])
def test_decimals_survive_printing(target, signature, dtype):
    """Whatever digits are printed, they read as the same number again."""
    sent = np.random.default_rng(0).standard_normal(200).astype(dtype) * dtype(10) ** np.arange(-20, 20, 0.2).astype(dtype)
    answer = _predict(target, {"signature_name": signature, "inputs": [float(value) for value in sent]})
    np.testing.assert_array_equal(np.array(answer.json["outputs"], dtype), sent)


def test_duplicate_requests_agree_over_both_transports(target):
    rows = [[0.1, -2.5], [1e-8, 3e30]]
    proto = target.predict(predict_request("echo", {"x": np.float32(rows)})).outputs["y"]
    assert np.array_equal(np.float32(_predict(target, {"instances": rows}).json["predictions"]), tf.make_ndarray(proto))


def test_deep_nesting_is_refused_and_breaks_nothing(target):
    deep = 2000
    answer = _predict(target, '{"instances": ' + "[" * deep + "1" + "]" * deep + "}")
    assert answer.status == 400
    assert _predict(target, {"instances": [1.0]}).json == {"predictions": [1.0]}


def test_large_bodies_work(target):
    values = list(range(200_000))
    assert _predict(target, {"signature_name": "int32", "inputs": values}).json == {"outputs": values}


def test_every_byte_comes_back_in_base64(target):
    content = base64.b64encode(bytes(range(256))).decode()
    assert _predict(target, {"signature_name": "bytes", "inputs": [{"b64": content}]}).json == {"outputs": [{"b64": content}]}


def test_an_error_is_json_whatever_it_quotes(target):
    message = 'no "such"\n\x01 signature é\\'
    answer = _predict(target, json.dumps({"signature_name": message, "instances": [1]}))
    assert answer.status == 400
    assert "not found in signature def" in answer.error
