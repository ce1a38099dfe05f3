"""The files of a user's own code that a config names, read when it is loaded: without TensorFlow, and nothing of them is executed.

references in `trainer` -> each file's text, and that of the files beside it that it imports -> `trainer.code`
"""

import ast
import os
import posixpath
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trainer.errors import ConfigError, did_you_mean
from trainer.reference import is_reference, parts

_KEYS = ("step", "model", "loss", "metrics")
_OWN_PACKAGES = ("components", "pipeline", "serving", "trainer")
_MOST = 200_000  # characters of all files together: they are part of the package, which Kubernetes keeps in one object


def add_code(values: dict[str, Any], base: Path) -> None:
    """Puts the files that `values`, a config as it is written, names in `trainer` into `trainer.code`, by their paths from `base`.

    Raises:
      ConfigError: a file cannot be read, is no Python or does not have the name that is looked for.
    """
    trainer = values.get("trainer")
    if not isinstance(trainer, dict):
        return
    if "code" in trainer:
        raise ConfigError("trainer.code: Expected none, for it is read from the files that `trainer` names. Received: one. Remove it.")
    found: dict[str, str] = {}
    for key in _KEYS:
        if key in trainer:
            trainer[key] = _mapped(trainer[key], lambda reference, key=key: _add(reference, key, base, found))
    if sum(map(len, found.values())) > _MOST:
        raise ConfigError(
            f"trainer.code: Expected at most {_MOST:,} characters of code. Received: {sum(map(len, found.values())):,} in "
            f"{', '.join(found)}. Install what is not about this model as a package."
        )
    if found:
        trainer["code"] = found


def moved(key: str, value: Any, start: Path, base: Path) -> Any:
    """The value of the setting `key` with references whose files are relative to `start` made relative to `base`."""
    section, _, name = key.partition(".")
    if section != "trainer" or name.partition(".")[0] not in _KEYS:
        return value

    def move(reference: str) -> str:
        file, defined = parts(reference)
        return f"{Path(os.path.relpath(start / Path(file).expanduser(), base)).as_posix()}:{defined}"

    return _mapped(value, move)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with each reference in it changed: alone, in a list, or as a step's `function`."""
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if isinstance(value, dict) and "function" in value:
        return {**value, "function": _mapped(value["function"], change)}
    return change(value) if is_reference(value) else value


def _add(reference: str, key: str, base: Path, found: dict[str, str]) -> str:
    """Adds the file of `reference` and what it imports to `found`; gives the reference with the path that the file has there."""
    written, name = parts(reference)
    file = _relative(written, base)
    tree = _read(file, base, f"trainer.{key}", found)
    names, has_all = _defined(tree.body)
    if name not in names and not has_all:
        raise ConfigError(
            f"trainer.{key}: Expected '{name}' to be defined at the top level of {written}. "
            f"Received: {', '.join(sorted(names)) or 'no names'}.{did_you_mean(name, names)}"
        )
    _add_imported(tree, file, base, f"trainer.{key}", found)
    return f"{file}:{name}"


def _relative(written: str, base: Path) -> str:
    """The path from the config's folder, so that a folder that is moved as a whole has the same settings."""
    path = Path(written).expanduser()
    return Path(os.path.relpath(path, base)).as_posix() if path.is_absolute() else posixpath.normpath(path.as_posix())


def _read(file: str, base: Path, key: str, found: dict[str, str]) -> ast.Module:
    """The syntax of `file`, whose text is added to `found`."""
    path = base / file
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        beside = [other.name for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ConfigError(
            f"{key}: Expected a Python file, its path relative to the config's folder. Received: '{file}', which does not exist in {base}."
            f"{did_you_mean(path.name, beside)} `tapeline new` writes one."
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: Expected a Python file that can be read, in UTF-8. Received: '{file}': {error}.") from None
    found[file] = text
    try:
        with warnings.catch_warnings(action="ignore"):  # such as of `"\d"`, which Python tells where the file is run
            return ast.parse(text, file)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise ConfigError(f"{key}: Expected Python. Received: {file}{line}: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{key}: Expected Python. Received: {file}: {error or 'an expression that is nested too deeply'}.") from None


def _add_imported(tree: ast.Module, file: str, base: Path, key: str, found: dict[str, str]) -> None:
    """Adds the files beside `file` that it imports, those that they import, and so on."""
    folder = posixpath.dirname(file)
    for node, name in _imported(tree):
        beside = posixpath.join(folder, f"{name}.py")
        if isinstance(node, ast.ImportFrom) and node.level:
            raise ConfigError(
                f"{key}: Expected a file beside {file} to be imported by its name alone, `import helpers`. Received: {file}:{node.lineno}, "
                "with a dot. Leave the dot out."
            )
        if beside in found:
            continue
        if (base / beside).is_file():
            _add_imported(_read(beside, base, key, found), beside, base, key, found)
        elif (base / folder / name / "__init__.py").is_file() and name not in _OWN_PACKAGES:
            raise ConfigError(
                f"{key}: Expected {file} to import files beside it, or what is installed. Received: {file}:{node.lineno}, the package "
                f"'{name}' beside it. Put its code into files, or install it."
            )


def _imported(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """The first part of the name of each module that is imported anywhere, with the statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, (node.module or "").partition(".")[0]


def _defined(body: list[ast.stmt]) -> tuple[set[str], bool]:
    """The names that statements at the top level define, those in an `if` or `try` included; and whether others may come by `import *`."""
    names: set[str] = set()
    has_all = False
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
                has_all |= any(alias.name == "*" for alias in node.names)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                handlers = [handler.body for handler in getattr(node, "handlers", [])]
                for part in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", []), *handlers):
                    inner, inner_has_all = _defined(part)
                    names |= inner
                    has_all |= inner_has_all
    return names, has_all
