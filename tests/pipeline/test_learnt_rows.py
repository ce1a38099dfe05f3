"""`tapeline predict` reads a table for a model that was pushed here as the model has learnt to read it."""

import io
import json
import shutil

import pytest
from PIL import Image

from components.example_gen.readers.dialect import Dialect
from pipeline import learnt_rows
from serving.errors import InputFileError
from serving.predict_table import Table
from trainer.problem import FILE, Joined, Problem, Written


@pytest.fixture
def pushed(tmp_path, monkeypatch):
    """pushed(features, orders, joined, **csv): a version 7 of the model `mine` below runs/ that has learnt from a table written so."""
    monkeypatch.chdir(tmp_path)

    def make(features, orders=None, joined=None, **csv):
        written = Written(**Dialect(**csv).model_dump(include=set(Written.model_fields)))
        task = {"kind": "regression"}
        problem = Problem(features=features, orders=orders or {}, written=written, joined=joined, label="y", task=task)
        place = tmp_path / "runs/mine/serving/mine/7" / FILE
        place.parent.mkdir(parents=True)
        place.write_text(problem.to_json(), encoding="utf-8")

    return make


def cells(path, *names):
    """The cells of these columns, and the faults, of the version 7 of `mine`."""
    records = list(learnt_rows.reader("mine", 7, [path])())
    return [[record.cells[name] for name in names] if not record.fault else record.fault for record in records]


def test_cells_are_read_as_the_data_was(pushed, tmp_path):
    csv = {"delimiter": ";", "decimal": ",", "thousands": ".", "units": {"mass": "kg"}, "replace": {"YES": "yes"}, "missing": ("", "?")}
    pushed({"price": "number", "mass": "number", "when": "time", "paid": "category"}, {"when": "day_first"}, **csv)
    path = tmp_path / "rows.csv"
    path.write_text(
        "price;mass;when;paid;more\n1.200;5,5 kg;2.1.1970;YES;a\n?;3 g;3.1.1970;no;b\n€ 7;2kg;昭和45年1月2日;?;c\n", encoding="utf-8"
    )
    assert cells(path, "price", "mass", "when", "paid") == [
        [1200.0, 5.5, 86_400, b"yes"],
        "column 'mass': '3 g' is no number",
        [7.0, 2.0, 86_400, ""],
    ]
    table = Table(learnt_rows.reader("mine", 7, [path]))
    table.decide()
    assert "more" in table.kinds


def test_pictures_are_read_and_their_bytes_counted(pushed, tmp_path):
    pushed({"photo": "image", "x": "number"})
    (tmp_path / "table").mkdir()
    file = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "PNG")
    (tmp_path / "table/a.png").write_bytes(file.getvalue())
    path = tmp_path / "table/rows.jsonl"
    path.write_text(json.dumps({"photo": "a.png", "x": 1}) + "\n" + json.dumps({"photo": "b.png", "x": 1}) + "\n", encoding="utf-8")
    (first, fault) = learnt_rows.reader("mine", 7, [path])()
    assert first.cells["photo"] == file.getvalue()
    assert "b.png" in fault.fault
    assert Table(list).size(first) >= len(file.getvalue())


def test_another_version_and_a_model_that_does_not_say_are_not_known(pushed, tmp_path):
    pushed({"x": "number"})
    assert learnt_rows.reader("mine", 8, [tmp_path]) is None
    shutil.rmtree(tmp_path / "runs/mine/serving/mine/7/assets.extra")
    assert learnt_rows.reader("mine", 7, [tmp_path]) is None


def test_a_missing_feature_is_a_fault_of_the_file(pushed, tmp_path):
    pushed({"price": "number"})
    path = tmp_path / "rows.csv"
    path.write_text("prize,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputFileError, match="Did you mean 'prize'"):
        list(learnt_rows.reader("mine", 7, [path])())


def test_the_rows_of_a_table_make_the_series_that_are_sent(pushed, tmp_path):
    pushed({"past": "series"}, joined=Joined(key=("shop",), time="day", length=2, of={"past": "y"}, before={"past": 1}))
    path = tmp_path / "rows.csv"
    path.write_text("day,shop,y\n3,a,\n1,a,10\n2,a,20\n1,b,7\n", encoding="utf-8")
    assert cells(path, "past", "shop") == [[[10.0, 20.0], b"a"], [[], b"a"], [[10.0], b"a"], [[], b"b"]]
