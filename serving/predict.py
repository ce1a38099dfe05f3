"""`tapeline predict FILE...`: what a served model says of images or of rows, as a table or as JSON lines.

    files, folders, CSV or stdin -> every file is checked -> what the signature takes -> batch after batch -> rows

Help and usage errors answer without gRPC; nothing is sent unless every file can be read, and at least one picture is whole. A row that the
model refuses is named, and so is a damaged picture; the others are answered.
"""

import argparse
import codecs
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import InputFileError, ServingError
from serving.row_batches import MOST_ROWS, row_batches
from serving.terminal import say
from serving.times import ORDERS

if TYPE_CHECKING:
    from serving.channel import Tls
    from serving.client import Client
    from serving.predict_inputs import Images
    from serving.predict_output import Output
    from serving.predict_requests import Row
    from serving.predict_table import Record, Table

    Reader = Callable[[str, int, Sequence[Path]], Callable[[], Iterator[Record]] | None]  # of a model's name, its version and tables


def main(argv: Sequence[str] | None = None, model_names: Sequence[str] = (), reader: "Reader | None" = None) -> int:
    """Prints a prediction for every row. Returns 0; 1: no answer, or a refusal; 2: a wrong argument or file.

    Args:
      argv: the arguments.
      model_names: without --model_name, the first of these that the server serves is asked.
      reader: how the tables of a model's version are read as it has learnt; None, or where it gives None, they are read as they are.
    """
    try:
        flags = _parser(needs_name=not model_names).parse_args(argv)
    except SystemExit as exit_:  # argparse leaves this way: 0 after --help, 2 after a usage error
        return exit_.code if isinstance(exit_.code, int) else 2
    try:
        return _predict(flags, model_names, reader)
    except ServingError as error:
        say(f"tapeline predict: {_line(error)}", sys.stderr)
        return error.exit_status
    except BrokenPipeError:  # whoever read the output, `head` perhaps, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as interrupt:
        return getattr(interrupt, "exit_status", 130)  # SIGTERM's is another


def _parser(*, needs_name: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline predict",
        description="Ask a served model about images, or about rows of features.",
        epilog="Without a server: tapeline predict --model_dir DIR --input FILE --output FILE; its own --help says more.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="pictures and folders of them; tables, which are CSV with a header or JSON lines; - for any of it on stdin",
    )
    parser.add_argument(
        "--model_name",
        required=needs_name,
        metavar="NAME",
        help="name that the model is served by (default: the model below runs/ that was pushed last and that the server has; "
        "needed where nothing was pushed)",
    )
    parser.add_argument("--server", default="127.0.0.1:8500", metavar="HOST:PORT", help="gRPC address of the server (default: %(default)s)")
    parser.add_argument(
        "--signature_name",
        default="",
        metavar="NAME",
        help="signature to ask (default: predict_image for images; for rows predict_columns, or serving_default of a model without)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, metavar="N", help="version to ask (default: the newest)")
    which.add_argument("--version_label", default="", metavar="LABEL", help="label to ask, such as stable or canary")
    parser.add_argument(
        "--deadline", type=_seconds, default=10.0, metavar="SECONDS", help="how long each request may take (default: %(default)g)"
    )
    parser.add_argument(
        "--ca_cert", type=Path, metavar="FILE", help="PEM file of the authority that signed the server's certificate; turns TLS on"
    )
    parser.add_argument("--client_cert", type=Path, metavar="FILE", help="PEM file of this client's certificate, with --client_key")
    parser.add_argument("--client_key", type=Path, metavar="FILE", help="PEM file of its key")
    parser.add_argument(
        "--column",
        type=_column,
        action="append",
        default=[],
        metavar="NAME:KIND",
        help="send a column of a table as int64, float or string (default: the kind that fits all of its cells); repeatable",
    )
    parser.add_argument(
        "--dates",
        choices=ORDERS,
        metavar="ORDER",
        help="how the table's dates are written where the year is last: day_first or month_first",
    )
    parser.add_argument("--encoding", type=_encoding, metavar="NAME", help="encoding of the tables, such as cp932 (default: utf-8)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with all outputs")
    parser.add_argument(
        "--explain-errors", action="store_true", help="when a request is refused, print what was sent and what the model takes"
    )
    return parser


def _predict(flags: argparse.Namespace, model_names: Sequence[str], reader: "Reader | None") -> int:
    from serving.predict_inputs import Images, read_inputs

    inputs = read_inputs(flags.files, flags.encoding or "")
    fault = None  # of tables that nobody can read who does not know how they are written
    if isinstance(inputs, Images):
        _refuse_flags_of_tables(flags)
    else:
        inputs.declared, inputs.order = dict(flags.column), flags.dates or ""
        try:
            inputs.decide()
        except InputFileError as error:
            if reader is None or _says_how(flags):
                raise
            fault = error

    from serving.client import Client  # here, because it brings gRPC
    from serving.predict_output import JsonOutput, TableOutput
    from serving.served_name import served_name

    tls = _tls(flags)
    model_name = flags.model_name or served_name(model_names, flags.server, flags.deadline, tls)
    output = (JsonOutput if flags.json else TableOutput)(model_name, "file" if isinstance(inputs, Images) else "row")
    signature_name = flags.signature_name or ("predict_image" if isinstance(inputs, Images) else "serving_default")
    with Client(flags.server, model_name=model_name, deadline=flags.deadline, tls=tls) as client:
        try:
            if signature_name == "serving_default" and not flags.signature_name:
                signature_name = _signature_of_rows(client, flags)
            if reader and not isinstance(inputs, Images) and not _says_how(flags):
                learnt = _as_learnt(reader, client, signature_name, flags)
                inputs, fault = (learnt, None) if learnt else (inputs, fault)
            if fault:
                raise fault
            refused = _ask(client, inputs, signature_name, flags, output)
        except ServingError as error:
            if flags.explain_errors:
                _explain(client, error, signature_name, flags)
            raise
        if refused and flags.explain_errors:
            _explain(client, refused, signature_name, flags)
    return 1 if refused else 0


def _says_how(flags: argparse.Namespace) -> bool:
    """Whether the caller says how the tables are to be read."""
    return bool(flags.column or flags.dates or flags.encoding) or not all(map(Path.is_file, flags.files))


def _as_learnt(reader: "Reader", client: "Client", signature_name: str, flags: argparse.Namespace) -> "Table | None":
    """The rows as the version that is served has learnt to read them; None where nothing here says how. Raises InputFileError."""
    from serving.predict_table import Table
    from serving.raw_values import SIGNATURE

    if signature_name != SIGNATURE:
        return None
    version = client.signature(signature_name, version=flags.version, version_label=flags.version_label).version
    read = reader(client.model_name, version, flags.files)
    if read is None:
        return None
    table = Table(read)
    table.decide()
    return table


def _signature_of_rows(client: "Client", flags: argparse.Namespace) -> str:
    """The one that takes columns under their own names, where the model has it."""
    from serving.raw_values import SIGNATURE

    return SIGNATURE if SIGNATURE in client.signatures(version=flags.version, version_label=flags.version_label) else "serving_default"


def _refuse_flags_of_tables(flags: argparse.Namespace) -> None:
    for name in ("column", "dates", "encoding"):
        if getattr(flags, name):
            raise InputFileError(f"--{name}: expected rows of features, in CSV or JSON lines. Received images.")


def _encoding(name: str) -> str:
    try:
        is_text = codecs.lookup(name)._is_text_encoding
    except LookupError:
        is_text = False
    if not is_text:
        raise argparse.ArgumentTypeError(f"expected Python's name of an encoding, such as cp932 or latin-1, received {name!r}")
    return "" if codecs.lookup(name).name == "utf-8" else name


def _column(text: str) -> tuple[str, int]:
    from serving.predict_table import KINDS

    name, _, kind = text.rpartition(":")
    if not name or kind not in KINDS:
        raise argparse.ArgumentTypeError(f"expected NAME:KIND with a kind of {', '.join(KINDS)}, received {text!r}")
    return name, KINDS[kind]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"expected seconds, from above 0 to 1,000,000, received {text!r}")
    return value


def _tls(flags: argparse.Namespace) -> "Tls | None":
    from serving.channel import Tls

    files = [path for path in (flags.ca_cert, flags.client_cert, flags.client_key) if path]
    for path in files:
        if not path.is_file():
            raise InputFileError(f"{path}: expected a PEM file. Received: no such file.")
    return Tls(flags.ca_cert, flags.client_cert, flags.client_key) if files else None


def _ask(
    client: "Client", inputs: "Images | Table", signature_name: str, flags: argparse.Namespace, output: "Output"
) -> ServingError | None:
    """Batches in order, with progress on stderr where somebody looks. The first refusal of a row, if there was one."""
    from serving.predict_requests import requests_for
    from serving.refusals import in_parts

    requests = requests_for(inputs, client.signature(signature_name, version=flags.version, version_label=flags.version_label))
    if note := requests.note():
        say(f"tapeline predict: {note}", sys.stderr)

    def ask(rows: Sequence["Row"]) -> tuple[dict, int]:
        while True:
            try:
                return client.predict_with_version(requests.inputs(rows), signature_name, flags.version, version_label=flags.version_label)
            except ServingError as error:
                if not requests.learn(error):
                    raise

    first_refusal, done, answered = None, 0, 0
    with _Progress(getattr(inputs, "count", None)) as progress:
        for batch in row_batches(requests.rows(), requests.size):
            for rows, answer in in_parts(batch, ask, ServingError):
                if isinstance(answer, ServingError):
                    first_refusal = first_refusal or answer
                    cause = _with_hint(_line(answer), requests.hint(rows[0]))
                    progress.clear()
                    say(f"tapeline predict: {rows[0].name}: {cause}", sys.stderr)
                    output.refuse(rows[0].name, cause)
                else:
                    output.add([row.name for row in rows], *answer)
                    answered += len(rows)
            done += len(batch)
            progress.update(done)
            if not answered and done >= MOST_ROWS:  # it is not the rows that are wrong
                say(f"tapeline predict: none of the first {done} rows was answered; what follows was not sent.", sys.stderr)
                break
    output.finish(requests.said())
    return first_refusal


def _line(error: ServingError) -> str:
    """The first line without TensorFlow's names of nodes, which mean nothing to a caller."""
    return re.sub(r"\{\{[^}]*\}\}\s*", "", str(error)).partition("\n")[0].strip()


def _with_hint(cause: str, hint: str) -> str:
    return f"{cause.removesuffix('.')}.{hint}" if hint else cause


def _explain(client: "Client", error: ServingError, signature_name: str, flags: argparse.Namespace) -> None:
    """What the server said in full, what was asked, what the signatures want, and what to try next."""
    say(f"server {client.address} says {error.code}:", sys.stderr)
    for line in str(error).splitlines():
        say(f"    {line}", sys.stderr)
    which = f"version {flags.version}" if flags.version is not None else flags.version_label or "the newest version"
    say(f"asked: model '{client.model_name}', {which}, signature '{signature_name}'", sys.stderr)
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
        self._count, self._shows = count, sys.stderr.isatty() and (count is None or count > MOST_ROWS)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *args: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Makes room for another line."""
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
