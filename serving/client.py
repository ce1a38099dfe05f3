"""The gRPC prediction client: NumPy in, NumPy out. Needs grpcio, protobuf and NumPy, not TensorFlow.

with Client(model_name="mnist") as client:
    prediction = client.predict_images([Path("seven.png")])
    prediction.classes, prediction.probabilities
"""

import collections
import enum
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np

from serving import prediction_pb2 as pb
from serving.errors import DeadlineExceededError, InputFileError, ServingError, UnavailableError, error_for_code
from serving.tensors import read_tensor, strings, write_tensor

_BATCH_SIZE = 256
_BATCHES_IN_FLIGHT = 3  # the next batch is on its way while the server works on this one


@dataclass(frozen=True)
class Prediction:
    """`classes`: int64 (N,); `probabilities`: float32 (N, C); `version`: of the model that answered.

    Where a new version came in between two batches, it is the last batch's.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    version: int


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


class Client:
    """One model on one server. Safe to use from many threads; close it, or use it as a context manager."""

    def __init__(self, address: str = "127.0.0.1:8500", *, model_name: str, deadline: float = 10.0) -> None:
        """`deadline`: seconds that one request may take. Nothing is sent yet."""
        self.address, self.model_name, self.deadline = address, model_name, deadline
        self._channel = grpc.insecure_channel(address, options=_channel_options(address))
        self._predict = self._method("PredictionService/Predict", pb.PredictResponse)
        self._get_model_status = self._method("ModelService/GetModelStatus", pb.GetModelStatusResponse)

    def predict(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = "",
        version: int | None = None,
        output_filter: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Outputs by name. Raises ServingError.

        `inputs`: arrays (or what NumPy makes arrays of) by the signature's names; nothing is cast, so dtypes must be the signature's;
        strings are bytes in lists or object arrays.
        """
        response = self._call(self._predict, self._predict_request(inputs, signature_name, version, output_filter))
        return {name: read_tensor(tensor) for name, tensor in response.outputs.items()}

    def predict_images(self, images: Iterable[bytes | str | Path], *, version: int | None = None) -> Prediction:
        """PNG or JPEG images, as bytes or as paths, by the signature `predict_image`. Sent in batches. Raises ServingError."""
        return self._predict_all(map(_image_bytes, images), "predict_image", "image", version)

    def predict_examples(self, examples: Iterable[bytes], *, version: int | None = None) -> Prediction:
        """Serialized tf.Examples, by the signature `serving_default`. Sent in batches. Raises ServingError."""
        return self._predict_all(examples, "serving_default", "examples", version)

    def status(self, version: int | None = None) -> list[VersionStatus]:
        """Of every version the server knows, newest first, or of one. Raises ServingError."""
        request = pb.GetModelStatusRequest(model_spec=self._spec("", version))
        response = self._call(self._get_model_status, request)
        return [VersionStatus(entry.version, State(entry.state), entry.status.error_message) for entry in response.model_version_status]

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _method(self, name: str, response: type) -> grpc.UnaryUnaryMultiCallable:
        return self._channel.unary_unary(f"/tensorflow.serving.{name}", _serialize, response.FromString)

    def _predict_all(self, rows: Iterable[bytes], signature_name: str, input_name: str, version: int | None) -> Prediction:
        responses = [
            (read_tensor(response.outputs["classes"]), read_tensor(response.outputs["probabilities"]), response.model_spec.version.value)
            for response in self._responses(rows, signature_name, input_name, version)
        ]
        classes, probabilities, versions = zip(*responses, strict=True)
        return Prediction(np.concatenate(classes), np.concatenate(probabilities), versions[-1])

    def _responses(self, rows: Iterable[bytes], signature_name: str, input_name: str, version: int | None) -> Iterator[Any]:
        """One a batch, in order, with a few batches under way. No rows are one empty batch: its answer has the right shapes."""
        under_way: collections.deque[grpc.Future] = collections.deque()
        try:
            for batch in _batches(rows):
                if len(under_way) == _BATCHES_IN_FLIGHT:
                    yield self._call(under_way.popleft().result)
                request = self._predict_request({input_name: strings(batch)}, signature_name, version, ("classes", "probabilities"))
                under_way.append(self._predict.future(request, timeout=self.deadline))
            while under_way:
                yield self._call(under_way.popleft().result)
        finally:
            for future in under_way:
                future.cancel()

    def _predict_request(
        self, inputs: Mapping[str, Any], signature_name: str, version: int | None, output_filter: Sequence[str]
    ) -> pb.PredictRequest:
        request = pb.PredictRequest(model_spec=self._spec(signature_name, version), output_filter=output_filter)
        for name, value in inputs.items():
            write_tensor(_array(value), request.inputs[name], typed=False)
        return request

    def _spec(self, signature_name: str, version: int | None) -> pb.ModelSpec:
        spec = pb.ModelSpec(name=self.model_name, signature_name=signature_name)
        if version is not None:
            spec.version.value = version
        return spec

    def _call(self, method: Callable[..., Any], *request: Any) -> Any:
        """`method(*request)` within the deadline, gRPC's errors as this family's."""
        try:
            return method(*request, timeout=self.deadline)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def _error(self, error: grpc.RpcError) -> ServingError:
        # A request that reaches a server in the moment it shuts down may be CANCELLED by gRPC; this client waits for all it sends.
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return UnavailableError(
                f"No server answers at {self.address}. Start one: tapeline serve --model_name {self.model_name}; or name another address."
            )
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceededError(f"No answer from {self.address} within {self.deadline:g} seconds.")
        return error_for_code(error.code().name, error.details() or error.code().name)


def _channel_options(address: str) -> list[tuple[str, int]]:
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    if address.startswith(("127.", "localhost:", "[::1]:")):  # a proxy from the environment cannot reach this machine's own server
        options.append(("grpc.enable_http_proxy", 0))
    return options


def _batches(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    iterator = iter(rows)
    yield list(itertools.islice(iterator, _BATCH_SIZE))
    while batch := list(itertools.islice(iterator, _BATCH_SIZE)):
        yield batch


def _image_bytes(image: bytes | str | Path) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise InputFileError(f"{image}: expected an image file. {error.strerror}.") from error


def _array(value: Any) -> np.ndarray:
    """NumPy's array; byte strings of a list as objects, because NumPy's own bytes dtype drops trailing NULs."""
    if isinstance(value, list) and value and all(isinstance(item, bytes) for item in value):
        return strings(value)
    return np.asarray(value)


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()
