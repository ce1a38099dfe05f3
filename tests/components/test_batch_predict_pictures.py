"""Predictions for whole tables that name or hold pictures beside their columns."""

import base64
import io
import json

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from components.batch_predict import predict
from pipeline.runs.beam_args import IN_MEMORY
from trainer.problem import Problem
from trainer.tasks import Regression

RED, BLUE = (250, 0, 0), (0, 0, 250)


def picture(colour, kind="PNG", **options):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Called with the kinds of the features: a model of `photo`, and of `x` if there is one, whose value is x, or 100 + x for red."""
    import tensorflow as tf

    from trainer.features.image import decoded

    def value(photo, x):
        return {"values": x + tf.where(decoded(photo, "photo", (2, 2), 3)[:, 0, 0, 0] > 128, 100.0, 0.0)}

    def make(features):
        module = tf.Module()
        module.columns = tf.function(value, autograph=False)
        module.image = tf.function(lambda image: value(image, tf.zeros(tf.size(image))), autograph=False)
        texts, numbers = tf.TensorSpec([None], tf.string, "photo"), tf.TensorSpec([None], tf.float32, "x")
        if "x" in features:
            signatures = {"predict_columns": module.columns.get_concrete_function(photo=texts, x=numbers)}
        else:
            signatures = {"predict_image": module.image.get_concrete_function(tf.TensorSpec([None], tf.string, "image"))}
        folder = tmp_path_factory.mktemp("model") / "1"
        tf.saved_model.save(module, str(folder), signatures=signatures)
        (folder / "assets.extra").mkdir()
        problem = Problem(features=features, label="y", task=Regression())
        (folder / "assets.extra/tapeline.problem.json").write_text(problem.to_json(), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="module")
def both(model):
    return model({"photo": "image", "x": "number"})


@pytest.fixture
def folder(tmp_path):
    """With pictures in it and in a folder below."""
    (tmp_path / "in/写真").mkdir(parents=True)
    for name, content in {"写真/a b.png": picture(RED), "写真/c.JPG": picture(BLUE, "JPEG"), "写真/d.webp": picture(RED, "WEBP")}.items():
        (tmp_path / "in" / name).write_bytes(content)
    return tmp_path / "in"


@pytest.fixture
def run(tmp_path):
    """Called with a model and an input: ([(value, what the row shows of its picture)], [(line, reason)] of those set aside)."""

    def call(model, place):
        output, errors = tmp_path / "out.jsonl", tmp_path / "errors.jsonl"
        predict(model, str(place), output, errors, IN_MEMORY)
        rows, rejected = (
            [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else [] for path in (output, errors)
        )
        return [(row["value"], row.get("photo")) for row in rows], [(each["line"], each["reason"]) for each in rejected]

    return call


def test_a_csv_names_pictures_below_its_folder(run, both, folder):
    (folder / "rows.csv").write_text("x,photo\n1,写真/a b.png\n2,写真/c.JPG\n3,写真/d\n4,写真/e.png\n,写真/a b.png\n5,\n", encoding="utf-8")
    rows, rejected = run(both, folder / "rows.csv")
    assert rows[:3] == [(101.0, "写真/a b.png"), (2.0, "写真/c.JPG"), (103.0, "写真/d")]
    assert [(line, reason.split(", ")[-1]) for line, reason in rejected if line != 6] == [(5, "not there"), (7, "no picture is named")]


def test_the_pictures_may_be_in_a_folder_below_as_data_pictures_has_them(run, both, folder):
    (folder / "rows.csv").write_text("x,photo\n1,a b.png\n2,c\n", encoding="utf-8")
    assert run(both, folder / "rows.csv") == ([(101.0, "a b.png"), (2.0, "c")], [])


def test_json_lines_name_pictures_or_hold_them_in_base64(run, both, folder):
    named = [{"x": 1, "photo": "写真/a b.png"}, {"x": 2, "photo": "写真/c"}]
    (folder / "named.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    assert run(both, folder / "named.jsonl") == ([(101.0, "写真/a b.png"), (2.0, "写真/c")], [])
    held = [{"x": x, "photo": {"b64": base64.b64encode(picture(colour)).decode()}} for x, colour in ((1, RED), (2, BLUE))]
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held))
    rows, rejected = run(both, folder / "held.jsonl")
    assert ([value for value, _ in rows], rejected) == ([101.0, 2.0], [])


def test_parquet_names_pictures_or_holds_them(run, both, folder):
    parquet.write_table(pa.table({"x": [1.0, 2.0], "photo": ["写真/a b.png", "写真/c.JPG"]}), folder / "named.parquet")
    assert run(both, folder / "named.parquet") == ([(101.0, "写真/a b.png"), (2.0, "写真/c.JPG")], [])
    parquet.write_table(pa.table({"x": [1.0, 2.0], "photo": [picture(RED), picture(BLUE)]}), folder / "held.parquet")
    assert run(both, folder / "held.parquet") == ([(101.0, None), (2.0, None)], [])


def test_a_model_of_pictures_alone_takes_a_table_that_names_them_as_well_as_the_folder(run, model, folder):
    alone = model({"photo": "image"})
    (folder / "rows.csv").write_text("note,photo\nq,写真/a b.png\nr,写真/c.JPG\n", encoding="utf-8")
    assert run(alone, folder / "rows.csv") == ([(100.0, "写真/a b.png"), (0.0, "写真/c.JPG")], [])
    assert [value for value, _ in run(alone, folder)[0]] == [100.0, 0.0, 100.0]
