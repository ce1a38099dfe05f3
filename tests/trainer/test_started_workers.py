"""The Trainer's step on Kubernetes, which starts the other workers: its own entry point, an API server, and processes for pods."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.components.jobset_server import ROOT, WORKER, JobSetServer
from tests.trainer import workers
from tests.trainer.conftest import ROWS
from trainer.config import TrainerConfig

PROGRAM = str(Path(__file__).with_name("step_program.py"))
SETTINGS = {"loop": "gradient_tape", "strategy": "multi_worker", "workers": 2, "model": "mlp", "epochs": 3, "batch_size": 64}

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path):
    server = JobSetServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def step(scaled, tmp_path, server):
    """step() -> (exit status, lines of its log): the Trainer's, as KFP's launcher starts it."""

    def artifact(title, folder, **metadata):
        return {"artifacts": [{"name": folder.name, "type": {"schemaTitle": title}, "uri": str(folder), "metadata": metadata}]}

    def run(**environment):
        raw = tmp_path / "raw"
        for split in ROWS:
            (raw / f"Split-{split}").mkdir(parents=True)
            (raw / f"Split-{split}" / "rows.gz").symlink_to(f"{scaled.graph_path}/raw-{split}.gz")
        splits = json.dumps(["train", "eval"])
        config = {"trainer": TrainerConfig(**SETTINGS).to_json(), "problem": scaled.problem.to_json()}
        parameters = {
            "train_args": '{"splits": ["train"]}',
            "eval_args": '{"splits": ["eval"]}',
            "run_fn": "trainer.gradient_tape.run_fn",
            "custom_config": json.dumps(config),
        }
        call = {
            "inputs": {
                "artifacts": {
                    "examples": artifact("tfx.Examples", Path(scaled.graph_path, "examples"), split_names=splits),
                    "raw_examples": artifact("tfx.Examples", raw, split_names=splits),
                    "transform_graph": artifact("tfx.TransformGraph", Path(scaled.graph_path)),
                },
                "parameterValues": parameters,
            },
            "outputs": {
                "artifacts": {
                    "model": artifact("tfx.Model", tmp_path / "model"),
                    "model_run": artifact("tfx.ModelRun", tmp_path / "model_run"),
                },
                "outputFile": str(tmp_path / "output" / "executor_output.json"),
            },
        }
        definitions = {"parameters": {name: {"parameterType": "STRING"} for name in parameters}}
        arguments = ["--executor_class_path", "components.trainer.Executor"]
        arguments += ["--json_serialized_invocation_args", json.dumps(call), "--json_serialized_inputs_spec_args", json.dumps(definitions)]
        variables = {"PYTHONPATH": str(ROOT), "ADDRESSES": json.dumps(workers.free_addresses(2)), **environment}
        done = subprocess.run(
            [sys.executable, PROGRAM, *arguments],
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=workers.SECONDS,
            check=False,
        )
        return done.returncode, done.stderr.splitlines()

    return run


def test_the_step_trains_with_a_worker_that_it_has_started_leaves_the_model_and_no_jobset(scaled, server, step, tmp_path):
    server.command = WORKER
    status, log = step(**server.environment)
    assert status == 0, "\n".join(log[-20:])
    assert any("All 2 workers are there; this is chief 0 at 127.0.0.1" in line for line in log)
    assert [verb for verb, resource in server.calls if resource == "jobsets" and verb != "get"] == ["create", "delete"]
    assert not server.jobsets
    assert "Traceback" not in (tmp_path / "worker-0.log").read_text(encoding="utf-8")
    assert not (tmp_path / "model_run" / "fn_args.json").exists()
    served = tf.saved_model.load(str(tmp_path / "model" / "Format-Serving")).signatures["serving_default"]
    probabilities = served(examples=tf.constant(scaled.raw[ROWS["eval"]]))["probabilities"].numpy()
    assert (probabilities.argmax(axis=-1) == scaled.labels[ROWS["eval"]]).mean() > 0.5
    assert np.isfinite(probabilities).all()
    assert json.loads((tmp_path / "output" / "executor_output.json").read_text(encoding="utf-8"))["artifacts"]["model"]


def test_a_worker_that_fails_before_it_has_come_ends_the_step_with_one_line_that_names_it(server, step, tmp_path):
    server.command = [sys.executable, "-c", "import sys; sys.exit('Out of luck.')"]
    status, log = step(**server.environment)
    assert status == 1
    assert log[-1].startswith("Expected all workers of the JobSet tapeline-")
    assert "Received: worker 0: jobset failed" in log[-1]
    assert not any(line.startswith("Traceback") for line in log)
    assert not server.jobsets
    assert not (tmp_path / "output" / "executor_output.json").exists()


def test_a_step_that_is_not_on_kubernetes_says_in_its_last_line_what_to_set(step):
    status, log = step()
    assert status == 2
    assert log[-1].startswith("Expected a step of Kubeflow Pipelines on Kubernetes, which starts the other workers")
    assert not any(line.startswith("Traceback") for line in log)
