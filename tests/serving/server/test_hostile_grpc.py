"""What the gRPC port refuses of callers that it does not know; the next request is answered all the same."""

import threading

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving.server import grpc_transport
from serving.server.message_in_pieces import from_string
from serving.server.ports import GrpcLimits

PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def call(served):
    """Called with bytes, and a compression: (code, details)."""
    with grpc.insecure_channel(served.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        method = channel.unary_unary(PREDICT)

        def ask(body, compression=None, method=method):
            try:
                method(body, timeout=30, compression=compression)
            except grpc.RpcError as error:
                return error.code().name, error.details()
            return "OK", ""

        yield ask


def request(signature="echo", name="text", **tensor):
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = "digits", signature
    shape = tensor.pop("shape")
    message.inputs[name].CopyFrom(tf.make_tensor_proto(0).__class__(**tensor))
    for size in shape:
        message.inputs[name].tensor_shape.dim.add(size=size)
    return message.SerializeToString()


HOSTILE = {
    "100,000 dimensions": request(dtype=7, shape=[2**62] * 100_000),
    "one value for a large shape": request("predict_pixels", "pixels", dtype=4, shape=[1, 1, 2**28, 1], int_val=[1]),
    "two strings for a large shape": request(dtype=7, shape=[2**20], string_val=[b"a", b"b"]),
    "a million strings": request(dtype=7, shape=[10**6], string_val=[b""] * 10**6),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_tensor_that_is_too_much_is_refused_before_it_is_made(call, body):
    assert call(body)[0] == "INVALID_ARGUMENT"
    assert call(request(dtype=7, shape=[1], string_val=[b"a"])) == ("OK", "")


@pytest.mark.parametrize(("size", "reader"), [(1, "event-loop"), (10**6, "read_")])
def test_a_large_message_is_read_in_a_readers_thread_and_a_small_one_where_it_comes(call, monkeypatch, size, reader):
    threads = []

    def watched(*arguments):
        threads.append(threading.current_thread().name[: len(reader)])
        return from_string(*arguments)

    monkeypatch.setattr(grpc_transport, "from_string", watched)
    assert call(request(dtype=7, shape=[1], string_val=[b"a" * size])) == ("OK", "")
    assert threads == [reader]


def test_a_message_has_a_size(call):
    assert call(b"\0" * (GrpcLimits().message_bytes + 1))[0] == "RESOURCE_EXHAUSTED"


def test_a_compressed_message_is_refused_because_nothing_bounds_what_it_inflates_to(call):
    body = request(dtype=7, shape=[1], string_val=[b"a" * 2**20])
    assert call(body, grpc.Compression.Gzip)[0] == "UNIMPLEMENTED"
    assert call(body, grpc.Compression.Deflate)[0] == "UNIMPLEMENTED"


def test_an_error_that_quotes_a_long_name_fits_into_grpcs_metadata(call):
    message = predict_pb2.PredictRequest()
    for name in ("\u00e9" * 5000, "a" * 100_000, "%" * 5000):
        message.model_spec.name = name
        code, details = call(message.SerializeToString())
        assert code == "NOT_FOUND"
        assert details.startswith("Servable not found for request: Latest(")
        assert details.endswith("...")


def test_none_of_grpcs_own_limits_is_lifted():
    options = dict(GrpcLimits().options())
    assert not [name for name in options if "pending_requests" in name or "ping" in name]
    assert 0 < options["grpc.max_receive_message_length"] <= 2**26
    assert 0 < options["grpc.max_concurrent_streams"] <= 1000
    assert 0 < options["grpc.server_handshake_timeout_ms"] <= 10_000
    assert 0 < options["grpc.max_connection_idle_ms"] <= 120_000
