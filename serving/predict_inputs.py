"""What `tapeline predict` is asked about: rows of images, of a table, or of stdin, each with the name that it is shown by."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from serving.errors import InputFileError
from serving.named_picture import SUFFIXES
from serving.picture import JPEG_START, PNG_START, check_picture, sendable
from serving.predict_table import Record, Table

_CSV_SUFFIX = ".csv"
_TABLE_SUFFIXES = (_CSV_SUFFIX, ".jsonl", ".ndjson")
_UTF_8 = "utf-8-sig"  # with a byte order mark or without
STDIN = "-"


@dataclass(frozen=True)
class Images:
    """Name and bytes of every image; `count` of them."""

    rows: Iterable[tuple[str, bytes]]
    count: int


def read_inputs(paths: Sequence[Path], encoding: str = "", stdin: TextIO | None = None) -> Images | Table:
    """Images and folders of them, tables (CSV with a header, or JSON lines), or `-`. Raises InputFileError.

    `encoding`: Python's name of the tables' own; UTF-8 if empty.
    """
    if [str(path) for path in paths] == [STDIN]:
        return _from_stdin(stdin or sys.stdin, encoding)
    tables = [path for path in paths if path.suffix.lower() in _TABLE_SUFFIXES]
    if tables and len(tables) < len(paths):
        other = next(path for path in paths if path not in tables)
        raise InputFileError(f"{other}: expected tables only, because {tables[0]} is one. Ask about images by themselves.")
    if tables:
        return Table(lambda: (record for path in tables for record in _file_rows(path, encoding)))
    files = image_files(paths)
    _check_images(files)
    return Images(((str(file), sendable(file.read_bytes())) for file in files), len(files))


def image_files(paths: Iterable[Path]) -> list[Path]:
    """The files that were named and the images in the folders that were named, folders in order of name. Raises InputFileError."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(entry for entry in path.rglob("*") if entry.suffix.lower() in SUFFIXES and _is_shown(entry, path))
        if not found:
            raise InputFileError(f"{path}: expected a folder with pictures ({', '.join(SUFFIXES)}). Received one without.")
        files.extend(found)
    return files


def _is_shown(entry: Path, folder: Path) -> bool:
    """Whether it is a file, and neither hidden, as macOS's `._1.jpg`, nor in a hidden folder."""
    return entry.is_file() and not any(part.startswith(".") or part == "__MACOSX" for part in entry.relative_to(folder).parts)


def read_image(path: Path) -> bytes:
    """The bytes of a whole picture as a PNG or JPEG file. Raises InputFileError."""
    return check_picture(str(path), sendable(_read(path)))


def _check_images(files: Sequence[Path]) -> None:
    """Reads every file before anything is sent. Raises InputFileError where one cannot be read, or where none is a whole picture.

    Some damaged pictures among whole ones are the model's to refuse, so that the others are answered.
    """
    first, whole = None, False
    for file in files:
        content = _read(file)
        if not whole:
            try:
                check_picture(str(file), sendable(content))
                whole = True
            except InputFileError as error:
                first = first or error
    if first and not whole:
        raise InputFileError(f"{first} None of the {len(files)} files is a whole picture." if len(files) > 1 else str(first))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: expected a PNG or JPEG file. Received: {(error.strerror or str(error)).lower()}.") from error


def _from_stdin(stdin: TextIO, encoding: str) -> Images | Table:
    """An image, JSON lines (an object of features each), or CSV with a header: told apart by the first bytes."""
    content = stdin.buffer.read()
    if content.startswith((PNG_START, JPEG_START)):
        return Images([("stdin", check_picture("stdin", content))], 1)
    try:
        text = content.decode(encoding or _UTF_8)
    except UnicodeError as error:
        raise InputFileError(
            "stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received bytes that are none of them. "
            f"Text in another encoding than {encoding or 'UTF-8'} needs --encoding NAME."
        ) from error
    if not text.strip():
        raise InputFileError("stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received nothing.")
    rows = _json_rows if text.lstrip().startswith("{") else _csv_rows
    return Table(lambda: rows("stdin", io.StringIO(text, newline="")))


def _file_rows(path: Path, encoding: str) -> Iterator[Record]:
    rows = _csv_rows if path.suffix.lower() == _CSV_SUFFIX else _json_rows
    try:
        with path.open(encoding=encoding or _UTF_8, newline="") as file:
            yield from rows(str(path), file, path.parent)
    except UnicodeError as error:
        known = "say which it is by --encoding, such as cp932 or latin-1" if not encoding else "try another --encoding"
        raise InputFileError(f"{path}: expected {encoding or 'UTF-8'} text. Received another encoding; {known}.") from error
    except OSError as error:
        raise InputFileError(f"{path}: expected a table. Received: {(error.strerror or str(error)).lower()}.") from error


def _json_rows(place: str, file: TextIO, folder: Path | None = None) -> Iterator[Record]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        name, where = f"{place}:{number}", f"{place}, line {number}"
        try:
            features = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = "It is nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield Record(name, where, fault=f"expected a JSON object of features. {problem}.")
            continue
        if isinstance(features, dict):
            yield Record(name, where, {key: _json_cell(value) for key, value in features.items()}, folder=folder)
        else:
            yield Record(name, where, fault=f"expected a JSON object of features. Received: {line.strip()[:80]}")


def _json_cell(value: Any) -> Any:
    if isinstance(value, list):
        return [_json_cell(item) for item in value]
    if value is None:
        return ""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _csv_rows(place: str, file: TextIO, folder: Path | None = None) -> Iterator[Record]:
    reader = csv.reader(file)
    header = next(reader, None)
    if not header:
        raise InputFileError(f"{place}: expected CSV with a header of the features' names. Received an empty file.")
    for number, name in enumerate(header):
        if name in header[:number]:
            raise InputFileError(f"{place}: expected every name once in the header. Received: '{name}' twice.")
    while True:
        line = reader.line_num + 1  # where the record begins
        name, where = f"{place}:{line}", f"{place}, line {line}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Record(name, where, fault=f"expected CSV. Received: {error}.")
            continue
        if cells is None:
            return
        if len(cells) == len(header):
            yield Record(name, where, dict(zip(header, cells, strict=True)), folder=folder)
        elif cells:
            yield Record(name, where, fault=f"expected {len(header)} cells, as in the header. Received {len(cells)}.")
