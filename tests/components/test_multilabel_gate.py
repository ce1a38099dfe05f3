"""The gate for several labels a row, for real: TFX's Evaluator on a tiny SavedModel, with the bound that anybody reaches."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from sklearn.metrics import f1_score, log_loss
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils

from components.config import BoundConfig, EvaluatorConfig
from components.evaluation import eval_config
from components.evaluator import Executor
from components.gate_verdict import read_verdict
from trainer.problem import Problem
from trainer.tasks import Multilabel

NAMES = ("red", "round", "丸い")
#        labels, labels that are answered, sex
TRAIN = [(["red"], [], "f")] * 6 + [(["red", "round"], [], "f")] * 2 + [([], [], "m")] + [(["丸い"], [], "m")]
TEST = [
    *[(["red"], ["red"], "f")] * 4,
    *[(["round", "red"], ["red"], "f")] * 2,
    *[([], [], "m")] * 2,
    (["round", "unheard of"], ["round"], "m"),
    (["丸い"], ["red", "丸い"], "m"),
]
GIVEN = Problem(features={"answer": "category"}, label="tags", task=Multilabel(separator=";"))
LEARNT = GIVEN.model_copy(update={"task": Multilabel(separator=";", names=NAMES)})
SURE = 0.9


def marks(rows, place):
    return np.asarray([[name in row[place] for name in NAMES] for row in rows], float)


def example(labels, answer, sex):
    def texts(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))

    features = {"tags": texts(labels), "answer": texts(answer), "sex": texts([sex])}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


class _Model(tf.Module):
    """Answers 0.9 for the labels in `answer`, 0.1 for others; marks a raw label's names."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(self, examples):
        return {"probabilities": 1 - SURE + (2 * SURE - 1) * self._marks(examples, "answer")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform_label(self, examples):
        return {"label": self._marks(examples, "tags")}

    def _marks(self, examples, name):
        names = tf.io.parse_example(examples, {name: tf.io.RaggedFeature(tf.string)})[name].to_tensor()
        return tf.cast(tf.reduce_any(names[:, :, tf.newaxis] == tf.constant(NAMES), axis=1), tf.float32)


@pytest.fixture(scope="module")
def evaluate(beam_context, tmp_path_factory):
    """evaluate(config): the Verdict."""
    folder = tmp_path_factory.mktemp("gate")
    examples, model = standard_artifacts.Examples(), standard_artifacts.Model()
    examples.uri, model.uri = str(folder / "examples"), str(folder / "model")
    examples.split_names = artifact_utils.encode_split_names(["train", "test"])
    for split, rows in {"train": TRAIN, "test": TEST}.items():
        Path(examples.uri, f"Split-{split}").mkdir(parents=True)
        with tf.io.TFRecordWriter(f"{examples.uri}/Split-{split}/data.gz", "GZIP") as file:
            for row in rows:
                file.write(example(*row))
    module, saved = _Model(), Path(model.uri, "Format-Serving")
    tf.saved_model.save(module, str(saved), signatures={"serving_default": module.answer, "transform_label": module.transform_label})
    (saved / "assets.extra").mkdir()
    (saved / "assets.extra/tapeline.problem.json").write_text(LEARNT.to_json())

    def run(config):
        place = tmp_path_factory.mktemp("evaluator")
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(place / "evaluation"), str(place / "blessing")
        Executor(beam_context(place)).Do(
            {"examples": [examples], "model": [model]},
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": json_format.MessageToJson(eval_config(config, GIVEN)),
                "example_splits": json_utils.dumps(["test"]),
                "fairness_indicator_thresholds": "null",
            },
        )
        verdict = read_verdict(blessing.uri)
        assert blessing.get_int_custom_property("blessed") == (0 if verdict.reasons else 1)
        return verdict

    return run


def test_metrics_are_those_of_sets_and_labels_and_a_model_must_beat_the_labels_shares(evaluate):
    verdict = evaluate(EvaluatorConfig())
    labels, told = marks(TEST, 0), marks(TEST, 1)
    shares = np.tile(marks(TRAIN, 0).mean(axis=0), (len(TEST), 1))
    assert verdict.metrics["accuracy"] == pytest.approx(0.7)
    assert verdict.metrics["f1"] == pytest.approx(f1_score(labels, told, average="macro"))
    by_label = f1_score(labels, told, average=None)
    assert verdict.metrics["f1_by_label"] == pytest.approx(dict(zip(NAMES, by_label, strict=True)))
    [bound] = verdict.bounds
    assert (bound.metric, bound.at_least, bound.passed) == ("log_loss", False, True)
    assert bound.bound == pytest.approx(np.mean([log_loss(labels[:, n], shares[:, n], labels=[0, 1]) for n in range(3)]))
    assert math.isfinite(bound.value)
    assert "the test split has 10 rows: one answer more or less moves the accuracy by 0.10." in verdict.notes[-1]


def test_bounds_of_the_set_of_the_means_and_of_slices_refuse(evaluate):
    bounds = (
        BoundConfig(metric="accuracy", min=0.71),
        BoundConfig(metric="f1", min=0.99),
        BoundConfig(metric="accuracy", min=0.7, slice={"sex": "m"}),
    )
    verdict = evaluate(EvaluatorConfig(bounds=bounds))
    assert [(bound.metric, bound.passed) for bound in verdict.bounds] == [
        ("accuracy", False),
        ("f1", False),
        ("accuracy (sex m)", True),
        ("log_loss", True),
    ]
