"""A checkout as a reader has it, where the documented commands are typed: a copy of this one, with the environment that runs the tests.

What a reader puts in place of a name (`FOLDER`, `VERSION`, ...) is put in here, and so are free ports.
"""

import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.documents.commands import CHECKOUT, PAGES, Command

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".tools", "__pycache__", ".*_cache")
_SECONDS = 900  # for one command, on a busy machine
_READY = {"tapeline serve": r" serves: gRPC ([^,]+), REST http://([^/]+)/", "tensorboard": r"http://"}  # what a server says at last


class Sandbox:
    """The checkout, its home and its server; `address` and `rest_address` are the server's. Other models have servers of their own."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.home = folder / "checkout", folder / "home"
        self.address = self.rest_address = ""
        self._servers = []
        self._served = {}  # the gRPC address of the first server of each model
        shutil.copytree(CHECKOUT, self.checkout, ignore=_not_copied)
        (self.home / "tmp").mkdir(parents=True)
        self._bring_environment()
        self._data = _write_pictures(self.home / "data")
        _write_table(self.checkout / "my.csv")

    def prepare(self) -> None:
        """Adds what the pages take for granted once `make run` has pushed a version: older versions, a config of models, a server."""
        models = self.checkout / "runs" / "digits" / "serving" / "digits"
        [pushed] = models.iterdir()
        for copy in (models / "1", self.home / "labelled" / "3", self.home / "labelled" / "4"):
            shutil.copytree(pushed, copy)
        [config] = {
            block for page in PAGES for block in re.findall(r"^# models\.config\n[^`]*", (CHECKOUT / page).read_text(), re.MULTILINE)
        }
        (self.checkout / "models.config").write_text(re.sub('(base_path: )".*"', rf'\1"{self.home}/labelled"', config))
        flags = "--request_log_dir logs --request_log_sampling_rate 1"
        self.address, self.rest_address = self.start(f"tapeline serve --port 0 --rest_api_port 0 {flags}")

    def run(self, command: Command) -> subprocess.CompletedProcess:
        """Types the command and waits for its end; stdout and stderr are one text."""
        (self.checkout / "configs" / "digits.schema.pbtxt").unlink(missing_ok=True)  # a review that another command has begun
        typed = ["python", "-c"] if command.language == "python" else ["bash", "-euc"]
        return subprocess.run(
            [*typed, self.filled_in(command.text)],
            cwd=self.checkout,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def is_server(self, command: Command) -> bool:
        """Whether it goes on until it is ended."""
        return command.text.startswith(tuple(_READY))

    def start(self, text: str) -> tuple[str, ...]:
        """Starts a server and waits until it says that it answers; returns what `_READY` looks for. `close` ends it."""
        ready = next(pattern for program, pattern in _READY.items() if text.startswith(program))
        process = subprocess.Popen(
            ["bash", "-euc", f"exec {text}"],
            cwd=self.checkout,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._servers.append(process)
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(ready, line):
                if " serves: " in line:
                    self._served.setdefault(line.split()[0], found[1])
                return found.groups()
        raise AssertionError("".join(said))

    def close(self) -> None:
        """Ends the servers."""
        for process in self._servers:
            process.terminate()
            process.communicate(timeout=60)
        self._servers.clear()

    def filled_in(self, text: str) -> str:
        """The command as a reader types it, on this machine."""
        named = re.search(r"--model_name (\w+)", text)
        address = self._served.get(named[1], self.address) if named else self.address
        for pattern, value in [
            (r"^tapeline init PATH\b", f"tapeline init {self._data}"),
            (r"\[?\bCONFIG\b\]?", "configs/digits.yaml"),
            (r"\bPACKAGE\b", "pipeline.yaml"),
            (r"\bFILE\.\.\.", "seven.png"),
            (r"\bCOMMAND\b", "run"),
            (r"\bCOLUMN\b", "kind"),
            (r"\bFOLDER\b", str(self._data)),
            (r"\bROOT\b", "runs/digits"),
            (r"\bDIR\b", str(self.home / "models")),
            (r"\bVERSION\b", "1"),
            (r"--rate R\b", "--rate 50 --duration 1"),
            (r"--duration \d\d\b", "--duration 1"),
            (r"^tapeline serve\b", "tapeline serve --port 0 --rest_api_port 0"),
            (r"^tensorboard\b", "tensorboard --port 0"),
            (r"^tapeline (predict|loadtest)\b(?! --model_dir)", rf"tapeline \1 --server {address}"),
            (r"Client\(model_name", f'Client("{self.address}", model_name'),
            (r"127\.0\.0\.1:8501\b", self.rest_address),
            # Without a folder it downloads MNIST.
            (r"^(tapeline run configs/mnist\.yaml)(?!.*data\.path)", rf"\1 --set data.path={self._data}"),
        ]:
            text = re.sub(pattern, value, text, flags=re.MULTILINE)
        return text

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "XDG_", "KERAS", "MAKE"))}
        return kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "PATH": f"{self.checkout}/.venv/bin:{kept['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _bring_environment(self) -> None:
        """A `.venv` that `make` takes for complete, made of links to the one that runs the tests."""
        spec = importlib.util.spec_from_file_location("environment_of_sandbox", self.checkout / "scripts" / "environment.py")
        environment = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(environment)
        sys.path.remove(str(self.checkout))  # it puts itself there
        environment.VENV.mkdir()
        for path in Path(sys.prefix).iterdir():
            if path.name != environment.STAMP.name:
                (environment.VENV / path.name).symlink_to(path)
        environment.STAMP.write_text(environment.fingerprint_of(environment.choose()))


def _write_pictures(folder: Path, rows: int = 1500) -> Path:
    """Pictures of ten kinds that are easy to tell apart, each a bar at a height of its own in noise, as gzip-less IDX files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    labels = np.arange(rows, dtype=np.uint8) % 10
    images = random.integers(0, 60, (rows, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 2 : 2 * label + 6] += 180
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        (folder / name).write_bytes(struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes())
    return folder


def _write_table(path: Path, rows: int = 300) -> None:
    """A table whose column `kind` follows from the two others."""
    numbers = np.random.default_rng(0).normal(size=(rows, 2)).round(3)
    lines = [f"{width},{height},{'wide' if width > height else 'high'}" for width, height in numbers]
    path.write_text("\n".join(["width,height,kind", *lines]) + "\n", encoding="utf-8")


def _not_copied(folder: str, names: list[str]) -> set[str]:
    """What is no part of the checkout; `runs` at its top alone, since a package of `pipeline` has that name too."""
    return _NOT_COPIED(folder, names) | ({"runs"} if Path(folder) == CHECKOUT else set())
