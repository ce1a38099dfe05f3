"""What TFMA computes on the test split, and the bounds that bless a model: an EvaluatorConfig and a Problem -> TFMA's EvalConfig."""

import json
from typing import Any

from tensorflow_model_analysis.proto import config_pb2  # TFMA 0.52 has these names no longer at its root

from components.config import BoundConfig, EvaluatorConfig
from components.metric_names import ACCURACY
from trainer.problem import Problem
from trainer.tasks import Multilabel, Regression

SIGNATURE = "serving_default"
MISSED_CLASSES = "classes_below_their_bound"  # measured where classes have bounds, and none may be
_OWN = ("MacroMetrics", "MultilabelMetrics", "RegressionMetrics")


def eval_config(config: EvaluatorConfig, problem: Problem, code: str = "") -> config_pb2.EvalConfig:
    """Metrics of a model of `problem` on the whole split and the bounds' slices, with the gate's bounds; `code` is for TFX's cache.

    There is no slice a class, for TFMA matches every slice with the threshold of every slice: the time would grow with the classes' square.
    """
    spec = {
        "signature_name": SIGNATURE,
        "prediction_key": problem.task.PREDICTIONS,
        "label_key": problem.evaluated_label,
        "preprocessing_function_names": problem.label_signatures,
    }
    slices = {json.dumps(bound.slice, sort_keys=True): _slicing(bound) for bound in config.bounds if bound.slice}
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(name="candidate", **spec),
            config_pb2.ModelSpec(name="baseline", is_baseline=True, **spec),
        ],
        slicing_specs=[config_pb2.SlicingSpec(), *slices.values()],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(class_name="ExampleCount"),
                    *_of_task(config, problem, code),
                    *(_bounded(name, config) for name in sorted(_bounded_metrics(config, problem))),
                ],
            ),
        ],
    )


def problem_of(config: config_pb2.EvalConfig) -> Problem:
    """The problem that `eval_config` was given."""
    return Problem.from_json(_own_settings(config)["problem"])


def gate_of(config: config_pb2.EvalConfig) -> EvaluatorConfig:
    """The gate's settings that `eval_config` was given."""
    return EvaluatorConfig.from_json(_own_settings(config)["gate"])


def code_of(config: config_pb2.EvalConfig) -> str:
    """The digest that `eval_config` was given."""
    return _own_settings(config)["code"]


def _own_settings(config: config_pb2.EvalConfig) -> dict[str, Any]:
    [own] = [metric for spec in config.metrics_specs for metric in spec.metrics if metric.class_name in _OWN]
    return json.loads(own.config)


def _of_task(config: EvaluatorConfig, problem: Problem, code: str) -> list[config_pb2.MetricConfig]:
    by_task = {Regression: _of_numbers, Multilabel: _of_labels}
    return by_task.get(type(problem.task), _of_classes)(config, problem, code)


def _of_labels(config: EvaluatorConfig, problem: Problem, code: str) -> list[config_pb2.MetricConfig]:
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "code": code}
    return [config_pb2.MetricConfig(class_name="MultilabelMetrics", module="components.multilabel_metrics", config=json.dumps(settings))]


def _of_classes(config: EvaluatorConfig, problem: Problem, code: str) -> list[config_pb2.MetricConfig]:
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "name": MISSED_CLASSES, "code": code}
    none = config_pb2.MetricThreshold(value_threshold=config_pb2.GenericValueThreshold(upper_bound={"value": 0}))
    has_bounds = config.min_class_accuracy is not None or bool(config.class_min_accuracy)
    return [
        config_pb2.MetricConfig(
            class_name="MacroMetrics",
            module="components.macro_metrics",
            config=json.dumps(settings),
            threshold=none if has_bounds else None,  # for the metric that has the whole's name, the number of classes below their bound
        ),
    ]


def _of_numbers(config: EvaluatorConfig, problem: Problem, code: str) -> list[config_pb2.MetricConfig]:
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "code": code}
    return [config_pb2.MetricConfig(class_name="RegressionMetrics", module="components.regression_metrics", config=json.dumps(settings))]


def _bounded_metrics(config: EvaluatorConfig, problem: Problem) -> set[str]:
    """The metrics that have a bound."""
    has_accuracy = not isinstance(problem.task, Regression) and (config.min_accuracy, config.max_accuracy_drop) != (None, None)
    return {bound.measured for bound in config.bounds} | ({ACCURACY} if has_accuracy else set())


def _set_bounds(
    threshold: config_pb2.GenericValueThreshold, lowest: list[float | None], highest: list[float | None]
) -> config_pb2.GenericValueThreshold:
    """The narrowest of several bounds."""
    low, high = [value for value in lowest if value is not None], [value for value in highest if value is not None]
    if low:
        threshold.lower_bound.value = max(low)
    if high:
        threshold.upper_bound.value = min(high)
    return threshold


def _bounded(name: str, config: EvaluatorConfig) -> config_pb2.MetricConfig:
    """The bounds of a metric that another one computes."""
    return config_pb2.MetricConfig(
        class_name="BoundMetric",
        module="components.bound_metric",
        config=json.dumps({"name": name}),
        threshold=_threshold(name, config),
        per_slice_thresholds=_slice_thresholds(name, config),
    )


def _threshold(name: str, config: EvaluatorConfig) -> config_pb2.MetricThreshold | None:
    """On the whole split: the narrowest bounds of the metric's value, and of accuracy the least change from the baseline's."""
    bounds = [bound for bound in config.bounds if bound.measured == name and not bound.slice]
    is_accuracy = name == ACCURACY
    lowest, highest = [bound.min for bound in bounds], [bound.max for bound in bounds]
    overall = config_pb2.MetricThreshold()
    value = _set_bounds(config_pb2.GenericValueThreshold(), [*lowest, config.min_accuracy] if is_accuracy else lowest, highest)
    if value.ByteSize():
        overall.value_threshold.CopyFrom(value)
    if is_accuracy and config.max_accuracy_drop is not None:
        overall.change_threshold.absolute.value = -config.max_accuracy_drop
        overall.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    return overall if overall.ByteSize() else None


def _slice_thresholds(name: str, config: EvaluatorConfig) -> list[config_pb2.PerSliceMetricThreshold]:
    """The bounds of a metric on slices."""
    return [
        config_pb2.PerSliceMetricThreshold(
            slicing_specs=[_slicing(bound)],
            threshold=config_pb2.MetricThreshold(value_threshold=_set_bounds(config_pb2.GenericValueThreshold(), [bound.min], [bound.max])),
        )
        for bound in config.bounds
        if bound.slice and bound.measured == name
    ]


def _slicing(bound: BoundConfig) -> config_pb2.SlicingSpec:
    return config_pb2.SlicingSpec(feature_values=bound.slice)


def class_bounds(config: EvaluatorConfig, problem: Problem) -> dict[int, float]:
    """The least accuracy of each class that has a bound, by its number; the problem's classes are known by now."""
    task = problem.task
    numbers = {name: number for number, name in enumerate(task.names)} if task.names else None
    bounds = {} if config.min_class_accuracy is None else dict.fromkeys(range(task.outputs), config.min_class_accuracy)
    single = {int(label) if numbers is None else numbers.get(label, -1): bound for label, bound in config.class_min_accuracy.items()}
    return bounds | single
