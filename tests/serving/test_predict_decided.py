"""What `tapeline predict` shows of answers that a threshold has decided."""

import json

import numpy as np
import pytest

from serving.predict_output import JsonOutput, TableOutput

NAMED = {
    "probabilities": np.asarray([[0.7, 0.3], [0.9, 0.1]], np.float32),
    "classes": np.asarray([b"spam", b"ham"], object),
    "class_names": np.asarray([[b"ham", b"spam"]] * 2, object),
}
NUMBERED = {"probabilities": NAMED["probabilities"], "classes": np.asarray([1, 0])}


@pytest.mark.parametrize("outputs", [NAMED, NUMBERED], ids=["named", "numbered"])
def test_the_probability_is_that_of_the_answered_class_which_need_not_be_the_greatest(capsys, outputs):
    shown = JsonOutput("mail", "row")
    shown.add(["rows.csv:2", "rows.csv:3"], outputs, 7)
    assert [json.loads(line)["probability"] for line in capsys.readouterr().out.splitlines()] == [0.3, 0.9]
    table = TableOutput("mail", "row")
    table.add(["rows.csv:2", "rows.csv:3"], outputs, 7)
    table.finish("")
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "rows.csv" in line]
    assert [line[2] for line in lines] == ["30.0%", "90.0%"]


def test_of_classes_that_nobody_can_tell_the_place_of_the_greatest_probability_is_shown(capsys):
    shown = JsonOutput("foreign", "row")
    shown.add(["rows.csv:2"], {"probabilities": NAMED["probabilities"], "classes": np.asarray([b"other"], object)}, 1)
    assert json.loads(capsys.readouterr().out)["probability"] == 0.7
