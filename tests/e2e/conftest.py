"""The `tapeline` command in processes of its own, in a home, a working directory and a TMPDIR that begin empty."""

import dataclasses
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items):
    """Journeys share runs: the first to ask waits for all of them, on a busy machine for minutes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1800))


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a run ended: exit status, `--json`'s record and what was said on stderr."""

    status: int
    record: dict
    stdout: str
    stderr: str

    @property
    def executed(self):
        """The components that were neither taken from the cache nor are a mere look-up."""
        return [each["name"] for each in self.record["components"] if not each["cached"] and each["name"] != "BaselineModel"]


class Place:
    """A folder with an empty home, working directory and TMPDIR, and the root of the runs."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "root"
        for name in ("home", "cwd", "tmp"):
            (folder / name).mkdir(parents=True)

    @property
    def environment(self):
        kept = {name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "KERAS_HOME", "PYTHONHOME")}
        return kept | {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, config, *arguments, code=None, everywhere=""):
        """A run under way; `code` is executed before it in the same process, and `everywhere` first in every process."""
        command = (
            ["-m", "pipeline.cli"]
            if code is None
            else ["-c", code + "\nimport sys; from pipeline import cli; sys.exit(cli.main(sys.argv[1:]))"]
        )
        command = [sys.executable, *command, "run", str(config), "--json", "--root", str(self.root), *arguments]
        environment = self.environment
        if everywhere:
            (self.folder / "site").mkdir(exist_ok=True)
            (self.folder / "site" / "sitecustomize.py").write_text(everywhere)
            environment["PYTHONPATH"] = f"{self.folder / 'site'}{os.pathsep}{environment['PYTHONPATH']}"
        return subprocess.Popen(
            command, cwd=self.folder / "cwd", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, config, *arguments):
        with self.start(config, *arguments) as process:
            stdout, stderr = process.communicate()
        return Answer(process.returncode, json.loads(stdout.splitlines()[-1]), stdout, stderr)

    def tapeline(self, *arguments):
        """Any other command, to its end."""
        command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
        return subprocess.run(command, cwd=self.folder / "cwd", env=self.environment, capture_output=True, text=True)

    def kill_when(self, config, line, *arguments):
        """Ends a run with SIGKILL as soon as it has said that the component `line` has ended."""
        with self.start(config, *arguments) as process:
            said = []
            for text in process.stderr:
                said.append(text)
                if text.split()[1:2] == [line]:
                    break
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, "".join(said)

    def versions(self, name="digits"):
        """What is below the base path, hidden names included."""
        base = self.root / "serving" / name
        return sorted(path.name for path in base.iterdir()) if base.is_dir() else []

    def left_outside(self):
        """Every file and folder that appeared outside the root."""
        return sorted(str(path.relative_to(self.folder)) for name in ("home", "cwd", "tmp") for path in (self.folder / name).rglob("*"))


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """place(name): a new place."""
    return lambda name: Place(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def digits_yaml():
    return CHECKOUT / "configs" / "digits.yaml"


@pytest.fixture(scope="session")
def write_digits_as_idx():
    """write_digits_as_idx(folder, rows, relabel): the bundled digits as a pair of IDX files; `relabel` changes the labels."""
    import numpy as np
    from sklearn.datasets import load_digits

    def write(folder, rows=300, relabel=lambda labels: labels):
        folder.mkdir(parents=True, exist_ok=True)
        digits = load_digits()
        images = np.minimum(digits.images[:rows] * 16, 255).astype(np.uint8)
        labels = relabel(digits.target[:rows].copy()).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"train-{kind}-ubyte").write_bytes(
                struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()
            )

    return write


@dataclasses.dataclass(frozen=True)
class Server:
    """`tapeline serve` under way, the address of its gRPC port, and the model's URL by REST."""

    process: subprocess.Popen
    address: str
    url: str


@pytest.fixture(scope="session")
def serve():
    """serve(place, record): a server of the version that a run has pushed, on free ports, once it has said that it serves.

    It gets a copy of the version by itself, so that later pushes of the same place do not come in between.
    """
    servers = []

    def start(place, record):
        pushed = Path(record["model_dir"])
        base = place.folder / "served" / pushed.parent.name
        shutil.copytree(pushed, base / pushed.name)
        command = [sys.executable, "-m", "pipeline.cli", "serve", "--model_name", base.name, "--model_base_path", str(base)]
        command += ["--port", "auto", "--rest_api_port", "auto"]
        log = (place.folder / "server.log").open("w")
        process = subprocess.Popen(command, cwd=place.folder / "cwd", env=place.environment, stdout=subprocess.PIPE, stderr=log, text=True)
        servers.append((process, log))
        for line in process.stdout:
            if " serves: gRPC " in line:
                return Server(process, *line.split(" serves: gRPC ")[1].strip().split(", REST "))
        raise AssertionError((place.folder / "server.log").read_text())

    yield start
    for process, log in servers:
        process.terminate()
        process.communicate()
        log.close()


@pytest.fixture(scope="session")
def rows_of_test_split():
    """rows_of_test_split(place): (PNGs, labels) of the newest ingested test split."""

    def read(place):
        import tensorflow as tf

        newest = max((place.root / "artifacts" / "ImageExampleGen" / "examples").iterdir(), key=lambda path: int(path.name))
        files = sorted(str(path) for path in (newest / "Split-test").iterdir())
        rows = [tf.train.Example.FromString(record.numpy()).features.feature for record in tf.data.TFRecordDataset(files, "GZIP")]
        return [row["image/encoded"].bytes_list.value[0] for row in rows], [row["image/class/label"].int64_list.value[0] for row in rows]

    return read
