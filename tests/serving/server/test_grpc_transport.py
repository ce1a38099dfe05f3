"""TensorFlow Serving's gRPC services, called with the stubs and messages of tensorflow-serving-api."""

import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(served):
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(served.grpc, options=options) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(signature="", version=None, name="digits", output_filter=(), **inputs):
    message = predict_pb2.PredictRequest(output_filter=output_filter)
    message.model_spec.name, message.model_spec.signature_name = name, signature
    if version is not None:
        message.model_spec.version.value = version
    for key, value in inputs.items():
        proto = value if isinstance(value, tf.make_tensor_proto(0.0).__class__) else tf.make_tensor_proto(value)
        message.inputs[key].CopyFrom(proto)
    return message


def refusal(call, message):
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=20)
    return caught.value.code().name, caught.value.details()


def test_a_reply_has_typed_fields_at_full_length_and_names_what_answered(stub, png):
    reply = stub.Predict(request("predict_image", image=[png(0), png(1)]), timeout=20)
    assert list(reply.outputs["classes"].int64_val) == [3, 4]
    probabilities = reply.outputs["probabilities"]
    assert len(probabilities.float_val) == 20
    assert not probabilities.tensor_content
    assert [dim.size for dim in probabilities.tensor_shape.dim] == [2, 10]
    assert (reply.model_spec.name, reply.model_spec.version.value, reply.model_spec.signature_name) == ("digits", 7, "predict_image")


def test_an_empty_signature_name_means_serving_default(stub, png):
    example = tf.train.Example()
    example.features.feature["image/encoded"].bytes_list.value.append(png(2))
    reply = stub.Predict(request(examples=[example.SerializeToString()]), timeout=20)
    assert reply.model_spec.signature_name == "serving_default"
    assert list(reply.outputs["classes"].int64_val) == [5]


def test_typed_fields_raw_bytes_and_one_value_for_all_are_the_same_request(stub):
    typed = tf.make_tensor_proto(np.zeros(0, np.uint8), shape=[0])
    typed.tensor_shape.Clear()
    for size in (1, 28, 28, 1):
        typed.tensor_shape.dim.add().size = size
    typed.int_val.append(4)
    raw = tf.make_tensor_proto(np.full((1, 28, 28, 1), 4, np.uint8))
    assert raw.tensor_content
    for proto in (typed, raw):
        assert list(stub.Predict(request("predict_pixels", pixels=proto), timeout=20).outputs["classes"].int64_val) == [7]


def test_an_output_filter_gives_what_it_names_and_nothing_else(stub, png):
    reply = stub.Predict(request("predict_image", image=[png(0)], output_filter=["classes"]), timeout=20)
    assert list(reply.outputs) == ["classes"]


def test_an_empty_batch_works(stub):
    reply = stub.Predict(request("predict_pixels", pixels=np.zeros((0, 28, 28, 1), np.uint8)), timeout=20)
    assert [dim.size for dim in reply.outputs["probabilities"].tensor_shape.dim] == [0, 10]


def test_a_message_larger_than_grpcs_default_limit_goes_both_ways(stub):
    text = b"x" * (6 * 2**20)
    reply = stub.Predict(request("echo", text=[text]), timeout=60)
    assert reply.outputs["text"].string_val[0] == text


REFUSALS = {
    "no spec": (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no name": (request(name="", signature="echo"), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": (request(name="other"), "NOT_FOUND", "Servable not found for request: Latest(other)"),
    "unknown model's version": (request(name="other", version=1), "NOT_FOUND", "Servable not found for request: Specific(other, 1)"),
    "unknown version": (request(version=8), "NOT_FOUND", "Servable not found for request: Specific(digits, 8)"),
    "version 0 is no default": (request(version=0), "NOT_FOUND", "Servable not found for request: Specific(digits, 0)"),
    "unknown signature": (request("nope"), "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
    "model before signature": (request("nope", name="other"), "NOT_FOUND", "Servable not found for request: Latest(other)"),
    "missing and extra input": (
        request("add", a=[1.0], b=[1.0], c=[1.0]),
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). Sent extra: {c}. Missing but required: {}.",
    ),
    "missing input": (
        request("add", a=[1.0]),
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
    ),
    "another name": (
        request("echo", texts=[b""]),
        "INVALID_ARGUMENT",
        "input tensor alias not found in signature: texts. Inputs expected to be in the set {text}. "
        "Sent extra: {texts}. Missing but required: {text}.",
    ),
    "dtype": (request("add", a=[b"1"], b=[1.0]), "INVALID_ARGUMENT", "Expects arg[0] to be float but string is provided"),
    "dtype is not cast": (request("add", a=[1.0], b=np.array([1])), "INVALID_ARGUMENT", "Expects arg[1] to be float but int64 is provided"),
    "unknown output": (
        request("echo", text=[b""], output_filter=["sum"]),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: sum Outputs expected to be in the set {raw_bytes,text}.",
    ),
    "output twice": (
        request("echo", text=[b""], output_filter=["text", "text"]),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: text",
    ),
    "shape": (
        request("predict_pixels", pixels=np.zeros((1, 27, 28, 1), np.uint8)),
        "INVALID_ARGUMENT",
        "Input to reshape is a tensor with 756",
    ),
    "no image": (request("predict_image", image=[b"text"]), "INVALID_ARGUMENT", "Unknown image file format"),
    "no example": (request(examples=[b"a"]), "INVALID_ARGUMENT", "Could not parse example input"),
}


@pytest.mark.parametrize(("message", "code", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_tensorflow_servings_code_and_text(stub, message, code, text):
    got_code, details = refusal(stub.Predict, message)
    assert got_code == code
    assert details.startswith(text)


def test_declared_shapes_are_not_enforced_before_the_graph(stub):
    reply = stub.Predict(request("predict_pixels", pixels=np.zeros((2, 784), np.uint8)), timeout=20)
    assert list(reply.outputs["classes"].int64_val) == [3, 3]


def test_bad_tensor_bytes_are_named(stub):
    message = request("add", a=[1.0], b=[1.0])
    message.inputs["b"].Clear()
    message.inputs["b"].dtype = 1
    message.inputs["b"].tensor_content = b"123"
    code, details = refusal(stub.Predict, message)
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("tensor parsing error: b")


def test_a_label_is_unknown_because_there_are_none(stub):
    message = request("echo", text=[b""])
    message.model_spec.version_label = "stable"
    assert refusal(stub.Predict, message) == ("INVALID_ARGUMENT", "Unrecognized servable version label: stable")


def test_bytes_that_are_no_request_are_the_callers_fault(channel):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict", lambda message: message, lambda body: body)
    code, details = refusal(call, b"\xff\xff\xff")
    assert (code, details) == (
        "INVALID_ARGUMENT",
        "Expected a serialized tensorflow.serving.PredictRequest. Received 3 bytes that are none.",
    )


def test_a_method_that_is_not_there_is_unimplemented(channel):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Guess")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_status_says_available(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = "digits"
    (entry,) = stub.GetModelStatus(message, timeout=20).model_version_status
    assert (entry.version, entry.state, entry.status.error_code, entry.status.error_message) == (7, 30, 0, "")
    message.model_spec.version.value = 9
    assert refusal(stub.GetModelStatus, message) == ("NOT_FOUND", "Could not find version 9 of model digits")
    message.model_spec.name = "other"
    assert refusal(stub.GetModelStatus, message) == ("NOT_FOUND", "Could not find version 9 of model other")


def test_no_request_fails_or_goes_back_while_versions_come_some_of_them_corrupt(serve_here, write_version, tmp_path):
    base_path = tmp_path / "base"
    write_version(base_path, 1, 1)
    served = serve_here(base_path)
    done, failures, seen, news = threading.Event(), [], [[], [], []], threading.Condition()

    def caller(mine):
        with grpc.insecure_channel(served.grpc) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            message = request("predict_pixels", pixels=np.zeros((1, 28, 28, 1), np.uint8))
            while not done.is_set() and not failures:
                try:
                    reply = stub.Predict(message, timeout=20)
                    mine.append((reply.model_spec.version.value, reply.outputs["classes"].int64_val[0]))
                except grpc.RpcError as error:
                    failures.append(error)
                with news:
                    news.notify_all()

    def wait_until_all_have_seen(version):
        with news:
            assert news.wait_for(lambda: failures or all(mine and mine[-1][0] == version for mine in seen), timeout=60)

    threads = [threading.Thread(target=caller, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    for version in range(2, 8):
        if version % 3 == 0:
            (base_path / str(version)).mkdir()
            (base_path / str(version) / "saved_model.pb").write_bytes(b"corrupt")
            served.models.poll()
        else:
            write_version(base_path, version, version % 4)
            served.models.poll()
            wait_until_all_have_seen(version)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    for mine in seen:
        versions = [version for version, _ in mine]
        assert versions == sorted(versions)
        assert dict(mine).items() <= {1: 1, 2: 2, 4: 0, 5: 1, 7: 3}.items()
        assert versions[-1] == 7
