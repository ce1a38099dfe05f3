"""What people read while a model trains."""

import json
import re
import time

from trainer.callbacks import Progress


def test_an_epoch_is_one_line_in_the_log(caplog):
    progress = Progress(epochs=3, examples=100, file=None)
    with caplog.at_level("INFO", "trainer.callbacks"):
        progress.on_epoch_begin(1)
        progress.on_train_batch_end(0)
        progress.on_epoch_end(1, {"loss": 0.5, "val_loss": 1.25})
    (line,) = caplog.messages
    assert re.fullmatch(r"epoch 2 of 3: loss 0\.5000, val_loss 1\.2500, \d+ examples/s", line)


def test_the_speed_is_of_the_training_without_the_validation(tmp_path, monkeypatch):
    now = iter([10.0, 11.0, 14.0])  # the epoch begins, two calls end; nobody asks what time it is after the validation
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    progress = Progress(epochs=1, examples=100, file=str(tmp_path / "progress.jsonl"))
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(0)
    progress.on_train_batch_end(1)
    progress.on_epoch_end(0, {"loss": 0.5})
    assert json.loads((tmp_path / "progress.jsonl").read_text()) == {"epoch": 1, "epochs": 1, "loss": 0.5, "examples_per_second": 25}
