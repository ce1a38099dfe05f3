"""The client against the real server of this process."""

import asyncio
import socket

import numpy as np
import pytest
import tensorflow as tf

from serving.aio_client import AsyncClient
from serving.client import Client, State
from serving.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InputFileError,
    InvalidArgumentError,
    NotFoundError,
    ServingError,
    UnavailableError,
    error_for_code,
)


@pytest.fixture(scope="module")
def client(served):
    with Client(served.grpc, model_name="digits") as client:
        yield client


def test_images_as_bytes_and_as_paths_come_back_in_order_over_several_batches(client, png, tmp_path):
    path = tmp_path / "nine.png"
    path.write_bytes(png(9))
    prediction = client.predict_images([png(n % 250) for n in range(1000)] + [path, str(path)])
    expected = [(n % 250 + 3) % 10 for n in range(1000)] + [2, 2]
    assert prediction.classes.tolist() == expected
    assert (prediction.classes.dtype, prediction.probabilities.dtype) == (np.int64, np.float32)
    assert prediction.probabilities.shape == (1002, 10)
    assert prediction.probabilities.argmax(axis=1).tolist() == expected
    assert prediction.version == 7


def test_no_images_are_an_empty_prediction_of_the_right_shapes(client):
    prediction = client.predict_images([])
    assert (prediction.classes.shape, prediction.probabilities.shape) == ((0,), (0, 10))


def test_examples_use_the_default_signature(client, png):
    example = tf.train.Example()
    example.features.feature["image/encoded"].bytes_list.value.append(png(5))
    assert client.predict_examples([example.SerializeToString()]).classes.tolist() == [8]


def test_any_signature_takes_and_gives_arrays(client):
    outputs = client.predict({"a": np.float32([1, 2]), "b": np.float32([3, 4])}, "add", version=7)
    assert outputs["sum"].tolist() == [4.0, 6.0]
    assert client.predict({"text": [b"nul\0"]}, "echo", output_filter=["raw_bytes"])["raw_bytes"].tolist() == [b"nul\0"]


def test_the_status_is_typed(client):
    (status,) = client.status()
    assert (status.version, status.state, status.error_message) == (7, State.AVAILABLE, "")


def test_every_error_has_its_type_and_the_servers_own_words(client, png):
    with pytest.raises(NotFoundError, match=r"^Servable not found for request: Specific\(digits, 1\)$"):
        client.predict_images([png(0)], version=1)
    with pytest.raises(FailedPreconditionError, match=r'^Serving signature key "nope" not found.$'):
        client.predict({}, "nope")
    with pytest.raises(InvalidArgumentError, match="Unknown image file format"):
        client.predict_images([png(0), b"no image"])
    with (
        Client(client.address, model_name="digits", check=False) as unchecked,
        pytest.raises(InvalidArgumentError, match=r"Expects arg.0. to be float but double is provided"),
    ):
        unchecked.predict({"a": [1.0], "b": [1.0]}, "add")
    with pytest.raises(NotFoundError, match=r"^Could not find version 3 of model digits$"):
        client.status(3)


def test_a_missing_file_is_named_before_anything_is_sent():
    with Client("127.0.0.1:1", model_name="digits") as client, pytest.raises(InputFileError, match=r"none.png: expected an image file"):
        client.predict_images(["none.png"])


def test_an_unreachable_server_is_one_line_that_says_how_to_start_one(free_port):
    with Client(f"127.0.0.1:{free_port}", model_name="digits") as client, pytest.raises(UnavailableError) as caught:
        client.status()
    assert str(caught.value) == (
        f"No server answers at 127.0.0.1:{free_port}. Start one: tapeline serve --model_name digits; or name another address."
    )


def test_the_deadline_ends_a_request_that_takes_too_long():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        expected = pytest.raises(DeadlineExceededError, match=f"^No answer from {address} within 0.2 seconds.$")
        with Client(address, model_name="digits", deadline=0.2) as impatient, expected:
            impatient.status()


def test_every_error_is_a_serving_error_and_an_unknown_code_is_kept():
    assert isinstance(error_for_code("NOT_FOUND", "x"), NotFoundError)
    other = error_for_code("DATA_LOSS", "x")
    assert isinstance(other, ServingError)
    assert other.code == "DATA_LOSS"


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_a_new_version_with_other_inputs_is_asked_by_its_own_signature(kind, serve_here, tmp_path):
    def push(number, name):
        module = tf.Module()
        function = tf.function(lambda **given: {"y": given[name] * number})
        signature = function.get_concrete_function(**{name: tf.TensorSpec([None], tf.float32, name)})
        tf.saved_model.save(module, str(tmp_path / "base" / str(number)), signatures=signature)

    push(1, "old")
    here = serve_here(tmp_path / "base")
    value = np.ones(1, np.float32)
    with asyncio.Runner() as loop:
        client = Client(here.grpc, model_name="digits") if kind == "sync" else AsyncClient(here.grpc, model_name="digits")

        def predict(inputs):
            return client.predict(inputs) if kind == "sync" else loop.run(client.predict(inputs))

        assert predict({"old": value})["y"] == [1.0]
        push(2, "new")
        here.models.poll()
        assert predict({"new": value})["y"] == [2.0]
        with pytest.raises(InvalidArgumentError, match="old"):
            predict({"old": value})
        assert predict({"new": value})["y"] == [2.0]
        client.close() if kind == "sync" else loop.run(client.close())
