"""TensorFlow Serving's REST protocol over a real socket."""

import base64
import gzip
import http.client
import json
import os

import pytest


@pytest.fixture
def call(served):
    """Called with method, path and body it gives (status, parsed JSON)."""
    connection = http.client.HTTPConnection(served.rest, timeout=20)

    def request(method, path, body=None, **headers):
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        text = response.read()
        assert response.getheader("Content-Type") == "application/json"
        return response.status, json.loads(text)

    yield request
    connection.close()


@pytest.fixture
def predict(call):
    def request(**body):
        return call("POST", "/v1/models/digits:predict", body)

    return request


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def test_status_shows_the_version_as_a_string(call):
    available = {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert call("GET", "/v1/models/digits") == (200, {"model_version_status": [available]})
    assert call("GET", "/v1/models/digits/versions/7")[1] == {"model_version_status": [available]}


def test_rows_and_columns_answer_in_the_form_that_was_asked(predict, png):
    status, rows = predict(signature_name="predict_image", instances=[b64(png(0)), b64(png(1))])
    assert status == 200
    assert [row["classes"] for row in rows["predictions"]] == [3, 4]
    assert rows["predictions"][0]["probabilities"][3] == pytest.approx(0.91)
    status, columns = predict(signature_name="predict_image", inputs={"image": [b64(png(0)), b64(png(1))]})
    assert status == 200
    assert columns["outputs"]["classes"] == [3, 4]
    assert predict(signature_name="predict_image", inputs=[b64(png(1))])[1]["outputs"]["classes"] == [4]
    assert predict(signature_name="predict_image", instances=[{"image": b64(png(1))}])[1]["predictions"][0]["classes"] == 4


def test_a_version_may_be_named_in_the_path(call):
    body = {"signature_name": "add", "inputs": {"a": [1], "b": [2]}}
    assert call("POST", "/v1/models/digits/versions/7:predict", body) == (200, {"outputs": [3.0]})
    assert call("POST", "/v1/models/digits/versions/8:predict", body) == (
        404,
        {"error": "Servable not found for request: Specific(digits, 8)"},
    )


def test_the_name_is_omitted_when_there_is_one_output(predict):
    assert predict(signature_name="add", instances=[{"a": 0.1, "b": 0}, {"a": 1, "b": 2}]) == (200, {"predictions": [0.1, 3.0]})


def test_nan_and_infinity_are_taken_and_given(call):
    body = b'{"signature_name": "add", "inputs": {"a": [NaN, Infinity], "b": [0, -1]}}'
    status, answer = call("POST", "/v1/models/digits:predict", body)
    assert status == 200
    assert str(answer["outputs"]) == "[nan, inf]"


def test_a_string_output_is_base64_only_when_its_name_ends_in_bytes(predict):
    assert predict(signature_name="echo", instances=["é"]) == (200, {"predictions": [{"raw_bytes": b64("é".encode()), "text": "é"}]})


def test_a_connection_is_kept_alive_after_an_error(call):
    assert call("GET", "/v1/models/other")[0] == 404
    assert call("GET", "/v1/models/digits")[0] == 200


REFUSALS = {
    "unknown model": ("other:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(other)"),
    "unknown signature": (
        "digits:predict",
        {"signature_name": "n", "instances": [1]},
        400,
        'Serving signature name: "n" not found in signature def',
    ),
    "signature is no string": (
        "digits:predict",
        {"signature_name": 1, "instances": [1]},
        400,
        "'signature_name' key must be a string value.",
    ),
    "no JSON": ("digits:predict", b"{", 400, "JSON Parse error: "),
    "empty": ("digits:predict", b"", 400, "JSON Parse error: The document is empty"),
    "not UTF-8": ("digits:predict", b"\xff\xfe\xff", 400, "JSON Parse error: "),
    "gzip": ("digits:predict", gzip.compress(b"{}"), 400, "JSON Parse error: "),
    "deep": ("digits:predict", b'{"instances":' + b"[" * 100_000, 400, "JSON Parse error: nested too deeply"),
    "list": ("digits:predict", [1], 400, "JSON Value: [1] Is not object"),
    "neither": ("digits:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
    "both": ("digits:predict", {"inputs": 1, "instances": 1}, 400, "expecting only one of 'inputs' or 'instances'"),
    "no list": ("digits:predict", {"instances": "x"}, 400, "Excepting 'instances' to be an list/array"),
    "no rows": ("digits:predict", {"instances": []}, 400, "No values in 'instances' array"),
    "mixed rows": ("digits:predict", {"instances": [{"examples": "x"}, "y"]}, 400, "Expecting object but got list at item 1 of input list"),
    "row's key": ("digits:predict", {"instances": [{"example": "x"}]}, 400, "JSON object: does not have named input: example"),
    "plain rows, two inputs": (
        "digits:predict",
        {"signature_name": "add", "instances": [1]},
        400,
        "instances is a plain list, but expecting list",
    ),
    "plain column, two inputs": (
        "digits:predict",
        {"signature_name": "add", "inputs": [1]},
        400,
        "inputs is a plain value/list, but expecting",
    ),
    "missing column": (
        "digits:predict",
        {"signature_name": "add", "inputs": {"a": [1]}},
        400,
        "Missing named input: b in 'inputs' object.",
    ),
    "string for float": (
        "digits:predict",
        {"signature_name": "add", "inputs": {"a": ["1"], "b": [1]}},
        400,
        'JSON Value: "1" Type: String is not of expected type: float',
    ),
    "bool for float": (
        "digits:predict",
        {"signature_name": "add", "inputs": {"a": [True], "b": [1]}},
        400,
        "is not of expected type: float",
    ),
    "float for int": ("digits:predict", {"signature_name": "predict_pixels", "inputs": [[1.0]]}, 400, "is not of expected type: uint8"),
    "int out of range": ("digits:predict", {"signature_name": "predict_pixels", "inputs": [[256]]}, 400, "is not of expected type: uint8"),
    "float32 overflow": ("digits:predict", {"signature_name": "add", "inputs": {"a": [1e39], "b": [1]}}, 400, "without loss of precision"),
    "number for string": ("digits:predict", {"inputs": [1]}, 400, "JSON Value: 1 Type: Number is not of expected type: string"),
    "not base64": ("digits:predict", {"inputs": [{"b64": "%"}]}, 400, "Unable to base64 decode"),
    "ragged": (
        "digits:predict",
        {"signature_name": "predict_pixels", "inputs": [[1], [1, 2]]},
        400,
        "Encountered list at unexpected size: 2",
    ),
    "uneven depth": ("digits:predict", {"signature_name": "predict_pixels", "inputs": [[1], 1]}, 400, "found at incorrect level"),
    "list among values": (
        "digits:predict",
        {"signature_name": "predict_pixels", "inputs": [1, [1]]},
        400,
        "Encountered list at unexpected level",
    ),
    "no batch": ("digits:predict", {"signature_name": "meet", "instances": [1]}, 400, "as multiple input tensors required"),
}


@pytest.mark.parametrize(("path", "body", "status", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_tensorflow_servings_status_and_text(call, path, body, status, text):
    got, answer = call("POST", f"/v1/models/{path}", body)
    assert got == status
    assert list(answer) == ["error"]
    assert text in answer["error"]


def test_a_bad_route_is_malformed_below_v1_and_not_found_elsewhere(call):
    assert call("GET", "/v1/nothing") == (400, {"error": "Malformed request: GET /v1/nothing"})
    assert call("GET", "/v1/models/digits:predict") == (400, {"error": "Malformed request: GET /v1/models/digits:predict"})
    assert call("PUT", "/v1/models/digits")[0] == 400
    assert call("GET", "/v1/models/digits/versions/99999999999999999999")[0] == 400
    assert call("GET", "/metrics") == (404, {"error": "Not found: /metrics"})


def test_a_chunked_body_is_read(call):
    chunks = b"2\r\n{}\r\n0\r\n\r\n"
    status, answer = call("POST", "/v1/models/digits:predict", chunks, **{"Transfer-Encoding": "chunked"})
    assert (status, answer) == (400, {"error": "Missing 'inputs' or 'instances' key"})


def test_a_request_that_takes_too_long_is_answered_504_and_the_next_one_as_ever(serve_here, write_version, tmp_path):
    """The run goes on: it waits until the test reads the pipe."""
    write_version(tmp_path / "base", 7, 3)
    pipes = {name: tmp_path / name for name in ("here", "there")}
    for pipe in pipes.values():
        os.mkfifo(pipe)
    server = serve_here(tmp_path / "base", answer_seconds=0.5)
    connection = http.client.HTTPConnection(server.rest, timeout=20)

    def post(**body):
        connection.request("POST", "/v1/models/digits:predict", json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    try:
        late = post(signature_name="meet", inputs={name: str(pipe) for name, pipe in pipes.items()})
    finally:
        texts = [pipes["here"].read_text(), pipes["there"].read_text()]
    assert late == (504, {"error": "Timed out after 500 ms (--rest_api_timeout_in_ms)."})
    assert texts == ["in flight", "answered"]
    assert post(signature_name="add", inputs={"a": [1], "b": [2]}) == (200, {"outputs": [3.0]})
    connection.close()
