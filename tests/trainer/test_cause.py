"""The line of a failure has the cause in it, whoever has wrapped it: real exceptions of Beam, TensorFlow, Keras and TFMA."""

import re

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from trainer.cause import one_line, origin
from trainer.errors import ConfigError, DataError


def raised(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def key_error():
    return {}["x"]


def wrapped(function):
    """As TFMA's Evaluator wraps what a metric raises: it quotes its inputs, which say nothing."""
    try:
        function()
    except Exception as error:
        raise RuntimeError(f'add_input failed on "{function}" with inputs:\n{np.ones((2, 2))}') from error


def in_beam(function):
    """The exception of a Beam pipeline whose DoFn calls `function`."""

    def run():
        with beam.Pipeline(runner="FnApiRunner", options=PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline:
            _ = pipeline | beam.Create([1]) | "Step" >> beam.Map(lambda _: function())

    return raised(run)


class Combine(beam.CombineFn):
    """Fails as TFMA's metrics do."""

    def create_accumulator(self):
        return 0

    def add_input(self, accumulator, element):
        wrapped(key_error)

    def merge_accumulators(self, accumulators):
        return 0

    def extract_output(self, accumulator):
        return accumulator


def combine_in_beam():
    with beam.Pipeline(runner="FnApiRunner", options=PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline:
        _ = pipeline | beam.Create([1]) | beam.CombineGlobally(Combine())


def own_error():
    raise DataError("Expected this. Received: that.")


def test_what_beam_ran_is_named_by_its_own_exception():
    assert one_line(in_beam(key_error)) == "KeyError: 'x'"
    assert one_line(in_beam(lambda: wrapped(key_error))) == "KeyError: 'x'"
    assert one_line(raised(combine_in_beam)) == "KeyError: 'x'"


def test_an_error_of_the_projects_own_says_everything_itself_also_out_of_beam():
    error = in_beam(own_error)
    assert one_line(error) == "Expected this. Received: that."
    assert isinstance(origin(error), DataError)


def test_what_an_own_error_was_made_of_is_not_asked():
    def configured():
        try:
            key_error()
        except KeyError as error:
            raise ConfigError("Expected `x`.") from error

    assert one_line(raised(configured)) == "Expected `x`."
    assert one_line(raised(lambda: wrapped(configured))) == "Expected `x`."


def test_what_was_dealt_with_is_not_the_cause():
    def other():
        try:
            key_error()
        except KeyError:
            raise ValueError("the real one")  # noqa: B904 - a context, and no cause

    assert one_line(raised(other)) == "ValueError: the real one"


@tf.function
def picked(index):
    return tf.gather(tf.range(3), [index])


@tf.function
def too_large(size):
    return tf.reduce_sum(tf.random.normal([size, size, 64]))


@tf.function
def traced(x):
    return key_error() if x is not None else x


def test_an_error_in_a_running_graph_is_its_message_without_the_frames():
    assert one_line(raised(lambda: picked(tf.constant(9)))) == "InvalidArgumentError: indices[0] = 9 is not in [0, 3)"
    assert one_line(raised(lambda: too_large(tf.constant(1 << 20)))).startswith(
        "ResourceExhaustedError: OOM when allocating tensor with shape[1048576,1048576,64]"
    )


def test_an_error_while_a_graph_is_made_is_the_users_own():
    assert one_line(raised(lambda: traced(tf.constant(1)))) == "KeyError: 'x'"


def test_an_error_of_the_input_pipeline_is_its_message_without_node_and_function():
    bad = tf.data.Dataset.from_tensors(b"no picture").map(tf.io.decode_png)
    said = one_line(raised(lambda: list(bad)))
    assert re.fullmatch(r"InvalidArgumentError: Unknown image file format\. One of JPEG[A-Za-z, ]+ required\.", said)
    newer = (
        "Error in user-defined function passed to MapDataset:59 transformation with iterator: Iterator::Root::ParallelMapV2: No picture."
    )
    assert one_line(tf.errors.InvalidArgumentError(None, None, newer)) == "InvalidArgumentError: No picture."

    def rows():
        yield key_error()

    python = tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec((), tf.float32))
    assert one_line(raised(lambda: list(python))) == "KeyError: 'x'"


def test_a_label_that_keras_cannot_count_is_named():
    import keras

    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile(loss="sparse_categorical_crossentropy")
    line = one_line(raised(lambda: model.fit(np.ones((4, 2)), np.array([0, 1, 2, 99]), verbose=0)))
    assert line.startswith("InvalidArgumentError: Received a label value of 99 which is outside the valid range of [0, 3).")


def test_what_a_layer_raises_is_told_without_its_arguments():
    import keras

    class Layer(keras.layers.Layer):
        def call(self, inputs):
            raise ValueError("what the layer says")

    def called():
        Layer()(np.ones((2, 2), np.float32))

    assert "what the layer says" in one_line(raised(called))
    assert "Arguments received" not in one_line(raised(called))


def test_numbered_root_errors_of_several_replicas_are_read():
    text = (
        "Graph execution error:\n\nDetected at node 'x' defined at (most recent call last):\n    File \"a.py\", line 1\n"
        "      code()\nNode: 'x'\n2 root error(s) found.\n  (0) INVALID_ARGUMENT:  the cause\n\t [[{{node x}}]]\n"
    )
    assert one_line(ValueError(text)) == "ValueError: INVALID_ARGUMENT:  the cause"


def test_a_chain_of_tracebacks_as_text_gives_the_line_that_began_it():
    text = (
        "Traceback (most recent call last):\n  File x\nKeyError: 'x'\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n  File x\nRuntimeError: add_input failed on y with inputs:\n[1, 2]\n"
    )
    assert one_line(RuntimeError(text)) == "KeyError: 'x'"


def test_a_line_that_ends_in_a_colon_has_the_next_one_behind_it_and_a_dump_is_cut_off():
    assert one_line(ValueError("it failed with:\n\nthe cause\nmore")) == "ValueError: it failed with: the cause"
    assert len(one_line(ValueError("1 " * 10_000))) < 600
