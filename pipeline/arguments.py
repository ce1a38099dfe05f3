"""What several commands of `tapeline` are made of: a command with its function, and arguments that mean the same everywhere."""

import argparse
from collections.abc import Callable
from typing import Any


def add_command(commands: Any, name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """The parser of the command `name`, which `function` carries out; `text` says what it does."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    return parser


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """-p NAME=VALUE, as `options.parameters`."""
    parser.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="parameters",
        help="set a parameter of the package, like epochs=3; repeatable",
    )
