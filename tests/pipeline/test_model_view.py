"""`tapeline show model`: the layers of the model that a run would train, as a table and as a drawing."""

import re
import xml.etree.ElementTree as ET

import keras
import pytest
import tensorflow as tf
import yaml

from pipeline import cli, model_drawing
from tests.backbones import hub_module, packed
from trainer.errors import ConfigError
from trainer.models import linear, text

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = {"name": "mine", "data": {"format": "digits"}, "preprocessing": {"image_size": [8, 8]}, "trainer": {"model": "vit"}}
TABLE = {
    "name": "houses",
    "data": {"format": "csv", "path": "houses.csv"},
    "task": "regression",
    "label": "price",
    "features": {"area": "number"},
}


@pytest.fixture
def show(tmp_path, monkeypatch, capsys):
    """show(config, *flags): the exit status, stdout and stderr of `tapeline show model`."""
    monkeypatch.chdir(tmp_path)

    def run(config, *flags):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
        status = cli.main(["show", "model", "mine.yaml", *flags])
        return status, *capsys.readouterr()

    return run


def test_the_table_is_as_wide_as_whole_names_take_and_no_wider_than_the_terminal(show, monkeypatch):
    printed = {columns: show(PICTURES, "--set", "trainer.model=resnet")[1] for columns in _with_columns(monkeypatch, (90, 1000))}
    widths = {columns: max(map(len, text.splitlines())) for columns, text in printed.items()}
    assert widths[90] == 80
    assert "…" in printed[90]
    assert "…" not in printed[1000]
    assert 80 < widths[1000] <= 160
    assert "global_average_pooling2d" in printed[1000]


def _with_columns(monkeypatch, widths):
    for columns in widths:
        monkeypatch.setenv("COLUMNS", str(columns))
        yield columns


def test_a_picture_model_is_shown_without_a_run_with_its_parameters_and_its_drawing(show, tmp_path):
    status, printed, _ = show(PICTURES, "-o", "model.svg", "--set", "trainer.model=mlp")
    assert status == 0
    assert re.search(r"dense \(Dense\) .*8,320", printed)
    assert "Total params: 9,610 (37.54 KB)" in printed
    assert "Optimizer" not in printed
    assert printed.endswith("Wrote model.svg.\n")
    drawn = [element.text for element in ET.parse(tmp_path / "model.svg").iter(f"{SVG}text")]  # noqa: S314 - written above
    assert drawn[drawn.index("dense") - 1 : drawn.index("dense") + 2] == ["Dense", "dense", "(?, 128)  8,320 parameters"]


def test_a_network_out_of_an_archive_is_shown_with_the_head_above_it(show, tmp_path):
    hub_module(tmp_path / "hub")
    packed(tmp_path / "hub", tmp_path / "hub.tar.gz")
    given = {**PICTURES, "trainer": {"backbone": {"path": "hub.tar.gz"}}}
    status, printed, _ = show(given, "-o", "model.svg")
    assert status == 0
    assert re.search(r"backbone .*│ \(None, 16\)", printed)
    assert re.search(r"head \(Dense\) .*170", printed)
    assert "SavedNetwork" in (tmp_path / "model.svg").read_text(encoding="utf-8")
    status, _, told = show({**given, "trainer": {"backbone": {"path": "hub.tar.gx"}}})
    assert status == 2
    assert told.count("\n") == 1 and told.endswith("Did you mean 'hub.tar.gz'?\n")


def test_a_table_without_a_run_is_told_which_command_comes_first(show):
    status, _, told = show(TABLE)
    assert status == 2
    assert told.startswith("Expected a run of these features in '") and told.count("\n") == 1
    assert "run mine.yaml` first, or name its --root." in told


def test_a_drawing_of_another_format_is_refused_before_the_model_is_built(show):
    status, printed, told = show(PICTURES, "-o", "model.png")
    assert (status, printed) == (2, "")
    assert told == "Expected -o to be an SVG file, such as model.svg. Received: 'model.png'.\n"


def test_each_layer_is_drawn_once_below_those_that_go_into_it_with_an_arrow_for_each():
    inputs = {"numbers": tf.io.FixedLenFeature((2,), tf.float32), "tokens": tf.io.FixedLenFeature((4,), tf.int64)}
    model = linear.build(inputs, 2, 0.1, sizes={"tokens": 9})
    boxes = {box.name: box.before for box in model_drawing.layers_of(model)}
    assert boxes == {
        "numbers": (),
        "tokens": (),
        "tokens_weights": ("tokens",),
        "number_weights": ("numbers",),
        "linear": ("tokens_weights", "number_weights"),
    }
    drawing = ET.fromstring(model_drawing.svg(model))  # noqa: S314 - made above
    heights = [int(box.get("y")) for box in drawing.iter(f"{SVG}rect") if box.get("y")]
    assert sorted(heights) == [20, 20, 112, 112, 204]
    assert len([path for path in drawing.iter(f"{SVG}path") if path.get("marker-end")]) == 4


def test_two_uses_of_one_layer_are_two_arrows_and_other_models_with_it_are_none():
    model = text.build({"tokens": tf.io.FixedLenFeature((4,), tf.int64)}, 2, 0.1, sizes={"tokens": 9})
    keras.Model(model.input, keras.layers.Dense(1)(model.output))
    before = {box.name: box.before for box in model_drawing.layers_of(model)}
    assert before["linear"] != before["hidden"]
    assert len(before) == len(model.layers)


def test_a_model_that_hides_how_its_layers_are_joined_is_not_drawn():
    class Mine(keras.Model):
        pass

    with pytest.raises(ConfigError, match=r"Received: Mine, which does not say how its layers are joined\. Leave out -o\."):
        model_drawing.svg(Mine())
