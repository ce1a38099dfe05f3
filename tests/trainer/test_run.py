"""The recipe as TFX calls it: `run_fn` with files of examples, to a SavedModel."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.conftest import ROWS
from trainer import fit, gradient_tape
from trainer.features import names


def write_with_the_next_label(patterns, path):
    """The transformed examples of `patterns`, each with its label plus one."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as file:
        for record in tf.data.TFRecordDataset(tf.io.gfile.glob(patterns), "GZIP").as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            label = example.features.feature[names.LABEL].int64_list.value
            label[0] = (label[0] + 1) % 10
            file.write(example.SerializeToString())


@pytest.mark.parametrize("weights", ["best", "last"])
@pytest.mark.parametrize("loop", [fit, gradient_tape], ids=["fit", "gradient_tape"])
def test_the_exported_model_answers_with_the_weights_of_the_epoch_that_is_wanted(scaled, tmp_path, monkeypatch, loop, weights):
    monkeypatch.setenv("TAPELINE_PROGRESS", str(tmp_path / "progress.jsonl"))
    settings = {"epochs": 4, "learning_rate": 0.01, "early_stopping": None, "strategy": "one_device", "must_learn": False}
    fn_args = scaled.fn_args(tmp_path, **settings, weights=weights)
    write_with_the_next_label(fn_args.eval_files, tmp_path / "eval.gz")  # so that every epoch is worse than the one before it
    fn_args.eval_files = [str(tmp_path / "eval.gz")]
    loop.run_fn(fn_args)
    losses = [json.loads(line)["val_loss"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert losses[-1] > 1.1 * losses[0] == 1.1 * min(losses)
    served = tf.saved_model.load(fn_args.serving_model_dir).signatures["serving_default"]
    probabilities = served(examples=tf.constant(scaled.raw[ROWS["eval"]]))["probabilities"].numpy()
    of_the_label = probabilities[np.arange(len(probabilities)), (scaled.labels[ROWS["eval"]] + 1) % 10]
    np.testing.assert_allclose(-np.log(of_the_label).mean(), {"best": min(losses), "last": losses[-1]}[weights], rtol=1e-4)
