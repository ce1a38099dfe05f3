"""Labels in one text become lists."""

import pyarrow as pa
import pytest

from components.example_gen import separated
from components.example_gen.columns import Columns


@pytest.mark.parametrize(
    ("text", "separator", "names"),
    [
        ("red;round", ";", ["red", "round"]),
        (" red ;; 丸い;", ";", ["red", "丸い"]),
        ("red", ";", ["red"]),
        ("", ";", []),
        (" ; ", ";", []),
        ("a||b|c", "||", ["a", "b|c"]),
        (None, ";", None),
    ],
)
def test_names_are_without_spaces_around_them_and_empty_ones_are_none(text, separator, names):
    assert separated.split(pa.array(["x", text, "y;z"], pa.string()), separator).to_pylist()[1] == names


@pytest.mark.parametrize(("empty_label", "missing"), [(True, []), (False, None)])
def test_a_missing_value_is_no_label_or_a_row_without_one_as_the_format_can_tell(empty_label, missing):
    batch = pa.RecordBatch.from_pydict({"tags": pa.array(["a;b", None]), "x": pa.array([1, 2])})
    columns = Columns(kept={"tags": "strings", "x": "int"}, label="tags", separator=";", empty_label=empty_label)
    assert separated.labels(batch, columns).to_pydict() == {"tags": [["a", "b"], missing], "x": [1, 2]}
