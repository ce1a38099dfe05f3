"""Which columns are read, and as what type."""

import pyarrow as pa
import pytest

from components.example_gen.columns import Columns
from pipeline import config

TABLE = """
name: accidents
data: {format: csv, path: rows.csv, splits: {group: 運転者}}
task: binary
label: 結果
features: {速度: number, 天候: category, 日時: {kind: time, order: day_first}}
"""


@pytest.fixture
def columns(tmp_path):
    (tmp_path / "mine.yaml").write_text(TABLE, encoding="utf-8")
    return config.load(tmp_path / "mine.yaml").columns


def test_the_configs_columns_are_its_features_and_its_label_each_as_its_kind_holds_it(columns):
    assert columns == Columns(
        kept={"速度": "float", "天候": "string", "日時": "int", "結果": "string"}, label="結果", orders={"日時": "day_first"}
    )
    assert Columns.from_json(columns.to_json()) == columns


def test_columns_that_only_divide_the_rows_are_read_as_text_unless_they_are_kept(columns):
    assert columns.arrow_types("運転者", "速度", None) == {
        "速度": pa.float64(),
        "天候": pa.string(),
        "日時": pa.int64(),
        "結果": pa.string(),
        "運転者": pa.string(),
    }


def test_pictures_in_numbered_classes_have_no_columns(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ndata: {format: digits}\n")
    assert config.load(tmp_path / "mine.yaml").columns == Columns()
