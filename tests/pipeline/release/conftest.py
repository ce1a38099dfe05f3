"""`tapeline release` as it is called, a config to try it on, and one running server that polls such a config."""

import dataclasses
import itertools
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from pipeline import cli


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def release(capsys):
    """Called with arguments of `tapeline release`."""

    def call(*arguments):
        capsys.readouterr()
        try:
            status = cli.main(["release", *map(str, arguments)])
        except SystemExit as end:
            status = end.code
        return Answer(status, *capsys.readouterr())

    return call


@pytest.fixture
def push():
    """Called with a base path and numbers: folders that look like pushed versions; nobody loads them."""

    def write(base_path, *numbers):
        for number in numbers:
            folder = Path(base_path) / str(number)
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").touch()

    return write


@pytest.fixture
def config_file(tmp_path, push):
    """A file as before the first release, with versions 1 to 5 of `digits` pushed."""
    push(tmp_path / "digits", 1, 2, 3, 4, 5)
    path = tmp_path / "models.config"
    path.write_text(
        "# Served on the small machine.\n\n"
        f'model_config_list {{ config {{ name: "digits" base_path: "{tmp_path}/digits" model_platform: "tensorflow" }} }}\n'
    )
    return path


class Entry(NamedTuple):
    """What a config says of a model."""

    labels: dict
    versions: list


@pytest.fixture
def entry():
    """Called with a config's text (or its file): what it says of `digits`, or of another model."""

    def read(config, name="digits"):
        text = config.read_text() if isinstance(config, Path) else config
        models = text_format.Parse(text, ModelServerConfig()).model_config_list.config
        model = next(model for model in models if model.name == name)
        return Entry(dict(model.version_labels), list(model.model_version_policy.specific.versions))

    return read


class Running:
    """A server that polls `config`, in which every test has a model of its own."""

    def __init__(self, folder):
        self.folder, self.config, self.target, self.still_runs = folder, folder / "models.config", None, None
        self._names = (f"model_{number}" for number in itertools.count())

    def add_one_more(self, *versions):
        """A model with these real versions, served by `latest` as before a first release; returns its name once the newest answers."""
        from tests.serving.conformance.models import write_version
        from tests.serving.conformance.target import eventually

        name = next(self._names)
        for version in versions:
            write_version(self.folder / name, version)
        entry = f'config {{ name: "{name}" base_path: "{self.folder}/{name}" model_platform: "tensorflow" }}'
        message = text_format.Parse(f"model_config_list {{ {entry} }}", ModelServerConfig())
        whole = text_format.Parse(self.config.read_text(), ModelServerConfig()) if self.config.exists() else ModelServerConfig()
        whole.MergeFrom(message)
        copy = self.config.with_suffix(".new")
        copy.write_text(text_format.MessageToString(whole))
        copy.rename(self.config)
        if self.target is not None:
            eventually(lambda: self.serves(name) == max(versions))
        return name

    def serves(self, name, label=""):
        """The version that answers."""
        import grpc

        try:
            return self.target.version(name, label=label)
        except grpc.RpcError as error:
            assert self.still_runs()
            return error.code().name

    def log(self):
        """What the server has said."""
        return (self.folder / "server.log").read_text()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """This project's server on a free port; it looks at its files twenty times a second."""
    from tests.serving.conformance.own_server import started, still_runs, wait_for_models

    folder = tmp_path_factory.mktemp("released")
    new = Running(folder)
    new.add_one_more(1)
    flags = {
        "model_config_file": new.config,
        "model_config_file_poll_wait_seconds": 0.05,
        "file_system_poll_wait_seconds": 0.05,
        "max_num_load_retries": 0,
        "allow_version_labels_for_unavailable_models": "true",
    }
    with started(folder, flags) as (target, process):
        new.target, new.still_runs = target, lambda: still_runs(folder, process)
        wait_for_models(target, text_format.Parse(new.config.read_text(), ModelServerConfig()), new.still_runs)
        yield new
