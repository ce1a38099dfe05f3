"""What both clients can do beside predicting images, against the real server and against servers that misbehave on purpose."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving import prediction_pb2 as pb
from serving.aio_client import AsyncClient
from serving.batcher import Batcher
from serving.client import Client, Retries
from serving.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
)
from serving.examples import serialize_example
from serving.tensors import write_tensor

SECONDS = 20


@pytest.fixture(scope="module", params=["sync", "asyncio"])
def call(request, served):
    """Called with a method's name and its arguments, of either client."""
    if request.param == "sync":
        with Client(served.grpc, model_name="digits") as client:
            yield lambda name, *args, **kwargs: getattr(client, name)(*args, **kwargs)
        return

    async def once(name, *args, **kwargs):
        async with AsyncClient(served.grpc, model_name="digits") as client:
            return await getattr(client, name)(*args, **kwargs)

    yield lambda name, *args, **kwargs: asyncio.run(once(name, *args, **kwargs))


def test_images_come_as_bytes_paths_and_arrays(call, png, tmp_path):
    path = tmp_path / "two.png"
    path.write_bytes(png(2))
    assert call("predict_images", [png(1), path, str(path)]).classes.tolist() == [4, 5, 5]
    arrays = [np.full((28, 28), value, np.uint8) for value in (1, 2)]
    prediction = call("predict_images", arrays)
    assert (prediction.classes.tolist(), prediction.version) == ([4, 5], 7)
    assert call("predict_images", [array[:, :, np.newaxis] for array in arrays]).classes.tolist() == [4, 5]
    with pytest.raises(InvalidArgumentError, match="of one kind"):
        call("predict_images", [arrays[0], png(1)])
    with pytest.raises(InvalidArgumentError, match=r"Expected uint8 images of one shape.*float64\[28, 28, 1\]"):
        call("predict_images", [arrays[0], arrays[0].astype(float)])


def test_examples_come_as_dicts_or_serialized(call, png):
    features = {"image/encoded": png(3)}
    assert call("predict_examples", [features, serialize_example(features)]).classes.tolist() == [6, 6]


def test_a_refusal_names_the_image_or_the_example(call, png, tmp_path):
    path = tmp_path / "cmyk.jpg"
    Image.new("CMYK", (28, 28)).save(path)
    many = [png(number % 250) for number in range(300)]
    with pytest.raises(InvalidArgumentError, match=f"(?s)^{path}: jpeg::Uncompress failed.*It is a JPEG of four components"):
        call("predict_images", [*many, path, *many])
    with pytest.raises(InvalidArgumentError, match=r"^images\[270\]: Unknown image file format"):
        call("predict_images", [*many[:270], b"no image", *many])
    with pytest.raises(InvalidArgumentError, match=r"^examples\[1\]: .*Feature: image/encoded"):
        call("predict_examples", [{"image/encoded": png(1)}, {"image": png(1)}, {"image/encoded": png(1)}])


def test_a_dict_becomes_the_bytes_of_tensorflows_example():
    features = {"text": ["a", b"\xff"], "number": 3, "flags": [True, False], "score": [0.5, 1], "array": np.float32([1, 2])}
    ours = tf.train.Example.FromString(serialize_example(features)).features.feature
    assert list(ours["text"].bytes_list.value) == [b"a", b"\xff"]
    assert (list(ours["number"].int64_list.value), list(ours["flags"].int64_list.value)) == ([3], [1, 0])
    assert (list(ours["score"].float_list.value), list(ours["array"].float_list.value)) == ([0.5, 1.0], [1.0, 2.0])
    with pytest.raises(InvalidArgumentError, match=r"Feature 'x': expected .* Received: NoneType, str"):
        serialize_example({"x": ["a", None]})


def test_the_signature_is_told_and_a_wrong_input_is_refused_before_it_is_sent(call):
    signature = call("signature", "add")
    assert {name: str(spec) for name, spec in signature.inputs.items()} == {"a": "float [?]", "b": "float [?]"}
    assert signature.version == 7
    right = {"a": [1, 2], "b": np.float32([3, 4])}
    assert call("predict", right, "add")["sum"].tolist() == [4.0, 6.0]
    for inputs, text in (
        ({"a": [1.0], "bb": [1.0]}, r"Received: 'bb'. Did you mean 'b'\?"),
        ({"a": [1.0]}, "Missing: b."),
        ({"a": np.float64([1]), "b": [1.0]}, "Input 'a': expected float .* Received an array of double; nothing is cast"),
        ({"a": np.float32([[1]]), "b": [1.0]}, r"Input 'a': expected float .* Received the shape \[1, 1\]"),
        ({"a": ["x"], "b": [1.0]}, "Received an array of string"),
    ):
        with pytest.raises(InvalidArgumentError, match=text):
            call("predict", inputs, "add")
    with pytest.raises(InvalidArgumentError, match=r"outputs \{sum: float .*Did you mean 'sum'"):
        call("predict", right, "add", output_filter=["summ"])
    with pytest.raises(FailedPreconditionError, match=r'Serving signature key "none" not found.'):
        call("predict", right, "none")


def test_version_and_label_exclude_each_other_and_an_unknown_label_is_told(call):
    with pytest.raises(InvalidArgumentError, match=r"Expected a version or a version_label. Received both: 7 and 'stable'"):
        call("status", 7, version_label="stable")
    with pytest.raises(InvalidArgumentError, match=r"Unrecognized servable version label: stable"):
        call("predict", {"a": [1.0], "b": [1.0]}, "add", version_label="stable")


def test_classify_and_regress_say_what_the_server_says(call):
    with pytest.raises(InvalidArgumentError, match="No classification inputs found in SignatureDef: "):
        call("classify", [{"x": 1.0}])
    with pytest.raises(InvalidArgumentError, match="Expected one output Tensor"):
        call("regress", [{"x": 1.0}])
    with pytest.raises(InvalidArgumentError, match=r"expected 'classify' or 'regress'. Received: 'guess'"):
        call("multi_inference", [{"x": 1.0}], {"serving_default": "guess"})


class Odd:
    """A PredictionService whose Predict does what the test says, one after the other; other methods are not there."""

    def __init__(self, *answers):
        self._answers, self.asked = iter(answers), 0
        handler = grpc.unary_unary_rpc_method_handler(self._predict)
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler})]
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def _predict(self, body, context):
        self.asked += 1
        answer = next(self._answers)
        if isinstance(answer, threading.Event):
            answer.wait(SECONDS)
        elif isinstance(answer, pb.PredictResponse):
            return answer.SerializeToString()
        elif answer is not None:
            context.abort(answer, "not now")
        response = pb.PredictResponse(model_spec=pb.ModelSpec(name="odd"))
        response.model_spec.version.value = 1
        return response.SerializeToString()

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *args):
        self._server.stop(0).wait()


QUICKLY = Retries(attempts=4, initial_backoff=0.01, max_backoff=0.02)


def test_what_is_unavailable_for_a_moment_is_asked_again():
    with (
        Odd(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, None) as odd,
        Client(odd.address, model_name="odd", retries=QUICKLY) as client,
    ):
        assert client.predict({}) == {}
        assert odd.asked == 3


def test_the_attempts_end_and_the_servers_words_are_kept():
    with Odd(*[grpc.StatusCode.UNAVAILABLE] * 9) as odd, Client(odd.address, model_name="odd", retries=QUICKLY) as client:
        with pytest.raises(UnavailableError, match=r"^not now$"):
            client.predict({})
        assert odd.asked == 4


def test_what_may_not_be_retried_is_asked_once():
    with Odd(grpc.StatusCode.RESOURCE_EXHAUSTED, None) as odd, Client(odd.address, model_name="odd", retries=QUICKLY) as client:
        with pytest.raises(ResourceExhaustedError, match=r"^not now$"):
            client.predict({})
        assert odd.asked == 1


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_a_late_answer_is_overtaken_by_a_second_request(kind):
    late = threading.Event()
    with Odd(late, None) as odd:
        if kind == "sync":
            with Client(odd.address, model_name="odd", hedge_after=0.05) as client:
                assert client.predict({}) == {}
        else:

            async def ask():
                async with AsyncClient(odd.address, model_name="odd", hedge_after=0.05) as client:
                    return await client.predict({})

            assert asyncio.run(ask()) == {}
        assert odd.asked == 2
        late.set()


def test_rows_of_many_threads_go_together_and_each_gets_its_own(served, png):
    with Client(served.grpc, model_name="digits") as client, Batcher(client, "predict_image", max_latency=0.05) as batcher:
        with ThreadPoolExecutor(16) as pool:
            futures = list(pool.map(lambda number: batcher.submit({"image": png(number)}), range(40)))
        assert [int(future.result(SECONDS)["classes"]) for future in futures] == [(number + 3) % 10 for number in range(40)]
        wrong, right = batcher.submit({"image": b"no image"}), batcher.submit({"image": png(1)})
        with pytest.raises(InvalidArgumentError):
            wrong.result(SECONDS)
        assert int(right.result(SECONDS)["classes"]) == 4


class Recorded:
    """One of a client's methods, with the seconds that each call of it was given."""

    def __init__(self, method, seconds):
        self._method, self._seconds = method, seconds

    def __call__(self, request, timeout):
        self._seconds.append(timeout)
        return self._method(request, timeout=timeout)

    def future(self, request, timeout):
        self._seconds.append(timeout)
        return self._method.future(request, timeout=timeout)


def _seconds_given(kind, address, model_name, inputs, signature_name="", **options):
    """To every request that one prediction of five seconds takes, in order."""
    seconds = []

    def record(client):
        for name in ("_predict", "_get_model_metadata"):
            setattr(client, name, Recorded(getattr(client, name), seconds))

    async def ask():
        async with AsyncClient(address, model_name=model_name, **options) as client:
            record(client)
            await client.predict(inputs, signature_name, deadline=5)

    if kind == "sync":
        with Client(address, model_name=model_name, **options) as client:
            record(client)
            client.predict(inputs, signature_name, deadline=5)
    else:
        asyncio.run(ask())
    return seconds


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_the_deadline_covers_the_look_up_of_the_signature(served, kind):
    look_up, request = _seconds_given(kind, served.grpc, "digits", {"a": [1.0], "b": [1.0]}, "add")
    assert 0 < request < look_up <= 5


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_a_second_request_gets_what_the_deadline_has_left(kind):
    late = threading.Event()
    with Odd(late, None) as odd:
        first, second = _seconds_given(kind, odd.address, "odd", {}, hedge_after=0.05, check=False)
        late.set()
    assert 0 < second <= first - 0.05


@pytest.fixture
def batcher(served):
    """batcher(signature_name, ...): collects until there are as many rows as asked for, however long that takes."""
    with Client(served.grpc, model_name="digits") as client:
        opened = []

        def open_(signature_name, rows, max_latency=SECONDS):
            opened.append(Batcher(client, signature_name, max_batch_size=rows, max_latency=max_latency))
            return opened[-1]

        yield open_
        for each in opened:
            each.close()


def test_a_row_that_is_cancelled_is_not_sent_and_the_next_ones_are_answered(batcher):
    rows = batcher("add", 2)
    cancelled = rows.submit({"a": 1.0, "b": 1.0})
    assert cancelled.cancel()
    kept = rows.submit({"a": 2.0, "b": 1.0})
    assert float(kept.result(SECONDS)["sum"]) == 3.0
    assert cancelled.cancelled()
    futures = [rows.submit({"a": float(number), "b": 1.0}) for number in range(2)]
    assert [float(future.result(SECONDS)["sum"]) for future in futures] == [1.0, 2.0]


FLOATS = {"a": np.array(3, np.float32), "b": np.array(1, np.float32)}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"a": 1.0}, InvalidArgumentError),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, InvalidArgumentError),
        ({"a": None, "b": 1.0}, Exception),
        ({"a": "one", "b": 1.0}, InvalidArgumentError),
        ({"a": np.float64(1), "b": 1.0}, InvalidArgumentError),
        ({"a": np.array(1, np.float16), "b": np.array(1, np.float32)}, InvalidArgumentError),  # NumPy would make it float32
        ({"a": [1.0, 2.0], "b": 1.0}, InvalidArgumentError),
        ({"a": [1.0, [2.0]], "b": 1.0}, ValueError),
        ({}, InvalidArgumentError),
        (None, AttributeError),
    ],
    ids=str,
)
def test_a_row_of_another_make_fails_alone(batcher, wrong, error):
    rows = batcher("add", 4)
    futures = [rows.submit(row) for row in ({"a": 1.0, "b": 1.0}, wrong, {"a": 2.0, "b": 1.0}, FLOATS)]
    with pytest.raises(error):
        futures[1].result(SECONDS)
    assert [float(futures[number].result(SECONDS)["sum"]) for number in (0, 2, 3)] == [2.0, 3.0, 4.0]


def test_a_row_that_the_model_refuses_takes_a_few_requests_and_not_one_for_each_row(batcher, png, monkeypatch):
    rows = batcher("predict_image", 64)
    sent = []
    predict = rows._client.predict
    monkeypatch.setattr(rows._client, "predict", lambda inputs, name: sent.append(len(inputs["image"])) or predict(inputs, name))
    futures = [rows.submit({"image": b"no image" if number == 20 else png(number)}) for number in range(64)]
    with pytest.raises(InvalidArgumentError):
        futures[20].result(SECONDS)
    assert [int(future.result(SECONDS)["classes"]) for future in futures[:20]] == [(number + 3) % 10 for number in range(20)]
    assert [int(future.result(SECONDS)["classes"]) for future in futures[21:]] == [(number + 3) % 10 for number in range(21, 64)]
    assert len(sent) == 13


def test_where_no_server_answers_every_row_fails_after_one_request(free_port, monkeypatch):
    with Client(f"127.0.0.1:{free_port}", model_name="digits", retries=QUICKLY) as client:
        sent = []
        predict = client.predict
        monkeypatch.setattr(client, "predict", lambda inputs, name: sent.append(1) or predict(inputs, name))
        with Batcher(client, "add", max_batch_size=8, max_latency=SECONDS) as rows:
            futures = [rows.submit({"a": 1.0, "b": 1.0}) for _ in range(8)]
            for future in futures:
                with pytest.raises(UnavailableError):
                    future.result(SECONDS)
        assert len(sent) == 1


def test_outputs_without_rows_are_said_to_be_and_the_next_row_is_answered():
    def response(array):
        answer = pb.PredictResponse()
        write_tensor(array, answer.outputs["scale"], typed=False)
        return answer

    with (
        Odd(response(np.float32(2)), response(np.float32([2]))) as odd,
        Client(odd.address, model_name="odd", check=False) as client,
        Batcher(client, max_batch_size=1) as rows,
    ):
        with pytest.raises(FailedPreconditionError, match=r"^Output 'scale': expected a row for each of 1 .* Received the shape \[\].$"):
            rows.submit({"x": 1.0}).result(SECONDS)
        assert rows.submit({"x": 1.0}).result(SECONDS)["scale"] == 2


def test_a_closed_batcher_takes_no_more_rows(batcher):
    rows = batcher("add", 8)
    waiting = rows.submit({"a": 1.0, "b": 1.0})
    rows.close()
    assert float(waiting.result(0)["sum"]) == 2.0
    with pytest.raises(RuntimeError, match=r"Received a row after close"):
        rows.submit({"a": 1.0, "b": 1.0})
    rows.close()


def test_a_new_versions_signature_is_asked_for_again(write_version, serve_here, tmp_path):
    write_version(tmp_path, 1, 1)
    own = serve_here(tmp_path)
    with Client(own.grpc, model_name="digits") as client:
        assert client.signature("add").version == 1
        write_version(tmp_path, 2, 2)
        own.models.poll()
        client.predict({"a": [1.0], "b": [1.0]}, "add")
        assert client.signature("add").version == 2
        with pytest.raises(NotFoundError):
            client.signature("add", version=1)


def test_the_client_works_without_tensorflow(served, png, tmp_path):
    (tmp_path / "one.png").write_bytes(png(1))
    code = f"""
import sys
sys.modules["tensorflow"] = None
import asyncio
from serving.aio_client import AsyncClient
from serving.client import Client
with Client({served.grpc!r}, model_name="digits") as client:
    print(client.predict_images([{str(tmp_path / "one.png")!r}]).classes.tolist(), client.signature("add").version)
async def main():
    async with AsyncClient({served.grpc!r}, model_name="digits") as client:
        print((await client.predict_images([{str(tmp_path / "one.png")!r}])).classes.tolist())
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split("\n")) == (0, ["[4] 7", "[4]", ""]), done.stderr
