"""Every call of the clients takes a deadline of its own, which covers whatever it sends."""

import asyncio
import inspect
import socket

import pytest

from serving.aio_client import AsyncClient
from serving.client import Client
from serving.errors import DeadlineExceededError, InvalidArgumentError

CALLS = {
    "predict": [{}],
    "predict_with_version": [{}],
    "predict_images": [[b"picture"] * 600],
    "predict_examples": [[b""] * 600],
    "classify": [[b""]],
    "regress": [[b""]],
    "multi_inference": [[b""], {"a": "classify"}],
    "signature": [],
    "signatures": [],
    "status": [],
}


def called(kind, address, name, *arguments, timeouts=None, **options):
    """What that method of a client gives; the seconds that each prediction was sent with are added to `timeouts`."""

    def prepared(client):
        predict = client._predict

        class Noted:
            def __call__(self, request, timeout):
                timeouts.append(timeout)
                return predict(request, timeout=timeout)

            def future(self, request, timeout):
                timeouts.append(timeout)
                return predict.future(request, timeout=timeout)

        if timeouts is not None:
            client._predict = Noted()
        return getattr(client, name)

    async def ask():
        async with AsyncClient(address, model_name="digits") as client:
            return await prepared(client)(*arguments, **options)

    if kind == "asyncio":
        return asyncio.run(ask())
    with Client(address, model_name="digits") as client:
        return prepared(client)(*arguments, **options)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, client in (("sync", Client), ("asyncio", AsyncClient)) for name in CALLS if hasattr(client, name)],
)
def test_a_call_to_a_silent_server_ends_at_its_own_deadline(kind, name):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(DeadlineExceededError, match=f"^No answer from {address} within 0.05 seconds.$"):
            called(kind, address, name, *CALLS[name], deadline=0.05)


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_every_method_that_sends_is_among_them(client):
    methods = {name for name, _ in inspect.getmembers(client, inspect.isfunction) if not name.startswith("_")}
    assert methods - {"close"} <= set(CALLS)


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_all_batches_of_a_call_share_its_deadline(kind, served, png):
    timeouts = []
    prediction = called(kind, served.grpc, "predict_images", [png(1)] * 600, timeouts=timeouts, deadline=60)
    assert len(prediction.classes) == 600
    assert len(timeouts) == 3
    assert 60 >= timeouts[0] > timeouts[1] > timeouts[2] > 0


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_the_search_for_a_refused_row_is_within_the_calls_deadline(kind, served, png):
    timeouts = []
    with pytest.raises(InvalidArgumentError, match=r"images\[1\]"):
        called(kind, served.grpc, "predict_images", [png(1), b"no picture", png(2)], timeouts=timeouts, deadline=60)
    assert len(timeouts) > 1
    assert timeouts == sorted(timeouts, reverse=True)
    assert timeouts[0] <= 60
    timeouts.clear()
    with pytest.raises(InvalidArgumentError, match=r"images\[1\]"):
        called(kind, served.grpc, "predict_images", [png(1), b"no picture", png(2)], timeouts=timeouts)
    assert all(0 < timeout <= 10 for timeout in timeouts)  # the client's own, for each request
