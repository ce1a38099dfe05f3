"""What TFMA computes on the test split, and the bounds that bless a model: an EvaluatorConfig -> tfma.EvalConfig."""

import json

import tensorflow_model_analysis as tfma

from components.config import EvaluatorConfig
from trainer import features

ACCURACY = "accuracy"
SIGNATURE = "serving_default"
PREDICTIONS = "probabilities"


def eval_config(config: EvaluatorConfig, classes: int) -> tfma.EvalConfig:
    """Overall and per-class metrics of a classifier of `classes` classes, with the gate's bounds on accuracy."""
    per_class = tfma.SlicingSpec(feature_keys=[features.LABEL])
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(name="candidate", signature_name=SIGNATURE, prediction_key=PREDICTIONS, label_key=features.LABEL),
            tfma.ModelSpec(name="baseline", is_baseline=True, signature_name=SIGNATURE, prediction_key=PREDICTIONS, label_key=features.LABEL),
        ],
        slicing_specs=[tfma.SlicingSpec(), per_class],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="ExampleCount"),
                    tfma.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "loss"}'),
                    _accuracy(config, classes),
                    tfma.MetricConfig(class_name="MacroMetrics", module="components.macro_metrics", config=json.dumps({"classes": classes})),
                    tfma.MetricConfig(class_name="MultiClassConfusionMatrixPlot", config='{"name": "confusion_matrix"}'),
                ]
            ),
        ],
    )


def _accuracy(config: EvaluatorConfig, classes: int) -> tfma.MetricConfig:
    """Accuracy with its thresholds; TFMA applies a plain `threshold` to every slice, so each bound names its slice."""
    overall = tfma.MetricThreshold(value_threshold=_at_least(config.min_accuracy))
    if config.max_accuracy_drop is not None:
        overall.change_threshold.absolute.value = -config.max_accuracy_drop
        overall.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
    bounds = [tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=overall)]
    for label, bound in class_bounds(config, classes).items():
        where = tfma.SlicingSpec(feature_values={features.LABEL: label})
        bounds.append(tfma.PerSliceMetricThreshold(slicing_specs=[where], threshold=tfma.MetricThreshold(value_threshold=_at_least(bound))))
    return tfma.MetricConfig(class_name="SparseCategoricalAccuracy", config=f'{{"name": "{ACCURACY}"}}', per_slice_thresholds=bounds)


def _at_least(bound: float) -> tfma.GenericValueThreshold:
    return tfma.GenericValueThreshold(lower_bound={"value": bound})


def class_bounds(config: EvaluatorConfig, classes: int) -> dict[str, float]:
    """The least accuracy of each class that has a bound, by label."""
    bounds = {} if config.min_class_accuracy is None else {str(index): config.min_class_accuracy for index in range(classes)}
    return bounds | dict(config.class_min_accuracy)
