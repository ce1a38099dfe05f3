"""A worker that says in a file, `END`, what its training came to, and may send itself a signal on the way, `AT`."""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

from trainer import gradient_tape, worker


class At(keras.callbacks.Callback):
    """Sends itself a signal after so many calls of the loop."""

    def __init__(self, calls, number):
        super().__init__()
        self.calls, self.number = calls, number

    def on_train_batch_end(self, batch, logs=None):
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), self.number)


def said(place):
    loop = gradient_tape.train

    def train(model, train_batches, eval_batches, strategy, config, callbacks):
        if "AT" in os.environ:
            calls, name = os.environ["AT"].split()
            callbacks = [*callbacks[:-1], At(int(calls), signal.Signals[name]), *callbacks[-1:]]
        history = loop(model, train_batches, eval_batches, strategy, config, callbacks)
        weights = {f"weight {number:03d}": each.numpy() for number, each in enumerate([*model.variables, *model.optimizer.variables])}
        weights["begin"] = np.asarray(train_batches.begin)
        np.savez(place, **weights, **{name: np.asarray(values) for name, values in history.history.items()})
        return history

    return train


if __name__ == "__main__":
    gradient_tape.train = said(Path(os.environ["END"]))
    worker.end(worker.main(sys.argv[1]))
