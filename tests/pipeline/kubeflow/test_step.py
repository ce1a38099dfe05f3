"""The entry point of a step, called as its container calls it."""

import json
import tempfile

import pytest

from pipeline.kubeflow import step


@pytest.fixture
def run_step(monkeypatch, tmp_path):
    """run_step(executor, outputs, **parameters): runs a step and returns its exit status; the process's settings are put back."""
    for name in ("TF_USE_LEGACY_KERAS", "KERAS_HOME", "TMPDIR", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "0" if name == "TF_USE_LEGACY_KERAS" else str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def run(executor, outputs, **parameters):
        call = {
            "inputs": {"parameterValues": parameters},
            "outputs": {
                "artifacts": {
                    name: {"artifacts": [{"type": {"schemaTitle": kind}, "uri": str(folder)}]} for name, (kind, folder) in outputs.items()
                },
                "outputFile": str(tmp_path / "output" / "executor_output.json"),
            },
        }
        definitions = json.dumps({"parameters": {name: {"parameterType": "STRING"} for name in parameters}})
        arguments = ["--executor_class_path", executor, "--json_serialized_invocation_args", json.dumps(call)]
        return step.main([*arguments, "--json_serialized_inputs_spec_args", definitions])

    return run


def test_a_step_that_is_tried_again_writes_into_an_empty_folder(run_step, tmp_path):
    """Kubeflow Pipelines 2.4 gives a retry the first try's folders."""
    model = tmp_path / "root" / "model"
    (model / "Format-Serving").mkdir(parents=True)
    (model / "Format-Serving" / "saved_model.pb").write_text("half of the first try's")
    status = run_step(
        "components.served_model.ServedModel_Executor", {"model": ("tfx.Model", model)}, serving_path=str(tmp_path / "nothing-served")
    )
    assert status == 0
    assert [path.name for path in model.iterdir()] == ["served_version.txt"]
