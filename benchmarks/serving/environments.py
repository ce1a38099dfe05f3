"""An environment of its own for each competitor, made once by uv from its pinned and hashed packages, in a folder git does not see.

fingerprint = hash of the pinned packages; where the folder carries another: empty environment -> packages -> the fingerprint, last
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from scripts import environment
from trainer.errors import TapelineError

_PINNED = Path(__file__).parent / "environments"
_STAMP = "fingerprint"


class EnvironmentMissing(Exception):
    """An environment could not be made; the text is one line that says why and what to do."""


def bring(name: str, cache: Path) -> Path:
    """The `bin` folder of the environment called `name`; made first if it is not there or its packages have changed.

    Raises:
      EnvironmentMissing: there is no uv, or the package index does not answer.
    """
    packages = _PINNED / f"{name}.txt"
    folder = (cache / name).absolute()
    fingerprint = hashlib.sha256(packages.read_bytes()).hexdigest()
    if not (folder / _STAMP).exists() or (folder / _STAMP).read_text() != fingerprint:
        print(f"bench-serving: making the environment of {name}, some minutes the first time", file=sys.stderr, flush=True)
        _make(folder, packages)
        (folder / _STAMP).write_text(fingerprint)
    return folder / "bin"


def _make(folder: Path, packages: Path) -> None:
    try:
        uv = environment.find_or_bring_uv()
    except TapelineError as error:
        raise EnvironmentMissing(f"{packages.stem} is skipped: {error}") from error
    sync = ["pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", str(folder / "bin" / "python"), str(packages)]
    for step in (["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], sync):
        result = subprocess.run(
            [uv, *step], env=environment.uv_environment(os.environ, environment.pip_settings()), stderr=subprocess.PIPE, text=True
        )
        if result.returncode:
            said = " ".join(result.stderr.split())[:300]
            raise EnvironmentMissing(f"{packages.stem} is skipped, its packages could not be had (is the package index reached?): {said}")
