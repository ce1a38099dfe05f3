"""Recurrent layers and masked attention in the form that LiteRT takes: they answer as before, and become files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.export import litert
from trainer.export.lite_form import lite_form
from trainer.models import lstm, mlp, transformer

LENGTH, WORDS = 6, 50
BUILDERS = {"lstm": lstm.build, "transformer": transformer.build}


class Texts(tf.Module):
    """As `Portable`, of a model of texts."""

    output = "probabilities"

    def __init__(self, name):
        super().__init__()
        keras.utils.set_random_seed(1)
        self.model = BUILDERS[name]({"sequence": tf.io.FixedLenFeature((LENGTH,), tf.int64)}, 3, 0.0, sizes={"sequence": WORDS})
        for variable in self.model.trainable_variables:
            variable.assign(2 * variable)  # so that the rows' answers differ
        self.values = [variable.value for variable in self.model.variables]

    def predict(self):
        spec = tf.TensorSpec((None, LENGTH), tf.int64, "sequence")
        answer = lambda sequence: {self.output: tf.nn.softmax(self.model(sequence, training=False))}  # noqa: E731 - traced anew each time
        return tf.function(answer, autograph=False).get_concrete_function(sequence=spec)

    def lite(self):
        with lite_form(self.model):
            return self.predict()


def rows(number):
    """Texts of 1 to LENGTH words, then padding."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, LENGTH + 1, (number, 1))
    return np.where(np.arange(LENGTH) < lengths, generator.integers(1, WORDS, (number, LENGTH)), 0)


def operations(function):
    graph = function.graph.as_graph_def()
    return [node for nodes in (graph.node, *(inner.node_def for inner in graph.library.function)) for node in nodes]


@pytest.mark.parametrize("name", BUILDERS)
def test_in_the_form_a_model_answers_as_before_and_has_neither_lists_nor_numbers_that_hide_all_others(name):
    texts = Texts(name)
    sequence = tf.constant(rows(40))
    np.testing.assert_allclose(*(each(sequence=sequence)[texts.output] for each in (texts.predict(), texts.lite())), atol=2e-6)
    found = operations(texts.lite())
    assert not [node.name for node in found if node.op.startswith(("TensorList", "While", "StatelessWhile"))]
    constants = [tf.make_ndarray(node.attr["value"].tensor) for node in found if node.op == "Const"]
    assert max(np.abs(values).max() for values in constants if values.dtype == np.float32 and values.size) < 1e3


def test_afterwards_the_model_is_traced_as_before():
    texts = Texts("lstm")
    before = sorted(node.op for node in operations(texts.predict()))
    texts.lite()
    assert sorted(node.op for node in operations(texts.predict())) == before
    assert any(operation.startswith("TensorList") for operation in before)


def test_a_model_without_such_layers_is_told_apart():
    model = mlp.build({"pixels": tf.io.FixedLenFeature((4, 4, 1), tf.float32)}, 3, 0.0)
    with lite_form(model) as is_other:
        assert not is_other


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_the_files_answer_as_the_model_does_also_in_int8(name):
    texts = Texts(name)
    sequence = rows(100)
    wanted = texts.predict()(sequence=tf.constant(sequence))[texts.output]
    for precision, most in (("float32", 1e-6), ("int8", 0.05)):
        answers = litert.Runner(litert.convert(texts, precision, {"sequence": sequence}))({"sequence": sequence})
        assert np.sqrt(np.mean((answers - wanted) ** 2)) < most
