"""What `tapeline predict` is asked about: rows of images, of a CSV file, or of stdin, each with the name that it is shown by."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from serving.errors import InputFileError
from serving.picture import JPEG_START, PNG_START, check_picture
from serving.predict_table import Record, Table

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
_CSV_SUFFIX = ".csv"
STDIN = "-"


@dataclass(frozen=True)
class Images:
    """Name and bytes of every image; `count` of them."""

    rows: Iterable[tuple[str, bytes]]
    count: int


def read_inputs(paths: Sequence[Path], stdin: TextIO | None = None) -> Images | Table:
    """Images and folders of them, CSV files (a header with the features' names), or `-`. Raises InputFileError."""
    if [str(path) for path in paths] == [STDIN]:
        return _from_stdin(stdin or sys.stdin)
    tables = [path for path in paths if path.suffix.lower() == _CSV_SUFFIX]
    if tables and len(tables) < len(paths):
        other = next(path for path in paths if path not in tables)
        raise InputFileError(f"{other}: expected CSV files only, because {tables[0]} is one. Ask about images by themselves.")
    if tables:
        return Table(lambda: (record for path in tables for record in _csv_rows(path)))
    files = image_files(paths)
    _check_images(files)
    return Images(((str(file), file.read_bytes()) for file in files), len(files))


def image_files(paths: Iterable[Path]) -> list[Path]:
    """The files that were named and the images in the folders that were named, folders in order of name. Raises InputFileError."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(entry for entry in path.rglob("*") if entry.suffix.lower() in _IMAGE_SUFFIXES and entry.is_file())
        if not found:
            raise InputFileError(f"{path}: expected a folder with PNG or JPEG files ({', '.join(_IMAGE_SUFFIXES)}). Received one without.")
        files.extend(found)
    return files


def read_image(path: Path) -> bytes:
    """The bytes of a whole PNG or JPEG file. Raises InputFileError."""
    return check_picture(str(path), _read(path))


def _check_images(files: Sequence[Path]) -> None:
    """Reads every file before anything is sent. Raises InputFileError where one cannot be read, or where none is a whole picture.

    Some damaged pictures among whole ones are the model's to refuse, so that the others are answered.
    """
    first, whole = None, False
    for file in files:
        content = _read(file)
        if not whole:
            try:
                check_picture(str(file), content)
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


def _from_stdin(stdin: TextIO) -> Images | Table:
    """An image, JSON lines (an object of features each), or CSV with a header: told apart by the first bytes."""
    content = stdin.buffer.read()
    if content.startswith((PNG_START, JPEG_START)):
        return Images([("stdin", check_picture("stdin", content))], 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputFileError("stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received bytes that are none of them.") from error
    if not text.strip():
        raise InputFileError("stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received nothing.")
    if text.lstrip().startswith("{"):
        return Table(lambda: _json_rows(text.splitlines()))
    return Table(lambda: _table_rows("stdin", io.StringIO(text, newline="")))


def _json_rows(lines: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            features = json.loads(line)
            cells = _json_cells(features) if isinstance(features, dict) else None
        except (ValueError, RecursionError) as error:
            problem = "It is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise InputFileError(f"stdin, line {number}: expected a JSON object of features. {problem}.") from error
        if cells is None:
            raise InputFileError(f"stdin, line {number}: expected a JSON object of features. Received: {line[:80]}")
        yield Record(f"stdin:{number}", f"stdin, line {number}", cells)


def _json_cells(features: dict[str, Any]) -> dict[str, Any]:
    return {name: _json_cell(value) for name, value in features.items() if value is not None}


def _json_cell(value: Any) -> Any:
    if isinstance(value, list):
        return [_json_cell(item) for item in value]
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _csv_rows(path: Path) -> Iterator[Record]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _table_rows(str(path), file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputFileError(f"{path}: expected a CSV file. Received: {reason.lower()}.") from error


def _table_rows(place: str, file: TextIO) -> Iterator[Record]:
    reader = csv.reader(file)
    header = next(reader, None)
    if not header:
        raise InputFileError(f"{place}: expected CSV with a header of the features' names. Received an empty file.")
    for number, name in enumerate(header):
        if name in header[:number]:
            raise InputFileError(f"{place}: expected every name once in the header. Received: '{name}' twice.")
    for cells in reader:
        if not cells:
            continue
        where = f"{place}, line {reader.line_num}"
        if len(cells) != len(header):
            raise InputFileError(f"{where}: expected {len(header)} cells, as in the header. Received {len(cells)}.")
        yield Record(f"{place}:{reader.line_num}", where, dict(zip(header, cells, strict=True)))
