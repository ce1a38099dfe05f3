"""Which extra of the package a command needs, for those who have installed it without: `pip install 'tapeline[client]'` has few of them."""

import contextlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator

from trainer.errors import ConfigError

_EXTRAS = {"predict": ["client"], "loadtest": ["client"], "serve": ["server"], "kubeflow": ["pipeline", "kubeflow"]}
_OTHERS = ["pipeline"]
_PYTHON = (3, 11)  # of every extra but the client (setup.py)


@contextlib.contextmanager
def extra_of(command: str) -> Iterator[None]:
    """Raises ConfigError, which names the extra, where an import fails because the command's extra is not installed."""
    try:
        yield
    except ImportError as error:  # on an older Python also of a name that only newer ones have
        extras = _EXTRAS.get(command, _OTHERS)
        missing = _missing(extras)
        if not missing:  # the module is another's: a bug, or the user's own
            raise
        named = f"tapeline[{','.join(extras)}]"
        raise ConfigError(f"`tapeline {command}` needs {named}. Missing: {_listed(missing)}. Next: {_next(named, extras)}") from error


def _missing(extras: list[str]) -> list[str]:
    """The distributions that the extras name and that are not installed; none where the package itself is not."""
    try:
        required = importlib.metadata.requires("tapeline") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted = {re.match(r"[A-Za-z0-9._-]+", line)[0] for line in required if any(re.search(f"extra == .{extra}.", line) for extra in extras)}
    return sorted(name for name in wanted if not _is_installed(name))


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _next(named: str, extras: list[str]) -> str:
    if extras != ["client"] and sys.version_info[:2] != _PYTHON:
        return f"a Python 3.11, which it needs (this is {sys.version_info[0]}.{sys.version_info[1]}), and there pip install '{named}'"
    return f"pip install '{named}'"
