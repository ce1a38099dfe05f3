"""`tapeline init`: path -> format -> proposal -> is it right? -> the file, and what to type next. Nothing here imports TensorFlow."""

import argparse
import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.example_gen import spans
from pipeline.subcommand import add_command
from trainer.errors import ConfigError, listed

if TYPE_CHECKING:
    from pipeline.init.proposal import Proposal

TASKS = ("binary", "multiclass", "multilabel", "regression")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_FOLDER = Path("configs")


def add_to(commands: Any) -> None:
    """Adds `init` to the parser of `tapeline`."""
    parser = add_command(commands, "init", _init, "look at data and write a config for it")
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a table (CSV, TSV, Parquet, JSON lines or TFRecord: a file, a pattern or a folder), a folder of IDX files, "
        "or class folders of pictures or an archive of them; here or in a bucket, gs://...; "
        "{SPAN} or {YYYY}, {MM} and {DD} stand for a span's number or date",
    )
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)  # what a shell makes of a pattern without quotes
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="the column that is predicted, or several of 0 and 1, `a,b,c`, a name with a comma in double quotes "
        "(default: guessed by its name, or asked for)",
    )
    parser.add_argument("--task", choices=TASKS, help="what is predicted (default: by the label's values)")
    parser.add_argument("--name", metavar="NAME", help="name of the pipeline and the model (default: the data's)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="the config (default: configs/NAME.yaml)")
    parser.add_argument("--yes", action="store_true", help="ask nothing: take what is assumed, and say so")


def _init(options: argparse.Namespace) -> int:
    from pipeline.init import formats, in_bucket, newest_span
    from pipeline.init.proposal import Request

    if options.more:
        given = listed([options.path, *options.more])
        raise ConfigError(f"Expected one PATH. Received: {given}. Put a pattern in quotes, 'data/*.csv', or name the folder.")
    name = _name(options.name, options.path)
    output = options.output or _FOLDER / f"{name}.yaml"
    _check_output(output)
    asks = sys.stdin.isatty() and not options.yes
    request = Request(options.path, name, output, options.label, options.task, _ask if asks else None, options.yes)
    with in_bucket.copied(request) as narrowed:
        proposal = newest_span.told(formats.recognise(narrowed.path)(narrowed), narrowed)
    proposal = in_bucket.told(proposal, narrowed)
    _write(proposal.text, output)
    _show(proposal, output)
    return 0


def _name(given: str | None, path: str) -> str:
    """The pipeline's name: as given, or the file's or folder's from its first Latin letter on."""
    if given is not None:
        if not _NAME.fullmatch(given):
            raise ConfigError(f"Expected --name to be a letter, then letters, digits, `-`, `_`, at most 63 in all. Received: '{given}'.")
        return given
    path = path.partition("{")[0].rstrip("-_.") or "." if spans.has_spans(path) else path
    place = Path(path.rstrip("/"))
    stem = place.name if "*" not in place.name else place.parent.name
    stem = Path(path).resolve().name if stem in ("", ".", "..") else stem
    return re.sub(r"[^A-Za-z0-9_-]+", "_", re.sub(r"^[^A-Za-z]+", "", stem.partition(".")[0])).strip("_-")[:63] or "table"


def _check_output(output: Path) -> None:
    if output.is_dir():
        raise ConfigError(f"Expected a file to write. Received: '{output}', which is a folder. Name a file in it with -o FILE.")
    if output.exists():
        raise ConfigError(
            f"Expected no config yet at '{output}'. Received: one, which is left as it is. Give another with -o FILE or --name NAME, "
            "or move it away."
        )


def _ask(question: str, proposed: str) -> str:
    try:
        return input(f"{question} [{proposed}] ").strip() or proposed
    except EOFError:
        raise ConfigError("Expected an answer. Received: the end of the input. Give --label COLUMN.") from None


def _write(text: str, output: Path) -> None:
    """Writes a config that is right, or nothing."""
    from pipeline import config

    draft = output.with_name(f".{output.name}.draft")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        config.load(draft)
        draft.rename(output)
    except ConfigError as error:  # what was found cannot be said in a config, a column's name of thousands of letters
        raise ConfigError(str(error).replace(str(draft), str(output))) from None
    except OSError as error:
        raise ConfigError(f"Expected '{output}' to be a file that can be written. Received: {error.strerror}. Give -o FILE.") from None
    finally:
        with contextlib.suppress(OSError):  # there is none where it could not be written
            draft.unlink()


def _show(proposal: "Proposal", output: Path) -> None:
    from rich.console import Console

    from pipeline.init import shown
    from pipeline.plain import command, print_line

    console = Console(highlight=False)
    for part in proposal.found:
        if isinstance(part, str):
            print_line(console, shown.line(part))
        else:
            console.print(part)
            console.print()
    for warning in proposal.warnings:
        print_line(console, f" {shown.line(warning)}", "Note:", "yellow")
    print_line(console, f"Wrote {output}. Read it through: it says what was chosen, and why.")
    print_line(console, f"   {command('run', output)}", "Next:", "bold")
