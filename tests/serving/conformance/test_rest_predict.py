"""`:predict`, `:classify` and `:regress` over REST: rows and columns in, rows and columns out."""

import base64

import pytest

_HALF = "/v1/models/half_plus_two"
_BYTES = base64.b64encode(b"\x00\xff").decode()


def _ok(answer):
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer.text
    return answer.json


def _refused(answer):
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json"), answer.text
    return answer.error


@pytest.mark.parametrize(
    ("model", "request_", "reply"),
    [
        pytest.param("half_plus_two", {"instances": [1.0, 2.0]}, {"predictions": [2.5, 3.0]}, id="row values"),
        pytest.param("half_plus_two", {"instances": [[1.0, 2.0], [3.0, 4.0]]}, {"predictions": [[2.5, 3.0], [3.5, 4.0]]}, id="row lists"),
        pytest.param("half_plus_two", {"instances": [{"x": 1.0}, {"x": 2.0}]}, {"predictions": [2.5, 3.0]}, id="row objects"),
        pytest.param("half_plus_two", {"inputs": [3.0, 4.0]}, {"outputs": [3.5, 4.0]}, id="column without a name"),
        pytest.param("half_plus_two", {"inputs": {"x": [3.0, 4.0]}}, {"outputs": [3.5, 4.0]}, id="column with a name"),
        pytest.param("half_plus_two", {"inputs": 3.0}, {"outputs": 3.5}, id="column scalar"),
        pytest.param("half_plus_two", {"inputs": []}, {"outputs": []}, id="column empty"),
        pytest.param(
            "half_plus_two", {"signature_name": "serving_default", "instances": [3.0]}, {"predictions": [3.5]}, id="signature named"
        ),
        pytest.param("half_plus_two", {"signature_name": "", "instances": [3.0]}, {"predictions": [3.5]}, id="signature empty"),
        pytest.param("half_plus_two", {"instances": [3.0], "nonsense": 1}, {"predictions": [3.5]}, id="other keys are ignored"),
        pytest.param(
            "shapes",
            {"instances": [{"a": 5, "b": 1}, {"a": 6, "b": 2}]},
            {"predictions": [{"sum": 6.0, "difference": 4.0}, {"sum": 8.0, "difference": 4.0}]},
            id="rows with names when there are several outputs",
        ),
        pytest.param(
            "shapes",
            {"inputs": {"a": [5, 6], "b": [1, 2]}},
            {"outputs": {"sum": [6.0, 8.0], "difference": [4.0, 4.0]}},
            id="columns with names when there are several outputs",
        ),
        pytest.param("tables", {"instances": ["bee", "dog"]}, {"predictions": [1, -1]}, id="strings in, integers out"),
        pytest.param("echo", {"signature_name": "bool", "instances": [True, False]}, {"predictions": [True, False]}, id="bools"),
        pytest.param("echo", {"signature_name": "int8", "instances": [[-1, 2]]}, {"predictions": [[-1, 2]]}, id="small integers"),
        pytest.param("echo", {"signature_name": "int64", "instances": [-(2**63)]}, {"predictions": [-(2**63)]}, id="int64 whole"),
        pytest.param("echo", {"signature_name": "uint64", "instances": [2**64 - 1]}, {"predictions": [2**64 - 1]}, id="uint64 whole"),
        pytest.param("echo", {"signature_name": "uint32", "instances": [2**32 - 1]}, {"predictions": [2**32 - 1]}, id="uint32 whole"),
        pytest.param("echo", {"instances": [1, 2.5, 3]}, {"predictions": [1.0, 2.5, 3.0]}, id="integers are decimals too"),
        pytest.param("echo", {"signature_name": "string", "instances": ["é", ""]}, {"predictions": ["é", ""]}, id="unicode"),
        pytest.param("echo", {"signature_name": "string", "instances": [{"b64": "aGVsbG8="}]}, {"predictions": ["hello"]}, id="b64 row"),
        pytest.param("echo", {"signature_name": "string", "inputs": {"b64": "aGVsbG8="}}, {"outputs": "hello"}, id="b64 column scalar"),
        pytest.param("echo", {"signature_name": "string", "inputs": {"x": [{"b64": "aGVsbG8="}]}}, {"outputs": ["hello"]}, id="b64 named"),
        pytest.param(
            "echo", {"signature_name": "string", "instances": [[{"b64": "YQ=="}], ["b"]]}, {"predictions": [["a"], ["b"]]}, id="b64 mixed"
        ),
        pytest.param(
            "echo", {"signature_name": "bytes", "instances": [{"b64": _BYTES}]}, {"predictions": [{"b64": _BYTES}]}, id="_bytes are base64"
        ),
        pytest.param(
            "echo",
            {"signature_name": "text", "instances": ["hello"]},
            {"predictions": [{"text": "hello", "text_bytes": {"b64": "aGVsbG8="}}]},
            id="only _bytes are base64",
        ),
        pytest.param(
            "echo",
            {"signature_name": "text", "inputs": ["hello"]},
            {"outputs": {"text": ["hello"], "text_bytes": [{"b64": "aGVsbG8="}]}},
            id="only _bytes are base64, by column",
        ),
        pytest.param(
            "shapes",
            {"signature_name": "declared", "instances": [[1, 2]]},
            {"predictions": [[2.0, 4.0]]},
            id="declared shapes are not enforced",
        ),
        pytest.param("shapes", {"signature_name": "scalar_output", "inputs": [1, 2]}, {"outputs": 3.0}, id="a scalar output by column"),
    ],
)
def test_predict_answers(target, model, request_, reply):
    assert _ok(target.post(f"/v1/models/{model}:predict", request_)) == reply


@pytest.mark.parametrize(
    ("path", "number"), [("", 12), ("/versions/7", 7), ("/versions/0007", 7), ("/versions/0", 0), ("/labels/stable", 7)]
)
def test_predict_asks_the_version_in_the_path(target, path, number):
    assert _ok(target.post(f"/v1/models/numbered{path}:predict", {"instances": [1.0]})) == {"predictions": [number]}


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        pytest.param({"instances": [1.0]}, 404, "Servable not found for request: Latest(nobody)", id="the model is looked up"),
        pytest.param(
            {"signature_name": "nothing", "instances": [1.0]},
            404,
            "Servable not found for request: Latest(nobody)",
            id="the model is looked up before the signature",
        ),
        pytest.param("{", 400, "JSON Parse error", id="the JSON is parsed before the model is looked up"),
    ],
)
def test_an_unknown_model(target, request_, status, message):
    answer = target.post("/v1/models/nobody:predict", request_)
    assert (answer.status, answer.error[: len(message)]) == (status, message)


def test_an_unknown_version_is_not_found(target):
    answer = target.post("/v1/models/half_plus_two/versions/9:predict", {"instances": [1.0]})
    assert (answer.status, answer.error) == (404, "Servable not found for request: Specific(half_plus_two, 9)")


def test_an_unknown_label_is_a_bad_request(target):
    answer = target.post("/v1/models/half_plus_two/labels/nothing:predict", {"instances": [1.0]})
    assert _refused(answer) == "Unrecognized servable version label: nothing"


def test_an_unknown_signature_is_a_bad_request(target):
    answer = target.post(f"{_HALF}:predict", {"signature_name": "nothing", "instances": [1.0]})
    assert _refused(answer) == 'Serving signature name: "nothing" not found in signature def'


@pytest.mark.parametrize(
    ("signature", "message"),
    [("scalar_output", "Tensor name: total has no shape information"), ("uneven_outputs", "has inconsistent batch size")],
)
def test_outputs_that_are_no_rows_are_refused(target, signature, message):
    assert message in _refused(target.post("/v1/models/shapes:predict", {"signature_name": signature, "instances": [1.0, 2.0]}))


def test_a_shape_that_the_graph_refuses_is_a_bad_request(target):
    _refused(target.post("/v1/models/shapes:predict", {"signature_name": "matmul", "instances": [[1, 2, 3]]}))


def test_examples_that_do_not_parse_are_a_bad_request(target):
    assert "Could not parse example input" in _refused(target.post("/v1/models/module:predict", {"instances": ["\x7f no example"]}))


@pytest.mark.parametrize(
    ("method", "request_", "results"),
    [
        pytest.param("regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 80.0}, {"x": [2.0]}]}, [42.0, 3.0], id="regress"),
        pytest.param("classify", {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0}]}, [[["", 12.0]]], id="classify scores"),
        pytest.param(
            "classify",
            {"signature_name": "classify_named", "examples": [{"x": 2.0, "x2": 2.0}]},
            [[["y", 3.0], ["y2", 4.0], ["y3", 4.0]]],
            id="classify labels",
        ),
        pytest.param(
            "regress",
            {"signature_name": "regress_x2_to_y3", "context": {"x2": 2.0}, "examples": [{"x": 1.0}, {"x": 1.0, "x2": 4.0}]},
            [4.0, 5.0],
            id="shared context",
        ),
    ],
)
def test_classify_and_regress_answer(target, method, request_, results):
    assert _ok(target.post(f"{_HALF}:{method}", request_)) == {"results": results}


@pytest.mark.parametrize("path", ["/versions/123", ""])
def test_regress_asks_the_version_in_the_path(target, path):
    request = {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}
    assert _ok(target.post(f"{_HALF}{path}:regress", request)) == {"results": [3.0]}


@pytest.mark.parametrize("method", ["classify", "regress"])
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param("", "JSON Parse error: The document is empty", id="no body"),
        pytest.param({}, "key 'examples' is expected and was not found", id="no examples"),
        pytest.param({"examples": {"x": 1.0}}, "Expecting 'examples' value to be an list/array", id="no list"),
        pytest.param({"examples": []}, "'examples' value is an empty array", id="empty list"),
        pytest.param({"examples": [[{"x": 1.0}]]}, "Example must be JSON object", id="a list in the list"),
        pytest.param({"context": [], "examples": [{}]}, "Example must be JSON object", id="context is no object"),
        pytest.param({"signature_name": ["a"], "examples": [{}]}, "'signature_name' key must be a string value.", id="signature"),
        pytest.param({"examples": [{"x": [10, None]}]}, "x has element with unexpected JSON type: Null", id="null"),
        pytest.param({"examples": [{"x": [10, {"y": 1}]}]}, "x has element with unexpected JSON type: Object", id="object"),
        pytest.param({"examples": [{"x": [[10]]}]}, "x has element with unexpected JSON type: Array", id="array"),
        pytest.param({"examples": [{"x": [10, 10.0]}]}, "feature: x expecting type: int64", id="integers, then a decimal"),
        pytest.param({"examples": [{"x": ["a", 1]}]}, "feature: x expecting type: bytes", id="strings, then an integer"),
        pytest.param({"examples": [{"x": [20, 18446744073709551603]}]}, "Only int64 is supported", id="beyond int64"),
        pytest.param({"examples": [{"x": 1.7e308}]}, "without loss of precision", id="beyond float"),
    ],
)
def test_bad_examples_are_told(target, method, request_, message):
    assert message in _refused(target.post(f"{_HALF}:{method}", request_))


def test_a_failed_precondition_is_a_bad_request(target):
    answer = target.post(f"{_HALF}:classify", {"signature_name": "classify_misnamed", "examples": [{"x": 1.0}]})
    assert _refused(answer).startswith("No classification inputs found in SignatureDef: ")


def test_a_missing_feature_is_a_bad_request(target):
    answer = target.post(f"{_HALF}:regress", {"signature_name": "regress_x_to_y", "examples": [{"y": 1.0}]})
    assert "Feature: x (data type: float) is required but could not be found" in _refused(answer)


@pytest.mark.parametrize("body", [{"instances": []}, {"instances": [{}]}, {"inputs": {}}, {"inputs": []}, {}], ids=str)
def test_a_signature_without_inputs_cannot_be_called(target, body):
    """There is no request for it in JSON; over gRPC there is."""
    message = _refused(target.post("/v1/models/shapes:predict", {"signature_name": "no_inputs", **body}))
    assert message == "Failed to get input map for signature: no_inputs"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": {"x": [1.0]}}, "Missing named input: "),
        ({"inputs": [1.0]}, "inputs is a plain value/list, but expecting an object"),
        ({"instances": [{"x": 1.0}]}, "keys must be equal to: plus,times,x"),
        ({"instances": [1.0]}, "instances is a plain list, but expecting list of objects"),
    ],
    ids=["columns", "unnamed", "rows", "unnamed rows"],
)
def test_an_input_that_has_a_default_must_be_sent(target, body, said):
    """Over gRPC it may be left out."""
    assert said in _refused(target.post("/v1/models/defaults:predict", body))
