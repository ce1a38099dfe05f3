"""Classify, Regress and MultiInference over gRPC: tf.Examples in, scores and labels out."""

import pytest
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from tests.serving.conformance.models import CLASSIFY, PREDICT, REGRESS
from tests.serving.conformance.target import example, fill, refused, with_examples

_NO_CLASSES = 'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: '
_INPUT_KINDS = {"classify": classification_pb2.ClassificationRequest, "regress": regression_pb2.RegressionRequest}


def _request(method, signature, *examples, context=None, **spec):
    request = fill(_INPUT_KINDS[method](), spec.pop("name", "half_plus_two"), signature=signature, **spec)
    return with_examples(request, *examples, context=context)


def _classes(response):
    return [[(entry.label, entry.score) for entry in row.classes] for row in response.result.classifications]


def _regress(target, signature, *examples, **more):
    return [row.value for row in target.regress(_request("regress", signature, *examples, **more)).result.regressions]


def test_classify_gives_scores(target):
    response = target.classify(_request("classify", "classify_x_to_y", example(x=20.0), example(x=2.0)))
    assert _classes(response) == [[("", 12.0)], [("", 3.0)]]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half_plus_two", 123, "classify_x_to_y")


def test_classify_gives_labels_with_scores(target):
    response = target.classify(_request("classify", "classify_named", example(x=2.0, x2=2.0)))
    assert _classes(response) == [[("y", 3.0), ("y2", 4.0), ("y3", 4.0)]]


def test_classify_gives_labels_alone(target):
    response = target.classify(_request("classify", "classify_only_classes", example(x=2.0)))
    assert _classes(response) == [[("y", 0.0), ("y2", 0.0), ("y3", 0.0)]]


def test_the_names_decide_and_not_the_method_name(target):
    """TensorFlow 2 calls every signature's method predict; tensorflow_model_server does not look at it unless told to."""
    response = target.classify(_request("classify", "classify", example(x=2.0), name="module"))
    assert _classes(response) == [[("plus", 6.0), ("minus", -6.0)]]
    assert _regress(target, "regress", example(x=2.0), name="module") == [6.0]
    (result,) = target.multi_inference(_multi(("module", "regress", REGRESS))).results
    assert [row.value for row in result.regression_result.regressions] == [6.0]


def test_regress_gives_values(target):
    response = target.regress(_request("regress", "regress_x_to_y", example(x=80.0), example(x=2.0)))
    assert [row.value for row in response.result.regressions] == [42.0, 3.0]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half_plus_two", 123, "regress_x_to_y")


def test_regress_takes_an_output_without_a_second_dimension(target):
    assert _regress(target, "regress_flat", example(x=2.0), example(x=4.0)) == [3.0, 4.0]


def test_the_context_is_shared_by_all_examples(target):
    assert _regress(target, "regress_x2_to_y3", example(x=1.0), example(x=2.0), context=example(x2=2.0)) == [4.0, 4.0]


def test_an_example_overrides_the_context(target):
    assert _regress(target, "regress_x2_to_y3", example(x=1.0, x2=4.0), example(x=2.0), context=example(x2=2.0)) == [5.0, 4.0]


def test_the_context_counts_in_classify(target):
    response = target.classify(_request("classify", "classify_named", example(x2=2.0), context=example(x=2.0)))
    assert _classes(response) == [[("y", 3.0), ("y2", 4.0), ("y3", 4.0)]]


@pytest.mark.parametrize(("method", "signature"), [("classify", "classify_x_to_y"), ("regress", "regress_x_to_y")])
@pytest.mark.parametrize("kind", ["no input", "no examples", "only a context"])
def test_an_empty_input_is_refused(target, method, signature, kind):
    request = fill(_INPUT_KINDS[method](), "half_plus_two", signature=signature)
    if kind == "no examples":
        request.input.example_list.SetInParent()
    elif kind == "only a context":
        request.input.example_list_with_context.context.CopyFrom(example(x=1.0))
    assert refused(getattr(target, method), request) == ("INVALID_ARGUMENT", "Input is empty.")


@pytest.mark.parametrize(
    ("method", "signature", "code", "message"),
    [
        ("classify", "nothing", "INVALID_ARGUMENT", "No signature was found with the name: nothing"),
        ("regress", "nothing", "INVALID_ARGUMENT", "No signature was found with the name: nothing"),
        ("classify", "", "INVALID_ARGUMENT", "No classification inputs found in SignatureDef: "),
        ("regress", "", "INVALID_ARGUMENT", "No regression inputs found in SignatureDef: "),
        ("regress", "classify_x_to_y", "INVALID_ARGUMENT", "No regression outputs found in SignatureDef: "),
        ("regress", "classify_named", "INVALID_ARGUMENT", "Expected one output Tensor."),
        ("classify", "regress_x_to_y", "INVALID_ARGUMENT", _NO_CLASSES),
        (
            "regress",
            "regress_pairs",
            "INVALID_ARGUMENT",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
        ),
        ("classify", "classify_misnamed", "INVALID_ARGUMENT", "No classification inputs found in SignatureDef: "),
    ],
    ids=[
        "C unknown",
        "R unknown",
        "C on predict",
        "R on predict",
        "R on classify",
        "R of two outputs",
        "C on regress",
        "R of two columns",
        "C input misnamed",
    ],
)
def test_an_unfit_signature_is_refused(target, method, signature, code, message):
    received = refused(getattr(target, method), _request(method, signature, example(x=1.0)))
    assert (received[0], received[1][: len(message)]) == (code, message)


def test_an_example_that_lacks_a_feature_is_refused(target):
    code, message = refused(target.regress, _request("regress", "regress_x_to_y", example(y=1.0)))
    assert code == "INVALID_ARGUMENT"
    assert "Feature: x (data type: float) is required but could not be found" in message


def test_a_feature_of_another_type_is_refused(target):
    code, message = refused(target.classify, _request("classify", "classify_x_to_y", example(x=b"two")))
    assert code == "INVALID_ARGUMENT"
    assert "Data types don't match." in message


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_an_unknown_model_is_not_found(target, method):
    code, message = refused(getattr(target, method), _request(method, "", example(x=1.0), name="nobody", version=2))
    assert (code, message) == ("NOT_FOUND", "Servable not found for request: Specific(nobody, 2)")


def _multi(*tasks, input_=None, **spec):
    request = inference_pb2.MultiInferenceRequest()
    for name, signature, method in tasks:
        fill(request.tasks.add(method_name=method), name, signature=signature, **spec)
    return with_examples(request, *([example(x=2.0)] if input_ is None else input_))


def test_multi_inference_answers_each_task_in_order(target):
    response = target.multi_inference(
        _multi(
            ("half_plus_two", "regress_x_to_y", REGRESS),
            ("half_plus_two", "classify_named", CLASSIFY),
            ("half_plus_two", "regress_x_to_y2", REGRESS),
        )
    )
    first, second, third = response.results
    assert [row.value for row in first.regression_result.regressions] == [3.0]
    assert [entry.label for entry in second.classification_result.classifications[0].classes] == ["y", "y2", "y3"]
    assert [row.value for row in third.regression_result.regressions] == [4.0]
    spec = second.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half_plus_two", 123, "classify_named")


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        pytest.param(
            [("half_plus_two", "regress_x_to_y", REGRESS), ("echo", "regress_x_to_y", REGRESS)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
            id="two models",
        ),
        pytest.param(
            [("half_plus_two", "regress_x_to_y", REGRESS)] * 2,
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress_x_to_y",
            id="a signature twice",
        ),
        pytest.param(
            [("half_plus_two", "regress_x_to_y", REGRESS), ("", "classify_x_to_y", CLASSIFY)],
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
            id="a task without a name",
        ),
        pytest.param(
            [("half_plus_two", "nothing", REGRESS)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: nothing",
            id="unknown signature",
        ),
        pytest.param(
            [("half_plus_two", "serving_default", PREDICT)],
            "UNIMPLEMENTED",
            f"Unsupported signature method_name: {PREDICT}",
            id="a method that is neither",
        ),
        pytest.param(
            [("half_plus_two", "regress_x_to_y", REGRESS), ("half_plus_two", "regress_other_input", REGRESS)],
            "INVALID_ARGUMENT",
            "Input tensor must be the same for all Signatures.",
            id="two inputs",
        ),
        pytest.param(
            [("half_plus_two", "regress_x_to_y", CLASSIFY)],
            "INVALID_ARGUMENT",
            _NO_CLASSES,
            id="method and signature differ",
        ),
        pytest.param(
            [("nobody", "regress_x_to_y", REGRESS)], "NOT_FOUND", "Servable not found for request: Latest(nobody)", id="unknown model"
        ),
    ],
)
def test_multi_inference_refuses(target, tasks, code, message):
    received = refused(target.multi_inference, _multi(*tasks))
    assert (received[0], received[1][: len(message)]) == (code, message)


def test_multi_inference_refuses_an_empty_input(target):
    request = _multi(("half_plus_two", "regress_x_to_y", REGRESS), input_=())
    assert refused(target.multi_inference, request) == ("INVALID_ARGUMENT", "Input is empty.")
