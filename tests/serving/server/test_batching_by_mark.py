"""A model that looks across the rows of a request: its answers are the model's own for that request, whoever else asks meanwhile."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from serving.client import Client
from serving.server.saved_model import ROWS_INDEPENDENT, SavedModel

_CALLERS, _CALLS = 8, 160
_SECONDS = 60.0  # only a hang comes near it
_REQUESTS = [np.float32(scores) for scores in ([1, 2, 3], [5, 1], [0, 0, 0, 1])]


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    """Version 1 of a ranker: the scores of one request's rows, as a softmax over them."""

    class Ranker(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def rank(self, scores):
            return {"shares": tf.nn.softmax(scores)}

    base_path = tmp_path_factory.mktemp("ranker")
    module = Ranker()
    tf.saved_model.save(module, str(base_path / "1"), signatures={"serving_default": module.rank})
    return base_path


@pytest.fixture(scope="module")
def alone(base_path):
    """What the model, called by itself, makes of each request."""
    rank = tf.saved_model.load(str(base_path / "1")).signatures["serving_default"]
    return [rank(scores=tf.constant(request))["shares"].numpy() for request in _REQUESTS]


def _wrong_answers(ask, alone):
    """How many of many concurrent answers are not the model's own."""

    def is_wrong(number):
        kind = number % len(_REQUESTS)
        answer = ask(_REQUESTS[kind])
        return answer.shape != alone[kind].shape or not np.array_equal(answer, alone[kind])

    with ThreadPoolExecutor(_CALLERS) as pool:
        return sum(pool.map(is_wrong, range(_CALLS)))


def test_over_rest_every_one_of_many_callers_gets_the_answer_to_its_request_alone(serve_here, base_path, alone):
    url = f"http://{serve_here(base_path, 'ranker').rest}/v1/models/ranker:predict"

    def ask(request):
        body = json.dumps({"instances": request.tolist()}).encode()
        with urllib.request.urlopen(url, body, _SECONDS) as answer:
            return np.float32(json.load(answer)["predictions"])

    assert _wrong_answers(ask, alone) == 0


def test_over_grpc_every_one_of_many_callers_gets_the_answer_to_its_request_alone(serve_here, base_path, alone):
    with Client(serve_here(base_path, "ranker").grpc, model_name="ranker", deadline=_SECONDS) as client:
        assert _wrong_answers(lambda request: client.predict({"scores": request})["shares"], alone) == 0


@pytest.mark.parametrize(
    ("marked", "batching", "shares"),
    [(False, None, False), (True, None, True), (False, True, True), (True, False, False)],
    ids=["says nothing", "says so", "asked for", "asked not to"],
)
def test_requests_share_batches_where_the_model_says_so_unless_the_flag_decides(base_path, marked, batching, shares):
    mark = base_path / "1" / ROWS_INDEPENDENT
    if marked:
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
    try:
        model = SavedModel(base_path / "1", batching=batching)
    finally:
        mark.unlink(missing_ok=True)
    step = model.step(model.signature(""), {"scores": _REQUESTS[0]})
    assert (step.shares_rows, step.is_marked) == (shares, marked)
    model.close()
