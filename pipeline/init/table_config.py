"""The text of a table's config: every choice that was made, and behind it why; what was not chosen stands there as a comment."""

from collections.abc import Iterator
from typing import NamedTuple

from components.example_gen.readers.dialect import Dialect
from components.example_gen.split import SPLITS
from pipeline.init import aligned, defaults, gate, newest_span, picture_config, task
from pipeline.init.column import Column
from pipeline.init.kinds import Kind
from pipeline.init.picture_sample import PictureSample
from pipeline.init.proposal import Request
from pipeline.init.relative import path_line
from pipeline.init.source import Source
from pipeline.init.task import Target
from pipeline.init.yaml_lines import scalar, value

_OF_ONE_CLASS = ("binary", "multiclass")  # tasks whose rows have one


class Table(NamedTuple):
    """What was found of a table, and chosen.

    Attributes:
      source: what was looked at.
      label: its column.
      target: what is to be learnt.
      features: the columns that the model is given.
      others: those that it is not, and why.
      split: the column that names each row's split, None where there is none.
      split_fault: why that cannot be used, a clause; empty where it can.
      duplicates: how many rows of eval and test are in an earlier split too, as far as was looked.
    """

    source: Source
    label: Column
    target: Target
    features: dict[str, Kind]
    others: dict[str, tuple[Kind, str]]
    split: str | None
    split_fault: str
    duplicates: int


def text(request: Request, table: Table) -> str:
    """The YAML."""
    return "\n".join([*_head(request, table), *_target(table), *_features(table), *_rest(request, table)]) + "\n"


def _head(request: Request, table: Table) -> Iterator[str]:
    source = table.source
    yield f"# Written by `tapeline init` from {source.taken.words}."
    yield "# Every key, its meaning and its default: docs/settings.md, or `tapeline config show`."
    yield f"name: {request.name}"
    yield ""
    yield "data:"
    yield f"  format: {source.format}{'  # named by a table' if source.picture else ''}"
    yield path_line(source.place, request)
    yield from newest_span.lines(request)
    if source.picture and source.picture.below:
        yield f"  pictures: {scalar(source.picture.below)}  # relative to the table's folder"
    if source.seen and source.seen.unreadable:
        yield "  # max_unreadable: 0.01  # there are pictures that cannot be read"
    if source.taken.rejects.count:
        yield f"  # max_unreadable: 0.01  # {source.taken.rejects.count:,} rows cannot be read"
    if source.dialect:
        yield f"  csv:  # {'; '.join(source.reasons)}"
        yield from (f"    {key}: {value(each)}" for key, each in _dialect(source.dialect).items())
    if source.by_split:
        yield f"  splits:{'' if len(source.by_split) == len(SPLITS) else '  # shares of `train` become what has no file'}"
        yield f"    files: {value(source.by_split)}"
    elif table.split is not None and not table.split_fault:
        yield "  splits:"
        yield f"    column: {scalar(table.split)}  # it says each row's split"
        if table.duplicates:
            yield f"    # duplicates: drop  # {table.duplicates:,} rows of eval and test are exactly the same in an earlier split"
    elif table.split is not None:
        yield "  # splits:"
        yield f"  #   column: {scalar(table.split)}  # it {table.split_fault}"
    else:
        yield "  splits: {train: 8, eval: 1, test: 1}  # `group: COLUMN` keeps equal values together, `time: COLUMN` divides by time"


_SELDOM = ("names", "units", "not_rows", "trim", "replace")  # said where they say something


def _dialect(dialect: Dialect) -> dict[str, object]:
    return {key: each for key, each in dialect.model_dump().items() if key not in _SELDOM or each}


def _target(table: Table) -> Iterator[str]:
    label, target = table.label, table.target
    settings = task.settings(label, target)
    notes = [target.why] if target.why and target.kind != "binary" else []
    if target.kind == "binary":
        counts = dict(zip(label.distinct.to_pylist(), label.counts.tolist(), strict=True))
        notes += ["positive is the class that is looked for", ", ".join(f"{scalar(name)} {count:,}" for name, count in counts.items())]
    notes += task.notes(settings)
    yield ""
    yield f"label: {value(target.columns or label.name)}"
    yield f"task: {value(settings) if len(settings) > 1 else target.kind}" + (f"  # {'; '.join(notes)}" if notes else "")


def _are_aligned(table: Table) -> bool:
    """Whether the classes can be told from the pictures as they are."""
    source = table.source
    if not (source.picture and source.seen and table.target.kind in _OF_ONE_CLASS):
        return False
    labels = {
        picture: label
        for name in source.picture.names
        for picture, label in zip(*(source.taken.table.column(each).to_pylist() for each in (name, table.label.name)), strict=True)
    }
    return aligned.are_aligned(source.seen.thumbnails, [str(labels[name]) for name in source.seen.labels])


def _features(table: Table) -> Iterator[str]:
    yield ""
    yield "features:"
    for kind in dict.fromkeys(each.name for each in table.features.values()):
        for name, found in table.features.items():
            if found.name == kind:
                said = _picture(table.source.seen) if kind == "image" and table.source.seen else _setting(found)
                yield f"  {scalar(name)}: {said}  # {found.why}"
    if table.others:
        yield "  # Not used; take away the first `#` of a line to use its column all the same:"
        for name, (found, why) in table.others.items():
            yield f"  # {scalar(name)}: {_setting(found)}  # {why}"
    if table.source.unusable:
        yield "  # Cannot be used:"
        yield from (f"  # {scalar(name)}  # {why}" for name, why in table.source.unusable.items())


def _picture(seen: PictureSample) -> str:
    size = list(picture_config.size(seen))
    return value({"kind": "image", "size": size, "channels": seen.channels, "normalize": "standardize"})


def _setting(kind: Kind) -> str:
    return value({"kind": kind.name, "order": kind.order}) if kind.order != "year_first" else kind.name


def _rest(request: Request, table: Table) -> Iterator[str]:
    yield ""
    yield "trainer:"
    yield "  loop: fit  # or gradient_tape"
    are_texts = all(kind.name == "text" for kind in table.features.values())
    regression = table.target.kind == "regression"
    recipe = defaults.for_texts() if are_texts else defaults.for_table(table.source.taken.rows, regression)
    if table.source.picture:
        rows = table.source.taken.rows
        recipe = defaults.for_picture_files(rows * 8 // 10, rows // 10, _are_aligned(table), table.target.kind in _OF_ONE_CLASS)
        yield from picture_config.recipe_lines(recipe)
    else:
        yield from (f"  {key}: {value(each)}" for key, each in recipe.items())
    yield ""
    yield from gate.lines(table.label, table.target)
    yield ""
    yield "schema:"
    yield f"  path: {request.name}.schema.pbtxt  # inferred until `tapeline schema accept` has written it"
