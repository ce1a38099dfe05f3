"""Requests out of Python's values, and Python's values out of replies: what both clients share. Neither gRPC nor TensorFlow."""

import enum
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from serving import prediction_pb2 as pb
from serving.errors import InputFileError, InvalidArgumentError
from serving.examples import Features, serialize_example
from serving.picture import CMYK_HINT, is_cmyk
from serving.row_batches import bytes_in, row_batches
from serving.signatures import as_array
from serving.tensors import read_tensor, strings, write_tensor

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


class Batch(NamedTuple):
    """Rows for one request: model and signature, the input's name, the array, and what each row is called."""

    spec: pb.ModelSpec
    input_name: str
    array: np.ndarray
    names: list[str]

    def request(self, rows: slice = slice(None)) -> pb.PredictRequest:
        """For all of them, or some."""
        return predict_request(self.spec, {self.input_name: self.array[rows]}, ("classes", "probabilities"))

    def search(self) -> Generator[slice, bool, int]:
        """For a row that is refused, by halves: yields rows, is sent whether they are refused, and returns a position."""
        start, end = 0, len(self.names)
        while end - start > 1:
            middle = (start + end) // 2
            start, end = (start, middle) if (yield slice(start, middle)) else (middle, end)
        return start

    def refusal(self, position: int, error: InvalidArgumentError) -> InvalidArgumentError:
        """The error, with the name of the row that it is about."""
        if not self.names:
            return error
        hint = CMYK_HINT if self.array.dtype == object and is_cmyk(self.array[position]) else ""
        return InvalidArgumentError(f"{self.names[position]}: {error}{hint}")


def image_batches(images: Iterable[Image], spec: pb.ModelSpec) -> Iterator[Batch]:
    """Files and bytes for `predict_image`, uint8 arrays (H, W) or (H, W, C) for `predict_pixels`, of the model `spec`.

    No images are one empty batch: its answer has the right shapes.
    """
    image, pixels = pb.ModelSpec(), pb.ModelSpec()
    image.CopyFrom(spec)
    pixels.CopyFrom(spec)
    image.signature_name, pixels.signature_name = "predict_image", "predict_pixels"
    prepared = map(_prepared, images, itertools.count())
    first = next(prepared, None)
    takes_arrays = first is not None and isinstance(first[1], np.ndarray)
    for batch in _batches(prepared if first is None else itertools.chain([first], prepared), lambda row: bytes_in(row[1])):
        names, contents = [name for name, _ in batch], [content for _, content in batch]
        if takes_arrays:
            yield Batch(pixels, "pixels", _stacked(contents), names)
            continue
        if any(isinstance(content, np.ndarray) for content in contents):
            raise InvalidArgumentError("Expected images of one kind: files and bytes, or arrays. Received both.")
        yield Batch(image, "image", strings(contents), names)


def example_batches(examples: Iterable[Features | bytes], spec: pb.ModelSpec) -> Iterator[Batch]:
    """tf.Examples, as dicts or serialized, of the model and signature `spec`; at least one batch, which may be empty."""
    count = itertools.count()
    for batch in _batches(map(serialize_example, examples), len):
        yield Batch(spec, "examples", strings(batch), [f"examples[{next(count)}]" for _ in batch])


def _batches(rows: Iterable[Any], size: Callable[[Any], int]) -> Iterator[list]:
    """As `row_batches`, but at least one, which may be empty."""
    some = row_batches(rows, size)
    yield next(some, [])
    yield from some


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


def _prepared(image: Image, position: int) -> tuple[str, bytes | np.ndarray]:
    """What it is called, and what is sent of it."""
    if isinstance(image, np.ndarray):
        return f"images[{position}]", image[:, :, np.newaxis] if image.ndim == 2 else image
    if isinstance(image, bytes):
        return f"images[{position}]", image
    try:
        return str(image), Path(image).read_bytes()
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
