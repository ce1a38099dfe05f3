"""A worker of a training of several machines, in a process of its own.

python -m trainer.worker FN_ARGS.json

The file has what TFX hands a `run_fn`: {"run_fn": "trainer.gradient_tape.run_fn", "fn_args": {"train_files": [...], ...}}. Which worker
this is, TF_CONFIG says. Everybody gets the same file, the chief too; only the chief writes to the places that are named in it.
"""

import importlib
import json
import os
import sys
import tempfile
import traceback
from typing import NoReturn

from trainer import environment
from trainer.cause import one_line, origin
from trainer.errors import ConfigError, TapelineError


def main(file: str) -> int:
    """Trains as `file` says; the exit status, with one line on stderr where it is not 0."""
    environment.settle()
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:  # TensorFlow removes its own only where a process ends in the usual way: see `end`
        tempfile.tempdir = folder
        try:
            return _train(file)
        finally:
            tempfile.tempdir = before


def _train(file: str) -> int:
    try:
        import tensorflow as tf  # reads the environment

        try:
            with tf.io.gfile.GFile(file) as stream:  # it may lie in a bucket
                said = json.loads(stream.read())
            place, values = said["run_fn"], said["fn_args"]
        except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"Expected a JSON file with `run_fn` and `fn_args`. Received: {file}, {one_line(error)}.") from None
        from tfx.components.trainer.fn_args_utils import FnArgs

        module, _, function = place.rpartition(".")
        getattr(importlib.import_module(module), function)(FnArgs(**values))
    except Exception as error:  # noqa: BLE001 - whatever a training raises ends as one line
        first = origin(error)
        if not isinstance(first, TapelineError):
            traceback.print_exc()
        sys.stderr.write(f"{one_line(error)}\n")
        return getattr(first, "exit_status", 1)
    return 0


def end(status: int) -> NoReturn:
    """Ends the process before TensorFlow takes its connections down, which writes much below the one line where a worker is lost."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Expected one argument, a JSON file. Usage: python -m trainer.worker FN_ARGS.json")
    end(main(sys.argv[1]))
