"""The record of a run: one JSON file, of a form that its schema describes, which nothing keeps a run from ending well."""

import datetime
import json
import runpy
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from components.bound import Bound
from pipeline.runs import record
from pipeline.runs.summary import Summary

CHECKOUT = Path(__file__).resolve().parents[3]
MODEL = {"Trainer": {"model": "artifacts/Trainer/model/7"}}


@pytest.fixture
def make(workspace, settings):
    """make(**what was found): the record of a run that ended so, after `lines` in the epochs' file."""

    def of(lines="", given=(), sections=None, **found):
        workspace.temporary.mkdir(parents=True, exist_ok=True)
        workspace.epochs.write_text(lines) if lines else workspace.epochs.unlink(missing_ok=True)
        summary = Summary(**({"log": str(workspace.logs / "20261127-101500-000001.log")} | found))
        config = settings(**(sections or {}))
        return record.of(config, workspace, "digest", datetime.datetime.now().astimezone(), summary, dict(given))

    return of


def line(epoch, **values):
    return json.dumps({"epoch": epoch, "epochs": 2, "loss": 0.5, **values}) + "\n"


def pushed(workspace):
    return {
        "outcome": "pushed",
        "version": "7",
        "model_dir": f"{workspace.root}/serving/digits/7",
        "metrics": {"accuracy": 0.9, "auc": None},
        "components": [{"name": "Trainer", "seconds": 3.2, "cached": False, "rows": 10}],
        "bounds": [Bound("accuracy", 0.5, 0.9, True)],
        "notes": ["a note"],
        "rows": {"train": 10},
        "artifacts": MODEL,
    }


def test_the_schema_in_the_docs_is_what_the_code_says():
    text = runpy.run_path(str(CHECKOUT / "scripts" / "record_schema.py"))["text"]
    assert (CHECKOUT / "docs" / "record.schema.json").read_text(encoding="utf-8") == text(), "run `make docs`"


@pytest.mark.parametrize("outcome", ["pushed", "failed"])
def test_what_is_written_is_what_the_schema_says_and_comes_back(workspace, make, outcome):
    kept = make(line(1), [("TF_XLA_FLAGS", "--x=1")], **(pushed(workspace) if outcome == "pushed" else {"reasons": ["too bad"]}))
    assert record.write(workspace, kept)
    [file] = workspace.records.iterdir()
    assert file.name == "20261127-101500-000001.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    schema = json.loads((CHECKOUT / "docs" / "record.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(values, schema)
    assert values.keys() == schema["properties"].keys()
    assert values["config"]["trainer"]["loop"] == "fit"
    assert values["environment"] == {"TF_XLA_FLAGS": "--x=1"}
    assert values["packages"].keys() >= {"python", "tensorflow", "tfx", "keras", "tapeline"}
    assert record.read(workspace, kept.run) == kept


def test_every_epoch_is_kept_without_the_half_line_of_a_run_that_was_ended(make):
    assert make(line(1) + line(2, val_loss=0.25)[:-9]).epochs == [json.loads(line(1))]


def test_a_loss_that_is_no_number_is_null_in_the_file(workspace, make):
    record.write(workspace, make(line(1, val_loss=float("nan"))))
    [file] = workspace.records.iterdir()
    assert "NaN" not in file.read_text()
    assert record.read(workspace, file.stem).epochs == [json.loads(line(1, val_loss=None))]


def test_a_model_from_the_cache_has_the_epochs_of_the_training_that_made_it(workspace, make):
    record.write(workspace, make(line(1), log="1.log", artifacts=MODEL))
    record.write(workspace, make(line(2), log="2.log", artifacts={"Trainer": {"model": "artifacts/Trainer/model/8"}}))
    (workspace.records / "3.json").write_text("broken")
    assert make(log="4.log", artifacts=MODEL).epochs == [json.loads(line(1))]
    assert make(log="4.log").epochs == []


def test_a_path_that_is_no_text_does_not_keep_a_record_from_being_json(workspace, make):
    assert record.write(workspace, make(sections={"data": {"format": "idx", "path": "/data"}}, reasons=["no '/\udcff'"]))
    [file] = workspace.records.iterdir()
    assert json.loads(file.read_bytes())["failure"] == "no '/\udcff'"


@pytest.mark.parametrize("in_the_way", ["records", "records/20261127-101500-000001.new"])
def test_a_record_that_cannot_be_written_fails_nothing(workspace, make, in_the_way):
    path = workspace.root / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if path.suffix else path.write_text("a file")
    assert record.write(workspace, make()) is False


def test_it_is_read_without_tensorflow(workspace, make):
    kept = make(**pushed(workspace))
    record.write(workspace, kept)
    code = f"""if True:
        import sys
        from pipeline.runs import record
        from pipeline.workspace import Workspace
        assert record.read(Workspace({str(workspace.root)!r}), {kept.run!r}).pushed.version == "7"
        sys.exit(len({{"tensorflow", "keras", "tfx", "numpy"}} & set(sys.modules)))
    """
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT).returncode == 0
