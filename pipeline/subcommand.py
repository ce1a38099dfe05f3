"""A command below `tapeline` or one of its groups: its parser, with the function that carries it out."""

import argparse
from collections.abc import Callable
from typing import Any


def add_command(commands: Any, name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """The parser of the command `name`, which `function` carries out; `text` says what it does."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    return parser
