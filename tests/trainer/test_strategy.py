"""Strategies by name."""

import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.strategy import NAMES, make_strategy


def test_every_name_that_the_config_allows_makes_a_strategy():
    assert set(TrainerConfig.model_json_schema()["properties"]["strategy"]["enum"]) == set(NAMES)
    for name in set(NAMES) - {"tpu", "gpu", "multi_worker"}:
        assert isinstance(make_strategy(name), tf.distribute.Strategy)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("TPU")), reason="there is a TPU")
def test_a_tpu_that_is_not_there_is_said_in_one_line():
    with pytest.raises(ConfigError, match=r"^Expected a TPU on this machine for `trainer.strategy: tpu`. Received: [^\n]*$"):
        make_strategy("tpu")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_with_what_is_and_what_to_set():
    with pytest.raises(ConfigError, match=r"^Expected a GPU on this machine for .*: gpu`\. Received: CPU:0[^\n]*`trainer\.strategy: cpu`"):
        make_strategy("gpu")


def test_cpu_places_the_weights_there():
    with make_strategy("cpu").scope():
        weight = tf.Variable(1.0)
    assert make_strategy("cpu").num_replicas_in_sync == 1
    assert tf.DeviceSpec.from_string(weight.device).device_type == "CPU"


def test_parameter_servers_are_refused_with_what_stands_in_the_way():
    with pytest.raises(ValueError, match=r"Expected .* Received: 'parameter_server', .* in no fixed order.*`multi_worker`"):
        TrainerConfig(strategy="parameter_server")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, r"trainer\.loop: Expected 'gradient_tape' .*Keras 3 fails.* Received: 'fit'\. Set `trainer\.loop: gradient_tape`\."),
        (
            {"loop": "gradient_tape", "precision": "mixed_float16"},
            r"trainer\.precision: Expected .* Received: 'mixed_float16'\. Set `trainer\.precision: mixed_bfloat16`\.",
        ),
    ],
)
def test_what_several_workers_cannot_do_is_refused_with_what_to_set(settings, line):
    with pytest.raises(ValueError, match=line):
        TrainerConfig(strategy="multi_worker", **settings)


def test_workers_that_a_step_starts_need_the_strategy_of_several():
    with pytest.raises(ValueError, match=r"trainer\.workers: Expected 1 without `trainer\.strategy: multi_worker`\. Received: 2, [^\n]+'?"):
        TrainerConfig(workers=2)
    assert TrainerConfig(workers=2, strategy="multi_worker", loop="gradient_tape").workers == 2


def test_workers_cannot_be_connected_by_a_process_that_has_used_tensorflow(monkeypatch):
    tf.constant(0)
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}')
    with pytest.raises(ConfigError, match=r"^Expected a process in which TensorFlow was not used yet [^\n]*`python -m trainer\.worker"):
        make_strategy("multi_worker")


def test_one_worker_alone_trains_as_one_machine_does(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}')
    assert make_strategy("multi_worker").num_replicas_in_sync == make_strategy("auto").num_replicas_in_sync


def test_auto_is_one_replica_where_there_are_not_several_gpus():
    assert make_strategy("auto").num_replicas_in_sync == max(1, len(tf.config.list_logical_devices("GPU")))


def test_one_device_is_one_replica_however_many_devices_there_are():
    assert len(tf.config.list_logical_devices()) > 1
    assert make_strategy("one_device").num_replicas_in_sync == 1


def test_mirrored_takes_every_logical_cpu_where_there_is_no_gpu():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert make_strategy("mirrored").num_replicas_in_sync == len(devices)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"Expected `trainer.strategy` to be one of .*Received: 'miror'\. Did you mean 'mirrored'\?"):
        make_strategy("miror")
