"""Pictures and columns together: a table and its pictures, from `tapeline init` to the same answers by gRPC, REST and for whole files.

The class needs both: the picture says which colour it is, turned as a phone stores it, and a column how heavy.
"""

import base64
import csv
import io
import json
import urllib.request

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

NAMES = {(True, True): "red, heavy", (True, False): "赤", (False, True): "blue 🐟", (False, False): "blue"}
COLUMNS = ("photo", "weight (kg)", "shop", "class")
TRAINED = ("--set", "trainer.epochs=24")
ORIENTATION, TURN_BACK = 0x0112, {1: None, 6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}


@pytest.fixture(scope="module")
def here(place):
    return place("pictures_and_columns")


@pytest.fixture(scope="module")
def table(here):
    """`labels.csv` and its pictures, JPEG and PNG: red or blue at the top, the other colour below."""
    folder, random = here.folder / "data", np.random.default_rng(0)
    (folder / "写真").mkdir(parents=True)
    rows = []
    for number in range(320):
        is_red, is_heavy = random.integers(2, size=2).astype(bool).tolist()
        top, below = ((200, 40, 40), (40, 40, 200))[:: 1 if is_red else -1]
        is_top = np.arange(16 + number % 3)[:, np.newaxis, np.newaxis] < 8
        pixels = np.where(is_top, top, below) + random.normal(0, 15, (len(is_top), 20, 3))
        name = f"写真/p {number}.{'jpg' if number % 2 else 'png'}"
        (folder / name).write_bytes(as_file(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), number))
        weight = random.normal(20 if is_heavy else 10, 1.5)
        rows.append((name, f"{weight:.2f}", random.choice(["north", "a, b"]), NAMES[is_red, is_heavy]))
    path = folder / "labels.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def as_file(image, number):
    file = io.BytesIO()
    if number % 2 == 0:
        image.save(file, "PNG")
        return file.getvalue()
    orientation = list(TURN_BACK)[number % len(TURN_BACK)]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    back = TURN_BACK[orientation]
    (image.transpose(back) if back is not None else image).save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
def rows(table):
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def pushed(here, table):
    config = here.folder / "both.yaml"
    looked = here.tapeline("init", table, "--yes", "--label", "class", "--name", "both", "--output", config)
    assert looked.returncode == 0, looked.stderr
    answer = here.run(config, *TRAINED)
    assert answer.status == 0, answer.stderr
    return answer.record


@pytest.fixture(scope="module")
def server(serve, here, pushed):
    return serve(here, pushed)


@pytest.fixture(scope="module")
def by_grpc(here, table, server):
    said = here.tapeline("predict", table, "--json", "--server", server.address, "--model_name", "both")
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_both_are_learnt_and_answered_with_the_tables_own_names(rows, by_grpc):
    assert [set(answer["probabilities"]) for answer in by_grpc] == [set(NAMES.values())] * len(rows)
    assert np.mean([answer["class"] == row["class"] for answer, row in zip(by_grpc, rows, strict=True)]) > 0.95


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "tfrecord"])
def test_a_whole_file_is_answered_as_by_the_server(here, table, pushed, by_grpc, suffix):
    output = here.folder / f"answers.{suffix}"
    said = here.tapeline("predict", "--model_dir", pushed["model_dir"], "--input", table, "--output", output)
    assert said.returncode == 0, said.stderr
    answers = read(output)
    assert [answer["class_"] for answer in answers] == [answer["class"] for answer in by_grpc]
    for name in NAMES.values():
        given = [float(answer[f"probability_{name}"]) for answer in answers]
        np.testing.assert_allclose(given, [answer["probabilities"][name] for answer in by_grpc], atol=0.05)  # two decoders of JPEG


def test_rest_answers_the_same_with_the_pictures_in_base64(table, rows, server, by_grpc):
    instances = [
        {
            "photo": {"b64": base64.b64encode((table.parent / row["photo"]).read_bytes()).decode()},
            "weight (kg)": float(row["weight (kg)"]),
            "shop": row["shop"],
        }
        for row in rows[:8]
    ]
    body = json.dumps({"signature_name": "predict_columns", "instances": instances}).encode()
    with urllib.request.urlopen(f"{server.url}:predict", body, timeout=60) as answer:  # noqa: S310 - our own server
        predictions = json.load(answer)["predictions"]
    assert [each["classes"] for each in predictions] == [each["class"] for each in by_grpc[:8]]


def test_the_model_of_the_run_is_shown_with_what_goes_in(here, pushed):
    drawn = here.folder / "model.svg"
    shown = here.tapeline("show", "model", here.folder / "both.yaml", "--root", here.root, "-o", drawn)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Total params: " in shown.stdout
    for name in ("numbers", "categories", "pixels"):
        assert name in shown.stdout and f">{name}<" in drawn.read_text("utf-8")


def read(path):
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    import tensorflow as tf

    examples = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    return [{name: value(feature) for name, feature in example.features.feature.items()} for example in examples]


def value(feature):
    [first] = getattr(feature, feature.WhichOneof("kind")).value
    return first.decode() if isinstance(first, bytes) else first
