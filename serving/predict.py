"""`tapeline predict FILE...`: what a served model says of images or of rows, as a table or as JSON lines.

    files, folders, CSV or stdin -> every image is checked -> batches, a few under way -> rows

Help and usage errors answer without gRPC; no image is sent unless all of them are images.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import ServingError
from serving.terminal import say

if TYPE_CHECKING:
    from serving.client import Client
    from serving.predict_inputs import Inputs, Row

_BATCH_SIZE = 256


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a prediction for every row. Returns 0; 1: no answer, or a refusal; 2: a wrong argument or file."""
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
    except KeyboardInterrupt as interrupt:
        return getattr(interrupt, "exit_status", 130)  # SIGTERM's is another


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline predict", description="Ask a served model what it says of images, or of rows of features.", allow_abbrev=False
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="PNG or JPEG files and folders of them; CSV files, whose header names the features; - for any of it on stdin",
    )
    parser.add_argument("--model_name", required=True, metavar="NAME", help="name that the model is served by")
    parser.add_argument("--server", default="127.0.0.1:8500", metavar="HOST:PORT", help="gRPC address of the server (default: %(default)s)")
    parser.add_argument(
        "--signature_name", default="", metavar="NAME", help="default: predict_image for images, serving_default for rows of features"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, metavar="N", help="default: the newest")
    which.add_argument("--version_label", default="", metavar="LABEL", help="such as stable or canary")
    parser.add_argument("--deadline", type=float, default=10.0, metavar="SECONDS", help="for each request (default: %(default)g)")
    parser.add_argument("--ca_cert", type=Path, metavar="FILE", help="PEM file of who signed the server's certificate: talk TLS")
    parser.add_argument("--client_cert", type=Path, metavar="FILE", help="PEM file of this client's certificate, with --client_key")
    parser.add_argument("--client_key", type=Path, metavar="FILE", help="PEM file of its key")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with all outputs")
    parser.add_argument("--explain-errors", action="store_true", help="when a request is refused, say what was sent and what is wanted")
    return parser


def _predict(flags: argparse.Namespace) -> int:
    from serving.predict_inputs import read_inputs

    inputs = read_inputs(flags.files)

    from serving.client import Client  # here, because it brings gRPC
    from serving.predict_output import JsonOutput, TableOutput

    output = (JsonOutput if flags.json else TableOutput)(flags.model_name, inputs.kind)
    signature_name = flags.signature_name or inputs.signature_name
    with Client(flags.server, model_name=flags.model_name, deadline=flags.deadline, tls=_tls(flags)) as client:
        try:
            _ask(client, inputs, signature_name, flags, output)
        except ServingError as error:
            if flags.explain_errors:
                _explain(client, error, signature_name, flags)
            raise
    output.finish()
    return 0


def _tls(flags: argparse.Namespace) -> "object | None":
    from serving.channel import Tls
    from serving.errors import InputFileError

    files = [path for path in (flags.ca_cert, flags.client_cert, flags.client_key) if path]
    for path in files:
        if not path.is_file():
            raise InputFileError(f"{path}: expected a PEM file. Received: no such file.")
    return Tls(flags.ca_cert, flags.client_cert, flags.client_key) if files else None


def _ask(client: "Client", inputs: "Inputs", signature_name: str, flags: argparse.Namespace, output: object) -> None:
    """Batches in order, with progress on stderr where somebody looks."""
    from serving.tensors import strings

    name = _only_input(client, signature_name, flags)
    done = 0
    with _Progress(inputs.count) as progress:
        for batch in _batches(inputs.rows):
            outputs, version = client.predict_with_version(
                {name: strings([row.content for row in batch])},
                signature_name,
                flags.version,
                version_label=flags.version_label,
            )
            output.add([row.name for row in batch], outputs, version)
            done += len(batch)
            progress.update(done)


def _only_input(client: "Client", signature_name: str, flags: argparse.Namespace) -> str:
    """The name of the input that takes the rows. Raises ServingError for a signature that takes something else."""
    from serving.errors import InvalidArgumentError
    from serving.tensors import STRING

    signature = client.signature(signature_name, version=flags.version, version_label=flags.version_label)
    inputs = list(signature.inputs.values())
    if len(inputs) != 1 or inputs[0].dtype != STRING:
        wanted = ", ".join(f"{spec.name}: {spec}" for spec in inputs)
        raise InvalidArgumentError(
            f"Signature '{signature.name}': expected one input of strings, for images or tf.Examples. It has {{{wanted}}}; "
            f"name another by --signature_name."
        )
    return inputs[0].name


def _batches(rows: Iterable["Row"]) -> Iterator[list["Row"]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, _BATCH_SIZE)):
        yield batch


def _explain(client: "Client", error: ServingError, signature_name: str, flags: argparse.Namespace) -> None:
    """What the server said in full, what was asked, what the signatures want, and what to try next."""
    say(f"server {client.address} says {error.code}:", sys.stderr)
    for line in str(error).splitlines():
        say(f"    {line}", sys.stderr)
    which = f"version {flags.version}" if flags.version is not None else flags.version_label or "the newest version"
    say(f"asked: model '{flags.model_name}', {which}, signature '{signature_name}'", sys.stderr)
    try:
        signatures = client.signatures(version=flags.version, version_label=flags.version_label)
    except ServingError as reason:
        say(f"its signatures cannot be had: {str(reason).partition(chr(10))[0]}", sys.stderr)
        say("next: check --server, --model_name and --version; is the server there and the model loaded?", sys.stderr)
        return
    say("the model's signatures:", sys.stderr)
    for name, signature in sorted(signatures.items()):
        if signature.inputs:
            wanted = ", ".join(f"{spec.name}: {spec}" for spec in signature.inputs.values())
            given = ", ".join(f"{spec.name}: {spec}" for spec in signature.outputs.values())
            say(f"    {name}: {wanted} -> {given}", sys.stderr)
    say("next: send what one of them wants, --signature_name chooses it", sys.stderr)


class _Progress:
    """A line that counts on a terminal's stderr, and nothing elsewhere."""

    def __init__(self, count: int | None) -> None:
        self._count, self._shows = count, sys.stderr.isatty() and (count is None or count > _BATCH_SIZE)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *args: object) -> None:
        if self._shows:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def update(self, done: int) -> None:
        """So many rows are answered."""
        if self._shows:
            sys.stderr.write(f"\r{done:,}" + (f" of {self._count:,}" if self._count else ""))
            sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
