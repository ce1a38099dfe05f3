"""Whether a baseline can be compared with, on tiny SavedModels that answer zeros for each row."""

import re

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components import baseline_check
from components.served_model import VERSION
from tests.problems import of_pictures

PROBLEM = of_pictures(3)


@pytest.fixture
def model(tmp_path):
    """model(name, dtype, *shape): the folder of a model whose answer to a row has that dtype and shape."""

    def make(name, dtype=tf.float32, *shape, asserts=None, message=None):
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def answer(examples):
            with tf.control_dependencies([tf.debugging.assert_equal(examples, asserts, message)] if asserts else []):
                return {"probabilities": tf.zeros((tf.size(examples), *shape), dtype)}

        module.answer = answer
        tf.saved_model.save(module, str(tmp_path / name), signatures={"serving_default": answer})
        return str(tmp_path / name)

    return make


@pytest.fixture
def examples(tmp_path):
    """examples(shard, ...): a split's folder with those shards, each a list of rows."""

    def write(*shards):
        (tmp_path / "split").mkdir()
        for number, rows in enumerate(shards):
            with tf.io.TFRecordWriter(str(tmp_path / "split" / f"{number}.gz"), "GZIP") as file:
                for row in rows:
                    file.write(row)
        return str(tmp_path / "split")

    return write


@pytest.mark.parametrize("shards", [[[b"first", b"second"]], [[], [b"first"]]])
def test_a_baseline_that_answers_the_first_row_alike_is_fine(model, examples, shards):
    baseline, candidate = model("baseline", tf.float32, 3, asserts=b"first"), model("candidate", tf.float32, 3, asserts=b"first")
    assert baseline_check.fault(baseline, candidate, examples(*shards), PROBLEM) is None


def test_a_baseline_whose_folder_has_been_removed_is_said_to_be_gone(model, examples, tmp_path):
    fault = baseline_check.fault(str(tmp_path / "gone"), model("candidate", tf.float32, 3), examples([b"first"]), PROBLEM)
    assert fault == "its folder is not there"


def test_without_a_row_the_shapes_are_compared(model, examples):
    folder = examples([])
    assert baseline_check.fault(model("baseline", tf.float32, 3), model("candidate", tf.float32, 3), folder, PROBLEM) is None
    assert baseline_check.fault(model("other", tf.float32, 4), model("candidate", tf.float32, 3), folder, PROBLEM)


@pytest.mark.parametrize(
    ("dtype", "shape", "said"),
    [(tf.float64, (3,), "float64 for 3 classes"), (tf.float32, (2, 3), "float32 for 3 classes"), (tf.float32, (), "float32 of shape (1,)")],
)
def test_an_answer_of_another_dtype_or_shape_is_said(model, examples, dtype, shape, said):
    fault = baseline_check.fault(model("baseline", dtype, *shape), model("candidate", tf.float32, 3), examples([b"first"]), PROBLEM)
    assert fault == f"it answers {said}, and the new model float32 for 3 classes"


def test_a_baseline_that_fails_has_its_cause_said_and_not_that_a_graph_was_executed(model, examples):
    baseline = model("baseline", tf.float32, 3, asserts=b"another", message="Expected another row.")
    fault = baseline_check.fault(baseline, model("candidate", tf.float32, 3), examples([b"first"]), PROBLEM)
    assert re.match(r"it does not answer \(InvalidArgumentError: .*Expected another row\.", fault), fault
    assert "\n" not in fault


def test_the_line_names_the_served_version_where_there_is_one_else_the_folder():
    baseline = standard_artifacts.Model()
    baseline.uri = "Trainer/model/3"
    assert baseline_check.line(baseline, None) == "the new model was compared with Trainer/model/3"
    baseline.set_string_custom_property(VERSION, "7")
    assert baseline_check.line(baseline, None) == "the new model was compared with served version 7"
    assert baseline_check.line(baseline, "it is gone") == (
        "the baseline served version 7 was left out: it is gone. The absolute bounds alone decided."
    )
