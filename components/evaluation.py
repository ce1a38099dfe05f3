"""What TFMA computes on the test split, and the bounds that bless a model: an EvaluatorConfig and a Problem -> TFMA's EvalConfig."""

import json
from typing import Any

from tensorflow_model_analysis.proto import config_pb2  # TFMA 0.52 has these names no longer at its root

from components.config import BoundConfig, EvaluatorConfig
from trainer.problem import Problem
from trainer.tasks import Multilabel, Regression

ACCURACY = "accuracy"
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
                    *(_bounded(name, config) for name in sorted({bound.metric for bound in config.bounds} - {ACCURACY})),
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
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "name": ACCURACY, "code": code}
    return [
        config_pb2.MetricConfig(
            class_name="MultilabelMetrics",
            module="components.multilabel_metrics",
            config=json.dumps(settings),
            threshold=_accuracy_threshold(config),
            per_slice_thresholds=_slice_thresholds(ACCURACY, config),
        )
    ]


def _of_classes(config: EvaluatorConfig, problem: Problem, code: str) -> list[config_pb2.MetricConfig]:
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "name": MISSED_CLASSES, "code": code}
    none = config_pb2.MetricThreshold(value_threshold=config_pb2.GenericValueThreshold(upper_bound={"value": 0}))
    has_bounds = config.min_class_accuracy is not None or bool(config.class_min_accuracy)
    return [
        config_pb2.MetricConfig(
            class_name="SparseCategoricalAccuracy",
            config=f'{{"name": "{ACCURACY}"}}',
            threshold=_accuracy_threshold(config),
            per_slice_thresholds=_slice_thresholds(ACCURACY, config),
        ),
        config_pb2.MetricConfig(
            class_name="MacroMetrics",
            module="components.macro_metrics",
            config=json.dumps(settings),
            threshold=none if has_bounds else None,  # for the metric that has the whole's name, the number of classes below their bound
        ),
        config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot", config='{"name": "confusion_matrix"}'),
    ]


def _of_numbers(config: EvaluatorConfig, problem: Problem, code: str) -> list[config_pb2.MetricConfig]:
    settings = {"problem": problem.to_json(), "gate": config.to_json(), "code": code}
    return [config_pb2.MetricConfig(class_name="RegressionMetrics", module="components.regression_metrics", config=json.dumps(settings))]


def _accuracy_threshold(config: EvaluatorConfig) -> config_pb2.MetricThreshold | None:
    """Of the accuracy on the whole split: the least, and the least change from the baseline's."""
    overall = config_pb2.MetricThreshold()
    lowest = [config.min_accuracy, *(bound.min for bound in _whole(config) if bound.metric == ACCURACY)]
    highest = [bound.max for bound in _whole(config) if bound.metric == ACCURACY]
    _set_bounds(overall.value_threshold, lowest, highest)
    if config.max_accuracy_drop is not None:
        overall.change_threshold.absolute.value = -config.max_accuracy_drop
        overall.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    if not overall.value_threshold.ByteSize():
        overall.ClearField("value_threshold")
    return overall if overall.ByteSize() else None


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


def _whole(config: EvaluatorConfig) -> list[BoundConfig]:
    return [bound for bound in config.bounds if not bound.slice]


def _bounded(name: str, config: EvaluatorConfig) -> config_pb2.MetricConfig:
    """The bounds of a metric that another one computes."""
    bounds = [bound for bound in _whole(config) if bound.metric == name]
    value = _set_bounds(config_pb2.GenericValueThreshold(), [bound.min for bound in bounds], [bound.max for bound in bounds])
    return config_pb2.MetricConfig(
        class_name="BoundMetric",
        module="components.bound_metric",
        config=json.dumps({"name": name}),
        threshold=config_pb2.MetricThreshold(value_threshold=value) if bounds else None,
        per_slice_thresholds=_slice_thresholds(name, config),
    )


def _slice_thresholds(name: str, config: EvaluatorConfig) -> list[config_pb2.PerSliceMetricThreshold]:
    """The bounds of a metric on slices."""
    return [
        config_pb2.PerSliceMetricThreshold(
            slicing_specs=[_slicing(bound)],
            threshold=config_pb2.MetricThreshold(value_threshold=_set_bounds(config_pb2.GenericValueThreshold(), [bound.min], [bound.max])),
        )
        for bound in config.bounds
        if bound.slice and bound.metric == name
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
