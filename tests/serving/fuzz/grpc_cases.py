"""Mutated gRPC requests: a method and bytes, made from a valid request by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.serving.conformance.models import CLASSIFY, REGRESS
from tests.serving.conformance.target import example, fill, predict_request, with_examples
from tests.serving.fuzz.mutations import BYTES

_SERVICE = "/tensorflow.serving.PredictionService/"
# No HandleReloadConfigRequest: a mutation that happens to be valid would unload the models that the other cases ask for.
_DIMENSIONS = (-(2**63), -1, 0, 1, 2, 3, 1000, 2**18, 2**28, 2**30, 2**31, 2**40, 2**62, 2**63 - 1)
_NAMES = ("", "half_plus_two", "echo", "shapes", "x", "nobody", "a" * 5000, "\u0000", "é\U0001f980", "../../etc", "serving_default")
_FEATURES = (
    ("float_list", [1.0]),
    ("float_list", [float("nan"), 3e38]),
    ("float_list", []),
    ("int64_list", [-(2**63)]),
    ("bytes_list", [b"\xff\x00"]),
    ("bytes_list", [b"a" * 10_000] * 3),
)


@dataclass(frozen=True)
class GrpcCase:
    """What is sent."""

    method: str
    body: bytes
    metadata: Sequence[tuple[str, str | bytes]] = ()


def grpc_case(rng: Random) -> GrpcCase:
    """One request with one thing or several wrong with it."""
    method, request = rng.choice(_seeds())
    kind = rng.choice(("bytes", "values", "values", "both"))
    if kind != "bytes":
        _spoil_values(rng, request)
    body = request.SerializeToString(deterministic=True)
    if kind != "values":
        for _ in range(rng.choice((1, 1, 2, 4))):
            body = rng.choice(BYTES)(rng, body)
    if rng.random() < 0.05:
        body = rng.choice(_seeds())[1].SerializeToString(deterministic=True) + body
    if rng.random() < 0.03:
        method = _SERVICE + rng.choice(("Guess", "predict", "Predict/", "", "x" * 2000))
    metadata = [("x-noise-bin", rng.randbytes(rng.randrange(200)))] if rng.random() < 0.1 else []
    return GrpcCase(method, body, metadata)


def _seeds() -> list[tuple[str, Any]]:
    row = example(x=1.0, x2=[2.0])
    examples = {"examples": [row.SerializeToString(deterministic=True)]}
    multi = inference_pb2.MultiInferenceRequest()
    fill(multi.tasks.add(method_name=REGRESS), "half_plus_two", signature="regress_x_to_y")
    fill(multi.tasks.add(method_name=CLASSIFY), "half_plus_two", signature="classify_x_to_y")
    predicts = [
        predict_request("half_plus_two", {"x": np.float32([1, 2])}, ["y"]),
        predict_request("echo", {"x": np.float32([[1, 2, 3], [4, 5, 6]])}, version=1),
        predict_request("echo", {"x": np.array([b"a", b"bc"], object)}, signature="string"),
        predict_request("echo", {"x": np.int64([1, -1])}, signature="int64"),
        predict_request("echo", {"x": np.array([True, False])}, signature="bool"),
        predict_request("echo", {"text": [b"\x00\xff"]}, signature="text"),
        predict_request("shapes", {"a": np.float32([1]), "b": np.float32([2])}),
        predict_request("shapes", {"matrix": np.float32([[1, 2]])}, signature="matmul"),
        predict_request("tables", {"words": [b"ant"]}),
        predict_request("module", examples),
        predict_request("numbered", {"x": np.float32([1])}, label="stable"),
    ]
    classify = fill(classification_pb2.ClassificationRequest(), "half_plus_two", signature="classify_x_to_y")
    regress = fill(regression_pb2.RegressionRequest(), "half_plus_two", signature="regress_x_to_y")
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    return [
        *((f"{_SERVICE}Predict", request) for request in predicts),
        (f"{_SERVICE}Classify", with_examples(classify, row)),
        (f"{_SERVICE}Regress", with_examples(regress, row, context=example(x2=1.0))),
        (f"{_SERVICE}MultiInference", with_examples(multi, row)),
        (f"{_SERVICE}GetModelMetadata", fill(metadata, "half_plus_two")),
        ("/tensorflow.serving.ModelService/GetModelStatus", fill(get_model_status_pb2.GetModelStatusRequest(), "numbered")),
    ]


def _spoil_values(rng: Random, request: Any) -> None:
    if rng.random() < 0.3:
        _spoil_spec(rng, request)
    if isinstance(request, predict_pb2.PredictRequest):
        _spoil_tensors(rng, request)
    elif hasattr(request, "input"):
        _spoil_examples(rng, request.input)


def _spoil_examples(rng: Random, input_: input_pb2.Input) -> None:
    """Other features, other kinds of them, none, or many; with a context or without examples."""
    rows = input_.example_list_with_context.examples if rng.random() < 0.5 else input_.example_list.examples
    for _ in range(rng.choice((0, 1, 2, 200))):
        features = rows.add().features.feature
        for name in rng.sample(("x", "x2", "x", *_NAMES), rng.randrange(4)):
            kind, values = rng.choice(_FEATURES)
            getattr(features[name], kind).value.extend(values)


def _spoil_tensors(rng: Random, request: predict_pb2.PredictRequest) -> None:
    """Another dtype, another shape, other values in other fields, names that are not asked for."""
    alias = rng.choice(sorted(request.inputs))
    tensor: tensor_pb2.TensorProto = request.inputs[alias]
    if tensor.string_val and rng.random() < 0.6:
        tensor.string_val[:] = [rng.choice(BYTES)(rng, value) for value in tensor.string_val]
    else:
        for spoil in rng.sample((_other_dtype, _other_shape, _other_values, _other_content), rng.randint(1, 3)):
            spoil(rng, tensor)
    if rng.random() < 0.2:
        request.inputs[rng.choice(_NAMES)].CopyFrom(tensor)
    if rng.random() < 0.2:
        request.output_filter.extend(rng.choices(_NAMES, k=rng.choice((1, 2, 100))))


def _other_dtype(rng: Random, tensor: tensor_pb2.TensorProto) -> None:
    tensor.dtype = rng.choice((*range(32), 101, 107, 119, 9999, 2**31 - 1, -1))


def _other_shape(rng: Random, tensor: tensor_pb2.TensorProto) -> None:
    """Few values for many elements, among others."""
    tensor.tensor_shape.Clear()
    tensor.tensor_shape.unknown_rank = rng.random() < 0.1
    for size in rng.choices(_DIMENSIONS, k=rng.choice((0, 1, 1, 2, 3, 33, 300))):
        tensor.tensor_shape.dim.add(size=size, name=rng.choice(_NAMES) if rng.random() < 0.1 else "")


def _other_values(rng: Random, tensor: tensor_pb2.TensorProto) -> None:
    tensor.ClearField("tensor_content")
    tensor.float_val.extend(rng.choices((0.0, float("nan"), float("inf"), 3e38), k=rng.randrange(9)))
    tensor.int_val.extend(rng.choices((0, -1, 2**31 - 1, 300), k=rng.randrange(5)))
    tensor.string_val.extend(rng.randbytes(rng.randrange(30)) for _ in range(rng.randrange(4)))
    tensor.half_val.extend(rng.choices((0, -1, 70000), k=rng.randrange(3)))


def _other_content(rng: Random, tensor: tensor_pb2.TensorProto) -> None:
    tensor.tensor_content = rng.randbytes(rng.choice((0, 1, 3, 4, 8, 24, 1000)))


def _spoil_spec(rng: Random, request: Any) -> None:
    spec = request.tasks[rng.randrange(2)].model_spec if hasattr(request, "tasks") else request.model_spec
    kind = rng.randrange(4)
    if kind == 0:
        spec.name = rng.choice(_NAMES)
    elif kind == 1:
        spec.version.value = rng.choice((-1, 0, 2**63 - 1, -(2**63)))
    elif kind == 2:
        spec.version_label = rng.choice(_NAMES)
    else:
        spec.signature_name = rng.choice(_NAMES)
