"""A model of the user's own is trained on logits whatever it ends in, and one that does not fit is refused before training."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import ConfigError, TrainingError
from trainer.models import build_model
from trainer.tasks import Multiclass, Multilabel, Regression

NUMBERS = {"numbers": tf.io.FixedLenFeature((4,), tf.float32)}
TWO = {**NUMBERS, "categories": tf.io.FixedLenFeature((2,), tf.int64)}
X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
HEAD = "import keras\nfrom keras import layers\n\ndef build(inputs, outputs, **settings):\n    x = keras.Input((4,), name='numbers')\n"


def built(body, inputs=NUMBERS, task=None, head=HEAD):
    """The compiled model of a function with this body, which follows on `HEAD`."""
    text = head + "".join(f"    {line}\n" for line in body.splitlines())
    config = TrainerConfig(model="my_model.py:build", code={"my_model.py": text}, seed=1)
    return build_model(config, task or Multiclass(classes=3), inputs, {"categories": 7})


def refused(body, error=ConfigError, **more):
    with pytest.raises(error) as told:
        built(body, **more)
    assert "\n" not in str(told.value)
    return str(told.value)


PLAIN = "return keras.Model(x, layers.Dense(outputs, name='d')(x))"
ENDINGS = {
    "dense": "return keras.Model(x, layers.Dense(outputs, activation='softmax', name='d')(x))",
    "sigmoid": "return keras.Model(x, layers.Dense(outputs, activation='sigmoid', name='d')(x))",
    "activation": "return keras.Model(x, layers.Activation('softmax')(layers.Dense(outputs, name='d')(x)))",
    "layer": "return keras.Model(x, layers.Softmax()(layers.Dense(outputs, name='d')(x)))",
    "function": "return keras.Model(x, keras.ops.softmax(layers.Dense(outputs, name='d')(x)))",
    "sequential": "return keras.Sequential([x, layers.Dense(outputs, activation='softmax', name='d')])",
    "sequential_layer": "return keras.Sequential([x, layers.Dense(outputs, name='d'), layers.Softmax()])",
    "unbuilt": "return keras.Sequential([layers.Dense(outputs, activation='softmax', name='d')])",
    "nested": "inner = keras.Sequential([keras.Input((4,)), layers.Dense(outputs, activation='softmax', name='d')])\n"
    "return keras.Model(x, inner(x))",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_softmax_or_sigmoid_at_the_end_is_left_out(ending):
    np.testing.assert_allclose(built(ENDINGS[ending])(X), built(PLAIN)(X), rtol=1e-5, atol=1e-6)


def test_the_function_gets_the_settings_that_it_takes():
    head = HEAD.replace("**settings", "sizes, dropout")
    assert built("assert (sizes, dropout) == ({'categories': 7}, 0.2)\n" + PLAIN, head=head).output.shape == (None, 3)


SUBCLASS = HEAD.replace(
    "\ndef build",
    "\nclass Mine(keras.Model):\n    def __init__(self, ending):\n        super().__init__()\n"
    "        self.dense = layers.Dense(3, activation=ending)\n"
    "    def call(self, x):\n        return self.dense(x['numbers'] if isinstance(x, dict) else x)\n\ndef build",
)


@pytest.mark.parametrize("inputs", [NUMBERS, TWO], ids=["one", "two"])
def test_a_subclassed_model_of_logits_is_taken_and_one_of_probabilities_is_not(inputs):
    assert built("return Mine(None)", head=SUBCLASS, inputs=inputs).trainable_variables
    message = refused("return Mine('softmax')", head=SUBCLASS, inputs=inputs)
    assert "Expected logits. Received: a model that ends in softmax. Leave it out." in message


@pytest.mark.parametrize("task", [Multilabel(names=("a", "b", "c")), Multiclass(classes=3)], ids=["multilabel", "multiclass"])
@pytest.mark.parametrize(
    ("body", "head"),
    [
        ("return Mine('sigmoid')", SUBCLASS),
        ("y = layers.Dense(3, activation='sigmoid')(x)\nreturn keras.Model(x, layers.Activation('linear', dtype='float32')(y))", HEAD),
    ],
    ids=["subclass", "with-a-layer-behind"],
)
def test_a_sigmoid_that_ends_a_model_out_of_the_layers_sight_is_refused(body, head, task):
    assert "Expected logits. Received: a model that ends in sigmoid. Leave it out." in refused(body, head=head, task=task)


def test_a_subclassed_regression_that_ends_in_a_sigmoid_is_refused():
    message = refused("return Mine('sigmoid')", head=SUBCLASS.replace("Dense(3,", "Dense(1,"), task=Regression())
    assert "Expected numbers without bounds for `task: regression`. Received: a model that ends in sigmoid. Leave it out." in message


def test_logarithms_of_a_softmax_are_logits_too_where_a_softmax_follows_and_not_where_a_sigmoid_does():
    assert built("return Mine('log_softmax')", head=SUBCLASS).trainable_variables
    assert "ends in log_softmax" in refused("return Mine('log_softmax')", head=SUBCLASS, task=Multilabel(names=("a", "b", "c")))


def test_a_softmax_that_is_no_layer_is_refused():
    assert "ends in softmax" in refused("return keras.Model(x, layers.Lambda(keras.ops.softmax)(layers.Dense(outputs)(x)))")


@pytest.mark.parametrize("outer", ["keras.Sequential([x, inner])", "keras.Model(x, inner(x))"])
def test_a_softmax_layer_inside_of_a_nested_model_is_refused_and_not_taken_off_with_that_whole_model(outer):
    inner = "inner = keras.Sequential([layers.Dense(outputs), layers.Softmax()])\n"
    assert "Received: one that ends in softmax" in refused(inner + f"return {outer}")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 3", "Expected a keras.Model. Received: int."),
        (
            "return keras.Model(x, layers.Dense(10)(x))",
            "Expected logits of the shape (batch, 3), as `outputs` says for `task: multiclass`. Received: (None, 10).",
        ),
        ("return keras.Model(x, layers.Reshape((1, 3))(layers.Dense(3)(x)))", "Received: (None, 1, 3)."),
        ("return keras.Model(x, [layers.Dense(3)(x), layers.Dense(3)(x)])", "Received: list."),
    ],
)
def test_a_model_of_another_output_is_refused_with_its_place(body, said):
    message = refused(body)
    assert message.startswith("my_model.py:4: ") and said in message


def test_a_model_of_inputs_that_are_not_there_is_refused_with_those_that_are():
    body = "y = keras.Input((2,), name='categorys')\nreturn keras.Model([x, y], layers.Dense(3)(x))"
    said = "Expected a model of the inputs 'numbers', 'categories'. Received: one that wants 'categorys', too. Did you mean 'categories'?"
    assert said in refused(body, inputs=TWO)
    assert "'categorys'" in refused(body)


def test_a_model_of_one_of_two_inputs_is_taken():
    assert built(PLAIN, inputs=TWO).output.shape == (None, 3)


def test_a_regression_that_ends_in_a_sigmoid_is_refused():
    assert "Expected numbers without bounds for `task: regression`. Received: a model that ends in sigmoid" in refused(
        ENDINGS["sigmoid"], task=Regression()
    )


def test_an_exception_is_told_with_its_line():
    assert refused("return layers.Dense('three')(x)", TrainingError).startswith("my_model.py:6: ")
    assert refused("x = keras.Input((9,), name='numbers')\nreturn keras.Model(x, layers.Dense(3)(x))", TrainingError).startswith(
        "my_model.py:4: "
    )
