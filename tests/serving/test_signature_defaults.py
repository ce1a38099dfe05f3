"""Inputs that have a default value in the model's signature: clients, `tapeline predict` and a warm-up file may leave them out."""

import asyncio
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.aio_client import AsyncClient
from serving.client import Client
from serving.errors import InvalidArgumentError
from serving.loadtest.run import make_inputs
from serving.predict import main
from serving.server.saved_model import SavedModel
from serving.server.warmup import WARMUP_FILE, warm_up


def _default():
    """Made when it is asked for: tensors start TensorFlow, and other tests still have to say how many devices it sees."""
    three, hello = tf.constant(3.0), tf.constant(b"hello ")

    class Default(tf.Module):
        """Scales: y = x * times, where `times` is 3 unless it is sent; `greet` gives bytes and a greeting."""

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x"), tf.TensorSpec([], tf.float32, "times")])
        def scale(self, x, times=three):
            return {"y": x * times}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "name"), tf.TensorSpec([], tf.string, "greeting")])
        def greet(self, name, greeting=hello):
            return {"text": greeting + name}

    return Default()


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("default")
    module = _default()
    tf.saved_model.save(module, str(path / "1"), signatures={"serving_default": module.scale, "greet": module.greet})
    return path


@pytest.fixture(scope="module")
def address(serve_here, base_path):
    return serve_here(base_path, "default").grpc


def test_the_clients_send_what_they_are_given(address):
    x = np.float32([1, 2])
    with Client(address, model_name="default") as client:
        assert client.predict({"x": x})["y"].tolist() == [3.0, 6.0]
        assert client.predict({"x": x, "times": 2})["y"].tolist() == [2.0, 4.0]
        assert client.predict({"name": [b"you"]}, "greet")["text"].tolist() == [b"hello you"]

    async def ask():
        async with AsyncClient(address, model_name="default") as client:
            return await client.predict({"x": x})

    assert asyncio.run(ask())["y"].tolist() == [3.0, 6.0]


def test_an_input_without_a_default_is_refused_before_anything_is_sent(address):
    with Client(address, model_name="default") as client:
        with pytest.raises(InvalidArgumentError, match="Missing: x"):
            client.predict({"times": 2})
        with pytest.raises(InvalidArgumentError, match=r"Received: 'time'\. Did you mean 'times'"):
            client.predict({"x": np.float32([1]), "time": 2})


def test_predict_needs_no_column_for_it(address, tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text("x\n1.5\n2\n")
    assert main([str(path), "--model_name", "default", "--server", address, "--json"]) == 0
    assert [json.loads(line)["y"] for line in capsys.readouterr().out.splitlines()] == [4.5, 6.0]


def test_predict_sends_images_to_the_one_input_without_a_default(address, tmp_path, png, capsys):
    path = tmp_path / "seven.png"
    path.write_bytes(png(7))
    assert main([str(path), "--signature_name", "greet", "--model_name", "default", "--server", address, "--json"]) == 0
    assert "hello " in json.loads(capsys.readouterr().out)["text"]


def test_a_load_test_leaves_it_out(address):
    with Client(address, model_name="default") as client:
        inputs = make_inputs(client.signature("greet"), 2, None)
        assert list(inputs) == ["name"]
        assert len(client.predict(inputs, "greet")["text"]) == 2


def test_a_warm_up_request_may_leave_it_out(base_path, tmp_path):
    log = PredictionLog()
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([1])))
    file = tmp_path / WARMUP_FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(log.SerializeToString())
    assert warm_up(tmp_path, SavedModel(base_path / "1")) == ""
