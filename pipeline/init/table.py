"""Proposes a config for a table, of whichever format.

a format's look at it: sample and columns -> their kinds -> label -> task -> what is left out, and why -> text, and what to print
"""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from components.example_gen import split
from pipeline.init import giveaway, label, label_columns, left_out, pictures_shown, sample, shown, table_config, task
from pipeline.init.column import Column
from pipeline.init.kinds import USED, Kind, kind_of
from pipeline.init.proposal import Proposal, Request
from pipeline.init.source import Source
from trainer.errors import ConfigError

_SPLIT_NAMES = ("split", "subset", "partition")


def propose(look: Callable[[str], Source], request: Request) -> Proposal:
    """The config for the files that the request's path means, which `look` looks at.

    Raises:
      ConfigError: there is no such label, the task does not fit it, or no column is left for a feature.
      DataError: a file cannot be read.
    """
    source = look(request.path)
    columns, names = source.columns, [column.name for column in source.columns]
    predicted = label.given(request.label, names) if request.label is not None else ()
    _check_label(predicted, source)
    kinds = {column.name: kind_of(column) if column.given else Kind("category", "no value") for column in columns}
    reasons = {column.name: left_out.reason(column, kinds[column.name]) for column in columns}
    for name in source.picture.names if source.picture else ():
        kinds[name], reasons[name] = Kind("image", "names pictures"), ""
    split_column = next((column.name for column in columns if _is_split(column) and column.name not in predicted), None)
    usable = [name for name in names if not reasons[name] and name != split_column]
    told = [name for name in usable if kinds[name].name not in ("text", "image")]  # what is read or seen, hardly what is predicted
    chosen = label.choose(request, names, told or usable)
    by_name = {column.name: column for column in columns}
    labels = [by_name[name] for name in chosen.columns]
    several = label_columns.together(labels, request.task) if len(labels) > 1 else None
    labelled, target = several or (labels[0], task.choose(labels[0], request.task))
    doubts = [kinds[name].doubt for name in usable if name not in chosen.columns]
    for column in columns:
        if column.name in usable and column not in labels and kinds[column.name].name != "image":
            reasons[column.name], doubt = giveaway.judge(column, labelled, target.kind == "regression")
            doubts.append(doubt)
    features = {column.name: kinds[column.name] for column in columns if column.name not in (*chosen.columns, split_column)}
    _check_features(features, reasons)
    table = table_config.Table(
        source=source,
        label=labelled,
        target=target,
        features={name: kind for name, kind in features.items() if not reasons[name]},
        others={name: (kind, reasons[name]) for name, kind in features.items() if reasons[name]},
        split=split_column,
        split_fault="".join(_split_fault(column) for column in columns if column.name == split_column),
        duplicates=_duplicates(source, split_column, [*chosen.columns, *(name for name in features if not reasons[name])]),
    )
    lines = [f"{source.taken.words}, {len(columns) + len(source.unusable)} columns; {'; '.join(source.reasons)}."]
    if source.seen:
        lines += pictures_shown.sample(source.seen)
    return Proposal(
        table_config.text(request, table),
        [*lines, shown.columns(columns, kinds, table), *shown.target(table, chosen)],
        _warnings(table, doubts),
    )


def _check_label(given: Iterable[str], source: Source) -> None:
    for name in given:
        if name in source.unusable:
            raise ConfigError(f"Expected --label to be a column of one value a row. Received: '{name}', {source.unusable[name]}.")


def _is_split(column: Column) -> bool:
    is_named = column.name.strip().casefold() in _SPLIT_NAMES
    return is_named and column.given > 0 and "" not in split.named(column.distinct, column.name)


def _split_fault(column: Column) -> str:
    """Why a column of splits cannot be used, a clause; empty where it can."""
    there = set(split.named(column.distinct, column.name))
    lacking = [name for name in split.SPLITS if name not in there]
    if lacking:
        return f"has no rows of {' and '.join(lacking)}"
    return f"has no value in {column.missing:,} rows" if column.missing else ""


def _duplicates(source: Source, split_column: str | None, names: list[str]) -> int:
    """How many rows are in an earlier split too, letter by letter in these columns; 0 where not every row was looked at."""
    if split_column is None or not source.taken.is_whole:
        return 0
    table = source.taken.table
    hashes = split.hashes_of_rows(pa.RecordBatch.from_arrays([sample.column(table, name) for name in names], names=names))
    splits = split.named(sample.column(table, split_column), split_column)
    earlier = [np.isin(splits, split.SPLITS[:number]) for number in range(1, len(split.SPLITS))]
    return sum(int(np.isin(hashes[splits == name], hashes[before]).sum()) for name, before in zip(split.SPLITS[1:], earlier, strict=True))


def _check_features(features: dict[str, Kind], reasons: dict[str, str]) -> None:
    if any(not reasons[name] for name in features):
        return
    if not features:
        raise ConfigError("Expected a column beside the label. Received: none. Give other data.")
    only = "; ".join(f"'{name}' ({reasons[name]})" for name in list(features)[:5]) + ("; ..." if len(features) > 5 else "")
    raise ConfigError(
        f"Expected a column that can be a feature ({', '.join(sorted(USED - {'image'}))}). Received only: {only}. "
        "Give data with other columns, or another --label."
    )


def _warnings(table: table_config.Table, doubts: list[str]) -> list[str]:
    target, taken = table.target, table.source.taken
    found = list(table.source.doubts)
    if taken.rejects.count:
        found.append(
            f"{taken.rejects.count:,} of {taken.rows + taken.rejects.count:,} rows cannot be read: {'; '.join(taken.rejects.examples)}. "
            "Mend them, or allow it: `data.max_unreadable`."
        )
    if table.source.seen and table.source.seen.unreadable:
        found.append(pictures_shown.unreadable(table.source.seen.unreadable))
    found += task.warnings(table.label, target)
    found += filter(None, doubts)
    if table.split_fault:
        found.append(f"The column '{table.split}' names splits, but {table.split_fault}: it is not used.")
    elif table.duplicates:
        found.append(
            f"{table.duplicates:,} rows of eval and test are exactly the same in an earlier split. The config has a setting for that."
        )
    return found
