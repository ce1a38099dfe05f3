"""Finds the model that was pushed last below runs/, so that `tapeline serve` and `tapeline predict` need no flags after a run."""

from pathlib import Path

from pipeline.workspace import DEFAULT_PARENT


def with_default_model(arguments: list[str], base_path: bool) -> list[str]:
    """`arguments` with --model_name (and --model_base_path) of the newest push where no model was named.

    Nothing is added where the caller names a model or asks for help, or where nothing was pushed.
    """
    named = any(argument.split("=")[0] in ("--model_name", "--model_base_path", "-h", "--help") for argument in arguments)
    newest = None if named else newest_model(Path(DEFAULT_PARENT))
    if newest is None:
        return arguments
    return [*arguments, f"--model_name={newest.name}", *([f"--model_base_path={newest.absolute()}"] if base_path else [])]


def newest_model(parent: Path) -> Path | None:
    """The folder `*/serving/NAME` below `parent` with the newest version, or None."""
    versions = [path for path in parent.glob("*/serving/*/*") if path.name.isdecimal()]
    return max(versions, key=lambda path: path.stat().st_mtime).parent if versions else None
