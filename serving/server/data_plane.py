"""What the server can do, apart from how it is asked: the transports turn bytes into these calls and their results into bytes.

predict:  model by name and version -> signature -> the transport reads its inputs -> a run, batched with others' -> outputs by name

Runs are awaited; everything else is done at once, in the event loop of both transports.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import PermissionDeniedError, UnavailableError
from serving.server import inference
from serving.server.batching import Batching
from serving.server.inference import Classification, Regression, Task
from serving.server.model_spec import ModelSpec
from serving.server.models import Models
from serving.server.reading import MANY_EXAMPLES, in_thread_if
from serving.server.saved_model import CLASSIFY_METHOD, REGRESS_METHOD, SavedModel, Signature, Step
from serving.server.version_status import VersionStatus

_MOST_RELOADS = 16  # that are under way or wait, one after the other

# A coroutine function where reading may take long.
ReadInputs = Callable[[Signature], Mapping[str, np.ndarray] | Awaitable[Mapping[str, np.ndarray]]]


class Watch(Protocol):
    """Told of what happens here, see `metrics.Metrics`; seconds."""

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """A request got its outputs from the model, waiting included."""

    def stage(self, model: str, stage: str, seconds: float) -> None:
        """A request went through `parse` or `serialize`."""

    def examples(self, model: str, count: int) -> None:
        """A request brought so many tf.Examples."""


@dataclass(frozen=True)
class Prediction:
    """Outputs by name, and the spec with version and signature filled in."""

    outputs: dict[str, np.ndarray]
    spec: ModelSpec


@dataclass(frozen=True)
class Results:
    """What each task says of every example, and the specs with version and signature filled in."""

    results: list[Classification | Regression]
    specs: list[ModelSpec]


class DataPlane:
    """The methods of TensorFlow Serving's services over the models that are served. Made and used in one event loop."""

    def __init__(self, models: Models, batching: Batching, watch: Watch, reload_refusal: str = "") -> None:
        self._models, self._batching, self._watch = models, batching, watch
        self._reload_refusal = reload_refusal
        # Of their own: a reload may wait for a version for many seconds, and must not take a thread from the requests.
        self._reloads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reload")
        self._reloading = 0

    async def predict(
        self,
        spec: ModelSpec,
        read_inputs: ReadInputs,
        output_filter: Sequence[str] = (),
        find_signature: Callable[[SavedModel, str], Signature] = SavedModel.signature,
    ) -> Prediction:
        """`read_inputs` gets the signature, because what a payload means may depend on it. Raises ServingError."""
        with self._models.lease(spec) as (version, model):
            started = time.monotonic()
            signature = find_signature(model, spec.signature_name)
            inputs = read_inputs(signature)
            step = model.step(signature, await inputs if isinstance(inputs, Awaitable) else inputs, output_filter)
            self._watch.stage(spec.name, "parse", time.monotonic() - started)
            outputs = await self._run(spec.name, "Predict", step)
            return Prediction(outputs, ModelSpec(spec.name, version, signature.name))

    async def classify(self, spec: ModelSpec, examples: Sequence[bytes]) -> Results:
        """Serialized tf.Examples by a classification signature. Raises ServingError."""
        return await self._infer_one(spec, Task(spec.signature_name, CLASSIFY_METHOD), "Classify", examples)

    async def regress(self, spec: ModelSpec, examples: Sequence[bytes]) -> Results:
        """Serialized tf.Examples by a regression signature. Raises ServingError."""
        return await self._infer_one(spec, Task(spec.signature_name, REGRESS_METHOD), "Regress", examples)

    async def multi_inference(self, spec: ModelSpec, tasks: Sequence[Task], examples: Sequence[bytes]) -> Results:
        """Serialized tf.Examples by several signatures of the model that `spec` names. Raises ServingError."""
        with self._models.lease(spec) as (version, model):
            signatures = inference.find_signatures(model, tasks)
            return await self._infer(spec, version, model, tasks, signatures, "MultiInference", examples)

    def get_model_metadata(self, spec: ModelSpec) -> tuple[dict[str, meta_graph_pb2.SignatureDef], ModelSpec]:
        """Signatures by name, and the spec with the version filled in. Raises ServingError."""
        with self._models.lease(spec) as (version, model):
            return model.signature_defs, ModelSpec(spec.name, version)

    def get_model_status(self, spec: ModelSpec) -> list[VersionStatus]:
        """Newest first. Raises ServingError."""
        return self._models.statuses(spec)

    async def handle_reload_config(self, config: ModelServerConfig) -> None:
        """Replaces the set of models; in a thread, because loading takes its time. Raises ServingError."""
        if self._reload_refusal:
            raise PermissionDeniedError(self._reload_refusal)
        if self._reloading == _MOST_RELOADS:
            raise UnavailableError(f"Expected at most {_MOST_RELOADS} reloads at a time. Received one more; try again when one has ended.")
        self._reloading += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._reloads, self._models.reload, config)
        finally:
            self._reloading -= 1

    @contextlib.contextmanager
    def serializing(self, model: str) -> Iterator[None]:
        """Measures what a transport does with a result."""
        started = time.monotonic()
        yield
        self._watch.stage(model, "serialize", time.monotonic() - started)

    async def _infer_one(self, spec: ModelSpec, task: Task, api: str, examples: Sequence[bytes]) -> Results:
        with self._models.lease(spec) as (version, model):
            signature = inference.find_signature(model, task)
            return await self._infer(spec, version, model, [task], [signature], api, examples)

    async def _infer(
        self,
        spec: ModelSpec,
        version: int,
        model: SavedModel,
        tasks: Sequence[Task],
        signatures: Sequence[Signature],
        api: str,
        examples: Sequence[bytes],
    ) -> Results:
        step = inference.make_step(model, signatures, inference.read_examples(examples))
        self._watch.examples(spec.name, len(examples))
        outputs = await self._run(spec.name, api, step)
        is_long = len(examples) > MANY_EXAMPLES
        results = [await in_thread_if(is_long, inference.read_results, task, outputs, len(examples)) for task in tasks]
        return Results(results, [replace(spec, version=version, version_label="", signature_name=task.resolved_name) for task in tasks])

    async def _run(self, model: str, api: str, step: Step) -> dict[str, np.ndarray]:
        started = time.monotonic()
        values = await self._batching.run(step.call, step.arrays, model, shares_rows=step.shares_rows, is_marked=step.is_marked)
        self._watch.runtime(model, api, time.monotonic() - started)
        return step.outputs(values)
