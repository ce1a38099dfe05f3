"""What the Evaluator found, read back: the metrics, and for each bound of the gate the value it was held against.

TFMA's evaluation folder -> metrics as plain numbers, and the gate's rows with TFMA's own verdicts
"""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from components.bound import Bound
from components.config import EvaluatorConfig
from components.evaluation import ACCURACY, MISSED_CLASSES, class_bounds
from components.evaluation_notes import read_notes
from components.gate_verdict import Verdict
from components.macro_metrics import accuracy_by_class, missed
from trainer.problem import Problem

_CANDIDATE = ("", "candidate")  # TFMA names the candidate only where there is a baseline
_BASELINE = ("baseline",)
_MOST_CLASSES = 100  # of more classes, only those that went worst
_FEW_ROWS = 30


def read(evaluation: str, config: EvaluatorConfig, problem: Problem) -> Verdict:
    """The whole verdict, of a bounded size."""
    return Verdict.of(metrics(evaluation, problem), bounds(evaluation, config, problem), _notes(evaluation))


def metrics(evaluation: str, problem: Problem) -> dict[str, Any]:
    """Overall metrics as floats, None where undefined (AUC of a single class).

    Beside them `accuracy_by_class` by label, and `confusion_matrix[actual][predicted]` as counts. Of more than 100 classes these are the
    100 least accurate ones, and in the matrix's place `most_confused`, the 100 most frequent mistakes as [actual, predicted, rows].
    """
    pairs = _confusions(evaluation)
    overall = _metrics(evaluation, _CANDIDATE)
    result: dict[str, Any] = {name: value if math.isfinite(value) else None for name, value in overall.items() if name != MISSED_CLASSES}
    worst = sorted(accuracy_by_class(pairs).items(), key=lambda item: item[1])[:_MOST_CLASSES]
    result["accuracy_by_class"] = {str(label): value for label, value in sorted(worst)}
    classes = problem.task.classes
    if classes <= _MOST_CLASSES:
        result["confusion_matrix"] = [[pairs.get((actual, answer), 0) for answer in range(classes)] for actual in range(classes)]
    else:
        mistakes = sorted(((-rows, *pair) for pair, rows in pairs.items() if pair[0] != pair[1]))[:_MOST_CLASSES]
        result["most_confused"] = [[actual, answer, -rows] for rows, actual, answer in mistakes]
    return result


def _notes(evaluation: str) -> list[str]:
    """What a number alone does not tell: which baseline it was, a model that has learned nothing, a split too small to say."""
    pairs = _confusions(evaluation)
    rows = sum(pairs.values())
    few_answers = _few_answers(pairs)
    notes = [*read_notes(evaluation), *([few_answers] if few_answers else [])]
    if rows < _FEW_ROWS:
        notes.append(
            f"the test split has {rows} row{'' if rows == 1 else 's'}: one answer more or less moves the accuracy by {1 / rows:.2f}. "
            "Give more data, or more of it to `data.splits.test`."
        )
    return notes


def _few_answers(pairs: Mapping[tuple[int, int], int]) -> str | None:
    """That the rows get one answer, or so few that half of their classes are never one, which no accuracy tells."""
    answers, actual = ({pair[place] for pair in pairs} for place in (1, 0))
    if 2 * len(answers) > len(actual):
        return None
    what = (
        f"class {next(iter(answers))} for all {sum(pairs.values()):,} test rows"
        if len(answers) == 1
        else f"only {len(answers):,} of the {len(actual):,} classes that the test rows have"
    )
    return (
        f"the model predicts {what}: it has not learned to tell classes apart. "
        "Try `preprocessing.normalize: standardize`, or a smaller `trainer.learning_rate`."
    )


def bounds(evaluation: str, config: EvaluatorConfig, problem: Problem) -> list[Bound]:
    """Every bound of `config` with the value it was held against."""
    failures = _failures(evaluation)
    accuracy = _metrics(evaluation, _CANDIDATE)[ACCURACY]
    rows = [Bound(ACCURACY, config.min_accuracy, accuracy, "value_threshold" not in failures)]
    by_class, wanted = accuracy_by_class(_confusions(evaluation)), class_bounds(config, problem.task.classes)
    below = missed(by_class, wanted)
    rows += [Bound(f"{ACCURACY} (class {label})", bound, by_class.get(label), label not in below) for label, bound in wanted.items()]
    baseline = _metrics(evaluation, _BASELINE)
    if baseline and config.max_accuracy_drop is not None:
        origin = f" (the last blessed model's {baseline[ACCURACY]:.4f} less {config.max_accuracy_drop:g})"
        rows.append(Bound(ACCURACY, baseline[ACCURACY] - config.max_accuracy_drop, accuracy, "change_threshold" not in failures, origin))
    return rows


def _failures(evaluation: str) -> set[str]:
    """The kinds of thresholds of accuracy that TFMA found missed."""
    return {
        "change_threshold" if failure.metric_key.is_diff else "value_threshold"
        for of_slice in tfma.load_validation_result(evaluation).metric_validations_per_slice
        for failure in of_slice.failures
        if failure.metric_key.name == ACCURACY
    }


def _metrics(evaluation: str, models: tuple[str, ...]) -> dict[str, float]:
    """The metrics by name; none where no such model was evaluated."""
    return {
        item.key.name: item.value.double_value.value
        for of_slice in tfma.load_metrics(evaluation)
        for item in of_slice.metric_keys_and_values
        if item.key.model_name in models and not item.key.is_diff and _is_whole(item.key) and item.value.HasField("double_value")
    }


def _is_whole(key: metrics_for_slice_pb2.MetricKey) -> bool:
    """A metric of the classes together, not of one of them."""
    return not key.HasField("sub_key")


def _confusions(evaluation: str) -> dict[tuple[int, int], int]:
    """Rows of the whole test split by (actual, predicted) class, the pairs that occur alone."""
    return {
        (entry.actual_class_id, entry.predicted_class_id): round(entry.num_weighted_examples)
        for of_slice in tfma.load_plots(evaluation)
        for item in of_slice.plot_keys_and_values
        if item.key.model_name in _CANDIDATE
        for entry in item.value.multi_class_confusion_matrix_at_thresholds.matrices[0].entries
    }
