"""A tiny real SavedModel in as many versions as wanted, and a server in this process that serves it on free ports.

A version is recognised by what it answers: its constant is added to the class.
"""

import functools
import io
import os
import shutil
import socket
import types
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest


@pytest.fixture(scope="session")
def write_version(tmp_path_factory):
    """Called with base path, number and constant it puts a loadable version there, whole at once, and returns its folder."""
    templates = tmp_path_factory.mktemp("templates")

    def write(base_path: Path, number: int | str, constant: int) -> Path:
        template = templates / str(constant)
        if not template.exists():
            _save_model(template, constant)
        base_path.mkdir(parents=True, exist_ok=True)
        copy = base_path / f"copy-of-{number}"
        shutil.copytree(template, copy)
        return copy.rename(base_path / str(number))

    return write


def _save_model(path: Path, constant: int) -> None:
    import tensorflow as tf

    from serving.server.saved_model import ROWS_INDEPENDENT

    def spec(shape, dtype):
        return tf.TensorSpec(shape, dtype)

    class Digits(tf.Module):
        def __init__(self):
            super().__init__()
            self.constant = tf.Variable(constant, dtype=tf.int64)

        @tf.function(input_signature=[spec([None, 28, 28, 1], tf.uint8)])
        def predict_pixels(self, pixels):
            flat = tf.reshape(tf.cast(pixels, tf.int64), [-1, 784])
            classes = (flat[:, 0] + self.constant) % 10
            return {"probabilities": tf.one_hot(classes, 10) * 0.9 + 0.01, "classes": classes}

        @tf.function(input_signature=[spec([None], tf.string)])
        def predict_image(self, image):
            def decode(content):
                return tf.ensure_shape(tf.io.decode_image(content, channels=1, expand_animations=False), [28, 28, 1])

            return self.predict_pixels(tf.map_fn(decode, image, fn_output_signature=tf.TensorSpec([28, 28, 1], tf.uint8)))

        @tf.function(input_signature=[spec([None], tf.string)])
        def serving_default(self, examples):
            features = tf.io.parse_example(examples, {"image/encoded": tf.io.FixedLenFeature([], tf.string)})
            return self.predict_image(features["image/encoded"])

        @tf.function(input_signature=[spec([None], tf.float32), spec([None], tf.float32)])
        def add(self, a, b):
            return {"sum": a + b}

        @tf.function(input_signature=[spec([None], tf.string)])
        def echo(self, text):
            return {"text": text, "raw_bytes": text}

        @tf.function(input_signature=[spec([], tf.string), spec([], tf.string)])
        def meet(self, here, there):
            """Writes into two named pipes, one after the other: each waits until the test opens it for reading."""
            tf.io.write_file(here, "in flight")
            tf.io.write_file(there, "answered")
            return {"constant": tf.identity(self.constant)}

    module = Digits()
    names = ("serving_default", "predict_image", "predict_pixels", "add", "echo", "meet")
    tf.saved_model.save(module, str(path), signatures={name: getattr(module, name) for name in names})
    mark = path / ROWS_INDEPENDENT  # as the project's own exports have it
    mark.parent.mkdir()
    mark.touch()


@functools.cache
def _png(first_pixel: int) -> bytes:
    from PIL import Image

    pixels = np.zeros((28, 28), np.uint8)
    pixels[0, 0] = first_pixel
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def png():
    """Called with n: a 28 x 28 PNG that version 'constant c' puts into class (n + c) % 10."""
    return _png


@pytest.fixture(scope="session")
def serve_here():
    """Called with a base path: its models behind both real transports in this process, polled by the test itself."""
    from serving.server.answering import answer_on
    from serving.server.batching_parameters import BatchingParameters
    from serving.server.drain import Door
    from serving.server.event_loop import EventLoop
    from serving.server.grpc_transport import Observers
    from serving.server.metrics import Metrics
    from serving.server.model_config import single_model
    from serving.server.models import Models
    from serving.server.ports import bind_grpc, bind_rest
    from serving.server.prometheus import CONTENT_TYPE
    from serving.server.rest_limits import RestLimits

    running = []

    def start(base_path: Path, name: str = "digits", report=lambda event: None, patience: float = 10.0, reload_refusal: str = "", **limits):
        models, door, loop = Models(report=report, patience=patience), Door(), EventLoop()
        models.start(single_model(name, base_path))
        models.poll()
        metrics = Metrics(models.served, lambda: door.inside)
        grpc_server, grpc_port = loop.run(bind_grpc("127.0.0.1", 0))
        listener = bind_rest("127.0.0.1", 0)
        pages = {"/monitoring/prometheus/metrics": lambda: (CONTENT_TYPE, metrics.page())}
        observers = Observers(metrics, door)
        parameters = BatchingParameters()
        answering = answer_on(grpc_server, listener, models, observers, parameters, metrics, pages, reload_refusal, RestLimits(**limits))
        stop = loop.run(answering)
        running.append((loop, grpc_server, stop))
        rest = f"127.0.0.1:{listener.getsockname()[1]}"
        callers = observers.grpc_callers
        return types.SimpleNamespace(models=models, door=door, callers=callers, loop=loop, grpc=f"127.0.0.1:{grpc_port}", rest=rest)

    yield start
    for loop, grpc_server, stop in running:
        loop.run(grpc_server.stop(0))
        loop.run(stop())
        loop.stop()


@pytest.fixture(scope="session")
def served(write_version, serve_here, tmp_path_factory):
    """Version 7 (constant 3) of `digits`, served here for the tests that change nothing."""
    base_path = tmp_path_factory.mktemp("base")
    write_version(base_path, 7, 3)
    return serve_here(base_path)


@pytest.fixture
def free_port():
    """A port of 127.0.0.1 on which nobody listens, held (but not listened on) while the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
