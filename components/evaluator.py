"""TFX's Evaluator, except that it takes a baseline only where a bound needs one and the baseline can be compared with.

a bound on the change? -> the baseline answers as the candidate does? -> TFX's Evaluator with it, else without it -> notes: which baseline,
and classes that the model cannot have learned -> the gate's verdict, beside the blessing
"""

from typing import Any

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import component as tfx_component
from tfx.components.evaluator import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils, proto_utils

from components import absent_classes, baseline_check, verdict
from components.evaluation import gate_of, problem_of
from components.evaluation_notes import write_notes
from components.example_gen import split
from components.gate_verdict import write_verdict


class Executor(tfx_executor.Executor):
    """A baseline that is gone, damaged or of other classes would end TFX's Evaluator, in every run from then on."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See TFX's Evaluator, whose interface this is."""
        inputs = {name: artifacts for name, artifacts in input_dict.items() if name != "baseline_model"}
        notes = []
        baseline = next(iter(input_dict.get("baseline_model") or []), None)
        if baseline is not None and _compares(exec_properties["eval_config"]):
            why_not = baseline_check.fault(
                path_utils.serving_model_path(baseline.uri),
                path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"])),
                artifact_utils.get_split_uri(input_dict["examples"], json_utils.loads(exec_properties["example_splits"])[0]),
            )
            notes.append(baseline_check.line(baseline, why_not))
            inputs = inputs if why_not else input_dict
        super().Do(inputs, output_dict, exec_properties)
        config = _config(exec_properties["eval_config"])
        [examples] = input_dict["examples"]
        if split.TRAIN in artifact_utils.decode_split_names(examples.split_names):
            folder = artifact_utils.get_split_uri([examples], split.TRAIN)
            notes.append(absent_classes.line(folder, problem_of(config)))
        evaluation = artifact_utils.get_single_uri(output_dict["evaluation"])
        write_notes(evaluation, [note for note in notes if note])
        found = verdict.read(evaluation, gate_of(config), problem_of(config))
        write_verdict(artifact_utils.get_single_uri(output_dict["blessing"]), found)


class Evaluator(tfx_component.Evaluator):
    """TFX's component with the executor above."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def _compares(eval_config: str) -> bool:
    """Whether one of the bounds is on the change from the baseline."""
    metrics = [metric for spec in _config(eval_config).metrics_specs for metric in spec.metrics]
    return any(metric.threshold.HasField("change_threshold") for metric in metrics)


def _config(eval_config: str) -> config_pb2.EvalConfig:
    return proto_utils.json_to_proto(eval_config, config_pb2.EvalConfig())
