"""`tapeline predict` of pictures in all the formats that are trained on, and of tables that name pictures."""

import base64
import io
import json

import pytest
from PIL import Image

from serving.predict import main

RED, BLUE = (250, 0, 0), (0, 0, 250)


def picture(colour, kind, **options):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def servers(serve_here, tmp_path_factory):
    """A server each of models of a picture: `columns` takes it as `photo` beside the number `x`, `alone` by `predict_image`."""
    import tensorflow as tf

    from trainer.features.image import decoded

    def answer(photo, x):
        is_red = decoded(photo, "photo", (2, 2), 3)[:, 0, 0, 0] > 128
        names = tf.constant(["blue", "red"])
        yes = tf.where(is_red, 0.75, 0.25)
        return {
            "probabilities": tf.stack([1 - yes, yes], axis=1),
            "classes": tf.strings.join([tf.gather(names, tf.cast(is_red, tf.int64)), tf.strings.as_string(tf.cast(x, tf.int64))]),
            "class_names": tf.tile(names[tf.newaxis], [tf.size(x), 1]),
        }

    module = tf.Module()
    module.columns = tf.function(lambda photo, x: answer(photo, x), autograph=False)
    module.image = tf.function(lambda image: answer(image, tf.zeros(tf.size(image))), autograph=False)
    photo, number = tf.TensorSpec([None], tf.string, "photo"), tf.TensorSpec([None], tf.float32, "x")
    signatures = {
        "columns": {"predict_columns": module.columns.get_concrete_function(photo=photo, x=number)},
        "alone": {"predict_image": module.image.get_concrete_function(tf.TensorSpec([None], tf.string, "image"))},
    }
    addresses = {}
    for name, each in signatures.items():
        base_path = tmp_path_factory.mktemp(name)
        tf.saved_model.save(module, str(base_path / "1"), signatures=each)
        addresses[name] = serve_here(base_path).grpc
    return addresses


@pytest.fixture
def run(servers, capsys):
    """Called with a model and files it gives (status, {the end of a row's name: class or error}, stderr)."""

    def call(model, *files):
        status = main([*map(str, files), "--json", "--model_name", "digits", "--server", servers[model]])
        captured = capsys.readouterr()
        rows = [json.loads(line) for line in captured.out.splitlines()]
        return status, {(row.get("row") or row["file"]).rsplit("/", 1)[-1]: row.get("class") or row["error"] for row in rows}, captured.err

    return call


def test_a_table_names_pictures_below_its_folder_in_any_format_and_with_or_without_suffix(run, tmp_path):
    (tmp_path / "写真").mkdir()
    for name, content in {
        "a b.png": picture(RED, "PNG"),
        "写真/c.JPG": picture(BLUE, "JPEG"),
        "d.webp": picture(RED, "WEBP"),
        "写真/e.GIF": picture(BLUE, "GIF"),
    }.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "rows.csv").write_text("x,photo\n1,a b.png\n2,写真/c.JPG\n3,./d\n4,e\n5,写真\\c\n", encoding="utf-8")
    answer = {"rows.csv:2": "red1", "rows.csv:3": "blue2", "rows.csv:4": "red3", "rows.csv:5": "blue4", "rows.csv:6": "blue5"}
    assert run("columns", tmp_path / "rows.csv") == (0, answer, "")


def test_json_lines_name_pictures_or_hold_them_in_base64(run, tmp_path):
    (tmp_path / "a.bmp").write_bytes(picture(RED, "BMP"))
    held = base64.b64encode(picture(BLUE, "PNG")).decode()
    lines = [{"x": 1, "photo": "a.bmp"}, {"x": 2, "photo": {"b64": held}}, {"x": 3, "photo": {"b64": "?"}}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    status, answers, _ = run("columns", tmp_path / "rows.jsonl")
    assert (status, answers.pop("rows.jsonl:1"), answers.pop("rows.jsonl:2")) == (1, "red1", "blue2")
    assert answers["rows.jsonl:3"].startswith("column 'photo': expected base64.")


def test_a_row_whose_picture_is_not_there_outside_or_none_is_named_and_the_others_are_answered(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(picture(RED, "PNG"))
    (folder / "a.png").write_bytes(picture(RED, "PNG"))
    (folder / "half.png").write_bytes(picture(RED, "PNG")[:-20])
    (folder / "rows.csv").write_text("x,photo\n1,a.png\n2,b.png\n3,../outside.png\n4,\n5,half.png\n6,a.png\n7,..\\outside.png\n")
    status, answers, err = run("columns", folder / "rows.csv")
    assert (status, err.count("\n")) == (1, 5)
    assert (answers.pop("rows.csv:2"), answers.pop("rows.csv:7")) == ("red1", "red6")
    below = f"column 'photo': expected the name of a picture below '{folder}'"
    assert answers["rows.csv:3"] == f"{below}, which is there. Received: 'b.png'."
    assert answers["rows.csv:4"] == f"{below}. Received: '../outside.png'."
    assert answers["rows.csv:8"] == f"{below}. Received: '..\\\\outside.png'."
    assert answers["rows.csv:5"] == f"{below}. Received: nothing."
    assert answers["rows.csv:6"].startswith("column 'photo': expected a picture (")


def test_a_folder_of_pictures_is_asked_about_in_every_format_and_without_what_macos_adds(run, tmp_path):
    for kind, suffix in (("PNG", "png"), ("JPEG", "JPG"), ("WEBP", "webp"), ("BMP", "bmp"), ("GIF", "gif")):
        (tmp_path / f"a.{suffix}").write_bytes(picture(RED, kind))
    (tmp_path / "._a.jpg").write_bytes(b"\0\5\x16\7")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "b.jpg").write_bytes(b"\0\5\x16\7")
    status, answers, err = run("alone", tmp_path)
    assert (status, err) == (0, "")
    assert answers == dict.fromkeys(["a.png", "a.JPG", "a.webp", "a.bmp", "a.gif"], "red0")
