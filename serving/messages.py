"""Requests out of Python's values, and Python's values out of replies: what both clients share. Neither gRPC nor TensorFlow."""

import enum
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving import prediction_pb2 as pb
from serving.errors import InputFileError, InvalidArgumentError
from serving.examples import Features, serialize_example
from serving.signatures import as_array
from serving.tensors import read_tensor, strings, write_tensor

BATCH_SIZE = 256
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
Image = bytes | str | Path | np.ndarray


@dataclass(frozen=True)
class Prediction:
    """`classes`: int64 (N,); `probabilities`: float32 (N, C); `version`: of the model that answered.

    Where a new version came in between two batches, it is the last batch's.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    version: int


@dataclass(frozen=True)
class Class:
    """A label and its score; "" and 0.0 where the model gives only the other."""

    label: str
    score: float


class State(enum.IntEnum):
    """Where a version is in its life."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What the server says of one version; `error_message` is empty unless it could not be loaded."""

    version: int
    state: State
    error_message: str


def model_spec(name: str, signature_name: str, version: int | None, version_label: str) -> pb.ModelSpec:
    """Which model, and which version or label of it, not both. Raises InvalidArgumentError."""
    spec = pb.ModelSpec(name=name, signature_name=signature_name)
    if version is not None and version_label:
        raise InvalidArgumentError(f"Expected a version or a version_label. Received both: {version} and '{version_label}'.")
    if version is not None:
        spec.version.value = version
    elif version_label:
        spec.version_label = version_label
    return spec


def predict_request(spec: pb.ModelSpec, inputs: Mapping[str, Any], output_filter: Sequence[str]) -> pb.PredictRequest:
    """Arrays, or what NumPy makes arrays of, by the signature's names."""
    request = pb.PredictRequest(model_spec=spec, output_filter=output_filter)
    for name, value in inputs.items():
        write_tensor(as_array(value), request.inputs[name], typed=False)
    return request


def examples_input(examples: Iterable[Features | bytes], context: Features | bytes | None) -> pb.Input:
    """tf.Examples as dicts or serialized, and the features that all of them share."""
    serialized = [serialize_example(example) for example in examples]
    if context is None:
        return pb.Input(example_list=pb.ExampleList(examples=serialized))
    shared = pb.ExampleListWithContext(examples=serialized, context=serialize_example(context))
    return pb.Input(example_list_with_context=shared)


def multi_inference_request(
    name: str, tasks: Mapping[str, str], examples: pb.Input, version: int | None, version_label: str
) -> pb.MultiInferenceRequest:
    """`tasks`: signature name -> "classify" or "regress". Raises InvalidArgumentError."""
    methods = {"classify": CLASSIFY, "regress": REGRESS}
    request = pb.MultiInferenceRequest(input=examples)
    for signature_name, kind in tasks.items():
        if kind not in methods:
            raise InvalidArgumentError(f"Task '{signature_name}': expected 'classify' or 'regress'. Received: '{kind}'.")
        request.tasks.add(model_spec=model_spec(name, signature_name, version, version_label), method_name=methods[kind])
    return request


def image_batches(images: Iterable[Image]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Signature, input name and batch: files and bytes for `predict_image`, uint8 arrays (H, W) or (H, W, C) for `predict_pixels`.

    No images are one empty batch: its answer has the right shapes.
    """
    prepared = map(_prepared, images)
    first = next(prepared, None)
    if isinstance(first, np.ndarray):
        for batch in batches(itertools.chain([first], prepared)):
            yield "predict_pixels", "pixels", _stacked(batch)
        return
    for batch in batches(prepared if first is None else itertools.chain([first], prepared)):
        if any(isinstance(image, np.ndarray) for image in batch):
            raise InvalidArgumentError("Expected images of one kind: files and bytes, or arrays. Received both.")
        yield "predict_image", "image", strings(batch)


def batches(rows: Iterable[Any]) -> Iterator[list]:
    """Lists of up to BATCH_SIZE rows; at least one, which may be empty."""
    iterator = iter(rows)
    yield list(itertools.islice(iterator, BATCH_SIZE))
    while batch := list(itertools.islice(iterator, BATCH_SIZE)):
        yield batch


def read_outputs(response: pb.PredictResponse) -> dict[str, np.ndarray]:
    """Arrays by output name."""
    return {name: read_tensor(tensor) for name, tensor in response.outputs.items()}


def joined_predictions(responses: Iterable[pb.PredictResponse]) -> Prediction:
    """The answers of all batches as one."""
    read = [(read_tensor(each.outputs["classes"]), read_tensor(each.outputs["probabilities"]), each.model_spec) for each in responses]
    classes, probabilities, specs = zip(*read, strict=True)
    return Prediction(np.concatenate(classes), np.concatenate(probabilities), specs[-1].version.value)


def read_classification(result: pb.ClassificationResult) -> list[list[Class]]:
    """The classes of every example."""
    return [[Class(each.label, each.score) for each in entry.classes] for entry in result.classifications]


def read_regression(result: pb.RegressionResult) -> np.ndarray:
    """float32 (N,)."""
    return np.array([each.value for each in result.regressions], np.float32)


def read_multi_inference(response: pb.MultiInferenceResponse) -> dict[str, list[list[Class]] | np.ndarray]:
    """What each task says, by its signature's name."""
    return {
        each.model_spec.signature_name: read_regression(each.regression_result)
        if each.WhichOneof("result") == "regression_result"
        else read_classification(each.classification_result)
        for each in response.results
    }


def read_statuses(response: pb.GetModelStatusResponse) -> list[VersionStatus]:
    """As the server lists them: newest first."""
    return [VersionStatus(entry.version, State(entry.state), entry.status.error_message) for entry in response.model_version_status]


def _prepared(image: Image) -> bytes | np.ndarray:
    if isinstance(image, np.ndarray):
        return image[:, :, np.newaxis] if image.ndim == 2 else image
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise InputFileError(f"{image}: expected an image file. {error.strerror}.") from error


def _stacked(images: Sequence[Any]) -> np.ndarray:
    for image in images:
        if not isinstance(image, np.ndarray):
            raise InvalidArgumentError("Expected images of one kind: files and bytes, or arrays. Received both.")
        if image.dtype != np.uint8 or image.shape != images[0].shape or image.ndim != 3:
            raise InvalidArgumentError(
                f"Expected uint8 images of one shape, (H, W) or (H, W, C). Received: {image.dtype.name}{list(image.shape)} "
                f"after uint8{list(images[0].shape)}."
            )
    return np.stack(images)
