"""Several labels for a row, as `tapeline predict` shows them."""

import json

import numpy as np
import pytest

from serving.predict_output import JsonOutput, TableOutput

OUTPUTS = {
    "classes": np.array([b"red;\xe4\xb8\xb8\xe3\x81\x84", b""], object),
    "class_names": np.array([[b"red", b"new", b"\xe4\xb8\xb8\xe3\x81\x84"]] * 2, object),
    "predicted": np.array([[True, False, True], [False] * 3]),
    "probabilities": np.array([[0.625, 0.25, 0.875], [0.125, 0.0, 0.25]], np.float32),
}


@pytest.fixture
def shown(capsys):
    """shown(kind): what an Output of that kind prints of the two rows."""

    def show(kind):
        output = kind("fruit", "row")
        output.add(["rows.csv:2", "rows.csv:3"], OUTPUTS, 7)
        output.finish("")
        return capsys.readouterr().out

    return show


def test_a_row_of_the_table_names_the_labels_that_are_predicted_the_most_probable_first(shown):
    lines = shown(TableOutput).splitlines()
    assert [line.split()[1:] for line in lines if "rows.csv" in line] == [["丸い", "87.5%,", "red", "62.5%"], ["none"]]


def test_json_lists_them_and_gives_every_labels_probability(shown):
    first, second = map(json.loads, shown(JsonOutput).splitlines())
    assert first == {
        "row": "rows.csv:2",
        "classes": ["red", "丸い"],
        "probabilities": {"red": 0.625, "new": 0.25, "丸い": 0.875},
        "model_name": "fruit",
        "version": 7,
    }
    assert second["classes"] == []
