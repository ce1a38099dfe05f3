"""What TFMA computes on the test split, and the bounds that bless a model: an EvaluatorConfig -> TFMA's EvalConfig."""

import json

from tensorflow_model_analysis.proto import config_pb2  # TFMA 0.52 has these names no longer at its root

from components.config import EvaluatorConfig
from trainer import features

ACCURACY = "accuracy"
SIGNATURE = "serving_default"
PREDICTIONS = "probabilities"


def eval_config(config: EvaluatorConfig, classes: int, code: str = "") -> config_pb2.EvalConfig:
    """Overall and per-class metrics of a classifier of `classes` classes, with the gate's bounds; `code` is for TFX's cache."""
    per_class = config_pb2.SlicingSpec(feature_keys=[features.LABEL])
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(name="candidate", signature_name=SIGNATURE, prediction_key=PREDICTIONS, label_key=features.LABEL),
            config_pb2.ModelSpec(
                name="baseline", is_baseline=True, signature_name=SIGNATURE, prediction_key=PREDICTIONS, label_key=features.LABEL
            ),
        ],
        slicing_specs=[config_pb2.SlicingSpec(), per_class],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(class_name="ExampleCount"),
                    _accuracy(config, classes),
                    config_pb2.MetricConfig(
                        class_name="MacroMetrics", module="components.macro_metrics", config=json.dumps({"classes": classes, "code": code})
                    ),
                    config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot", config='{"name": "confusion_matrix"}'),
                ]
            ),
        ],
    )


def classes_of(config: config_pb2.EvalConfig) -> int:
    """The number of classes that `eval_config` was given."""
    [macro] = [metric for spec in config.metrics_specs for metric in spec.metrics if metric.class_name == "MacroMetrics"]
    return json.loads(macro.config)["classes"]


def _accuracy(config: EvaluatorConfig, classes: int) -> config_pb2.MetricConfig:
    """Accuracy with its thresholds; TFMA applies a plain `threshold` to every slice, so each bound names its slice."""
    overall = config_pb2.MetricThreshold(value_threshold=_at_least(config.min_accuracy))
    if config.max_accuracy_drop is not None:
        overall.change_threshold.absolute.value = -config.max_accuracy_drop
        overall.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    bounds = [config_pb2.PerSliceMetricThreshold(slicing_specs=[config_pb2.SlicingSpec()], threshold=overall)]
    for label, bound in class_bounds(config, classes).items():
        where = config_pb2.SlicingSpec(feature_values={features.LABEL: label})
        bounds.append(
            config_pb2.PerSliceMetricThreshold(
                slicing_specs=[where], threshold=config_pb2.MetricThreshold(value_threshold=_at_least(bound))
            )
        )
    return config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy", config=f'{{"name": "{ACCURACY}"}}', per_slice_thresholds=bounds)


def _at_least(bound: float) -> config_pb2.GenericValueThreshold:
    return config_pb2.GenericValueThreshold(lower_bound={"value": bound})


def class_bounds(config: EvaluatorConfig, classes: int) -> dict[str, float]:
    """The least accuracy of each class that has a bound, by label."""
    bounds = {} if config.min_class_accuracy is None else {str(index): config.min_class_accuracy for index in range(classes)}
    return bounds | dict(config.class_min_accuracy)
