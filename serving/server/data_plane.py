"""What the server can do, apart from how it is asked: the transports turn bytes into these calls and their results into bytes.

predict:  model by name and version -> signature -> the transport reads its inputs -> run -> outputs and what was resolved
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from serving.errors import InvalidArgumentError, NotFoundError
from serving.server.saved_model import Signature
from serving.server.served_model import ServedModel, VersionStatus


@dataclass(frozen=True)
class ModelSpec:
    """Which model, which version (None: the newest available), which signature (empty: `serving_default`)."""

    name: str
    version: int | None = None
    signature_name: str = ""


@dataclass(frozen=True)
class Prediction:
    """Outputs by name, and the spec with version and signature filled in."""

    outputs: dict[str, np.ndarray]
    spec: ModelSpec


class DataPlane:
    """The methods of TensorFlow Serving's services over the models that are served, by name."""

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        self._models = models

    def predict(
        self, spec: ModelSpec, read_inputs: Callable[[Signature], Mapping[str, np.ndarray]], output_filter: Sequence[str] = ()
    ) -> Prediction:
        """`read_inputs` gets the signature, because what a payload means may depend on it. Raises ServingError."""
        with self._model(spec, f"Servable not found for request: {_wanted(spec)}").lease(spec.version) as (version, model):
            signature = model.signature(spec.signature_name)
            outputs = model.run(signature, read_inputs(signature), output_filter)
            return Prediction(outputs, replace(spec, version=version, signature_name=signature.name))

    def get_model_status(self, spec: ModelSpec) -> list[VersionStatus]:
        """Newest first. Raises InvalidArgumentError or NotFoundError."""
        return self._model(spec, f"Could not find any versions of model {spec.name}").statuses(spec.version)

    def _model(self, spec: ModelSpec, not_found: str) -> ServedModel:
        if not spec.name:
            raise InvalidArgumentError("ModelSpec has no name specified.")
        if spec.name not in self._models:
            raise NotFoundError(not_found)
        return self._models[spec.name]


def _wanted(spec: ModelSpec) -> str:
    return f"Latest({spec.name})" if spec.version is None else f"Specific({spec.name}, {spec.version})"
