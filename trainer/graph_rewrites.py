"""Keeps TensorFlow from rewriting the arithmetic of a training step, which it does differently in each graph.

Grappler's constant folding turns `x / 12` into `x * (1 / 12)` and moves constants through products, depending on what else is in the
graph; its arithmetic optimization sums three or more gradients in an order that depends on the names of layers, which Keras counts on
within a process. That is another last bit, and after some epochs another model. Without them a step takes as long.
"""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

_HELD = ("constant_folding", "arithmetic_optimization")


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside, graphs are run as they were written; behind it the options are as before."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(dict.fromkeys(_HELD, False))
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before.get(name, True) for name in _HELD})
