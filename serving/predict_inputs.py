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
from serving.examples import serialize_example

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
_CSV_SUFFIX = ".csv"
STDIN = "-"


@dataclass(frozen=True)
class Row:
    """A name to show, and the bytes that the signature's one input takes."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Inputs:
    """Rows of one kind, and the signature that takes them by default: `predict_image` or `serving_default`."""

    kind: str
    rows: Iterable[Row]
    count: int | None

    @property
    def signature_name(self) -> str:
        """The signature for rows of this kind."""
        return "predict_image" if self.kind == "image" else "serving_default"


def read_inputs(paths: Sequence[Path], stdin: TextIO | None = None) -> Inputs:
    """Images and folders of them, CSV files (a header with the features' names), or `-`. Raises InputFileError."""
    if [str(path) for path in paths] == [STDIN]:
        return _from_stdin(stdin or sys.stdin)
    tables = [path for path in paths if path.suffix.lower() == _CSV_SUFFIX]
    if tables and len(tables) < len(paths):
        other = next(path for path in paths if path not in tables)
        raise InputFileError(f"{other}: expected CSV files only, because {tables[0]} is one. Ask about images by themselves.")
    if tables:
        return Inputs("example", (row for path in tables for row in _csv_rows(path)), None)
    files = image_files(paths)
    for file in files:
        read_image(file)  # everything is checked before anything is sent
    return Inputs("image", (Row(str(file), file.read_bytes()) for file in files), len(files))


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
    """The bytes of a PNG or JPEG file that can be decoded. Raises InputFileError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: expected a PNG or JPEG file. Received: {(error.strerror or str(error)).lower()}.") from error
    return check_image(str(path), content)


def check_image(name: str, content: bytes) -> bytes:
    """The bytes, if they are a PNG or JPEG image that can be decoded. Raises InputFileError."""
    from PIL import Image  # here, for a quick --help

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            image.load()
    except Image.UnidentifiedImageError as error:
        raise InputFileError(f"{name}: expected a PNG or JPEG image. Received {len(content)} bytes of something else.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow raises for a damaged image
        raise InputFileError(f"{name}: expected a whole PNG or JPEG image. Received a damaged one ({error}).") from error
    return content


def _from_stdin(stdin: TextIO) -> Inputs:
    """An image, JSON lines (an object of features each), or CSV with a header: told apart by the first bytes."""
    content = stdin.buffer.read()
    if content.startswith((b"\x89PNG", b"\xff\xd8")):
        return Inputs("image", [Row("stdin", check_image("stdin", content))], 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputFileError("stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received bytes that are none of them.") from error
    if not text.strip():
        raise InputFileError("stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received nothing.")
    if text.lstrip().startswith("{"):
        return Inputs("example", list(_json_rows(text.splitlines())), None)
    return Inputs("example", list(_table_rows("stdin", io.StringIO(text))), None)


def _json_rows(lines: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            features = json.loads(line)
        except ValueError as error:
            raise InputFileError(f"stdin, line {number}: expected a JSON object of features. {error}.") from error
        if not isinstance(features, dict):
            raise InputFileError(f"stdin, line {number}: expected a JSON object of features. Received: {line[:80]}")
        yield Row(f"stdin:{number}", serialize_example(features))


def _csv_rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _table_rows(str(path), file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputFileError(f"{path}: expected a CSV file. Received: {reason.lower()}.") from error


def _table_rows(name: str, file: TextIO) -> Iterator[Row]:
    reader = csv.reader(file)
    header = next(reader, None)
    if not header:
        raise InputFileError(f"{name}: expected CSV with a header of the features' names. Received an empty file.")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise InputFileError(f"{name}, line {reader.line_num}: expected {len(header)} cells, as in the header. Received {len(cells)}.")
        features = {feature: _value(cell) for feature, cell in zip(header, cells, strict=True) if cell != ""}
        yield Row(f"{name}:{reader.line_num}", serialize_example(features))


def _value(cell: str) -> Any:
    """An integer or a number where the cell reads as one, else text."""
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
