"""A user's own code: text beside the settings, by file -> modules of their own -> what a reference such as `my_steps.py:step` names.

The text crosses a component's boundary with the settings that name it, so that an edit is another setting. No file is read here, nothing
is put on `sys.path`, and two settings in one process have modules of their own.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import hashlib
import json
import posixpath
import re
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.cause import one_line
from trainer.errors import ConfigError, TapelineError, TrainingError, did_you_mean
from trainer.reference import parts

_MARK = "tapeline-code"  # begins the files' names, as tracebacks show them
_FRAME = re.compile(rf"{_MARK}-[0-9a-f]+/(.+)")
_FRAME_IN_TEXT = re.compile(rf'File "{_MARK}-[0-9a-f]+/([^"]+)", line (\d+)')


def load(code: Mapping[str, str], reference: str) -> Any:
    """What `reference` names.

    Equal `code` gives the same modules again, so that a class is one class wherever it is named.

    Args:
      code: the text of each file, and of those beside it that it imports, by the path that references have.
      reference: `FILE.py:NAME`.

    Raises:
      ConfigError: there is no such file or name. TrainingError: the file raises an exception.
    """
    file, name = parts(reference)
    if file not in code:
        raise ConfigError(
            f"Expected the text of '{file}' in `trainer.code`. Received: {', '.join(code) or 'none'}. Load the config's file."
        )
    module = _modules(tuple(sorted(code.items()))).module(file)
    try:
        return getattr(module, name)
    except AttributeError:
        raise ConfigError(f"Expected '{name}' in {file}. Received: none.{did_you_mean(name, vars(module))}") from None


def place(function: Any, reference: str) -> str:
    """`my_steps.py:12`, where the function or class that `reference` names begins; the reference itself where that is not known."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None) or getattr(
        getattr(function, "__init__", None), "__code__", None
    )
    found = _FRAME.fullmatch(code.co_filename) if code else None
    return f"{found[1]}:{code.co_firstlineno}" if found else reference


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Raises TrainingError, one line with the file and the line of the user's code, in place of whatever that code raises.

    `where` stands for the place where no line of the user's code has a part in it, such as a call that it does not take.
    """
    try:
        yield
    except TapelineError:
        raise
    except (Exception, SystemExit) as error:
        raise TrainingError(f"{_last_place(error) or where}: {one_line(error)}") from error


def _last_place(error: BaseException) -> str | None:
    """The file and line of the last frame of the user's code; AutoGraph's own frames say in the text where they come from."""
    found = None
    trace = error.__traceback__
    while trace:
        if match := _FRAME.fullmatch(trace.tb_frame.f_code.co_filename):
            found = f"{match[1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and (match := _FRAME.fullmatch(error.filename or "")):
        return f"{match[1]}:{error.lineno}"
    in_text = _FRAME_IN_TEXT.findall(str(error))
    return f"{in_text[-1][0]}:{in_text[-1][1]}" if in_text else found


@functools.lru_cache(maxsize=8)
def _modules(code: tuple[tuple[str, str], ...]) -> _Modules:
    return _Modules(dict(code))


class _Source:
    """What `linecache` asks for a file that is not on the disk: so tracebacks, `inspect` and AutoGraph have the lines."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, name: str) -> str:
        """The text of the module `name`."""
        del name
        return self._text


class _Modules:
    """The modules of one config's files, each made when it is first asked for."""

    def __init__(self, code: dict[str, str]) -> None:
        self._code = code
        self._digest = hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:12]
        self._made: dict[str, types.ModuleType] = {}

    def module(self, file: str) -> types.ModuleType:
        """The module of the text of `file`."""
        if file in self._made:
            return self._made[file]
        shown, text = f"{_MARK}-{self._digest}/{file}", self._code[file]
        module = types.ModuleType(re.sub(r"\W", "_", f"{file.removesuffix('.py')}_{self._digest}"))
        module.__file__ = shown
        # Statements of import in this module, also those inside of its functions, ask here first.
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": functools.partial(self._import, posixpath.dirname(file))}
        module.__loader__ = _Source(text)
        self._made[file] = sys.modules[module.__name__] = module  # dataclasses and `typing` look there for a class's module
        try:
            with told(file):
                exec(compile(text, shown, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's own code
        except TapelineError:
            del self._made[file], sys.modules[module.__name__]
            raise
        return module

    def _import(
        self,
        folder: str,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        """`__import__`, for which a file of the user's own goes before whatever else has its name."""
        file = posixpath.join(folder, f"{name}.py")
        return self.module(file) if level == 0 and file in self._code else builtins.__import__(name, globals, locals, fromlist or (), level)
