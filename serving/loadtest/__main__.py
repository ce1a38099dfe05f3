"""`tapeline loadtest`: requests at a rate, whether or not the server keeps up, and what became of them.

    flags -> one request as a try -> requests by schedule -> summary, and a page with the latency curve

Help and usage errors answer without gRPC.
"""

import argparse
import ipaddress
import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from serving import whole_file
from serving.errors import ServingError
from serving.terminal import say


def main(argv: Sequence[str] | None = None, model_names: Sequence[str] = ()) -> int:
    """Prints what was measured. Returns 0; 1 when the server does not answer at all; 2 when a flag or a file is wrong.

    `model_names`: without --model_name, the first of these that the server has is asked.
    """
    try:
        flags = _parser(needs_name=not model_names).parse_args(argv)
    except SystemExit as exit_:  # argparse leaves this way: 0 after --help, 2 after a usage error
        return exit_.code if isinstance(exit_.code, int) else 2
    try:
        return _loadtest(flags, model_names)
    except ServingError as error:
        say(f"tapeline loadtest: {str(error).partition(chr(10))[0]}", sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130


def _parser(*, needs_name: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline loadtest",
        description="Send requests to a server at a rate, and measure how long each waits from the moment it was due.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model_name",
        required=needs_name,
        metavar="NAME",
        help="name that the model is served by (default: the model below runs/ that was pushed last and that the server has; "
        "needed where nothing was pushed)",
    )
    parser.add_argument("--server", default="127.0.0.1:8500", metavar="HOST:PORT", help="gRPC address (default: %(default)s)")
    parser.add_argument("--rate", type=_positive, required=True, metavar="R", help="requests per second")
    parser.add_argument("--duration", type=_positive, default=10.0, metavar="S", help="seconds to measure (default: %(default)g)")
    parser.add_argument(
        "--warmup", type=_not_negative, default=1.0, metavar="S", help="seconds to send before that, unmeasured (default: %(default)g)"
    )
    parser.add_argument(
        "--arrivals", choices=("poisson", "constant"), default="poisson", help="how requests are spaced (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the spacing (default: %(default)s)")
    parser.add_argument("--signature_name", default="", metavar="NAME", help="signature to ask (default: predict_image where there is one)")
    parser.add_argument("--input", type=Path, metavar="FILE", help="an image to send (default: inputs made from the signature)")
    parser.add_argument("--batch_size", type=_count, default=1, metavar="N", help="rows in a request (default: %(default)s)")
    parser.add_argument(
        "--deadline", type=_positive, default=10.0, metavar="S", help="how long each request may take (default: %(default)g)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.html", help="write a page with the latency curve")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--allow_remote", action="store_true", help="load a server that is not this machine's own")
    return parser


def _positive(text: str) -> float:
    value = _not_negative(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, received {text!r}")
    return value


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1,000,000, received {text!r}")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65536:
        raise argparse.ArgumentTypeError(f"expected an integer from 1 to 65536, received {text!r}")
    return int(text)


def _loadtest(flags: argparse.Namespace, model_names: Sequence[str]) -> int:
    from serving.errors import InputFileError

    if not flags.allow_remote and not is_loopback(flags.server):
        raise InputFileError(
            f"{flags.server} is not this machine: a load test may bring down what others use. --allow_remote if that is what you want."
        )
    if flags.output and not flags.output.absolute().parent.is_dir():
        raise InputFileError(f"{flags.output}: expected a file in a folder that exists. Received: no folder {flags.output.parent}.")
    try:
        if flags.output:
            whole_file.check(flags.output)
    except OSError as error:
        raise InputFileError(f"{flags.output}: expected a file that can be written. {error.strerror}.") from error

    from serving.loadtest.html_page import write_page  # here, because these bring gRPC and NumPy
    from serving.loadtest.run import run
    from serving.loadtest.summary import Summary
    from serving.served_name import served_name

    flags.model_name = flags.model_name or served_name(model_names, flags.server, flags.deadline)
    result = run(flags, _progress if sys.stderr.isatty() and not flags.json else lambda done, total: None)
    summary = Summary.of(result)
    for line in [json.dumps(summary.as_dict())] if flags.json else summary.text().splitlines():
        say(line)
    if flags.output:
        write_page(flags.output, summary, result)
        say(f"Latency curve: {flags.output}", sys.stderr)
    return 0 if summary.answered else 1


def is_loopback(address: str) -> bool:
    """Whether every address that HOST:PORT stands for is this machine's loopback."""
    host = address.rpartition(":")[0].strip("[]") or address
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done:,} of {total:,} requests" if done < total else "\r\033[K")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
