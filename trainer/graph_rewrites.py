"""Keeps TensorFlow from rewriting the arithmetic of a training step, which it does differently in each loop's graph.

Grappler's constant folding turns `x / 12` into `x * (1 / 12)` and moves constants through products, depending on what else is in the
graph. That is another last bit, and after some epochs another model. Without it a step takes as long.
"""

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside, graphs are run as they were written; behind it the options are as before."""
    before = tf.config.optimizer.get_experimental_options().get("constant_folding", True)
    tf.config.optimizer.set_experimental_options({"constant_folding": False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"constant_folding": before})
