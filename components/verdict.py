"""What the Evaluator found, read back: the metrics, and for each bound of the gate the value it was held against.

TFMA's evaluation folder -> metrics as plain numbers, and the gate's rows with TFMA's own verdicts
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from components.bound import Bound
from components.config import BoundConfig, EvaluatorConfig
from components.evaluation import MISSED_CLASSES, class_bounds
from components.evaluation_notes import read_notes
from components.floor import Floor
from components.gate_verdict import Verdict
from components.macro_metrics import accuracy_by_class, missed
from components.metric_names import ACCURACY
from components.wrong_rows import listed
from trainer.problem import Problem
from trainer.tasks import Multiclass, Multilabel

_CANDIDATE = ("", "candidate")  # TFMA names the candidate only where there is a baseline
_BASELINE = ("baseline",)
_MOST_CLASSES = 100  # of more classes, only those that went worst
_MOST_NAMED = 10
_FEW_ROWS = 30
_REMEDY = "`preprocessing.normalize: standardize` where it is `scale`, or "


def read(evaluation: str, config: EvaluatorConfig, problem: Problem, floors: Sequence[Floor] = ()) -> Verdict:
    """The whole verdict, of a bounded size; `problem` with its classes, `floors` the bounds that nobody has set."""
    found = bounds(evaluation, config, problem, floors)
    return Verdict.of(metrics(evaluation, problem), found, _notes(evaluation, problem))


def metrics(evaluation: str, problem: Problem) -> dict[str, Any]:
    """Overall metrics as floats, None where undefined (AUC of a single class).

    Of a problem of classes beside them `accuracy_by_class` by label, and `confusion_matrix[actual][predicted]` as counts, in the order of
    `classes` where these have names. Of more than 100 classes these are the 100 least accurate ones, and in the matrix's place
    `most_confused`, the 100 most frequent mistakes as [actual, predicted, rows]. Of several labels for a row
    there is `f1_by_label`, of at most the 100 worst.
    """
    overall = _metrics(evaluation, _CANDIDATE)
    result: dict[str, Any] = {name: value if math.isfinite(value) else None for name, value in overall.items() if name != MISSED_CLASSES}
    if not isinstance(problem.task, Multiclass):
        return result | _by_label(evaluation, problem)
    pairs = _confusions(evaluation)
    name = _namer(problem)
    worst = sorted(accuracy_by_class(pairs).items(), key=lambda item: item[1])[:_MOST_CLASSES]
    result["accuracy_by_class"] = {str(name(label)): value for label, value in sorted(worst)}
    classes = problem.task.outputs
    if classes <= _MOST_CLASSES:
        result["confusion_matrix"] = [[pairs.get((actual, answer), 0) for answer in range(classes)] for actual in range(classes)]
        if problem.task.names:
            result["classes"] = list(problem.task.names)
    else:
        mistakes = sorted(((-rows, *pair) for pair, rows in pairs.items() if pair[0] != pair[1]))[:_MOST_CLASSES]
        result["most_confused"] = [[name(actual), name(answer), -rows] for rows, actual, answer in mistakes]
    return result


def _by_label(evaluation: str, problem: Problem) -> dict[str, Any]:
    """`f1_by_label`, None where no test row has the label; empty of a problem that has none."""
    names = problem.task.names
    found = {
        names[item.key.sub_key.class_id.value]: item.value.double_value.value
        for of_slice in tfma.load_metrics(evaluation)
        if names and not of_slice.slice_key.single_slice_keys
        for item in of_slice.metric_keys_and_values
        if item.key.model_name in _CANDIDATE and not item.key.is_diff and not _is_whole(item.key)
    }
    worst = sorted(found.items(), key=lambda item: (not math.isfinite(item[1]), item[1]))[:_MOST_CLASSES]
    return {"f1_by_label": {name: value if math.isfinite(value) else None for name, value in sorted(worst)}} if found else {}


def _namer(problem: Problem) -> Callable[[int], str | int]:
    """How a class is called, by its number."""
    names = problem.task.names
    return (lambda number: names[number] if 0 <= number < len(names) else "(not in the train split)") if names else lambda number: number


def _notes(evaluation: str, problem: Problem) -> list[str]:
    """What a number alone does not tell: which baseline it was, a model that has learned nothing, a split too small to say."""
    notes = read_notes(evaluation)
    rows = int(_metrics(evaluation, _CANDIDATE)["example_count"])
    if isinstance(problem.task, Multilabel) and _metrics(evaluation, _CANDIDATE).get("recall") == 0:
        notes.append("the model predicts no label that a test row has: it has not learned to tell rows apart. Try more `trainer.epochs`.")
    if isinstance(problem.task, Multiclass):
        pairs = _confusions(evaluation)
        few_answers = _few_answers(pairs, problem)
        unknown = sum(count for (actual, _), count in pairs.items() if actual < 0)
        notes += [note for note in (few_answers, _absent(pairs, problem)) if note]
        if unknown:
            notes.append(
                f"{unknown:,} of the {rows:,} test rows have a '{problem.label}' that the train split does not have: counted as wrong."
            )
    if rows < _FEW_ROWS:
        moved = (
            f": one answer more or less moves the accuracy by {1 / rows:.2f}"
            if rows and isinstance(problem.task, Multiclass | Multilabel)
            else ""
        )
        notes.append(
            f"the test split has {rows} row{'' if rows == 1 else 's'}{moved}. Give more data, or more of it to `data.splits.test`."
        )
    return notes


def _few_answers(pairs: Mapping[tuple[int, int], int], problem: Problem) -> str | None:
    """That the rows get one answer, or so few that half of their classes are never one, which no accuracy tells."""
    answers, actual = ({pair[place] for pair in pairs} for place in (1, 0))
    if 2 * len(answers) > len(actual):
        return None
    what = (
        f"class {_namer(problem)(next(iter(answers)))} for all {sum(pairs.values()):,} test rows"
        if len(answers) == 1
        else f"only {len(answers):,} of the {len(actual):,} classes that the test rows have"
    )
    return (
        f"the model predicts {what}: it has not learned to tell classes apart. "
        f"Try {_REMEDY if 'image' in problem.features.values() else ''}a smaller `trainer.learning_rate`."
    )


def _absent(pairs: Mapping[tuple[int, int], int], problem: Problem) -> str | None:
    """That classes have no test row, which the metrics over the classes leave out."""
    absent = sorted({*range(problem.task.outputs)} - {actual for actual, _ in pairs})
    if not pairs or not absent:
        return None
    names = listed([str(_namer(problem)(number)) for number in absent[:_MOST_NAMED]], len(absent))
    what, is_told = ("class", "it is") if len(absent) == 1 else ("classes", "they are")
    return f"no test row is of {what} {names}: nothing is known of how well {is_told} told."


def bounds(evaluation: str, config: EvaluatorConfig, problem: Problem, floors: Sequence[Floor] = ()) -> list[Bound]:
    """Every bound of `config`, and of `floors`, with the value it was held against."""
    failures = _failures(evaluation)
    overall = _metrics(evaluation, _CANDIDATE)
    rows = []
    if config.min_accuracy is not None:
        passed = overall[ACCURACY] >= config.min_accuracy or (ACCURACY, "", "value_threshold") not in failures
        rows.append(Bound(ACCURACY, config.min_accuracy, overall[ACCURACY], passed))
    rows += [_row(bound, evaluation, failures) for bound in config.bounds]
    rows += [_row(floor.bound, evaluation, failures, floor.origin) for floor in floors]
    if isinstance(problem.task, Multiclass):
        name = _namer(problem)
        by_class, wanted = accuracy_by_class(_confusions(evaluation)), class_bounds(config, problem)
        below = missed(by_class, wanted)
        classes = ((f"{ACCURACY} (class {name(label)})", label, bound) for label, bound in wanted.items())
        rows += [Bound(words, bound, by_class.get(label), label not in below) for words, label, bound in classes]
    baseline = _metrics(evaluation, _BASELINE)
    if ACCURACY in baseline and config.max_accuracy_drop is not None:
        accuracy, passed = overall[ACCURACY], (ACCURACY, "", "change_threshold") not in failures
        origin = f" (the last blessed model's {baseline[ACCURACY]:.4f} less {config.max_accuracy_drop:g})"
        rows.append(Bound(ACCURACY, baseline[ACCURACY] - config.max_accuracy_drop, accuracy, passed, origin))
    return rows


def _row(bound: BoundConfig, evaluation: str, failures: set[tuple[str, str, str]], origin: str = "") -> Bound:
    """One of `bounds`; several of one metric are one threshold of TFMA's, so which of them was missed is told by the value."""
    place = _slice_name(bound.slice)
    value = _metrics(evaluation, _CANDIDATE, place).get(bound.measured)
    limit, at_least = (bound.min, True) if bound.min is not None else (bound.max or 0.0, False)
    holds = value is not None and math.isfinite(value) and (value >= limit if at_least else value <= limit)
    passed = holds or (value is not None and (bound.measured, place, "value_threshold") not in failures)
    return Bound(f"{bound.measured} ({place})" if place else bound.measured, limit, value, passed, origin, at_least)


def _slice_name(values: Mapping[str, str] | None) -> str:
    return ", ".join(f"{column} {value}" for column, value in sorted((values or {}).items()))


def _slice_of(key: metrics_for_slice_pb2.SliceKey) -> str:
    """The name of TFMA's slice, empty for the whole."""
    parts = {}
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind") or "bytes_value")
        parts[single.column] = value.decode("utf-8", "replace") if isinstance(value, bytes) else f"{value:g}"
    return _slice_name(parts)


def _failures(evaluation: str) -> set[tuple[str, str, str]]:
    """(metric, slice, kind of threshold) of what TFMA found missed."""
    return {
        (failure.metric_key.name, _slice_of(of_slice.slice_key), "change_threshold" if failure.metric_key.is_diff else "value_threshold")
        for of_slice in tfma.load_validation_result(evaluation).metric_validations_per_slice
        for failure in of_slice.failures
    }


def _metrics(evaluation: str, models: tuple[str, ...], place: str = "") -> dict[str, float]:
    """The metrics of a slice by name; none where no such model was evaluated."""
    return {
        item.key.name: item.value.double_value.value
        for of_slice in tfma.load_metrics(evaluation)
        if _slice_of(of_slice.slice_key) == place
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
        if not of_slice.slice_key.single_slice_keys
        for item in of_slice.plot_keys_and_values
        if item.key.model_name in _CANDIDATE
        for entry in item.value.multi_class_confusion_matrix_at_thresholds.matrices[0].entries
    }
