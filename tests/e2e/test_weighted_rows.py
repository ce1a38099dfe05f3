"""A table with a column of weights, from a CSV file to answers for a table that has none: rows of weight 0 say nothing of the label."""

import csv

import numpy as np
import pytest

CONFIG = """
name: slopes
data: {format: csv, path: slopes.csv, splits: {column: part}}
task: regression
label: y
weight: trust
features: {x: number}
trainer: {model: linear, epochs: 60, batch_size: 32, learning_rate: 0.05}
evaluator: {bounds: [{metric: rmse, max: 1.0}]}
"""
ROWS = 400


@pytest.fixture(scope="module")
def here(place):
    return place("weights")


@pytest.fixture(scope="module", params=["fit", "gradient_tape"])
def pushed(here, request):
    """The record of a run whose labels are 3 x, but for every second training row, which says -50 and weighs nothing."""
    random = np.random.default_rng(0)
    with (here.folder / "slopes.csv").open("w", encoding="utf-8", newline="") as file:
        parts = ["eval" if row < 50 else "test" if row < 100 else "train" for row in range(ROWS)]
        wrong = [part == "train" and row % 2 for row, part in enumerate(parts)]
        xs = np.round(random.normal(size=ROWS), 4)
        rows = [(x, -50 if no else round(3 * x, 4), int(not no), part) for x, no, part in zip(xs, wrong, parts, strict=True)]
        csv.writer(file).writerows([("x", "y", "trust", "part"), *rows])
    (here.folder / "slopes.yaml").write_text(CONFIG, encoding="utf-8")
    answer = here.run(here.folder / "slopes.yaml", "--set", f"trainer.loop={request.param}")
    assert answer.status == 0, answer.stderr
    return answer.record


def test_the_model_answers_what_the_rows_say_that_count_and_asks_for_no_weight(here, pushed):
    asked, output = here.folder / "asked.csv", here.folder / "answers.csv"
    asked.write_text("x\n-1\n0\n1\n", encoding="utf-8")
    said = here.tapeline("predict", "--model_dir", pushed["model_dir"], "--input", asked, "--output", output)
    assert said.returncode == 0, said.stderr
    with output.open(encoding="utf-8", newline="") as file:
        answers = [float(row["value"]) for row in csv.DictReader(file)]
    assert answers == pytest.approx([-3, 0, 3], abs=1.0)
