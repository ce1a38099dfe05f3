"""Whether a run can use a root: its name, and what already lies in it; found out before anything is written.

root -> signs that the libraries take for patterns? -> files where folders belong, or folders where files belong? -> ConfigError
"""

from pathlib import Path

from pipeline.workspace import Workspace
from trainer.errors import ConfigError

# TFX, Beam and TensorFlow glob below the root, without a way to quote; Keras formats the paths of its weights with str.format.
PATTERN_SIGNS = "*?[{}\\"
# TensorFlow looks for a SavedModel's variables by a pattern: neither `tapeline serve` nor TensorFlow Serving could load what lies there.
UNLOADABLE_SIGNS = "[\\"


def check_name(place: str, setting: str, signs: str = PATTERN_SIGNS) -> None:
    """Raises ConfigError where the path or URL `place`, which `setting` names, has one of `signs` in it."""
    sign = next((sign for sign in place if sign in signs), None)
    if sign is not None:
        raise ConfigError(
            f"Expected {setting} to name a folder without {' '.join(signs)}, which TFX, Beam, Keras and TensorFlow take for patterns. "
            f"Received: '{place}', with '{sign}'. Rename the folder, or give another one."
        )


def check_root(workspace: Workspace) -> None:
    """Raises ConfigError where the root's name would be taken for a pattern, or where something of another kind is in a file's place."""
    check_name(str(workspace.root), "--root")
    root = workspace.root
    for path in (workspace.metadata, workspace.last_run, root / ".lock", root / "metadata.json"):
        if path.exists() and not path.is_file():
            raise _wrong_kind(path, "file", "folder" if path.is_dir() else "special file")
    for path in (workspace.artifacts, workspace.schemas, workspace.logs, workspace.temporary, root / "serving", root / "pods"):
        if path.exists() and not path.is_dir():
            raise _wrong_kind(path, "folder", "file")


def check_base_path(folder: str, setting: str) -> None:
    """Raises ConfigError where no version could be written or loaded: found now, and not after the training."""
    check_name(folder, setting, UNLOADABLE_SIGNS)
    if "://" in folder:
        return
    for path in (Path(folder), *Path(folder).parents):
        if path.exists() and not path.is_dir():
            raise ConfigError(
                f"Expected {setting} to name a folder. Received: '{path}', which is a file. Move it away, or give another folder."
            )


def _wrong_kind(path: Path, expected: str, found: str) -> ConfigError:
    return ConfigError(f"Expected '{path}' to be a {expected}. Received: a {found}. Move it away, or give another root with --root DIR.")
