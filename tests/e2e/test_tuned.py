"""A search through the command line: ended and begun again, its record and picture, and the run that takes the best of it."""

import json

import pytest

from pipeline import cli

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CONFIG = """
name: digits
data: {format: digits}
preprocessing: {image_size: [8, 8]}
trainer: {epochs: 2, batch_size: 64, loop: gradient_tape}
evaluator: {min_accuracy: 0.1}
tuner:
  trials: 3
  search:
    trainer.learning_rate: {min: 1.0e-4, max: 1.0e-2, scale: log}
    trainer.dropout: [0.0, 0.2]
"""


def test_a_run_after_the_search_trains_with_the_best_settings_that_were_found(tmp_path, capsys):
    file, root = tmp_path / "digits.yaml", tmp_path / "root"
    file.write_text(CONFIG)
    assert cli.main(["tune", str(file), "--root", str(root), "--json"]) == 0
    told = capsys.readouterr()
    tuned = json.loads(told.out.splitlines()[-1])
    assert tuned["outcome"] == "tuned"
    assert [component["name"] for component in tuned["components"]][-1] == "Tuner"
    [first] = (root / "records").glob("*.json")
    kept = json.loads(first.read_text())
    assert kept["tuning"] == tuned["tuning"]
    assert len(kept["tuning"]["trials"]) == 3
    assert kept["epochs"] == []  # those of trials are not the model's
    assert first.with_suffix(".svg").read_text().count("<polyline") == 3
    assert f"Picture: {first.with_suffix('.svg')}" in told.err

    assert cli.main(["run", str(file), "--root", str(root), "--json"]) == 0
    ran = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {each["name"]: each["cached"] for each in ran["components"]}["Tuner"]
    assert ran["tuning"] == tuned["tuning"]
    record = json.loads(max((root / "records").glob("*.json")).read_text())
    best = min(tuned["tuning"]["trials"], key=lambda trial: trial["score"])
    assert min(epoch["val_loss"] for epoch in record["epochs"]) == pytest.approx(best["score"], abs=1e-4)

    more = ["--set", "tuner.trials=4"]
    assert cli.main(["tune", str(file), "--root", str(root), "--json", *more]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])["tuning"]
    assert len(again["trials"]) == 4
    assert all(trial in again["trials"] for trial in tuned["tuning"]["trials"])


def test_a_config_without_a_search_is_refused_with_an_example(tmp_path, capsys):
    file = tmp_path / "digits.yaml"
    file.write_text("name: digits\ndata: {format: digits}\n")
    assert cli.main(["tune", str(file), "--root", str(tmp_path / "root")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"Expected the section `tuner` in {file}, with what is to be searched. Received: none. Such as: tuner: {{search: "
    )
