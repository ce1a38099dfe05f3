"""What TFMA computes on the test split, and the bounds that bless a model: an EvaluatorConfig -> TFMA's EvalConfig."""

import json
from typing import Any

from tensorflow_model_analysis.proto import config_pb2  # TFMA 0.52 has these names no longer at its root

from components.config import EvaluatorConfig
from trainer.problem import Problem

ACCURACY = "accuracy"
SIGNATURE = "serving_default"
PREDICTIONS = "probabilities"
MISSED_CLASSES = "classes_below_their_bound"  # measured where classes have bounds, and none may be


def eval_config(config: EvaluatorConfig, problem: Problem, code: str = "") -> config_pb2.EvalConfig:
    """Metrics of a model of `problem` on the whole split, with the gate's bounds; `code` is for TFX's cache.

    There is no slice a class, for TFMA matches every slice with the threshold of every slice: the time would grow with the classes' square.
    """
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(name="candidate", signature_name=SIGNATURE, prediction_key=PREDICTIONS, label_key=problem.label),
            config_pb2.ModelSpec(
                name="baseline", is_baseline=True, signature_name=SIGNATURE, prediction_key=PREDICTIONS, label_key=problem.label
            ),
        ],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(class_name="ExampleCount"),
                    _accuracy(config),
                    _macro(config, problem, code),
                    config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot", config='{"name": "confusion_matrix"}'),
                ]
            ),
        ],
    )


def problem_of(config: config_pb2.EvalConfig) -> Problem:
    """The problem that `eval_config` was given."""
    return Problem.from_json(_own_settings(config)["problem"])


def gate_of(config: config_pb2.EvalConfig) -> EvaluatorConfig:
    """The gate's settings that `eval_config` was given."""
    return EvaluatorConfig.from_json(_own_settings(config)["gate"])


def _own_settings(config: config_pb2.EvalConfig) -> dict[str, Any]:
    [macro] = [metric for spec in config.metrics_specs for metric in spec.metrics if metric.class_name == "MacroMetrics"]
    return json.loads(macro.config)


def _accuracy(config: EvaluatorConfig) -> config_pb2.MetricConfig:
    at_least = config_pb2.GenericValueThreshold(lower_bound={"value": config.min_accuracy})
    overall = config_pb2.MetricThreshold(value_threshold=at_least)
    if config.max_accuracy_drop is not None:
        overall.change_threshold.absolute.value = -config.max_accuracy_drop
        overall.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    return config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy", config=f'{{"name": "{ACCURACY}"}}', threshold=overall)


def _macro(config: EvaluatorConfig, problem: Problem, code: str) -> config_pb2.MetricConfig:
    """Our own metrics; the threshold is for the one that has the whole's name, the number of classes below their bound."""
    classes = problem.task.classes
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "name": MISSED_CLASSES, "code": code}
    none = config_pb2.MetricThreshold(value_threshold=config_pb2.GenericValueThreshold(upper_bound={"value": 0}))
    return config_pb2.MetricConfig(
        class_name="MacroMetrics",
        module="components.macro_metrics",
        config=json.dumps(settings),
        threshold=none if class_bounds(config, classes) else None,
    )


def class_bounds(config: EvaluatorConfig, classes: int) -> dict[int, float]:
    """The least accuracy of each class that has a bound, by label."""
    bounds = {} if config.min_class_accuracy is None else dict.fromkeys(range(classes), config.min_class_accuracy)
    return bounds | {int(label): bound for label, bound in config.class_min_accuracy.items()}
