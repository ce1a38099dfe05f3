"""`tapeline predict FILE...`: what a served model says of images, as a table or as JSON lines.

    files and folders -> every file is checked -> one Client call -> rows

Help and usage errors answer without gRPC; nothing is sent unless every file is an image.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import InputFileError, ServingError
from serving.terminal import say

if TYPE_CHECKING:
    from serving.client import Prediction

_SUFFIXES = (".png", ".jpg", ".jpeg")
_LONGEST_TABLE = 100
_BAR_WIDTH = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a prediction for every image. Returns 0; 1 when the server does not answer; 2 when an argument or a file is wrong."""
    try:
        flags = _parser().parse_args(argv)
    except SystemExit as exit_:  # argparse leaves this way: 0 after --help, 2 after a usage error
        return exit_.code if isinstance(exit_.code, int) else 2
    try:
        return _predict(flags)
    except ServingError as error:
        say(f"tapeline predict: {str(error).partition(chr(10))[0]}", sys.stderr)  # TensorFlow adds lines about the graph's nodes
        return error.exit_status
    except BrokenPipeError:  # whoever read the output, `head` perhaps, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def image_files(paths: Iterable[Path]) -> list[Path]:
    """The files that were named and the images in the folders that were named, folders in order of name. Raises InputFileError."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(entry for entry in path.rglob("*") if entry.suffix.lower() in _SUFFIXES and entry.is_file())
        if not found:
            raise InputFileError(f"{path}: expected a folder with PNG or JPEG files ({', '.join(_SUFFIXES)}). Received one without.")
        files.extend(found)
    return files


def read_image(path: Path) -> bytes:
    """The bytes of a PNG or JPEG file that can be decoded. Raises InputFileError."""
    import io

    from PIL import Image  # here, for a quick --help

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: expected a PNG or JPEG file. Received: {(error.strerror or str(error)).lower()}.") from error
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            image.load()
    except Image.UnidentifiedImageError as error:
        raise InputFileError(f"{path}: expected a PNG or JPEG image. Received {len(content)} bytes of something else.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow raises for a damaged image
        raise InputFileError(f"{path}: expected a whole PNG or JPEG image. Received a damaged one ({error}).") from error
    return content


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tapeline predict", description="Ask a served model what it sees in images.", allow_abbrev=False)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="PNG or JPEG files, and folders of them")
    parser.add_argument("--model_name", required=True, metavar="NAME", help="name that the model is served by")
    parser.add_argument("--server", default="127.0.0.1:8500", metavar="HOST:PORT", help="gRPC address of the server (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with all probabilities")
    return parser


def _predict(flags: argparse.Namespace) -> int:
    files = image_files(flags.files)
    images = [read_image(path) for path in files]

    from serving.client import Client  # here, because it brings gRPC

    with Client(flags.server, model_name=flags.model_name) as client:
        prediction = client.predict_images(images)
    show = _print_json if flags.json else _print_table
    show(files, prediction, flags.model_name)
    return 0


def _print_json(files: Sequence[Path], prediction: "Prediction", model_name: str) -> None:
    for path, class_, probabilities in zip(files, prediction.classes.tolist(), prediction.probabilities, strict=True):
        values = [float(str(value)) for value in probabilities]  # the shortest text of a float32
        row = {
            "file": str(path),
            "class": class_,
            "probability": max(values),
            "probabilities": values,
            "model_name": model_name,
            "version": prediction.version,
        }
        say(json.dumps(row, ensure_ascii=False))


def _print_table(files: Sequence[Path], prediction: "Prediction", model_name: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("class", justify="right", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    best = prediction.probabilities.max(axis=1).tolist()
    for path, class_, probability in list(zip(files, prediction.classes.tolist(), best, strict=True))[:_LONGEST_TABLE]:
        table.add_row(escape(str(path)), str(class_), f"{probability:.1%}", "█" * round(probability * _BAR_WIDTH))
    console = Console(highlight=False)
    console.print(table)
    more = len(files) - _LONGEST_TABLE
    if more > 0:
        console.print(f"and {more:,} more; --json prints all")
    console.print(f"{len(files):,} {'image' if len(files) == 1 else 'images'}, {escape(model_name)} version {prediction.version}")


if __name__ == "__main__":
    sys.exit(main())
