"""`tapeline show model`: the layers of a config's model as a table, and as a drawing. Help answers without importing TensorFlow."""

import argparse
import shutil
from pathlib import Path
from typing import Any

from pipeline.subcommand import add_command
from trainer.errors import ConfigError

_WIDE = 1000  # columns of what is no terminal


def add_to(commands: Any) -> argparse.ArgumentParser:
    """Adds the command to the parser of `tapeline`; returns the parser, which takes a config."""
    show = commands.add_parser("show", help="show the model of a config").add_subparsers(metavar="COMMAND", required=True)
    model = add_command(show, "model", _run, "print the model's layers with their shapes and sizes")
    model.add_argument("--root", metavar="DIR", type=Path, help="folder of the run whose features the model takes (default: runs/NAME)")
    model.add_argument("-o", "--output", metavar="FILE.svg", type=Path, help="draw the layers, too")
    return model


def _run(options: argparse.Namespace) -> int:
    from pipeline import config, workspace
    from pipeline.runs.quiet import output_hidden

    output: Path | None = options.output
    if output and output.suffix != ".svg":
        raise ConfigError(f"Expected -o to be an SVG file, such as model.svg. Received: '{output}'.")
    settings = config.load(options.config, options.overrides)
    root = workspace.Workspace(options.root or workspace.default_root(settings))
    with output_hidden():
        from pipeline import model_drawing, model_view

        model = model_view.model_of(settings, root, options.config)
        text = model_view.summary(model, shutil.get_terminal_size((_WIDE, 0)).columns)
        if output:
            output.write_text(model_drawing.svg(model), encoding="utf-8")
    print(text)
    if output:
        print(f"Wrote {output}.")
    return 0
