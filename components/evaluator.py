"""TFX's Evaluator, except that it takes a baseline only where a bound needs one and the baseline can be compared with.

the model's classes, and what is reached without it -> bounds -> one on the change? the baseline answers as the candidate does?
-> TFX's Evaluator with it, else without it -> notes, and the verdict beside the blessing
"""

from typing import Any

import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import component as tfx_component
from tfx.components.evaluator import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils, proto_utils

from components import absent_classes, baseline_check, linear_baseline, naive, verdict
from components.config import EvaluatorConfig
from components.evaluation import code_of, eval_config, gate_of, problem_of
from components.evaluation_notes import write_notes
from components.example_gen import split
from components.floor import Floor
from components.gate_verdict import write_verdict
from trainer.export import exported_problem
from trainer.problem import Problem
from trainer.tasks import Regression


class Executor(tfx_executor.Executor):
    """A baseline that is gone, damaged or of other classes would end TFX's Evaluator, in every run from then on."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See TFX's Evaluator, whose interface this is."""
        config = _config(exec_properties["eval_config"])
        candidate = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
        [examples] = input_dict["examples"]
        test = artifact_utils.get_split_uri([examples], json_utils.loads(exec_properties["example_splits"])[0])
        has_train = split.TRAIN in artifact_utils.decode_split_names(examples.split_names)
        train = artifact_utils.get_split_uri([examples], split.TRAIN) if has_train else None
        problem, gate = exported_problem(candidate) or problem_of(config), gate_of(config)
        floors = _floors(gate, problem, candidate, train, test) if train else []
        bounds = (*gate.bounds, *(floor.bound for floor in floors))
        config = eval_config(gate.model_copy(update={"bounds": bounds}), problem, code_of(config))

        inputs = {name: artifacts for name, artifacts in input_dict.items() if name != "baseline_model"}
        notes = [floor.note for floor in floors]
        baseline = next(iter(input_dict.get("baseline_model") or []), None)
        if baseline is not None and _compares(config):
            why_not = baseline_check.fault(path_utils.serving_model_path(baseline.uri), candidate, test, problem)
            notes.append(baseline_check.line(baseline, why_not))
            inputs = inputs if why_not else input_dict
        super().Do(inputs, output_dict, {**exec_properties, "eval_config": proto_utils.proto_to_json(config)})
        if train:
            notes.append(absent_classes.line(train, problem))
        evaluation = artifact_utils.get_single_uri(output_dict["evaluation"])
        write_notes(evaluation, [note for note in notes if note])
        write_verdict(artifact_utils.get_single_uri(output_dict["blessing"]), verdict.read(evaluation, gate, problem, floors))


class Evaluator(tfx_component.Evaluator):
    """TFX's component with the executor above."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def _floors(gate: EvaluatorConfig, problem: Problem, candidate: str, train: str, test: str) -> list[Floor]:
    """The bounds that a model of columns has by itself."""
    if not problem.label_signatures and not isinstance(problem.task, Regression):
        return []  # pictures in numbered classes
    model = tf.saved_model.load(candidate)
    lowest = naive.floor(problem, model, train, test)
    if lowest is None:
        return []
    linear = linear_baseline.floor(problem, model, train, test, lowest.bound) if gate.linear_baseline else None
    return [lowest] if linear is None else [lowest, linear]


def _compares(config: config_pb2.EvalConfig) -> bool:
    """Whether one of the bounds is on the change from the baseline."""
    return any(metric.threshold.HasField("change_threshold") for spec in config.metrics_specs for metric in spec.metrics)


def _config(eval_config: str) -> config_pb2.EvalConfig:
    return proto_utils.json_to_proto(eval_config, config_pb2.EvalConfig())
