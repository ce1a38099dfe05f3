"""What a served model's signatures take and give, from its metadata, so that a wrong input is refused before it is sent."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving import prediction_pb2 as pb
from serving.errors import FailedPreconditionError, InvalidArgumentError
from serving.tensors import STRING, dtype_name, dtype_number, numpy_dtype, strings

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output. `shape`: None for a dimension that may be anything; None itself where the rank may."""

    name: str
    dtype: int
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        shape = "any shape" if self.shape is None else "[" + ", ".join("?" if size is None else str(size) for size in self.shape) + "]"
        return f"{dtype_name(self.dtype)} {shape}"

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an array of that shape is what was declared."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(want in (None, got) for want, got in zip(self.shape, shape, strict=True))


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs by the names that callers use, of one version of a model; inputs with `defaults` may be left out."""

    name: str
    method_name: str
    inputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    outputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    version: int = 0
    defaults: Collection[str] = ()

    @property
    def required(self) -> list[TensorSpec]:
        """The inputs that every request must have."""
        return [spec for name, spec in self.inputs.items() if name not in self.defaults]

    def arrays(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Arrays that can be sent. Arrays are never cast; Python's own numbers become the signature's dtype where nothing is lost.

        Raises InvalidArgumentError for a wrong name, dtype or shape.
        """
        self.check_inputs(inputs)
        return {name: _array(spec, inputs[name]) for name, spec in self.inputs.items() if name in inputs}

    def check_inputs(self, names: Collection[str]) -> None:
        """Raises InvalidArgumentError unless they are the names of the inputs, those with a default or without."""
        for name in names:
            if name not in self.inputs:
                raise InvalidArgumentError(f"{self._says('input', self.inputs)} Received: '{name}'.{_nearest(name, self.inputs)}")
        missing = [spec.name for spec in self.required if spec.name not in names]
        if missing:
            raise InvalidArgumentError(f"{self._says('input', self.inputs)} Missing: {', '.join(missing)}.")

    def check_outputs(self, output_filter: Sequence[str]) -> None:
        """Raises InvalidArgumentError for an output that the signature does not have."""
        for name in output_filter:
            if name not in self.outputs:
                raise InvalidArgumentError(f"{self._says('output', self.outputs)} Received: '{name}'.{_nearest(name, self.outputs)}")

    def _says(self, kind: str, tensors: Mapping[str, TensorSpec]) -> str:
        listed = ", ".join(f"{name}: {spec}" for name, spec in sorted(tensors.items()))
        return f"Signature '{self.name}' has the {kind}s {{{listed}}}."


def read_signatures(response: Any) -> dict[str, Signature]:
    """The signatures in a GetModelMetadataResponse, by name."""
    version = response.model_spec.version.value
    definitions = pb.SignatureDefMap.FromString(response.metadata["signature_def"].value).signature_def
    return {
        name: Signature(name, each.method_name, _specs(each.inputs), _specs(each.outputs), version, frozenset(each.defaults))
        for name, each in definitions.items()
    }


def find_signature(signatures: Mapping[str, Signature], name: str) -> Signature:
    """The signature of that name, `serving_default` for the empty one. Raises FailedPreconditionError in the server's own words."""
    key = name or DEFAULT_SIGNATURE
    if key not in signatures:
        raise FailedPreconditionError(f'Serving signature key "{key}" not found.')
    return signatures[key]


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {name: TensorSpec(name, info.dtype, _shape(info.tensor_shape)) for name, info in sorted(tensors.items())}


def _shape(proto: Any) -> tuple[int | None, ...] | None:
    return None if proto.unknown_rank else tuple(dim.size if dim.size >= 0 else None for dim in proto.dim)


def _array(spec: TensorSpec, value: Any) -> np.ndarray:
    array = value if isinstance(value, (np.ndarray, np.generic)) else _from_python(spec, value)
    array = np.asarray(array)
    sent = dtype_number(array)
    if sent != spec.dtype:
        raise InvalidArgumentError(
            f"Input '{spec.name}': expected {spec}. Received an array of {dtype_name(sent)}; nothing is cast, so convert it before."
        )
    if not spec.fits(array.shape):
        raise InvalidArgumentError(f"Input '{spec.name}': expected {spec}. Received the shape {list(array.shape)}.")
    return array


def _from_python(spec: TensorSpec, value: Any) -> np.ndarray:
    """What NumPy makes of Python's own values, as the signature's dtype where nothing is lost by it."""
    if spec.dtype == STRING:
        return as_array(value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidArgumentError(f"Input '{spec.name}': expected {spec}. Received lists that are no array: {error}.") from error
    target = numpy_dtype(spec.dtype)
    if (array.dtype.kind in "iu" and target.kind in "iuf") or array.dtype.kind == target.kind == "f":
        converted = array.astype(target)
        if target.kind == "f" or np.array_equal(converted, array):
            return converted
    return array


def as_array(value: Any) -> np.ndarray:
    """NumPy's array; byte strings of a list as objects, because NumPy's own bytes dtype drops trailing NULs."""
    if isinstance(value, list) and value and all(isinstance(item, bytes) for item in value):
        return strings(value)
    if isinstance(value, bytes):
        return np.array(value, object)
    return np.asarray(value)


def _nearest(name: str, known: Mapping[str, TensorSpec]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
