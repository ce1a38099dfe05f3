"""`tapeline predict --model_dir DIR --input FILE --output FILE`: predictions for a whole file, without a server.

arguments -> are the places right? -> `components.batch_predict` -> one line
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.runs.beam_args import IN_MEMORY
from pipeline.runs.quiet import output_hidden
from serving.terminal import say
from trainer.errors import ConfigError, did_you_mean

_SUFFIXES = (".csv", ".parquet", ".jsonl", ".tfrecord")
_FLAG = "--model_dir"


def is_meant(arguments: Sequence[str]) -> bool:
    """Whether the arguments of `tapeline predict` are this command's."""
    return any(argument.partition("=")[0] == _FLAG for argument in arguments)


def main(arguments: Sequence[str]) -> int:
    """Returns 0; 1: a row is set aside; 2: a usage error.

    Raises:
      ConfigError: a wrong place, model or column.
      DataError: a file cannot be read at all.
    """
    try:
        flags = _parser().parse_args(arguments)
    except SystemExit as exit_:  # argparse leaves this way: 0 after --help, 2 after a usage error
        return exit_.code if isinstance(exit_.code, int) else 2
    errors = flags.output.with_name(f"{flags.output.name}.errors.jsonl")
    _check(flags, errors)
    begin = time.monotonic()
    with output_hidden():
        from components.batch_predict import predict

        counts = predict(flags.model_dir, flags.input, flags.output, errors, IN_MEMORY)
    seconds = time.monotonic() - begin
    if counts.rejected:
        rows = "1 row set aside, with the" if counts.rejected == 1 else f"{counts.rejected:,} rows set aside, each with its"
        say(f"tapeline predict: {rows} reason in {errors}", sys.stderr)
    if counts.rows:
        say(f"Wrote {flags.output}: {counts.rows:,} rows in {seconds:.1f} s")
    else:
        say("tapeline predict: nothing was written, for no row could be predicted.", sys.stderr)
    return 1 if counts.rejected else 0


def _check(flags: argparse.Namespace, errors: Path) -> None:
    output: Path = flags.output
    if output.suffix not in _SUFFIXES:
        near = did_you_mean(output.suffix, _SUFFIXES)
        raise ConfigError(f"Expected --output to end in {', '.join(_SUFFIXES)}. Received: '{output}'.{near}")
    if not output.parent.is_dir():
        raise ConfigError(f"Expected --output in a folder that is there. Received: '{output}'. Make '{output.parent}' first.")
    for path in (output, errors):
        if path.is_dir():
            raise ConfigError(f"Expected --output to be a file. Received: '{path}', which is a folder.")
    if output.exists() and Path(flags.input).exists() and output.samefile(flags.input):
        raise ConfigError(f"Expected --output to be another file than --input. Received: '{output}' twice.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline predict", description="Predict a whole file with a pushed model, without a server.", allow_abbrev=False
    )
    parser.add_argument(_FLAG, required=True, type=Path, metavar="DIR", help="folder of a version, or of a model, whose newest one it is")
    parser.add_argument(
        "--input",
        required=True,
        metavar="FILE",
        help="CSV, Parquet, JSON lines or TFRecords, a file, a folder or a pattern; "
        "for a model of pictures one, or a folder, zip or tar of them; also in a bucket, gs://...",
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help=f"what is written, by its suffix: {', '.join(_SUFFIXES)}"
    )
    return parser
