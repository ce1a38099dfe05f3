"""The prediction client for asyncio: `serving.client.Client`'s methods, awaited.

async with AsyncClient(model_name="mnist") as client:
    prediction = await client.predict_images([Path("seven.png")])
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
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
from serving.messages import Class, Image, Prediction, VersionStatus
from serving.signatures import Signature, find_signature, read_signatures

_BATCHES_IN_FLIGHT = 3  # the next batch is on its way while the server works on this one


class AsyncClient:
    """One model on one server, for one event loop. Close it, or use it as an asynchronous context manager."""

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
        """As `Client`'s."""
        self.address, self.model_name, self.deadline = address, model_name, deadline
        self._hedge_after, self._check = hedge_after, check
        options = channel_options(address, retries)
        self._channel = grpc.aio.secure_channel(address, tls.credentials(), options) if tls else grpc.aio.insecure_channel(address, options)
        self._signatures: dict[tuple[int | None, str], dict[str, Signature]] = {}
        self._predict = self._method("PredictionService/Predict", pb.PredictResponse)
        self._classify = self._method("PredictionService/Classify", pb.ClassificationResponse)
        self._regress = self._method("PredictionService/Regress", pb.RegressionResponse)
        self._multi_inference = self._method("PredictionService/MultiInference", pb.MultiInferenceResponse)
        self._get_model_metadata = self._method("PredictionService/GetModelMetadata", pb.GetModelMetadataResponse)
        self._get_model_status = self._method("ModelService/GetModelStatus", pb.GetModelStatusResponse)

    async def predict(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = "",
        version: int | None = None,
        output_filter: Sequence[str] = (),
        *,
        version_label: str = "",
        deadline: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Outputs by name, see `Client.predict`. Raises ServingError."""
        until = self._until(deadline)
        if self._check:
            with contextlib.suppress(UnimplementedError):  # a server without metadata answers for itself
                inputs = await self._checked(inputs, signature_name, output_filter, (version, version_label), until)
        response = await self._answer(self._request(inputs, signature_name, version, output_filter, version_label), until)
        self._forget_if_new(response.model_spec.version.value, version, version_label)
        return messages.read_outputs(response)

    async def predict_images(
        self, images: Iterable[Image], *, version: int | None = None, version_label: str = "", deadline: float | None = None
    ) -> Prediction:
        """Images as bytes, paths or arrays, see `Client.predict_images`. Raises ServingError."""
        spec = messages.model_spec(self.model_name, "", version, version_label)
        return messages.joined_predictions(await self._in_turn(messages.image_batches(images, spec), deadline))

    async def predict_examples(
        self,
        examples: Iterable[Features | bytes],
        *,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> Prediction:
        """tf.Examples by the signature `serving_default`, see `Client.predict_examples`. Raises ServingError."""
        spec = messages.model_spec(self.model_name, "serving_default", version, version_label)
        return messages.joined_predictions(await self._in_turn(messages.example_batches(examples, spec), deadline))

    async def classify(
        self,
        examples: Iterable[Features | bytes],
        signature_name: str = "",
        *,
        context: Features | None = None,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> list[list[Class]]:
        """The classes of every tf.Example. Raises ServingError."""
        spec = messages.model_spec(self.model_name, signature_name, version, version_label)
        request = pb.ClassificationRequest(model_spec=spec, input=messages.examples_input(examples, context))
        return messages.read_classification((await self._call(self._classify, request, self._until(deadline))).result)

    async def regress(
        self,
        examples: Iterable[Features | bytes],
        signature_name: str = "",
        *,
        context: Features | None = None,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> np.ndarray:
        """float32 (N,): a number for every tf.Example. Raises ServingError."""
        spec = messages.model_spec(self.model_name, signature_name, version, version_label)
        request = pb.RegressionRequest(model_spec=spec, input=messages.examples_input(examples, context))
        return messages.read_regression((await self._call(self._regress, request, self._until(deadline))).result)

    async def multi_inference(
        self,
        examples: Iterable[Features | bytes],
        tasks: Mapping[str, str],
        *,
        context: Features | None = None,
        version: int | None = None,
        version_label: str = "",
        deadline: float | None = None,
    ) -> dict[str, list[list[Class]] | np.ndarray]:
        """Several signatures of the same examples at once, see `Client.multi_inference`. Raises ServingError."""
        examples_input = messages.examples_input(examples, context)
        request = messages.multi_inference_request(self.model_name, tasks, examples_input, version, version_label)
        return messages.read_multi_inference(await self._call(self._multi_inference, request, self._until(deadline)))

    async def signature(
        self, signature_name: str = "", *, version: int | None = None, version_label: str = "", deadline: float | None = None
    ) -> Signature:
        """What a signature takes and gives. Raises ServingError."""
        return find_signature(await self.signatures(version=version, version_label=version_label, deadline=deadline), signature_name)

    async def signatures(
        self, *, version: int | None = None, version_label: str = "", deadline: float | None = None
    ) -> dict[str, Signature]:
        """All signatures by name. Raises ServingError."""
        return await self._known_signatures(version, version_label, self._until(deadline))

    async def status(self, version: int | None = None, *, version_label: str = "", deadline: float | None = None) -> list[VersionStatus]:
        """Of every version the server knows, newest first, or of one. Raises ServingError."""
        request = pb.GetModelStatusRequest(model_spec=messages.model_spec(self.model_name, "", version, version_label))
        return messages.read_statuses(await self._call(self._get_model_status, request, self._until(deadline)))

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _method(self, name: str, response: type) -> grpc.aio.UnaryUnaryMultiCallable:
        return self._channel.unary_unary(f"/tensorflow.serving.{name}", _serialize, response.FromString)

    def _until(self, seconds: float | None) -> Deadline:
        return Deadline(self.deadline if seconds is None else seconds)

    async def _known_signatures(self, version: int | None, version_label: str, until: Deadline) -> dict[str, Signature]:
        key = (version, version_label)
        if key not in self._signatures:
            spec = messages.model_spec(self.model_name, "", version, version_label)
            request = pb.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
            self._signatures[key] = read_signatures(await self._call(self._get_model_metadata, request, until))
        return self._signatures[key]

    async def _checked(
        self,
        inputs: Mapping[str, Any],
        signature_name: str,
        output_filter: Sequence[str],
        which: tuple[int | None, str],
        until: Deadline,
    ) -> dict[str, np.ndarray]:
        """As `Client._checked`."""
        was_known = which in self._signatures
        try:
            signature = find_signature(await self._known_signatures(*which, until), signature_name)
            signature.check_outputs(output_filter)
            return signature.arrays(inputs)
        except (FailedPreconditionError, InvalidArgumentError):
            if not was_known:
                raise
        self._signatures.pop(which, None)
        return await self._checked(inputs, signature_name, output_filter, which, until)

    def _request(
        self, inputs: Mapping[str, Any], signature_name: str, version: int | None, output_filter: Sequence[str], version_label: str
    ) -> pb.PredictRequest:
        spec = messages.model_spec(self.model_name, signature_name, version, version_label)
        return messages.predict_request(spec, inputs, output_filter)

    def _forget_if_new(self, answered: int, version: int | None, version_label: str) -> None:
        known = self._signatures.get((version, version_label))
        if known and next(iter(known.values())).version != answered:
            self._signatures.pop((version, version_label), None)

    async def _in_turn(self, batches: Iterable[messages.Batch], deadline: float | None) -> list[pb.PredictResponse]:
        """As `Client._in_turn`."""
        whole = None if deadline is None else self._until(deadline)
        answers: list[pb.PredictResponse] = []
        under_way: list[asyncio.Task] = []
        try:
            for batch in batches:
                if len(under_way) == _BATCHES_IN_FLIGHT:
                    answers.append(await under_way.pop(0))
                under_way.append(asyncio.ensure_future(self._answered(batch, whole)))
            while under_way:
                answers.append(await under_way.pop(0))
        finally:
            for task in under_way:
                task.cancel()
        return answers

    async def _answered(self, batch: messages.Batch, whole: Deadline | None) -> pb.PredictResponse:
        try:
            return await self._answer(batch.request(), whole or self._until(None))
        except InvalidArgumentError as error:
            search = batch.search()
            try:
                rows = next(search)
                while True:
                    rows = search.send(await self._is_refused(batch.request(rows), whole or self._until(None)))
            except StopIteration as found:
                raise batch.refusal(found.value, error) from error

    async def _is_refused(self, request: pb.PredictRequest, until: Deadline) -> bool:
        try:
            await self._call(self._predict, request, until)
        except InvalidArgumentError:
            return True
        return False

    async def _answer(self, request: pb.PredictRequest, until: Deadline) -> pb.PredictResponse:
        if self._hedge_after is None:
            return await self._call(self._predict, request, until)
        first = asyncio.ensure_future(self._call(self._predict, request, until))
        tasks = {first}
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._hedge_after)
            if not done:
                tasks.add(asyncio.ensure_future(self._call(self._predict, request, until)))
                done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if waiting and all(task.exception() for task in done):  # the other one may still make it
                    done, _ = await asyncio.wait(waiting)
            return next((task for task in done if not task.exception()), next(iter(done))).result()
        finally:
            for task in tasks:
                task.cancel()

    async def _call(self, method: Any, request: Any, until: Deadline) -> Any:
        try:
            return await method(request, timeout=until.left())
        except grpc.RpcError as error:
            raise client_error(error, self.address, self.model_name, until.seconds) from error


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()
