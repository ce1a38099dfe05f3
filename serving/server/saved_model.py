"""A SavedModel loaded for serving: its signatures, called with NumPy arrays.

    SavedModel(path):  read the meta graph that has the tags, restore variables, initialise tables and assets
    step(signature, inputs, output_filter):  check names and dtypes -> what is to be run
    run(...):  that step, at once

The graph runs in a session, as TensorFlow Serving's own binary runs it, not through `tf.saved_model.load`: then shapes are what the graph
accepts, not what the signature declares; nothing is cast; TF1's models load as well; memory is freed when the version goes; and one
call of a small model's signature costs 27 us instead of 560 us (2 cores, TensorFlow 2.16).
"""

import contextlib
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, error_codes_pb2

from serving.cores import cores
from serving.errors import FailedPreconditionError, InvalidArgumentError, ServingError, error_for_code
from serving.tensors import dtype_name, dtype_number

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
# A model with this file says that each row of an output depends on the same row of the inputs alone, and that how long a run takes
# depends on the size of the inputs alone. Tapeline's exports have it.
ROWS_INDEPENDENT = Path("assets.extra", "tapeline.rows_independent")


@dataclass(frozen=True)
class TensorInfo:
    """One named input or output: the graph's tensor, its tensorflow.DataType, and its declared shape (None: the rank is unknown)."""

    tensor: str
    dtype: int
    shape: tuple[int | None, ...] | None = None

    @property
    def has_rows(self) -> bool:
        """Whether the first dimension is the batch's."""
        return bool(self.shape) and self.shape[0] is None


@dataclass(frozen=True)
class Signature:
    """What can be called: inputs and outputs by the names that callers use."""

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method_name: str = PREDICT_METHOD
    defaults: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False)  # of inputs that may be left out

    @functools.cached_property
    def has_rows(self) -> bool:
        """Whether every input and every output is declared with rows, which does not say that they are independent."""
        return all(info.has_rows for info in (*self.inputs.values(), *self.outputs.values()))

    def check_names(self, sent: Collection[str]) -> None:
        """Raises InvalidArgumentError unless the signature's inputs were sent, those with a default or without."""
        got, wanted = sorted(sent), sorted(self.inputs)
        extra, missing = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got) - set(self.defaults))
        if not extra and not missing:
            return
        if len(got) == len(wanted):
            problem = f"input tensor alias not found in signature: {extra[0]}. Inputs expected to be in the set {_set(wanted)}."
        else:
            problem = f"input size does not match signature: {len(got)}!={len(wanted)} len({_set(got)}) != len({_set(wanted)})."
        raise InvalidArgumentError(f"{problem} Sent extra: {_set(extra)}. Missing but required: {_set(missing)}.")

    def check_dtypes(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Raises InvalidArgumentError for the first input, in the order of the graph's feeds, that would have to be cast."""
        for position, name in enumerate(self.feeds):
            expected, sent = self.inputs[name].dtype, dtype_number(inputs[name])
            if sent != expected:
                raise InvalidArgumentError(
                    f"Expects arg[{position}] to be {dtype_name(expected)} but {dtype_name(sent)} is provided (input '{name}')"
                )

    def filtered(self, output_filter: Sequence[str]) -> list[str]:
        """The outputs to compute: those of the filter, or all when it is empty. Raises InvalidArgumentError."""
        for position, name in enumerate(output_filter):
            if name not in self.outputs:
                raise InvalidArgumentError(
                    f"output tensor alias not found in signature: {name} Outputs expected to be in the set {_set(sorted(self.outputs))}."
                )
            if name in output_filter[:position]:
                raise InvalidArgumentError(f"duplicate output tensor alias: {name}")
        return list(output_filter) or sorted(self.outputs)

    @functools.cached_property
    def feeds(self) -> list[str]:
        """The inputs' names in the order in which the graph is fed."""
        return sorted(self.inputs, key=lambda name: self.inputs[name].tensor)


class Step:
    """One run of the graph: `call(*arrays)` gives what `outputs` puts under the names that were asked for.

    `shares_rows`: it may run together with other requests. `is_marked`: the model has the mark `ROWS_INDEPENDENT`.
    """

    __slots__ = ("_names", "_positions", "arrays", "call", "is_marked", "shares_rows")

    def __init__(
        self,
        call: "Call",
        arrays: list[np.ndarray],
        names: Sequence[str],
        positions: Sequence[int],
        *,
        shares_rows: bool = False,
        is_marked: bool = False,
    ) -> None:
        self.call, self.arrays, self.shares_rows, self.is_marked = call, arrays, shares_rows, is_marked
        self._names, self._positions = names, positions

    def outputs(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The values of a run by the outputs' names."""
        return {name: values[position] for name, position in zip(self._names, self._positions, strict=True)}


class Call:
    """A prepared run of the graph from some tensors to others. Raises the ServingError of whatever the graph refuses."""

    def __init__(self, callable_: Callable[..., list[np.ndarray]], fetches: Sequence[str]) -> None:
        self._callable = callable_
        self.positions = {tensor: position for position, tensor in enumerate(fetches)}

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """The fetched tensors' values, in order."""
        try:
            return [value if isinstance(value, np.ndarray) else _scalar(value) for value in self._callable(*arrays)]
        except tf.errors.OpError as error:
            raise _serving_error(error) from error
        except UnicodeDecodeError as error:  # TensorFlow quotes the caller's bytes in its message, and they are no text
            raise InvalidArgumentError(bytes(error.object).decode("utf-8", "backslashreplace")) from error


class SavedModel:
    """The SavedModel in a folder. Raises what TensorFlow raises when the folder cannot be loaded.

    `batching`: whether its requests may run together; None: where the model has the mark `ROWS_INDEPENDENT`. `tags`: which of its meta
    graphs is loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        intra_op_parallelism: int = 0,
        batching: bool | None = None,
        tags: Sequence[str] = (tf.saved_model.SERVING,),
    ) -> None:
        self._is_marked = (path / ROWS_INDEPENDENT).is_file()
        self._batching = self._is_marked if batching is None else batching
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=_config(intra_op_parallelism))
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, list(tags), str(path))
        except BaseException:  # whatever went wrong, the session's memory is given back
            self._session.close()
            raise
        self.signature_defs = dict(meta_graph.signature_def)
        self._signatures = {name: _signature(name, definition) for name, definition in self.signature_defs.items()}
        self._calls = functools.lru_cache(maxsize=64)(self._make_call)
        self._prepare()

    def signature(self, name: str) -> Signature:
        """The signature of that name; the empty name means `serving_default`. Raises FailedPreconditionError."""
        key = name or DEFAULT_SIGNATURE
        if key not in self._signatures:
            raise FailedPreconditionError(f'Serving signature key "{key}" not found.')
        return self._signatures[key]

    def step(self, signature: Signature, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()) -> Step:
        """The run that answers a request. Raises ServingError for wrong names or dtypes, or an unknown output."""
        signature.check_names(inputs)
        names = signature.filtered(output_filter)
        inputs = {**signature.defaults, **inputs}
        signature.check_dtypes(inputs)
        call = self._calls(*_tensors(signature, names))
        positions = [call.positions[signature.outputs[name].tensor] for name in names]
        shares_rows = self._batching and signature.has_rows
        arrays = [inputs[name] for name in signature.feeds]
        return Step(call, arrays, names, positions, shares_rows=shares_rows, is_marked=self._is_marked)

    def run(self, signature: Signature, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Outputs by name. Safe to call from many threads. Raises the ServingError of whatever the graph refuses."""
        step = self.step(signature, inputs, output_filter)
        return step.outputs(step.call(*step.arrays))

    def close(self) -> None:
        """Frees variables and tables. No call may be running."""
        self._calls.cache_clear()
        self._session.close()

    def _prepare(self) -> None:
        """Optimises and places the graph of every signature now rather than in the first request."""
        for signature in self._signatures.values():
            with contextlib.suppress(tf.errors.OpError):  # whoever calls such a signature is told what is wrong with it
                self._calls(*_tensors(signature, sorted(signature.outputs)))

    def _make_call(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Call:
        # Private, but the only way to run a step without `Session.run`'s casts and checks of declared shapes.
        return Call(self._session._make_callable_from_options(config_pb2.CallableOptions(feed=feeds, fetch=fetches)), fetches)


def _scalar(value: Any) -> np.ndarray:
    """What a session gives for a tensor without dimensions: NumPy's own scalar, and Python's bytes for a string."""
    return np.array(value, object) if isinstance(value, bytes) else np.asarray(value)


def _config(intra_op_parallelism: int) -> config_pb2.ConfigProto:
    # In the thread that calls: for a small model, handing every operation to a pool costs more than the operations do.
    return config_pb2.ConfigProto(
        allow_soft_placement=True,
        inter_op_parallelism_threads=-1,
        # Half of the cores: the batch threads, and the answers, need the others.
        intra_op_parallelism_threads=intra_op_parallelism or max(1, cores() // 2),
    )


def _signature(name: str, definition: "tf.core.protobuf.meta_graph_pb2.SignatureDef") -> Signature:
    def infos(tensors: Mapping) -> dict[str, TensorInfo]:
        return {alias: TensorInfo(info.name, info.dtype, _shape(info.tensor_shape)) for alias, info in tensors.items()}

    defaults = {alias: tf.make_ndarray(tensor) for alias, tensor in definition.defaults.items()}
    return Signature(name, infos(definition.inputs), infos(definition.outputs), definition.method_name, defaults)


def _shape(proto: "tf.core.framework.tensor_shape_pb2.TensorShapeProto") -> tuple[int | None, ...] | None:
    return None if proto.unknown_rank else tuple(dim.size if dim.size >= 0 else None for dim in proto.dim)


def _tensors(signature: Signature, outputs: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tensors to feed and to fetch, each once: two outputs may be one tensor."""
    feeds = tuple(signature.inputs[name].tensor for name in signature.feeds)
    return feeds, tuple(sorted({signature.outputs[name].tensor for name in outputs}))


def _serving_error(error: tf.errors.OpError) -> ServingError:
    return error_for_code(error_codes_pb2.Code.Name(error.error_code), error.message)


def _set(names: Sequence[str]) -> str:
    return "{" + ",".join(names) + "}"
