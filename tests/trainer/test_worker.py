"""`python -m trainer.worker`: where its arguments may lie, and what it says where they are none."""

import json

import pytest
import tensorflow as tf

from trainer import worker

GIVEN = []


def run_fn(fn_args):
    """In place of a training."""
    GIVEN.append(fn_args)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """A worker settles its own process's; this one's is put back."""
    for name in ("KERAS_BACKEND", "KERAS_HOME", "TF_USE_LEGACY_KERAS"):
        monkeypatch.setenv(name, "0" if name == "TF_USE_LEGACY_KERAS" else "tensorflow")


def test_the_arguments_may_lie_where_only_tensorflow_reads_as_in_a_bucket():
    with tf.io.gfile.GFile("ram://run/fn_args.json", "w") as file:
        file.write(json.dumps({"run_fn": f"{__name__}.run_fn", "fn_args": {"train_files": ["a"], "custom_config": {"trainer": "{}"}}}))
    assert worker.main("ram://run/fn_args.json") == 0
    assert (GIVEN[-1].train_files, GIVEN[-1].custom_config) == (["a"], {"trainer": "{}"})


@pytest.mark.parametrize("content", [None, "no JSON", "{}", "[]"])
def test_a_file_that_is_none_of_arguments_is_one_line(tmp_path, capsys, content):
    file = tmp_path / "fn_args.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    assert worker.main(str(file)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Expected a JSON file with `run_fn` and `fn_args`. Received: {file}, ")
