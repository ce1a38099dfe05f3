"""How far a few gradient steps lead from a model to classes that it has never seen: 7, 8 and 9, told by the outputs of three others.

trained on 0 to 6 -> many times: outputs and a few rows of each unseen class are drawn -> gradient steps on them -> accuracy on the others.
The rate is the best one on other draws than those that are counted, for each model by itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.digits_trained import trained

LEARNT, UNSEEN = tuple(range(7)), (7, 8, 9)
SHOTS, STEPS, DRAWS, LONGER = 5, (1, 5), 20, 5
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
FIGURES = (*(f"unseen, {steps} step{'s' * (steps > 1)}" for steps in STEPS), "0 to 6 as it is", "seconds")


def _with(step: Any) -> Callable[[Path, int, int], list[float]]:
    def measured(root: Path, seed: int, epochs: int) -> list[float]:
        import numpy as np
        import tensorflow as tf

        model, _, x, y, seconds = trained(root, step, seed, LONGER * epochs, classes=LEARNT, batch_size=64)
        x, y = x.numpy(), y.numpy()
        start, rate = [variable.numpy() for variable in model.trainable_variables], tf.Variable(0.0)

        @tf.function
        def move(rows: tf.Tensor, labels: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(rows, training=False)))
            for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
                variable.assign_sub(rate * gradient)

        def adapted(steps: int, number: int) -> float:
            draw = np.random.default_rng([seed, number])
            outputs = draw.choice(LEARNT, len(UNSEEN), replace=False)
            drawn = np.concatenate([draw.choice(np.flatnonzero(y == label), SHOTS, replace=False) for label in UNSEEN])
            others = np.setdiff1d(np.flatnonzero(np.isin(y, UNSEEN)), drawn)
            for variable, values in zip(model.trainable_variables, start, strict=True):
                variable.assign(values)
            for _ in range(steps):
                move(tf.constant(x[drawn]), tf.constant(outputs[y[drawn] - UNSEEN[0]]))
            answers = np.argmax(model(x[others], training=False), -1)
            return float(np.mean(answers == outputs[y[others] - UNSEEN[0]]))

        def mean(steps: int, at: float, draws: range) -> float:
            rate.assign(at)
            return float(np.mean([adapted(steps, number) for number in draws]))

        is_learnt = np.isin(y, LEARNT)
        as_it_is = float(np.mean(np.argmax(model(x[is_learnt], training=False), -1) == y[is_learnt]))
        best = {steps: max(RATES, key=lambda at, steps=steps: mean(steps, at, range(DRAWS, 2 * DRAWS))) for steps in STEPS}
        return [*(mean(steps, best[steps], range(DRAWS)) for steps in STEPS), as_it_is, seconds]

    return measured


ROWS = {
    f"`standard` on {LEARNT[0]} to {LEARNT[-1]}": _with("standard"),
    f"`maml` on {LEARNT[0]} to {LEARNT[-1]}": _with("maml"),
    "`maml`, `shuffle_classes`, `ways: 3`": _with({"kind": "maml", "shuffle_classes": True, "ways": 3}),
}
