"""The one accelerator setting, and what GKE, KFP and TensorFlow each call it.

`cpu`, `{gpu: {type, count}}` or `{tpu: {type, topology}}` -> resource, node selector, tolerations, `tf.distribute` strategy
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

import pydantic
from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from trainer.errors import did_you_mean
from trainer.settings import Settings

CPU = "cpu"
# GKE's values of the node label cloud.google.com/gke-accelerator:
# https://cloud.google.com/kubernetes-engine/docs/concepts/gpus
GPU_TYPES = (
    "nvidia-l4",
    "nvidia-tesla-t4",
    "nvidia-tesla-v100",
    "nvidia-tesla-p100",
    "nvidia-tesla-p4",
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
    "nvidia-h100-mega-80gb",
    "nvidia-h200-141gb",
    "nvidia-b200",
    "nvidia-rtx-pro-6000",
)
# Chips of each topology that fits one machine: a step is one pod, and a slice of several machines takes several.
# https://cloud.google.com/kubernetes-engine/docs/concepts/tpus
TPU_TOPOLOGIES = {
    "tpu-v4-podslice": {"2x2x1": 4},
    "tpu-v5-lite-podslice": {"1x1": 1, "2x2": 4, "2x4": 8},
    "tpu-v5-lite-device": {"1x1": 1, "2x2": 4, "2x4": 8},
    "tpu-v5p-slice": {"2x2x1": 4},
    "tpu-v6e-slice": {"1x1": 1, "2x2": 4, "2x4": 8},
}


class GpuConfig(Settings):
    """GPUs of one machine."""

    type: str = Field(description="GKE's name of the GPU, such as `nvidia-l4`.")
    count: int = Field(1, ge=1, le=16, description="How many GPUs the one machine that trains has.")

    @pydantic.field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in GPU_TYPES:
            raise ValueError(
                f"accelerator.gpu.type: Expected one of {', '.join(GPU_TYPES)}. Received: '{value}'.{did_you_mean(value, GPU_TYPES)}"
            )
        return value


class TpuConfig(Settings):
    """A TPU slice of one machine."""

    type: str = Field(description="GKE's name of the TPU, such as `tpu-v5-lite-podslice`.")
    topology: str = Field(description="How its chips are arranged, such as `2x2`; a slice of several machines is refused.")

    @pydantic.model_validator(mode="after")
    def _known(self) -> Self:
        if self.type not in TPU_TOPOLOGIES:
            raise ValueError(
                f"accelerator.tpu.type: Expected one of {', '.join(TPU_TOPOLOGIES)}. Received: '{self.type}'."
                f"{did_you_mean(self.type, TPU_TOPOLOGIES)}"
            )
        known = TPU_TOPOLOGIES[self.type]
        if self.topology not in known:
            raise ValueError(
                f"accelerator.tpu.topology: Expected one of {', '.join(known)}, the slices of {self.type} that are one machine. "
                f"Received: '{self.topology}'.{did_you_mean(self.topology, known)}"
            )
        return self

    @property
    def chips(self) -> int:
        """Of the whole slice, all on one machine."""
        return TPU_TOPOLOGIES[self.type][self.topology]


class AcceleratorConfig(Settings):
    """What the Trainer runs on: `cpu`, a `gpu` or a `tpu`."""

    gpu: GpuConfig | None = Field(None, description="GPUs of one machine.")
    tpu: TpuConfig | None = Field(None, description="A TPU slice of one machine.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if value == CPU:
            return {}
        if not isinstance(value, dict | AcceleratorConfig):
            near = did_you_mean(value, [CPU, "gpu", "tpu"]) if isinstance(value, str) else ""
            raise ValueError(
                f"accelerator: Expected `cpu`, `{{gpu: {{type, count}}}}` or `{{tpu: {{type, topology}}}}`. Received: {value!r}.{near}"
            )
        return value

    @pydantic.model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.gpu and self.tpu:
            raise ValueError("accelerator: Expected one of `gpu` and `tpu`. Received: both.")
        return self

    @pydantic.model_serializer(mode="wrap")
    def _short(self, handler: pydantic.SerializerFunctionWrapHandler) -> Any:
        return {name: value for name, value in handler(self).items() if value is not None} or CPU

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The object, or the one word."""
        return {"anyOf": [{"const": CPU}, handler(core_schema)]}

    @property
    def kind(self) -> Literal["cpu", "gpu", "tpu"]:
        """Which of the three."""
        return "gpu" if self.gpu else "tpu" if self.tpu else "cpu"

    @property
    def strategy(self) -> str:
        """What `trainer.strategy: auto` means on it."""
        if self.tpu:
            return "tpu"
        return "mirrored" if self.gpu and self.gpu.count > 1 else "one_device"


@dataclass(frozen=True)
class Placement:
    """How a pod on GKE asks for an accelerator.

    Attributes:
      resource: Kubernetes' name of the resource.
      count: how many of it; a limit, as extended resources have no other request.
      node_selector: labels of the nodes that have it.
      tolerations: Kubernetes' tolerations of the taint that GKE puts on such nodes.
    """

    resource: str = ""
    count: int = 0
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, str]] = field(default_factory=list)


def placement(accelerator: AcceleratorConfig) -> Placement:
    """The resource, selector and tolerations of `accelerator`; empty ones for the CPU."""
    if accelerator.gpu:
        selector = {"cloud.google.com/gke-accelerator": accelerator.gpu.type}
        return Placement("nvidia.com/gpu", accelerator.gpu.count, selector, _tolerations("nvidia.com/gpu"))
    if accelerator.tpu:
        selector = {
            "cloud.google.com/gke-tpu-accelerator": accelerator.tpu.type,
            "cloud.google.com/gke-tpu-topology": accelerator.tpu.topology,
        }
        return Placement("google.com/tpu", accelerator.tpu.chips, selector, _tolerations("google.com/tpu"))
    return Placement()


def _tolerations(taint: str) -> list[dict[str, str]]:
    return [{"key": taint, "operator": "Exists", "effect": "NoSchedule"}]
