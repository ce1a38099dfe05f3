"""`python -m serving.server`, what `tapeline serve` runs: the command line. Help and usage errors answer without TensorFlow.

Flags are named as tensorflow_model_server names them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.errors import ServingError
from serving.terminal import say


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns 0, or 2 when the port is taken or the flags are wrong."""
    try:
        flags = _parser().parse_args(argv)
    except SystemExit as exit_:  # argparse leaves this way: 0 after --help, 2 after a usage error
        return exit_.code if isinstance(exit_.code, int) else 2
    from serving.server.serve import serve  # here, because it brings gRPC and TensorFlow

    try:
        return serve(flags)
    except ServingError as error:
        say(f"tapeline serve: {error}", sys.stderr)
        return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline serve",
        description="Serve a model over TensorFlow Serving's gRPC and REST protocols, and follow its new versions.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model_name", type=_name, default="default", metavar="NAME", help="name that clients ask for (default: %(default)s)"
    )
    parser.add_argument(
        "--model_base_path",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder that holds the version folders (1, 2, ...); the newest is served",
    )
    parser.add_argument("--port", type=_port, default=8500, metavar="PORT", help="gRPC port; 0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--rest_api_port", type=_port, default=8501, metavar="PORT", help="REST port; 0 picks a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--bind_address",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 for every interface (default: %(default)s)",
    )
    parser.add_argument(
        "--file_system_poll_wait_seconds",
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="pause between two looks for new versions; 0 looks only once (default: %(default)g)",
    )
    parser.add_argument(
        "--grpc_max_threads", type=_threads, default=16, metavar="N", help="requests answered at a time (default: %(default)s)"
    )
    parser.add_argument("--verbose", action="store_true", help="show what TensorFlow logs, and tracebacks")
    return parser


def _name(text: str) -> str:
    if not text or "/" in text or ":" in text:
        raise argparse.ArgumentTypeError(f"expected a name without '/' and ':', received {text!r}")
    return text


def _port(text: str) -> int:
    return _integer(text, 0, 65535)


def _threads(text: str) -> int:
    return _integer(text, 1, 1024)


def _integer(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected an integer from {least} to {most}, received {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 to 86400, received {text!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
