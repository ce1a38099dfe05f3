"""Finds what was pushed below runs/, so that `tapeline serve` and `tapeline predict` need no flags after a run."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.workspace import DEFAULT_PARENT
from serving import versions


def with_default_model(arguments: list[str]) -> list[str]:
    """`arguments` of `tapeline serve` with what they leave out: --model_name and --model_base_path.

    Without either it is the model that was pushed last; a name finds its folder below runs/; a folder names the model. Nothing is
    added where help is asked for, where nothing was pushed, or where a config file names the models.
    """
    if {"-h", "--help"} & set(arguments) or _value(arguments, "--model_config_file") is not None:
        return arguments
    name, folder = _value(arguments, "--model_name"), _value(arguments, "--model_base_path")
    newest = newest_model(Path(DEFAULT_PARENT), name or "*") if folder is None else Path(folder)
    if newest is None:
        return arguments
    added = [] if name else [f"--model_name={newest.absolute().name}"]
    return [*arguments, *added, *([f"--model_base_path={newest.absolute()}"] if folder is None else [])]


def names(parent: Path = Path(DEFAULT_PARENT)) -> list[str]:
    """Of the models that were pushed below `parent`, the last one first."""
    return list(dict.fromkeys(folder.name for folder in _pushed(parent, "*")))


def newest_model(parent: Path, name: str = "*") -> Path | None:
    """The folder `*/serving/NAME` below `parent` with the newest version, or None."""
    return next(_pushed(parent, name), None)


def version_folder(parent: Path, name: str, version: int) -> Path | None:
    """The folder of a model's version that was pushed below `parent`, or None."""
    return next((path for path in parent.glob(f"*/serving/{name}/*") if versions.parse(path.name) == version and path.is_dir()), None)


def _pushed(parent: Path, name: str) -> Iterator[Path]:
    """A model's folder for each of its versions, the last one first."""
    pushed = [path for path in parent.glob(f"*/serving/{name}/*") if versions.parse(path.name) is not None and path.is_dir()]
    return (path.parent for path in sorted(pushed, key=lambda path: path.stat().st_mtime, reverse=True))


def is_newest(version: str) -> bool:
    """Whether the version folder is there and no sibling has a higher number; remote ones, which are not looked at, count as such."""
    if "://" in version:
        return True
    folder = Path(version)
    number = versions.parse(folder.name)
    if number is None or not folder.is_dir():
        return False
    return number == max(versions.by_number(path.name for path in folder.parent.iterdir() if path.is_dir()))


def _value(arguments: list[str], flag: str) -> str | None:
    """What `--flag VALUE` or `--flag=VALUE` says."""
    for index, argument in enumerate(arguments):
        given, equals, value = argument.partition("=")
        if given == flag:
            return value if equals else next(iter(arguments[index + 1 :]), "")
    return None
