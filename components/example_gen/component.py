"""The ingestion component: raw labelled images in, TFRecords of tf.Examples in three splits out."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.example_gen.executor import Executor


class ImageExampleGenSpec(types.ComponentSpec):
    """TFX's interface of the component."""

    PARAMETERS: ClassVar = {
        "data": ExecutionParameter(type=str),
        "columns": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Ingests what a DataConfig names."""

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, data: str, fingerprint: str, code: str, columns: str = "{}") -> None:
        """Makes the component.

        Args:
          data: a DataConfig as JSON.
          fingerprint: digest of the data; part of the cache key, so that changed files are read again.
          code: digest of the readers' source, for the same reason.
          columns: Columns as JSON.
        """
        examples = types.Channel(type=standard_artifacts.Examples)
        super().__init__(spec=ImageExampleGenSpec(data=data, columns=columns, fingerprint=fingerprint, code=code, examples=examples))
