"""What `tapeline init` is asked for, and what it comes to."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import RenderableType

Ask = Callable[[str, str], str]  # (question, proposed answer) -> answer


class Request(NamedTuple):
    """What the command line says.

    Attributes:
      path: the file, folder or pattern, as it was given.
      name: of the pipeline.
      output: where the config goes.
      label: the column that is predicted, None where it was not given.
      task: its kind, None where it was not given.
      ask: asks a person; None where what is not given is assumed, and `assume` says whether it may be.
      assume: whether to go on with what is assumed where nobody can be asked.
      pattern: of the spans of which `path` is the newest; None where there are no spans.
      shown: puts the names in a bucket, of which `path` is a copy, into a text; None of data on this machine.
    """

    path: str
    name: str
    output: Path
    label: str | None = None
    task: str | None = None
    ask: Ask | None = None
    assume: bool = False
    pattern: str | None = None
    shown: Callable[[str], str] | None = None


class Proposal(NamedTuple):
    """A config, and what a person should know about it.

    Attributes:
      text: the YAML.
      found: what was found in the data, to be printed in this order: lines, and what rich renders.
      warnings: what speaks against the data or what was assumed, one sentence or two each.
    """

    text: str
    found: list[RenderableType]
    warnings: list[str]
