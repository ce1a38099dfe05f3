"""What a new config says of the gate: bounds as comments, because which are worth keeping is known once a model has been measured."""

from collections.abc import Iterator

import numpy as np

from pipeline.init import task
from pipeline.init.column import Column
from pipeline.init.task import Target
from pipeline.init.yaml_lines import scalar


def lines(label: Column, target: Target) -> Iterator[str]:
    """The `evaluator` section, its bounds commented out, with what a model reaches that looks at no feature."""
    yield "# The gate. Without bounds of your own a model must beat what needs no feature, and keep up with a linear model."
    is_unbalanced = target.kind in ("binary", "multiclass") and task.is_unbalanced(label)
    if is_unbalanced:
        yield "evaluator:"
        yield "  max_accuracy_drop: null  # rare classes that are told better may cost accuracy: it is not compared with the served model's"
    else:
        yield "# evaluator:"
    yield "#   bounds:"
    if target.kind == "regression":
        deviation = float(np.sqrt(np.cov(label.numbers, fweights=label.counts))) if label.given > 1 else 0.0
        yield f"#     - {{metric: rmse, max: {_rounded(deviation / 2)}}}  # the mean for every row reaches {_rounded(deviation)}"
        return
    if target.kind == "multilabel":
        yield "#     - {metric: f1, min: 0.6}  # the mean over the labels, however rare they are"
        return
    share = label.counts[0] / label.given
    often = f"always {scalar(label.distinct[0].as_py())} reaches {share:.2f}"
    if is_unbalanced:
        yield f"#     - {{metric: mcc, min: 0.3}}  # classes are unbalanced: {often} in accuracy, but 0 here"
        yield "#     - {metric: f1, min: 0.6}  # the mean over the classes, however rare they are"
    else:
        yield f"#     - {{metric: accuracy, min: {(1 + share) / 2:.2f}}}  # {often}"


def _rounded(number: float) -> str:
    """Three digits, without an exponent where people write none."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:.0f}" if 100 <= rounded < 1e12 else f"{rounded:g}"
