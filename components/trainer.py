"""TFX's Trainer, except that it is also given the rows as they were before Transform.

transformed examples, transform graph, raw examples -> FnArgs, with the files of the raw rows -> run_fn -> model
"""

import json
import os
from typing import Any, ClassVar

from tfx import types
from tfx.components.trainer import executor as tfx_executor
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.util import udf_utils
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import io_utils, json_utils

from components import extra_workers
from trainer import cluster
from trainer.export.rows import RAW_FILES

_RAW = "raw_examples"


class Executor(tfx_executor.GenericExecutor):
    """A served model is asked with raw rows, and only whoever has some can try that before anybody else does."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """TFX's, which looks for a model afterwards; of several workers only the chief has one, and it starts the others where it can."""
        if not cluster.is_helper(os.environ):
            fn_args = self._GetFnArgs(input_dict, output_dict, exec_properties)
            workers = json.loads(fn_args.custom_config["trainer"]).get("workers", 1)
            with extra_workers.beside(workers, exec_properties["run_fn"], fn_args):
                super().Do(input_dict, output_dict, exec_properties)
            return
        udf_utils.get_fn(exec_properties, "run_fn")(self._GetFnArgs(input_dict, output_dict, exec_properties))

    def _GetFnArgs(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> FnArgs:
        """TFX's, with the pattern of each split's raw files in `custom_config`, under RAW_FILES."""
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        raw = input_dict[_RAW]
        splits = artifact_utils.decode_split_names(artifact_utils.get_single_instance(raw).split_names)
        files = {split: io_utils.all_files_pattern(artifact_utils.get_split_uri(raw, split)) for split in splits}
        fn_args.custom_config = {**(fn_args.custom_config or {}), RAW_FILES: files}
        return fn_args


class _Spec(standard_component_specs.TrainerSpec):
    """TFX's, with one more input."""

    INPUTS: ClassVar[dict[str, component_spec.ChannelParameter]] = {
        **standard_component_specs.TrainerSpec.INPUTS,
        _RAW: component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }


class Trainer(base_component.BaseComponent):
    """TFX's component with the executor above."""

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        raw_examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        run_fn: str,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        custom_config: dict[str, Any],
        base_model: types.BaseChannel | None = None,
        hyperparameters: types.BaseChannel | None = None,
    ) -> None:
        """See TFX's Trainer; `raw_examples` are what Transform has made `examples` of."""
        super().__init__(
            spec=_Spec(
                examples=examples,
                transform_graph=transform_graph,
                base_model=base_model,
                hyperparameters=hyperparameters,
                train_args=train_args,
                eval_args=eval_args,
                run_fn=run_fn,
                custom_config=json_utils.dumps(custom_config),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                **{_RAW: raw_examples},
            )
        )
