"""What people read while a model trains."""

import re

from trainer.callbacks import Progress


def test_an_epoch_is_one_line_in_the_log(caplog):
    progress = Progress(epochs=3, examples=100, file=None)
    with caplog.at_level("INFO", "trainer.callbacks"):
        progress.on_epoch_begin(1)
        progress.on_train_batch_end(0)
        progress.on_epoch_end(1, {"loss": 0.5, "val_loss": 1.25})
    (line,) = caplog.messages
    assert re.fullmatch(r"epoch 2 of 3: loss 0\.5000, val_loss 1\.2500, \d+ examples/s", line)
