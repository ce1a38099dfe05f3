"""The gRPC prediction client: NumPy in, NumPy out. Needs grpcio, protobuf and NumPy, not TensorFlow.

with Client(model_name="mnist") as client:
    prediction = client.predict_images([Path("seven.png")])
    prediction.classes, prediction.probabilities

`serving.aio_client.AsyncClient` is the same for asyncio.
"""

import collections
import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
import numpy as np

from serving import messages
from serving import prediction_pb2 as pb
from serving.channel import Retries, Tls, channel_options
from serving.client_errors import client_error
from serving.deadline import Deadline
from serving.errors import FailedPreconditionError, InvalidArgumentError, UnimplementedError
from serving.examples import Features
from serving.messages import Class, Image, Prediction, State, VersionStatus
from serving.signatures import Signature, find_signature, read_signatures

__all__ = ["Class", "Client", "Prediction", "Retries", "State", "Tls", "VersionStatus"]

_BATCHES_IN_FLIGHT = 3  # the next batch is on its way while the server works on this one


class Client:
    """One model on one server. Safe to use from many threads; close it, or use it as a context manager."""

    def __init__(
        self,
        address: str = "127.0.0.1:8500",
        *,
        model_name: str,
        deadline: float = 10.0,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        tls: Tls | None = None,
        hedge_after: float | None = None,
        check: bool = True,
    ) -> None:
        """`deadline`: seconds that one request may take, with all that it needs: connecting, retries, a hedge, the look-up of a signature.

        Nothing is sent yet.

        `address`: HOST:PORT, or several as `ipv4:1.2.3.4:8500,5.6.7.8:8500`; a name's addresses take turns. `hedge_after`: seconds after
        which a prediction is sent a second time, and the first answer counts; None: never. `check`: inputs are compared with the
        signature, which is asked for once, before they are sent.
        """
        self.address, self.model_name, self.deadline = address, model_name, deadline
        self._hedge_after, self._check = hedge_after, check
        options = channel_options(address, retries)
        self._channel = grpc.secure_channel(address, tls.credentials(), options) if tls else grpc.insecure_channel(address, options)
        self._signatures: dict[tuple[int | None, str], dict[str, Signature]] = {}
        self._predict = self._method("PredictionService/Predict", pb.PredictResponse)
        self._classify = self._method("PredictionService/Classify", pb.ClassificationResponse)
        self._regress = self._method("PredictionService/Regress", pb.RegressionResponse)
        self._multi_inference = self._method("PredictionService/MultiInference", pb.MultiInferenceResponse)
        self._get_model_metadata = self._method("PredictionService/GetModelMetadata", pb.GetModelMetadataResponse)
        self._get_model_status = self._method("ModelService/GetModelStatus", pb.GetModelStatusResponse)

    def predict(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = "",
        version: int | None = None,
        output_filter: Sequence[str] = (),
        *,
        version_label: str = "",
        deadline: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Outputs by name. Raises ServingError.

        `inputs`: by the signature's names. Arrays are never cast, so their dtypes must be the signature's; Python's own numbers and
        lists become that dtype where nothing is lost. Strings are bytes in lists or object arrays.
        """
        return self.predict_with_version(inputs, signature_name, version, output_filter, version_label=version_label, deadline=deadline)[0]

    def predict_with_version(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = "",
        version: int | None = None,
        output_filter: Sequence[str] = (),
        *,
        version_label: str = "",
        deadline: float | None = None,
    ) -> tuple[dict[str, np.ndarray], int]:
        """As `predict`, with the version that answered."""
        until = self._until(deadline)
        if self._check:
            with contextlib.suppress(UnimplementedError):  # a server without metadata answers for itself
                inputs = self._checked(inputs, signature_name, output_filter, (version, version_label), until)
        request = self._request(inputs, signature_name, version, output_filter, version_label)
        response = self._call(self._predict, request, until) if self._hedge_after is None else self._hedged(request, until)
        answered = response.model_spec.version.value
        self._forget_if_new(answered, version, version_label)
        return messages.read_outputs(response), answered

    def predict_images(
        self, images: Iterable[Image], *, version: int | None = None, version_label: str = "", deadline: float | None = None
    ) -> Prediction:
        """PNG or JPEG images as bytes or paths (signature `predict_image`), or uint8 arrays (`predict_pixels`). Raises ServingError.

        Sent in batches of 256, a few of them under way at a time. A refusal names the image: by its path, or as `images[3]`.
        `deadline`: seconds for the whole call; without it, each batch may take as long as the client's own.
        """
        spec = messages.model_spec(self.model_name, "", version, version_label)
        return messages.joined_predictions(self._in_turn(messages.image_batches(images, spec), deadline))

    def predict_examples(
        self,
        examples: Iterable[Features | bytes],
        *,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> Prediction:
        """tf.Examples, as dicts or serialized, by the signature `serving_default`. Raises ServingError.

        Sent in batches; `deadline` as in `predict_images`.
        """
        spec = messages.model_spec(self.model_name, "serving_default", version, version_label)
        return messages.joined_predictions(self._in_turn(messages.example_batches(examples, spec), deadline))

    def classify(
        self,
        examples: Iterable[Features | bytes],
        signature_name: str = "",
        *,
        context: Features | None = None,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> list[list[Class]]:
        """The classes of every tf.Example; `context`: features that all of them share. Raises ServingError."""
        spec = messages.model_spec(self.model_name, signature_name, version, version_label)
        request = pb.ClassificationRequest(model_spec=spec, input=messages.examples_input(examples, context))
        return messages.read_classification(self._call(self._classify, request, self._until(deadline)).result)

    def regress(
        self,
        examples: Iterable[Features | bytes],
        signature_name: str = "",
        *,
        context: Features | None = None,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> np.ndarray:
        """float32 (N,): a number for every tf.Example; `context`: features that all of them share. Raises ServingError."""
        spec = messages.model_spec(self.model_name, signature_name, version, version_label)
        request = pb.RegressionRequest(model_spec=spec, input=messages.examples_input(examples, context))
        return messages.read_regression(self._call(self._regress, request, self._until(deadline)).result)

    def multi_inference(
        self,
        examples: Iterable[Features | bytes],
        tasks: Mapping[str, str],
        *,
        context: Features | None = None,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> dict[str, list[list[Class]] | np.ndarray]:
        """Several signatures of the same examples at once; `tasks`: signature name -> "classify" or "regress". Raises ServingError."""
        examples_input = messages.examples_input(examples, context)
        request = messages.multi_inference_request(self.model_name, tasks, examples_input, version, version_label)
        return messages.read_multi_inference(self._call(self._multi_inference, request, self._until(deadline)))

    def signature(
        self, signature_name: str = "", *, version: int | None = None, version_label: str = "", deadline: float | None = None
    ) -> Signature:
        """What a signature takes and gives. Asked for once, and again after a new version has answered. Raises ServingError."""
        return find_signature(self.signatures(version=version, version_label=version_label, deadline=deadline), signature_name)

    def signatures(self, *, version: int | None = None, version_label: str = "", deadline: float | None = None) -> dict[str, Signature]:
        """All signatures by name. Raises ServingError."""
        return self._known_signatures(version, version_label, self._until(deadline))

    def status(self, version: int | None = None, *, version_label: str = "", deadline: float | None = None) -> list[VersionStatus]:
        """Of every version the server knows, newest first, or of one. Raises ServingError."""
        request = pb.GetModelStatusRequest(model_spec=messages.model_spec(self.model_name, "", version, version_label))
        return messages.read_statuses(self._call(self._get_model_status, request, self._until(deadline)))

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _method(self, name: str, response: type) -> grpc.UnaryUnaryMultiCallable:
        return self._channel.unary_unary(f"/tensorflow.serving.{name}", _serialize, response.FromString)

    def _until(self, seconds: float | None) -> Deadline:
        return Deadline(self.deadline if seconds is None else seconds)

    def _known_signatures(self, version: int | None, version_label: str, until: Deadline) -> dict[str, Signature]:
        key = (version, version_label)
        if key not in self._signatures:
            spec = messages.model_spec(self.model_name, "", version, version_label)
            request = pb.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
            self._signatures[key] = read_signatures(self._call(self._get_model_metadata, request, until))
        return self._signatures[key]

    def _checked(
        self,
        inputs: Mapping[str, Any],
        signature_name: str,
        output_filter: Sequence[str],
        which: tuple[int | None, str],
        until: Deadline,
    ) -> dict[str, np.ndarray]:
        """The inputs as arrays. What does not fit the signature that is known is compared with that of now: a new version may serve."""
        was_known = which in self._signatures
        try:
            signature = find_signature(self._known_signatures(*which, until), signature_name)
            signature.check_outputs(output_filter)
            return signature.arrays(inputs)
        except (FailedPreconditionError, InvalidArgumentError):
            if not was_known:
                raise
        self._signatures.pop(which, None)
        return self._checked(inputs, signature_name, output_filter, which, until)

    def _request(
        self, inputs: Mapping[str, Any], signature_name: str, version: int | None, output_filter: Sequence[str], version_label: str
    ) -> pb.PredictRequest:
        spec = messages.model_spec(self.model_name, signature_name, version, version_label)
        return messages.predict_request(spec, inputs, output_filter)

    def _forget_if_new(self, answered: int, version: int | None, version_label: str) -> None:
        known = self._signatures.get((version, version_label))
        if known and next(iter(known.values())).version != answered:
            self._signatures.pop((version, version_label), None)

    def _in_turn(self, batches: Iterable[messages.Batch], deadline: float | None) -> Iterator[pb.PredictResponse]:
        """The answers in order, with a few requests under way, all of them within `deadline`, or each within the client's own."""
        whole = None if deadline is None else self._until(deadline)
        under_way: collections.deque[tuple[messages.Batch, grpc.Future, Deadline, Deadline | None]] = collections.deque()
        try:
            for batch in batches:
                if len(under_way) == _BATCHES_IN_FLIGHT:
                    yield self._answered(*under_way.popleft())
                until = whole or self._until(None)
                under_way.append((batch, self._predict.future(batch.request(), timeout=until.left()), until, whole))
            while under_way:
                yield self._answered(*under_way.popleft())
        finally:
            for _, future, *_ in under_way:
                future.cancel()

    def _answered(self, batch: messages.Batch, future: grpc.Future, until: Deadline, whole: Deadline | None) -> pb.PredictResponse:
        try:
            return self._result(future, until)
        except InvalidArgumentError as error:
            search = batch.search()
            try:
                rows = next(search)
                while True:
                    rows = search.send(self._is_refused(batch.request(rows), whole or self._until(None)))
            except StopIteration as found:
                raise batch.refusal(found.value, error) from error

    def _is_refused(self, request: pb.PredictRequest, until: Deadline) -> bool:
        try:
            self._call(self._predict, request, until)
        except InvalidArgumentError:
            return True
        return False

    def _hedged(self, request: pb.PredictRequest, until: Deadline) -> pb.PredictResponse:
        """The first answer of two; the second request is only sent when the first is late."""
        done: queue.SimpleQueue[grpc.Future] = queue.SimpleQueue()
        calls = [self._sent(request, until, done)]
        try:
            first = self._next_done(done, self._hedge_after)
            if first is None:
                calls.append(self._sent(request, until, done))
                first = self._next_done(done, None)
                if first.exception() is not None:  # the other one may still make it
                    first = self._next_done(done, None)
            return self._result(first, until)
        finally:
            for call in calls:
                call.cancel()

    def _sent(self, request: pb.PredictRequest, until: Deadline, done: queue.SimpleQueue) -> grpc.Future:
        call = self._predict.future(request, timeout=until.left())
        call.add_done_callback(done.put)
        return call

    @staticmethod
    def _next_done(done: queue.SimpleQueue, seconds: float | None) -> grpc.Future | None:
        try:
            return done.get(timeout=seconds)
        except queue.Empty:
            return None

    def _result(self, call: grpc.Future, until: Deadline) -> Any:
        try:
            return call.result()
        except grpc.RpcError as error:
            raise client_error(error, self.address, self.model_name, until.seconds) from error

    def _call(self, method: Callable[..., Any], request: Any, until: Deadline) -> Any:
        try:
            return method(request, timeout=until.left())
        except grpc.RpcError as error:
            raise client_error(error, self.address, self.model_name, until.seconds) from error


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()
