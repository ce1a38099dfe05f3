"""The one place that knows which reader reads which `data.format`."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from components.example_gen import download, marks, raw_files, remote_files, series, spans, time_order
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers import csv_file, digits, idx, image_files, json_lines, listed_pictures, parquet_file, tfrecord_file
from components.example_gen.readers.cells import TimeOrder
from components.example_gen.readers.labelled_images import part
from components.example_gen.readers.picture import PictureSettings
from components.example_gen.readers.rows import Part, Reject, Rows
from components.example_gen.readers.sniffer import sniff

_Reader = Callable[[DataConfig, Columns], list[Part]]


@contextlib.contextmanager
def open_data(config: DataConfig, columns: Columns) -> Iterator[tuple[list[Part], str]]:
    """The parts of the data that `config` names, checked, and the fingerprint of what the parts read, as `raw_files.fingerprint` takes it.

    They can be read inside the `with`. `config.path` is absolute by now. Where no path is given but a download is, as in a step of
    Kubeflow, the data set is fetched now.

    Raises:
      ConfigError: the data is not there.
      DataError: it cannot be read, or changes meanwhile.
    """
    with contextlib.ExitStack() as stack:
        if remote_files.is_remote(config.path):
            here, tree = stack.enter_context(remote_files.listed(config))
            tree.fill(raw_files.files(here))
            parts, fingerprint = _opened(here, columns, lambda each, _: raw_files.fingerprint_by(each, tree.digest))
            parts = [tree.named(part) for part in parts]
        else:
            parts, fingerprint = _opened(config, columns, _fingerprint)
        if columns.joined:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tapeline-series-"))
            parts = series.with_past(parts, columns, folder, must_be_any=True)
        yield parts, fingerprint


def _opened(config: DataConfig, columns: Columns, fingerprint_of: Callable[[DataConfig, list[Part]], str]) -> tuple[list[Part], str]:
    """As `open_data`, of data on this machine; `fingerprint_of` gives that of a config without spans, and its parts."""
    if spans.has_spans(config.path):
        opened = [(span, *_opened(each, columns, fingerprint_of)) for span, each in raw_files.by_span(config)]
        parts = [_of_span(part, span) for span, its_parts, _ in opened for part in its_parts]
        return parts, raw_files.combined_spans((span, fingerprint) for span, _, fingerprint in opened)
    if config.format == "digits":
        parts = [part(images) for images in digits.open_images()]
    elif config.format == "idx":
        folder = str(download.fetch(config.download)) if config.download and not config.path else config.path or ""
        parts = [part(images) for images in idx.open_images(folder, config.max_image_pixels)]
    else:
        parts = _READERS[config.format](config, columns)
        parts = marks.with_label(parts, columns) if columns.marks else parts
    return parts, fingerprint_of(config, parts)


def _fingerprint(config: DataConfig, parts: list[Part]) -> str:
    """Behind the opening: a file that changes after it is noticed by its reader."""
    if config.format != "idx":
        return raw_files.fingerprint(config)
    if config.download and not config.path:
        return download.combined(_files(parts))
    return raw_files.combined(config.format, _files(parts))


def _of_span(part: Part, span: spans.Span) -> Part:
    """The part as one of the span, whose number is told with each row that is left out: the files of spans often have one name."""
    return dataclasses.replace(part, span=span, read=functools.partial(_read_of_span, part, span))


def _read_of_span(part: Part, span: spans.Span, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    for rows in part.read(lambda rejected: reject(rejected._replace(file=f"{rejected.file} of span {span.number}"))):
        yield rows
        del rows  # before the next ones are read


def _csv(config: DataConfig, columns: Columns) -> list[Part]:
    by_split = raw_files.csv_files(config)
    dialect = config.csv or sniff(next(path for paths in by_split.values() for path in paths)).dialect
    time = config.splits.time
    types = columns.arrow_types(config.splits.column, config.splits.group, time=time)
    is_order = time and time not in columns.kept and not (columns.joined and columns.joined.time == time)  # which sees to it itself
    if is_order:
        types[time] = pa.string()
    parts = [
        dataclasses.replace(part, split=name)
        for name, paths in by_split.items()
        for part in csv_file.open_csv(paths, dialect, types, columns.orders)
    ]
    return time_order.with_numbers(parts, time, columns.orders.get(time, "year_first"), dialect) if is_order else parts


def _images(config: DataConfig, columns: Columns) -> list[Part]:
    """Rows of `image` and `label`, or of the columns of a table that names pictures."""
    path, settings = Path(config.path or ""), PictureSettings(max_pixels=config.max_image_pixels)
    if not config.is_list:
        return image_files.open_images(path, settings, config.splits.prefixes)
    pictures = [name for name, kind in columns.kept.items() if kind == "bytes"]
    named = columns.model_copy(update={"kept": columns.kept | dict.fromkeys(pictures, "string")})
    parts = []
    for name, place in raw_files.by_split(config).items():
        table = config.model_copy(update={"path": place, "splits": config.splits.model_copy(update={"files": None})})
        opened = _READERS[config.table_format or ""](table, named)
        there = listed_pictures.Pictures.below(listed_pictures.folder_of(Path(place), config.pictures), settings)
        parts += [dataclasses.replace(part, split=name) for part in listed_pictures.with_pictures(opened, pictures, there)]
    return parts


def _typed(open_files: Callable[[str, Mapping[str, pa.DataType], Mapping[str, TimeOrder]], list[Part]]) -> _Reader:
    """A reader of files that have types of their own."""

    def read(config: DataConfig, columns: Columns) -> list[Part]:
        types = columns.arrow_types(config.splits.column, config.splits.group, time=config.splits.time)
        return [
            dataclasses.replace(part, split=name)
            for name, place in raw_files.by_split(config).items()
            for part in open_files(place, types, columns.orders)
        ]

    return read


_READERS: Mapping[str, _Reader] = {
    "csv": _csv,
    "images": _images,
    "parquet": _typed(parquet_file.open_parquet),
    "jsonl": _typed(json_lines.open_json_lines),
    "tfrecord": _typed(tfrecord_file.open_tfrecords),
}


def _files(parts: list[Part]) -> dict[str, str]:
    return {name: sha256 for each in parts for name, sha256 in each.files.items()}
