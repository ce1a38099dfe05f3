"""What a search has found, for people: a table, lines for the config, and a picture."""

import io
import json
import xml.etree.ElementTree as ElementTree

import pytest
import yaml
from rich.console import Console

from pipeline import config
from pipeline.runs.parallel_coordinates import svg
from pipeline.runs.tuning import Tuning, print_tuning, read_tuning, yaml_lines

SVG = "{http://www.w3.org/2000/svg}"


def trial(number, score, **values):
    return {"trial_id": str(number), "score": score, **{f"trainer.{name.replace('__', '.')}": value for name, value in values.items()}}


@pytest.fixture
def tuning():
    rates = [1e-3, 1e-4, 1e-2, 1e-1]
    trials = [trial(number, 0.1 * (number + 1), learning_rate=rates[number], optimizer=["adam", "sgd"][number % 2]) for number in range(4)]
    best = {key: value for key, value in trials[0].items() if key.startswith("trainer.")}
    return Tuning("loss", best, trials)


def test_the_outputs_of_the_tuner_are_read_without_what_keras_tuner_adds(tmp_path):
    for name in ("best_hyperparameters", "tuner_results"):
        (tmp_path / name).mkdir()
    values = {"trainer.dropout": 0.2, "tuner/epochs": 2, "tuner/round": 0}
    (tmp_path / "best_hyperparameters" / "best_hyperparameters.txt").write_text(json.dumps({"space": [], "values": values}))
    (tmp_path / "tuner_results" / "tuner_results.json").write_text(json.dumps([{"trial_id": "0001", "score": 0.5, **values}]))
    found = read_tuning("loss", {name: str(tmp_path / name) for name in ("best_hyperparameters", "tuner_results")})
    assert found == Tuning("loss", {"trainer.dropout": 0.2}, [{"trial_id": "0001", "score": 0.5, "trainer.dropout": 0.2, "epochs": 2}])


def test_the_lines_for_the_config_say_the_best_settings(tmp_path):
    best = {"trainer.learning_rate": 1.5e-4, "trainer.early_stopping.patience": 5, "trainer.optimizer": "sgd"}
    lines = yaml_lines(Tuning("loss", best, []))
    file = tmp_path / "digits.yaml"
    file.write_text("\n".join(["name: digits", "data: {format: digits}", *lines]))
    assert yaml.safe_load(file.read_text())["trainer"]["early_stopping"] == {"patience": 5}
    loaded = config.load(file).trainer
    assert (loaded.learning_rate, loaded.early_stopping.patience, loaded.optimizer) == (1.5e-4, 5, "sgd")


def test_the_table_has_the_best_trials_first_and_says_how_many_others_there_are(tuning):
    tuning.trials += [trial(number, 9.0, learning_rate=0.5, optimizer="adam") for number in range(4, 15)]
    out = io.StringIO()
    print_tuning(Console(file=out, width=100, highlight=False), tuning)
    rows = [line.split("│")[1:-1] for line in out.getvalue().splitlines() if line.startswith("│")]
    assert [cell.strip() for cell in rows[0]] == ["1", "0.1000", "0.001", "adam"]
    assert len(rows) == 10
    assert "5 more trials are in the run's record." in out.getvalue()
    assert "  learning_rate: 0.001" in out.getvalue().splitlines()


def test_a_narrow_table_cuts_no_names_short(tuning):
    tuning.best = {f"trainer.early_stopping.{name}": 1 for name in ("patience", "min_delta", "metric")} | tuning.best
    out = io.StringIO()
    print_tuning(Console(file=out, width=60, highlight=False), tuning)
    assert "…" not in out.getvalue()


def test_the_picture_has_a_line_for_each_trial_and_an_axis_for_each_setting_and_the_score(tuning):
    picture = ElementTree.fromstring(svg(tuning, "a < b"))  # noqa: S314 - written just now
    lines = [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in picture.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [3] * 4
    assert len(list(picture.iter(f"{SVG}line"))) == 3
    best = lines[-1]  # drawn last, above the others
    assert best[2][1] == max(line[2][1] for line in lines)  # the least loss is at the bottom
    rates = sorted(line[0][1] for line in lines)
    assert rates[1] - rates[0] == pytest.approx(rates[2] - rates[1], abs=0.2)  # 1e-1, 1e-2, 1e-3: a logarithmic axis
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"a < b", "learning_rate", "optimizer", "val_loss", "adam", "sgd"} <= set(texts)


def test_a_logarithmic_axis_of_many_values_has_its_ends_and_the_powers_of_ten_between_them_that_have_room():
    trials = [{"trainer.learning_rate": 0.0095 * 2.0**-step, "score": float(step)} for step in range(9)]
    picture = svg(Tuning("loss", {"trainer.learning_rate": 0.0095}, trials), "rates")
    texts = [text.text for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - written just now
    assert texts == ["rates", "learning_rate", "3.71e-05", "0.0001", "0.001", "0.0095", "val_loss", "0", "8"]


def test_a_picture_of_one_trial_can_be_drawn(tuning):
    tuning.trials = tuning.trials[:1]
    assert svg(tuning, "one").count("<polyline") == 1
