"""What the Evaluator found, read back: the metrics, and for each bound of the gate the value it was held against.

TFMA's evaluation folder -> metrics as plain numbers, and the gate's rows with TFMA's own verdicts
"""

from typing import Any

import tensorflow_model_analysis as tfma

from components.bound import Bound
from components.config import EvaluatorConfig
from components.evaluation import ACCURACY, class_bounds
from trainer import features


def metrics(evaluation: str) -> dict[str, Any]:
    """Overall metrics as floats, `accuracy_by_class` by label, and `confusion_matrix[actual][predicted]` as counts."""
    overall, by_class = _metrics_by_slice(evaluation, "")
    result: dict[str, Any] = {name: value for name, value in overall.items() if isinstance(value, float)}
    result["accuracy_by_class"] = {label: values[ACCURACY] for label, values in sorted(by_class.items(), key=lambda item: int(item[0]))}
    result["confusion_matrix"] = _confusion_matrix(evaluation)
    return result


def bounds(evaluation: str, config: EvaluatorConfig, classes: int) -> list[Bound]:
    """Every bound of `config` with the value it was held against."""
    failures = _failures(evaluation)
    overall, by_class = _metrics_by_slice(evaluation, "")
    accuracy = overall[ACCURACY]
    rows = [Bound(ACCURACY, config.min_accuracy, accuracy, ("", "value_threshold") not in failures)]
    for label, bound in class_bounds(config, classes).items():
        value = by_class[label][ACCURACY] if label in by_class else None
        rows.append(Bound(f"{ACCURACY} (class {label})", bound, value, value is not None and (label, "value_threshold") not in failures))
    baseline, _ = _metrics_by_slice(evaluation, "baseline")
    if baseline and config.max_accuracy_drop is not None:
        origin = f" (the last blessed model's {baseline[ACCURACY]:.4f} less {config.max_accuracy_drop:g})"
        rows.append(Bound(ACCURACY, baseline[ACCURACY] - config.max_accuracy_drop, accuracy, ("", "change_threshold") not in failures, origin))
    return rows


def _failures(evaluation: str) -> set[tuple[str, str]]:
    """(label or "" for the whole split, kind of threshold) of each that TFMA found missed."""
    found = set()
    for of_slice in tfma.load_validation_result(evaluation).metric_validations_per_slice:
        keys = of_slice.slice_key.single_slice_keys
        label = str(keys[0].int64_value) if keys else ""
        found |= {(label, "change_threshold" if failure.metric_key.is_diff else "value_threshold") for failure in of_slice.failures}
    return found


def _metrics_by_slice(evaluation: str, model: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The metrics of the whole split, and of each class by label; both empty where no such model was evaluated."""
    overall: dict[str, Any] = {}
    by_class: dict[str, dict[str, Any]] = {}
    for of_slice in tfma.load_metrics(evaluation):
        values = {
            item.key.name: item.value.double_value.value
            for item in of_slice.metric_keys_and_values
            if item.key.model_name in _MODEL_NAMES[model] and not item.key.is_diff and _is_whole(item.key) and item.value.HasField("double_value")
        }
        keys = of_slice.slice_key.single_slice_keys
        if keys:
            by_class[str(keys[0].int64_value)] = values
        else:
            overall = values
    return overall, by_class


def _confusion_matrix(evaluation: str) -> list[list[int]]:
    for of_slice in tfma.load_plots(evaluation):
        if of_slice.slice_key.single_slice_keys:
            continue
    return []
