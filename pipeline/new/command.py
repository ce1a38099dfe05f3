"""`tapeline new step|model`: a commented skeleton of the user's own code with a test beside it, and what to put into the config.

The skeletons are the modules beside this one, written out under the user's name. Nothing here imports TensorFlow.
"""

import argparse
import functools
import keyword
import shlex
from pathlib import Path
from typing import Any

from pipeline.plain import command
from pipeline.subcommand import add_command
from trainer.errors import ConfigError

_HERE = Path(__file__).resolve().parent
_NAME = "my_code"  # what the skeletons call themselves
_DEFAULTS = {"step": Path("my_steps.py"), "model": Path("my_model.py")}
_FUNCTIONS = {"step": "step", "model": "build"}


def add_to(commands: Any) -> None:
    """Adds `new` to the parser of `tapeline`."""
    group = commands.add_parser("new", help="write a skeleton of a step or a model of your own").add_subparsers(
        metavar="COMMAND", required=True
    )
    for kind, text in (("step", "write a training step of your own, with a test"), ("model", "write a model of your own, with a test")):
        parser = add_command(group, kind, functools.partial(_new, kind), text)
        default = _DEFAULTS[kind]
        parser.add_argument("-o", "--output", metavar="FILE", type=Path, default=default, help=f"the file (default: {default})")


def _new(kind: str, options: argparse.Namespace) -> int:
    output: Path = options.output
    test = _test_of(output)
    for file, source in ((output, f"{kind}.py"), (test, f"{kind}_test.py")):
        _write(file, (_HERE / source).read_text(encoding="utf-8").replace(_NAME, output.stem))
    loop = "\n  loop: gradient_tape" if kind == "step" else ""
    print(f"Wrote {output} and {test}. Try them: {shlex.join(['python', '-m', 'pytest', str(test)])}")
    print(f"In a config in the same folder:\n\ntrainer:{loop}\n  {kind}: {output.name}:{_FUNCTIONS[kind]}\n")
    print(f"Next:   {command('config', 'check', 'CONFIG')}\nThen:   {command('run', 'CONFIG')}")
    return 0


def _test_of(output: Path) -> Path:
    """The file of the tests. Raises ConfigError where one of both cannot be written."""
    if output.suffix != ".py" or not output.stem.isidentifier() or keyword.iskeyword(output.stem):
        raise ConfigError(f"Expected -o to be a Python file, such as my_code.py, whose name can be imported. Received: '{output}'.")
    test = output.with_name(f"test_{output.name}")
    for file in (output, test):
        if file.exists():
            raise ConfigError(f"Expected no file yet at '{file}'. Received: one, which is left as it is. Give another with -o FILE.")
    return test


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigError(f"Expected '{file}' to be a file that can be written. Received: {error.strerror}. Give -o FILE.") from None
