"""How long and with what each part measures."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Set by the flags of the command.

    Attributes:
      rounds: turns of each side.
      seconds: of each turn of throughput.
      server_flags: for `tapeline serve`, besides the model and the ports.
      requests: of the memory part.
      cache: where the competitors' environments are kept.
    """

    rounds: int = 7
    seconds: float = 2.0
    server_flags: tuple[str, ...] = ()
    requests: int = 200_000
    cache: Path = Path(".tools/bench")
