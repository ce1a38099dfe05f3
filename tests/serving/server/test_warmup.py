"""A warm-up file is replayed before a version serves, and whatever is wrong with it, the version serves."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.server.saved_model import SavedModel
from serving.server.warmup import MOST_RECORDS, WARMUP_FILE, warm_up


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "1"


@pytest.fixture(scope="module")
def model(tmp_path_factory, write_version):
    model = SavedModel(write_version(tmp_path_factory.mktemp("base"), 1, 3))
    yield model
    model.close()


def write_warmup(folder, *records):
    path = folder / WARMUP_FILE
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def predict_log(path=None, signature="meet"):
    """A record that asks `meet` to write the file `path`, so that the test sees that it ran."""
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "another name", signature
    for name, text in {"here": str(path), "there": f"{path}-too"}.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(text))
    return log.SerializeToString()


def test_without_a_file_nothing_is_wrong(folder, model):
    assert warm_up(folder, model) == ""


def test_predict_requests_are_answered_by_the_model(folder, model, tmp_path):
    write_warmup(folder, predict_log(tmp_path / "one"), predict_log(tmp_path / "two"))
    assert warm_up(folder, model) == ""
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text() == "in flight"


def test_each_request_may_be_replayed_several_times(folder, model):
    logs = [PredictionLog.FromString(predict_log(path)) for path in ("one", "two")]
    write_warmup(folder, *(log.SerializeToString() for log in logs))
    seen = []
    assert warm_up(folder, model, lambda model, log: seen.append(log), iterations=2) == ""
    assert seen == [logs[0], logs[0], logs[1], logs[1]]


def test_every_kind_of_log_is_handed_to_the_replay(folder, model):
    kinds = ("predict_log", "classify_log", "regress_log", "multi_inference_log", "session_run_log")
    logs = [PredictionLog() for _ in kinds]
    for log, kind in zip(logs, kinds, strict=True):
        getattr(log, kind).SetInParent()
    write_warmup(folder, *(log.SerializeToString() for log in logs))
    seen = []
    assert warm_up(folder, model, lambda model, log: seen.append(log.WhichOneof("log_type"))) == ""
    assert seen == list(kinds)


def test_a_refused_request_is_told_and_the_others_still_run(folder, model, tmp_path):
    odd = predict_log(signature="nothing")
    write_warmup(folder, odd, predict_log(tmp_path / "one"))
    assert warm_up(folder, model) == 'warm-up request 1 is refused: Serving signature key "nothing" not found.'
    assert (tmp_path / "one").exists()


@pytest.mark.parametrize("content", [b"no TFRecord at all", b"\0" * 100])
def test_a_file_that_is_no_tfrecord_is_told(folder, model, content):
    write_warmup(folder)
    (folder / WARMUP_FILE).write_bytes(content)
    problem = warm_up(folder, model)
    assert problem.startswith(f"Expected {folder / WARMUP_FILE} to hold TFRecords of PredictionLog.")
    assert "\n" not in problem


def test_a_record_that_is_no_prediction_log_is_told(folder, model):
    write_warmup(folder, b"\xff\xff\xff")
    assert "TFRecords of PredictionLog" in warm_up(folder, model)


def test_no_more_than_so_many_requests_are_run(folder, model):
    write_warmup(folder, *[b""] * (MOST_RECORDS + 1))
    seen = []
    problem = warm_up(folder, model, lambda model, log: seen.append(log))
    assert len(seen) == MOST_RECORDS
    assert problem.startswith("Number of warmup records exceeds the maximum (1000) at ")


def test_whatever_a_request_does_to_the_model_is_no_more_than_a_line(folder, model):
    def fail(model, log):
        raise ZeroDivisionError("odd")

    write_warmup(folder, b"")
    assert warm_up(folder, model, fail) == "warm-up request 1 fails: ZeroDivisionError: odd"
