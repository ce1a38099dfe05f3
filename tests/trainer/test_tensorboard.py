"""TensorBoard, started as the documents say, beside the Python that runs the tests."""

import json
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest

from trainer.callbacks import make_callbacks
from trainer.config import TrainerConfig

DOCS = pathlib.Path(__file__).parents[2] / "docs"
DEADLINE = 90  # seconds; a safety net


def documented_commands():
    """Every `tensorboard ...` in the documents."""
    return [command for page in sorted(DOCS.rglob("*.md")) for command in re.findall(r"`(tensorboard [^`]*)`", page.read_text())]


@pytest.fixture
def root(tmp_path):
    """A run's root after a training of one epoch."""
    folder = tmp_path / "runs/digits/artifacts/Trainer/model_run/7"
    folder.mkdir(parents=True)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    callbacks = make_callbacks(TrainerConfig(epochs=1, model="cnn"), str(folder), 1)
    model.fit(np.ones((1, 1)), np.ones((1, 2)), validation_data=(np.ones((1, 1)), np.ones((1, 2))), callbacks=callbacks, verbose=0)
    return tmp_path / "runs/digits"


def answer(url, process):
    """What `url` answers once the server is up."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        assert process.poll() is None, process.stderr.read()
        try:
            with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own port
                return json.load(response)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def test_the_documents_name_the_command():
    assert documented_commands()


@pytest.mark.slow
@pytest.mark.parametrize("command", documented_commands())
def test_tensorboard_starts_and_shows_which_training_it_was(root, command):
    words = shlex.split(re.sub("ROOT|runs/digits", str(root), command))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(pathlib.Path(sys.executable).parent / words[0])
    process = subprocess.Popen(
        [program, *words[1:], "--host", "127.0.0.1", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + DEADLINE
        while not (runs := answer(f"http://127.0.0.1:{port}/data/runs", process)) and time.monotonic() < end:
            time.sleep(0.1)  # it reads the files after it has begun to answer
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)
    assert len(runs) == 2
    for run, split in zip(sorted(runs), ("train", "validation"), strict=True):
        assert re.fullmatch(rf"7/20\d{{6}}-\d{{6}}-fit-cnn/{split}", run)
