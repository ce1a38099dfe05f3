"""The pipeline's parameters on Kubeflow Pipelines: what can be changed at each submission, and what that changes in a step.

compile: PipelineConfig -> parameters with their defaults, and which steps take which
in a step: parameters' values + the step's compiled execution properties -> the properties that its executor gets
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.config import EvaluatorConfig
from components.example_gen.config import DataConfig
from pipeline import steps
from pipeline.config import PipelineConfig
from pipeline.kubeflow.package import Package
from pipeline.steps import Step
from trainer.config import TrainerConfig
from trainer.problem import Problem

STRING, INTEGER, DOUBLE = "STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE"
UNRESOLVED = "unresolved"  # the fingerprint of data that were out of reach when the package was compiled
GATE = "tapeline_gate"  # the Evaluator's own settings, from which the step makes its `eval_config` anew


@dataclass(frozen=True)
class Parameter:
    """One parameter of the package.

    Attributes:
      kind: KFP's `parameterType`.
      steps: the steps that take it.
      default: its default for a config, given the data's fingerprint.
      description: for whoever fills in the form.
    """

    name: str
    kind: str
    steps: tuple[Step, ...]
    default: Callable[[PipelineConfig, str], Any]
    description: str


PARAMETERS = (
    Parameter(
        "data_path",
        STRING,
        (steps.INGESTION,),
        lambda config, _: data_path(config),
        "Folder of the raw files; empty for bundled or downloaded data.",
    ),
    Parameter(
        "data_fingerprint",
        STRING,
        (),
        lambda _, fingerprint: fingerprint,
        "Digest of the raw files; `tapeline kubeflow submit` computes it.",
    ),
    Parameter(
        "pipeline_root",
        STRING,
        (steps.DATA_GATE, steps.PUSHER),
        lambda config, _: config.kubeflow.pipeline_root,
        "Where the run's artifacts go. KFP takes the run's own pipeline root; `tapeline kubeflow submit` sets both.",
    ),
    Parameter(
        "serving_base_path",
        STRING,
        (steps.TEACHER, steps.START, steps.BASELINE, steps.PUSHER),
        lambda config, _: config.kubeflow.serving_base_path,
        "Folder that gets NAME/VERSION/ of an accepted model.",
    ),
    Parameter("epochs", INTEGER, (steps.TRAINER,), lambda config, _: config.trainer.epochs, "The most passes over the training split."),
    Parameter(
        "min_accuracy",
        DOUBLE,
        (steps.EVALUATOR,),
        lambda config, _: config.gate.min_accuracy or 0.0,
        "The least accuracy on the test split; 0 sets no such bound.",
    ),
    Parameter(
        "min_class_accuracy",
        DOUBLE,
        (steps.EVALUATOR,),
        lambda config, _: config.evaluator.min_class_accuracy or 0.0,
        "The least accuracy on the rows of each class; 0 sets no such bound.",
    ),
    Parameter(
        "max_accuracy_drop",
        DOUBLE,
        (steps.BASELINE, steps.EVALUATOR),
        lambda config, _: 1.0 if config.evaluator.max_accuracy_drop is None else config.evaluator.max_accuracy_drop,
        "How much less accurate than the served model; 1 does not compare.",
    ),
)


def data_path(config: PipelineConfig) -> str:
    """The folder of the raw files as the cluster sees it."""
    return config.kubeflow.data_path or config.data.path or ""


def accepted_place(config: PipelineConfig) -> str:
    """Where the statistics of the data accepted last are, below the pipeline root; the runs' folders beside it have numbers for names."""
    return f"{config.name}/accepted"


def gate(config: PipelineConfig, code: str) -> str:
    """The value of the Evaluator's property GATE."""
    return json.dumps({"evaluator": config.gate.to_json(), "problem": config.problem.to_json(), "code": code}, sort_keys=True)


def bind(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A step's execution properties with the parameters among them put where its executor looks for them.

    Raises:
      pydantic.ValidationError: a parameter is out of bounds.
    """
    values = dict(properties)
    for bind_one in (_data_path, _epochs, _serving_base_path, _accepted_place, _gate):
        bind_one(values)
    return values


def gate_config(properties: Mapping[str, Any]) -> tuple[EvaluatorConfig, Problem, str]:
    """The gate's bounds of this run, the problem and the code's digest, from the Evaluator's unbound properties."""
    given = json.loads(properties[GATE])
    values = json.loads(given["evaluator"])
    if "min_accuracy" in properties:
        values["min_accuracy"] = float(properties["min_accuracy"]) or None
    if "min_class_accuracy" in properties:
        values["min_class_accuracy"] = float(properties["min_class_accuracy"]) or None
    if "max_accuracy_drop" in properties:
        drop = float(properties["max_accuracy_drop"])
        values["max_accuracy_drop"] = None if drop == 1.0 else drop
    return EvaluatorConfig.from_json(json.dumps(values)), Problem.from_json(given["problem"]), given["code"]


def problem(package: Package) -> Problem | None:
    """What a compiled package learns; None where it has no Evaluator."""
    parameters = package.tasks.get(steps.EVALUATOR.id, {}).get("inputs", {}).get("parameters", {})
    return Problem.from_json(json.loads(parameters[GATE]["runtimeValue"]["constant"])["problem"]) if GATE in parameters else None


def _data_path(values: dict[str, Any]) -> None:
    path = values.pop("data_path", "")
    if path:
        data = DataConfig.from_json(values["data"])
        values["data"] = data.model_copy(update={"path": path}).to_json()


def _epochs(values: dict[str, Any]) -> None:
    if "epochs" in values:
        custom = json.loads(values["custom_config"])
        trainer = json.loads(custom["trainer"]) | {"epochs": int(values.pop("epochs"))}
        custom["trainer"] = TrainerConfig.from_json(json.dumps(trainer)).to_json()
        values["custom_config"] = json.dumps(custom, sort_keys=True)


def _serving_base_path(values: dict[str, Any]) -> None:
    base = values.pop("serving_base_path", "")
    if not base:
        return
    if "serving_path" in values:
        values["serving_path"] = _below(base, values["serving_path"])
    if "push_destination" in values:
        destination = json.loads(values["push_destination"])
        system = destination["filesystem"]
        key = "baseDirectory" if "baseDirectory" in system else "base_directory"
        system[key] = _below(base, system[key])
        values["push_destination"] = json.dumps(destination)


def _accepted_place(values: dict[str, Any]) -> None:
    root = values.pop("pipeline_root", "")
    # Of other object storage KFP copies artifacts, and a step can read nothing else.
    base = "" if "://" in root and not root.startswith("gs://") else root.rstrip("/")
    if "accepted_place" in values:
        values["accepted_place"] = base and f"{base}/{values['accepted_place']}"
    if "push_destination" in values and values.get("custom_config"):
        custom = json.loads(values["custom_config"])
        custom["accepted_place"] = base and f"{base}/{custom['accepted_place']}"
        values["custom_config"] = json.dumps(custom)


def _below(base: str, compiled: str) -> str:
    """The model's own folder, the last part of the compiled path, below another base."""
    return f"{base.rstrip('/')}/{compiled.rstrip('/').rpartition('/')[2]}"


def _gate(values: dict[str, Any]) -> None:
    if GATE not in values:
        return
    from google.protobuf import json_format

    from components.evaluation import eval_config

    config, problem, code = gate_config(values)
    for name in (GATE, "min_accuracy", "min_class_accuracy", "max_accuracy_drop"):
        values.pop(name, None)
    values["eval_config"] = json_format.MessageToJson(eval_config(config, problem, code), sort_keys=True)
