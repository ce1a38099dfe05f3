"""The text of a table's config: every choice that was made, and behind it why; what was not chosen stands there as a comment."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.sniffer import Found
from components.example_gen.split import SPLITS
from pipeline.init import defaults, task
from pipeline.init.column import Column
from pipeline.init.kinds import Kind
from pipeline.init.proposal import Request
from pipeline.init.relative import relative
from pipeline.init.sample import Sample
from pipeline.init.table_files import Files
from pipeline.init.task import Target
from pipeline.init.yaml_lines import scalar, value


class Table(NamedTuple):
    """What was found of a table, and chosen.

    Attributes:
      files: where it is.
      found: how they are written.
      taken: the sample.
      label: its column.
      target: what is to be learnt.
      features: the columns that the model is given.
      others: those that it is not, and why.
      split: the column that names each row's split, None where there is none.
      split_fault: why that cannot be used, a clause; empty where it can.
    """

    files: Files
    found: Found
    taken: Sample
    label: Column
    target: Target
    features: dict[str, Kind]
    others: dict[str, tuple[Kind, str]]
    split: str | None
    split_fault: str


def text(request: Request, table: Table) -> str:
    """The YAML."""
    return "\n".join([*_head(request, table), *_target(table), *_features(table), *_rest(request, table)]) + "\n"


def _head(request: Request, table: Table) -> Iterator[str]:
    yield f"# Written by `tapeline init` from {table.taken.words}."
    yield "# Every key, its meaning and its default: docs/settings.md, or `tapeline config show`."
    yield f"name: {request.name}"
    yield ""
    yield "data:"
    yield "  format: csv"
    yield f"  path: {value(relative(table.files.place, request.output))}  # relative to this file"
    if table.taken.rejects.count:
        yield f"  # max_unreadable: 0.01  # {table.taken.rejects.count:,} rows cannot be read"
    yield f"  csv:  # {'; '.join(table.found.reasons)}"
    yield from (f"    {key}: {value(each)}" for key, each in _dialect(table.found.dialect).items())
    if table.files.by_split:
        yield f"  splits:{'' if len(table.files.by_split) == len(SPLITS) else '  # shares of `train` become what has no file'}"
        yield f"    files: {value(table.files.by_split)}"
    elif table.split is not None and not table.split_fault:
        yield "  splits:"
        yield f"    column: {scalar(table.split)}  # it says each row's split"
    elif table.split is not None:
        yield "  # splits:"
        yield f"  #   column: {scalar(table.split)}  # it {table.split_fault}"
    else:
        yield "  splits: {train: 8, eval: 1, test: 1}  # `group: COLUMN` keeps equal values together, `time: COLUMN` divides by time"


def _dialect(dialect: Dialect) -> dict[str, object]:
    return {key: each for key, each in dialect.model_dump().items() if not (key == "names" and each is None)}


def _target(table: Table) -> Iterator[str]:
    label, target = table.label, table.target
    yield ""
    yield f"label: {scalar(label.name)}"
    if target.kind == "binary":
        counts = dict(zip(label.distinct.to_pylist(), label.counts.tolist(), strict=True))
        shown = ", ".join(f"{scalar(name)} {count:,}" for name, count in counts.items())
        yield f"task: {value({'kind': 'binary', 'positive': target.positive})}  # positive is the class that is looked for; {shown}"
    else:
        yield f"task: {target.kind}" + (f"  # {target.why}" if target.why else "")


def _features(table: Table) -> Iterator[str]:
    yield ""
    yield "features:"
    for kind in dict.fromkeys(each.name for each in table.features.values()):
        for name, found in table.features.items():
            if found.name == kind:
                yield f"  {scalar(name)}: {_setting(found)}  # {found.why}"
    if table.others:
        yield "  # Not used; take away the first `#` of a line to use its column all the same:"
        for name, (found, why) in table.others.items():
            yield f"  # {scalar(name)}: {_setting(found)}  # {why}"


def _setting(kind: Kind) -> str:
    return value({"kind": kind.name, "order": kind.order}) if kind.order != "year_first" else kind.name


def _rest(request: Request, table: Table) -> Iterator[str]:
    yield ""
    yield "trainer:"
    yield "  loop: fit  # or gradient_tape"
    yield from (f"  {key}: {value(each)}" for key, each in defaults.for_table(table.taken.rows).items())
    yield ""
    yield from _gate(table)
    yield ""
    yield "schema:"
    yield f"  path: {request.name}.schema.pbtxt  # inferred until `tapeline schema accept` has written it"


def _gate(table: Table) -> Iterator[str]:
    """Comments only: which bounds are worth keeping is known once a model has been measured."""
    label, target = table.label, table.target
    yield "# The gate. Without bounds of your own a model must only beat what is answered without any feature."
    yield "# evaluator:"
    yield "#   bounds:"
    if target.kind == "regression":
        deviation = float(np.sqrt(np.cov(label.numbers, fweights=label.counts))) if label.given > 1 else 0.0
        yield f"#     - {{metric: rmse, max: {_rounded(deviation / 2)}}}  # the mean for every row reaches {_rounded(deviation)}"
        return
    share = label.counts[0] / label.given
    often = f"always {scalar(label.distinct[0].as_py())} reaches {share:.2f}"
    if task.is_unbalanced(label):
        yield f"#     - {{metric: mcc, min: 0.3}}  # classes are unbalanced: {often} in accuracy, but 0 here"
        yield "#     - {metric: f1, min: 0.6}  # the mean over the classes, however rare they are"
    else:
        yield f"#     - {{metric: accuracy, min: {(1 + share) / 2:.2f}}}  # {often}"


def _rounded(number: float) -> str:
    """Three digits, without an exponent where people write none."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:.0f}" if 100 <= rounded < 1e12 else f"{rounded:g}"
