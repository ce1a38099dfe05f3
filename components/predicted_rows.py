"""What is predicted: the rows of tables or pictures, each with what the model takes of it, and with what it shows of it.

Tables are read twice, side by side: the features as the ingestion reads them, and every column as it stands in the file. A column of
pictures holds them, or names files below the table's folder.
"""

import contextlib
import dataclasses
import functools
import glob
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from components.example_gen import series
from components.example_gen.assignment import only
from components.example_gen.columns import Columns
from components.example_gen.image_columns import PICTURE
from components.example_gen.readers import csv_file, image_files, json_lines, listed_pictures, parquet_file, tfrecord_file
from components.example_gen.readers import rows as read_rows
from components.example_gen.readers.data_files import SHARD, files_at
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.picture import PictureSettings
from components.example_gen.readers.rows import Part, Reject
from components.example_gen.readers.sniffer import sniff
from components.example_gen.readers.typed import converts, is_list, is_number
from trainer.errors import ConfigError
from trainer.features import KINDS, LISTS
from trainer.problem import Joined, Problem, Written

_CSV_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_RAW_TYPES = {kind.model_fields["kind"].default: kind.raw_type for kind in KINDS}


class Rows(NamedTuple):
    """Neighbouring rows of one file.

    Attributes:
      features: what the model takes, under the features' names; null is a missing value.
      shown: the columns that the output begins with.
      places: (file, line) of each row.
    """

    features: pa.RecordBatch
    shown: pa.RecordBatch
    places: list[tuple[str, int]]


@dataclasses.dataclass(frozen=True)
class Source:
    """A file, or a folder of pictures; `read` yields its rows in order, and tells of each one that it leaves out."""

    read: Callable[[Callable[[Reject], None]], Iterator[Rows]]


@contextlib.contextmanager
def open_input(place: str, problem: Problem) -> Iterator[list[Source]]:
    """The sources at `place` for a model of `problem`, in order; they can be read inside the `with`.

    Where the model has learnt from series that were made of a table's rows, those of the input make them too, unless it has lists.

    Raises:
      ConfigError: there are none, of a format that is read, or a feature is no column.
      DataError: one cannot be read.
    """
    if problem.is_of_pictures and not _is_table(place):
        [name] = problem.features
        yield [Source(functools.partial(_pictures, part, name)) for part in image_files.open_unlabelled(Path(place))]
        return
    opened = _format(place, problem)
    kept = {name: _RAW_TYPES[kind] for name, kind in problem.features.items()}
    columns = Columns(kept=kept, joined=_joined(opened, place, problem), orders=problem.orders)
    types = columns.arrow_types()
    names = [name for name, kind in problem.features.items() if kind == "image"]
    named = _naming(opened, place, names) if names else []
    typed, own = opened(place, types | dict.fromkeys(named, pa.string()), problem)
    if named:
        typed = _with_pictures(opened, place, typed, named, problem)
    with contextlib.ExitStack() as stack:
        if columns.joined:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tapeline-series-"))
            joined = series.with_past(typed, columns, folder)
            typed = [dataclasses.replace(part, read=functools.partial(_in_series, part, columns)) for part in joined]
        yield [Source(functools.partial(_table, *pair)) for pair in zip(typed, own, strict=True)]


def _joined(opened: "_Format", place: str, problem: Problem) -> Joined | None:
    """What the lists of series are made of; None where the input has them, or the model takes none. Raises ConfigError."""
    lists = [name for name, kind in problem.features.items() if kind in LISTS]
    if not lists:
        return None
    if opened is _json_lines:
        [first, *_] = next(json_lines.objects(place, lambda _: None), [{}])
        are_there = all(isinstance(first.get(name), list) for name in lists)
    elif opened is _parquet:
        schema, _ = parquet_file.look(place)
        are_there = all(name in schema.names and is_list(schema.field(name).type) for name in lists)
    else:
        are_there = False
    if problem.joined is None and opened is _csv:
        raise ConfigError(
            f"Expected lists of numbers for '{lists[0]}', from which the model has learnt. Received: '{place}', and CSV has no lists. "
            "Write JSON lines or Parquet."
        )
    return None if are_there else problem.joined


def _in_series(part: Part, columns: Columns, reject: Callable[[Reject], None]) -> Iterator[read_rows.Rows]:
    """As `Part.read`: the features alone, of rows that have a place in a series."""
    for rows in part.read(reject):
        reasons = {}
        for name in (columns.joined.time, *columns.joined.key) if columns.joined else ():
            missing = np.flatnonzero(np.asarray(rows.batch.column(name).is_null()))
            reasons |= dict.fromkeys(missing.tolist(), f"column '{name}': no value, and so no place in a series")
        good = read_rows.without(rows, reasons, reject)
        if len(good.lines):
            yield good._replace(batch=only(good.batch, columns.kept))


_Parts = tuple[list[Part], list[Part]]  # with the features, and with all columns
_Format = Callable[[str, Mapping[str, pa.DataType], Problem], _Parts]


def _csv(place: str, types: Mapping[str, pa.DataType], problem: Problem) -> _Parts:
    paths = list(files_at(place, _CSV_SUFFIXES, "CSV files").values())
    found = sniff(paths[0])
    dialect = _as_learnt(found.dialect, problem.written) if problem.written else found.dialect
    verbatim = dialect.model_copy(update={"missing": (), "trim": False, "replace": {}})
    names = found.columns if dialect.header and found.dialect.header else csv_file.names_in(paths[0], dialect)
    return csv_file.open_csv(paths, dialect, types, problem.orders), csv_file.open_csv(paths, verbatim, dict.fromkeys(names, pa.string()))


def _as_learnt(found: Dialect, written: Written) -> Dialect:
    """The file's own dialect, whose values are read as those were that the model has learnt from, with a header or without as there.

    A few rows may not say how their numbers are written, or whether the first is a header; with another delimiter they come from another
    program.
    """
    of_values = written.model_dump(exclude={"delimiter"}) | {"header": written.names is None}
    if found.delimiter != written.delimiter:
        of_values |= {"decimal": found.decimal, "thousands": found.thousands}
    return found.model_copy(update={**of_values, "missing": tuple(dict.fromkeys((*written.missing, *found.missing)))})


def _json_lines(place: str, types: Mapping[str, pa.DataType], problem: Problem) -> _Parts:
    own = dict.fromkeys(json_lines.first_keys(place), pa.large_string())
    return json_lines.open_json_lines(place, types, problem.orders), json_lines.open_json_lines(place, own)


def _parquet(place: str, types: Mapping[str, pa.DataType], problem: Problem) -> _Parts:
    typed = parquet_file.open_parquet(place, types, problem.orders)  # first, for it says what is wrong with the files
    [path, *_] = files_at(place, parquet_file.SUFFIXES, "Parquet files").values()
    own = {field.name: kept for field in parquet.read_schema(path) if (kept := _kept(field.type)) is not None}
    return typed, parquet_file.open_parquet(place, own)


def _kept(given: pa.DataType) -> pa.DataType | None:
    """The type in which a column of Parquet is shown: its own, or text; none of nested and binary ones."""
    if pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_boolean(given):
        return pa.float32() if pa.types.is_float16(given) else given
    return pa.string() if not _is_binary(given) and converts(given, pa.string()) else None


def _is_binary(given: pa.DataType) -> bool:
    return pa.types.is_binary(given) or pa.types.is_large_binary(given) or pa.types.is_fixed_size_binary(given)


def _tfrecord(place: str, types: Mapping[str, pa.DataType], problem: Problem) -> _Parts:
    typed = tfrecord_file.open_tfrecords(place, types, problem.orders)
    first = next(tfrecord_file.batches(place, lambda _: None))
    own = {}
    for name, lists in zip(first.schema.names, first.columns, strict=True):
        if pa.types.is_null(lists.type):
            continue  # no record has a value of it
        kind = lists.type.value_type if is_number(lists.type.value_type) else pa.string()
        if not tfrecord_file.one_a_row(lists, kind).wrong:  # neither several values nor bytes that are no text
            own[name] = kind
    return typed, tfrecord_file.open_tfrecords(place, own)


_FORMATS = {
    _CSV_SUFFIXES: _csv,
    json_lines.SUFFIXES: _json_lines,
    parquet_file.SUFFIXES: _parquet,
    tfrecord_file.SUFFIXES: _tfrecord,
}


def _naming(opened: _Format, place: str, columns: list[str]) -> list[str]:
    """Those of the columns of pictures that name files; the others hold them."""
    if opened is _csv:
        return columns
    if opened is _json_lines:
        [first, *_] = next(json_lines.objects(place, lambda _: None), [{}])
        return [name for name in columns if isinstance(first.get(name, ""), str)]
    if opened is _parquet:
        schema, _ = parquet_file.look(place)
        return [name for name in columns if name in schema.names and not _is_binary(schema.field(name).type)]
    return []


def _with_pictures(opened: _Format, place: str, typed: list[Part], columns: list[str], problem: Problem) -> list[Part]:
    """The parts with pictures in place of their names, which are below the table's folder."""
    texts, _ = opened(place, dict.fromkeys(columns, pa.string()), problem)
    given = (rows.batch.column(name).drop_null().unique().to_pylist() for part in texts for rows in part.read(_ignore) for name in columns)
    folder = Path(place) if Path(place).is_dir() else Path(place).parent
    pictures = listed_pictures.Pictures.named(folder, itertools.chain.from_iterable(given), PictureSettings())
    return listed_pictures.with_pictures(typed, columns, pictures)


def _ignore(reject: Reject) -> None:
    """What is rejected is told by whoever reads the whole rows."""


def _is_table(place: str) -> bool:
    name = SHARD.sub("", place.casefold())
    return not Path(place).is_dir() and any(name.endswith(suffixes) for suffixes in _FORMATS)


def _format(place: str, problem: Problem) -> _Format:
    """By the suffix of the first file that has a known one; a file of another is text where the model has learnt from text."""
    path = Path(place)
    matched = [place] if path.is_file() else glob.glob(place, recursive=True) if glob.has_magic(place) else []  # noqa: PTH207  # Path's takes no absolute one
    names = matched or (sorted(file.name for file in path.rglob("*")) if path.is_dir() else [place])
    for name in names:
        for suffixes, opened in _FORMATS.items():
            if SHARD.sub("", name.casefold()).endswith(suffixes):
                return opened
    if not names or not (path.exists() or matched):
        raise ConfigError(f"Expected a table, a file, a folder or a pattern. Received: '{place}', which is not there.")
    if path.is_file() and problem.written:
        return _csv
    known = ", ".join(suffix for suffixes in _FORMATS for suffix in suffixes if not suffix.endswith(".gz"))
    raise ConfigError(f"Expected a table, a file whose name ends in {known}. Received: '{place}'.")


def _table(typed: Part, own: Part, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """The rows that both give, matched by their lines."""
    wrong: dict[int, Reject] = {}
    others = own.read(lambda rejected: wrong.update({rejected.line: rejected}))
    held, lines = None, np.zeros(0, np.int64)
    for rows in typed.read(reject):
        while not len(lines) or lines[-1] < rows.lines[-1]:
            more = next(others, None)
            if more is None:
                break
            table = pa.Table.from_batches([more.batch])
            held, lines = pa.concat_tables([held, table]) if held is not None else table, np.concatenate([lines, more.lines])
        is_shown = np.isin(rows.lines, lines)
        for line in rows.lines[~is_shown].tolist():
            reject(wrong.get(line, Reject(rows.file, line, "a column cannot be read")))
        wrong = {line: rejected for line, rejected in wrong.items() if line > rows.lines[-1]}
        places = np.searchsorted(lines, rows.lines[is_shown])
        if held is None or not len(places):
            continue
        shown = held.take(pa.array(places)).combine_chunks().to_batches()[0]
        yield Rows(rows.batch.filter(pa.array(is_shown)), shown, [(str(rows.file), line) for line in rows.lines[is_shown].tolist()])
        done = int(np.searchsorted(lines, rows.lines[-1], side="right"))
        held, lines = held.slice(done), lines[done:]


def _pictures(part: Part, name: str, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    for rows in part.read(reject):
        features = pa.RecordBatch.from_arrays([rows.batch.column(PICTURE)], names=[name])
        files = rows.file if isinstance(rows.file, list) else [rows.file] * features.num_rows
        yield Rows(features, pa.RecordBatch.from_arrays([], names=[]), [(file, 0) for file in files])
