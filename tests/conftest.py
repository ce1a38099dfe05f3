"""What holds for every test: Keras 3, a quiet TensorFlow, and temporary files below pytest's own folder."""

import gc
import os
import signal
import tempfile
from pathlib import Path

# Before anything imports TensorFlow or TFT (docs/adr/0002); child processes inherit them.
os.environ["TF_USE_LEGACY_KERAS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

# What a shell runs in the background ignores SIGINT, and `nohup` SIGHUP: programs that tests start would inherit it, and a test that
# sends them one would wait for ever. A handler is not inherited; one that does nothing ignores the signal here all the same.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


@pytest.fixture
def ctrl_c():
    """For tests that send SIGINT to their own process: it is a KeyboardInterrupt, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module", autouse=True)
def garbage():
    """Graphs and models are cycles: without this those of one file's tests stay, and each collection has more to look through."""
    yield
    gc.collect()
    gc.freeze()  # what is left stays to the end, as imports do


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory):
    """What TensorFlow and Beam leave (`__autograph_generated_file*`, `beam-temp*`) goes the way of pytest's own folders."""
    folder = str(tmp_path_factory.mktemp("tmpdir"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield folder


def pytest_addoption(parser):
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them: make golden")


@pytest.fixture
def golden(request):
    """golden(name, text): `text` must be what `tests/golden/NAME` holds; with --golden the file is written instead."""

    def compare(name, text):
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text, f"{name} differs. If that is meant, run `make golden`, read the difference, and commit it."

    return compare


@pytest.fixture
def bucket_server(monkeypatch):
    """A Cloud Storage of this process alone, which Google's libraries, also in child processes, take for theirs."""
    from tests.bucket_server import BucketServer

    with BucketServer() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server
