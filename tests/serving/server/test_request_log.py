"""What is sampled is in TFRecord files that TensorFlow reads, as many and as large as allowed, and requests never wait for it."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import InputFileError, InvalidArgumentError, StartError
from serving.server import request_log
from serving.server.logged_requests import (
    example_columns,
    logged_classify,
    logged_inputs,
    logged_outputs,
    logged_predict,
    logged_regress,
    read_request_log,
)
from serving.server.logging_config import read_logging_configs
from serving.server.model_spec import ModelSpec
from serving.server.record_files import RecordFiles, Rotation, whole_records
from serving.server.request_log import RequestLog, Sampling

SENT, ANSWERED = ModelSpec("digits"), ModelSpec("digits", 7, "serving_default")


def request(number, **spec):
    """A logged request whose only input is its number."""
    return lambda: logged_predict(SENT, {"x": np.array([number])}, ANSWERED, {"y": np.array([number / 2], np.float32)})


def numbers(path):
    return [int(logged_inputs(log)["x"][0]) for log in read_request_log(path)]


@pytest.fixture
def heard():
    return []


@pytest.fixture
def open_log(tmp_path, heard):
    """Called with a rate and what else RequestLog takes: a log into tmp_path/logs, closed at the end."""
    logs = []

    def open_(rate=1.0, **options):
        log = RequestLog(Sampling(rate, tmp_path / "logs" / "requests"), watch=lambda *told: heard.append(told), **options)
        logs.append(log)
        return log

    yield open_
    for log in logs:
        log.close()


def test_requests_and_answers_are_prediction_logs_that_tf_data_reads(open_log, tmp_path, heard):
    log = open_log(rate=1.0)
    for number in range(3):
        log.offer("digits", request(number))
    log.close()
    (file,) = (tmp_path / "logs").glob("*.tfrecord")
    assert file.name == "requests-00001.tfrecord"
    records = [PredictionLog.FromString(record) for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()]
    assert [logged_inputs(record)["x"].tolist() for record in records] == [[0], [1], [2]]
    assert [logged_outputs(record)["y"].tolist() for record in records] == [[0.0], [0.5], [1.0]]
    metadata = records[0].log_metadata
    assert (metadata.model_spec.name, metadata.model_spec.version.value, metadata.model_spec.signature_name) == (
        "digits",
        7,
        "serving_default",
    )
    assert metadata.sampling_config.sampling_rate == 1.0
    assert metadata.timestamp_secs > 1_600_000_000
    assert heard == [("digits", "OK")] * 3


def test_a_log_is_also_a_warm_up_file(open_log, tmp_path, write_version):
    from serving.server.saved_model import SavedModel
    from serving.server.warmup import WARMUP_FILE, warm_up

    log = open_log()
    pixels = np.zeros((1, 28, 28, 1), np.uint8)
    spec = ModelSpec("digits", None, "predict_pixels")
    log.offer("digits", lambda: logged_predict(spec, {"pixels": pixels}, ModelSpec("digits", 1, "predict_pixels"), {}))
    log.close()
    version = write_version(tmp_path / "base", 1, 3)
    (version / WARMUP_FILE).parent.mkdir(exist_ok=True)
    (tmp_path / "logs" / "requests-00001.tfrecord").rename(version / WARMUP_FILE)
    model = SavedModel(version)
    assert warm_up(version, model) == ""
    model.close()


def test_a_share_is_sampled_and_the_same_one_with_the_same_seed(tmp_path):
    chosen = []
    for run in range(2):
        log = RequestLog(Sampling(0.25, tmp_path / f"run{run}" / "requests"), seed=5)
        for number in range(400):
            log.offer("digits", request(number))
        log.close()
        chosen.append(numbers(tmp_path / f"run{run}"))
    assert chosen[0] == chosen[1]
    assert 60 < len(chosen[0]) < 140


def test_what_is_not_sampled_is_never_made(open_log):
    log = open_log(rate=0.0)
    log.offer("digits", lambda: pytest.fail("made"))
    log.close()


def test_a_request_that_cannot_be_told_does_not_end_the_log(open_log, tmp_path, heard):
    log = open_log()
    log.offer("digits", lambda: 1 / 0)
    log.offer("digits", lambda: ("no_such_log", None, None))
    log.offer("digits", request(3))
    log.close()
    assert heard == [("digits", "INTERNAL"), ("digits", "INTERNAL"), ("digits", "OK")]
    assert numbers(tmp_path / "logs") == [3]


def test_when_the_queue_is_full_requests_are_dropped_and_counted_instead_of_waiting(open_log, tmp_path, heard, monkeypatch):
    monkeypatch.setattr(request_log, "MAX_QUEUED", 5)
    log, may_write, is_writing = open_log(), threading.Event(), threading.Event()

    def slow():
        is_writing.set()
        assert may_write.wait(30)
        return request(0)()

    log.offer("digits", slow)
    assert is_writing.wait(30)
    for number in range(1, 20):  # the writer holds the first: were this to wait, it would wait for ever
        log.offer("digits", request(number))
    assert heard == [("digits", "RESOURCE_EXHAUSTED")] * 15
    may_write.set()
    log.close()
    assert numbers(tmp_path / "logs") == [0, 1, 2, 3, 4]


def test_what_waits_is_bounded_in_bytes_too(open_log, heard, monkeypatch):
    monkeypatch.setattr(request_log, "MAX_QUEUED_BYTES", 100)
    log = open_log()
    log.offer("digits", request(1), size=101)
    assert heard == [("digits", "RESOURCE_EXHAUSTED")]


def test_files_are_rotated_by_bytes_and_the_oldest_go(open_log, tmp_path):
    log = open_log(rotation=Rotation(max_bytes=1000, max_files=3))
    for number in range(100):
        log.offer("digits", request(number))
    log.close()
    files = sorted((tmp_path / "logs").glob("*.tfrecord"))
    assert len(files) == 3
    assert all(file.stat().st_size < 1200 for file in files)
    kept = numbers(tmp_path / "logs")
    assert kept == list(range(100 - len(kept), 100))
    assert int(files[-1].stem.rpartition("-")[2]) > 3


def test_there_are_never_more_files_than_allowed_the_one_being_written_included(tmp_path):
    files = RecordFiles(tmp_path / "requests", Rotation(max_bytes=1, max_files=2))
    for _ in range(6):
        files.write(b"record")
        assert len(list(tmp_path.glob("requests-*"))) <= 2
    files.close()


def test_files_are_rotated_by_time(tmp_path):
    now = [0.0]
    files = RecordFiles(tmp_path / "requests", Rotation(max_seconds=60), clock=lambda: now[0])
    files.write(b"first")
    files.flush()
    assert not list(tmp_path.glob("*.tfrecord"))
    now[0] = 60.0
    files.flush()
    assert [path.name for path in tmp_path.glob("*.tfrecord*")] == ["requests-00001.tfrecord"]
    files.write(b"second")
    files.close()
    assert [path.name for path in sorted(tmp_path.glob("*.tfrecord*"))] == ["requests-00001.tfrecord", "requests-00002.tfrecord"]


def test_without_requests_there_is_no_file(tmp_path):
    RecordFiles(tmp_path / "requests", Rotation()).close()
    assert not list(tmp_path.glob("*.tfrecord*"))


def test_a_second_server_does_not_write_into_the_first_one_s_files(tmp_path):
    first = RecordFiles(tmp_path / "requests", Rotation())
    with pytest.raises(StartError, match=r"Another server writes the request log .*/requests"):
        RecordFiles(tmp_path / "requests", Rotation())
    first.close()
    RecordFiles(tmp_path / "requests", Rotation()).close()


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"The request log .*file/requests cannot be written: "):
        RecordFiles(tmp_path / "file" / "requests", Rotation())


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from serving.server.logged_requests import logged_predict
from serving.server.model_spec import ModelSpec
from serving.server.request_log import RequestLog, Sampling
told = lambda model, status: None
log = RequestLog(Sampling(1.0, Path(sys.argv[1]) / "requests"))
number = 0
while True:
    log.offer("digits", lambda n=number: logged_predict(ModelSpec("digits"), {"x": np.array([n] * 500)}, ModelSpec("digits", 1, "s"), {}))
    number += 1
    time.sleep(0.0002)
"""


def test_after_kill_9_every_whole_record_is_there_and_the_next_server_makes_the_file_whole(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)
    part = tmp_path / "requests-00001.tfrecord.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size > 100_000):
        threading.Event().wait(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    left = numbers(tmp_path)
    assert len(left) > 10
    assert left == list(range(len(left)))
    with part.open("ab") as file:  # a record that was on its way
        file.write(b"\x10\x00\x00\x00\x00\x00\x00\x00abcdhalf a")
    assert numbers(tmp_path) == left
    files = RecordFiles(tmp_path / "requests", Rotation())
    (whole,) = tmp_path.glob("*.tfrecord*")
    assert whole.name == "requests-00001.tfrecord"
    assert len(list(tf.data.TFRecordDataset(str(whole)).as_numpy_iterator())) == len(left)
    files.write(b"next")
    files.close()
    assert whole_records(tmp_path / "requests-00002.tfrecord")[0] == 1


def test_a_log_is_readable_while_it_is_written(open_log, tmp_path):
    log = open_log()
    log.offer("digits", request(1))
    for _ in range(3000):
        if read := numbers(tmp_path / "logs"):
            break
        threading.Event().wait(0.01)
    assert read == [1]


def test_what_is_no_request_log_is_refused(tmp_path):
    file = tmp_path / "x.tfrecord"
    file.write_text("this is a text of more than twelve bytes")
    with pytest.raises(InputFileError, match=r"Expected .*x.tfrecord to hold TFRecords of PredictionLog"):
        list(read_request_log(file))
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(b"\xff\xff no message")
    with pytest.raises(InputFileError, match=r"Expected .*x.tfrecord to hold TFRecords of PredictionLog"):
        list(read_request_log(file))
    with pytest.raises(InputFileError, match="There is no "):
        list(read_request_log(tmp_path / "none"))


def example(**features):
    message = tf.train.Example()
    for name, value in features.items():
        message.features.feature[name].float_list.value.append(value)
    return message.SerializeToString()


def test_classify_and_regress_of_rest_are_logged_as_their_messages(open_log, tmp_path):
    log = open_log()
    examples = [example(a=1.5), example(a=2.5, b=3.0)]
    log.offer("digits", lambda: logged_classify(SENT, examples, ANSWERED, [[("yes", 0.75)], [("no", 0.25)]]))
    log.offer("digits", lambda: logged_regress(SENT, examples, ANSWERED, [0.5, 1.5]))
    log.close()
    classify, regress = read_request_log(tmp_path / "logs")
    assert classify.classify_log.response.result.classifications[1].classes[0].label == "no"
    assert [entry.value for entry in regress.regress_log.response.result.regressions] == [0.5, 1.5]
    for record in (classify, regress):
        columns = example_columns(logged_inputs(record)["inputs"])
        assert [None if value is None else value.tolist() for value in columns["a"]] == [[1.5], [2.5]]
        assert [None if value is None else value.tolist() for value in columns["b"]] == [None, [3.0]]


def model_config(logging):
    return text_format.Parse(
        f'model_config_list {{ config {{ name: "digits" {logging} }} config {{ name: "plain" }} }}', ModelServerConfig()
    )


def test_a_model_s_own_logging_config_decides_for_it(open_log, tmp_path):
    config = model_config(
        f'logging_config {{ sampling_config {{ sampling_rate: 1 }} log_collector_config {{ filename_prefix: "{tmp_path}/own/d" }} }}'
    )
    log = open_log(rate=0.0, models=read_logging_configs(config, None))
    log.offer("digits", request(1))
    log.offer("plain", request(2))
    log.close()
    assert numbers(tmp_path / "own" / "d-00001.tfrecord") == [1]
    assert not list((tmp_path / "logs").glob("*.tfrecord"))


def test_a_prefix_that_is_not_absolute_is_below_the_servers_folder(tmp_path):
    config = model_config('logging_config { sampling_config { sampling_rate: 0.5 } log_collector_config { type: "tfrecord" } }')
    assert read_logging_configs(config, tmp_path) == {"digits": Sampling(0.5, tmp_path / "digits")}


@pytest.mark.parametrize(
    ("logging", "message"),
    [
        ("sampling_config { sampling_rate: 1.5 }", r"Expected sampling_rate of model digits to be from 0 to 1. Received: 1.5"),
        (
            'log_collector_config { type: "kafka" }',
            r"Expected log_collector_config.type of model digits to be 'tfrecord'.* Received: 'kafka'",
        ),
        ("sampling_config { sampling_rate: 1 }", r"Expected filename_prefix of model digits to be an absolute path"),
    ],
)
def test_a_logging_config_that_cannot_be_followed_is_refused(logging, message):
    with pytest.raises(InvalidArgumentError, match=message):
        read_logging_configs(model_config(f"logging_config {{ {logging} }}"), None)
