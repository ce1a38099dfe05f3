"""What `tapeline kubeflow submit` brings to KFP: the pipeline, its version, the experiment, the run."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from pipeline import cli
from tests.pipeline.kubeflow.kfp_script import frames, package


@pytest.fixture
def server(server):
    """One on which the first run that is submitted succeeds."""
    server.frames = frames("run run run run run")
    return server


@pytest.fixture
def submit(server, tmp_path, capsys):
    """submit(text of a package, "--option") -> (exit status, stdout, stderr)."""

    def submit_(text, *options):
        file = tmp_path / "pipeline.yaml"
        file.write_text(text)
        status = cli.main(["kubeflow", "submit", str(file), "--poll", "0.01", *options])
        return status, *capsys.readouterr()

    return submit_


def _versions(server):
    return [one["display_name"] for one in server.versions.values() if one["display_name"] != "tiny"]


def _writes(server):
    return [f"{method} {path.removeprefix('/apis/v2beta1')}" for method, path, _, _ in server.requests if method != "GET"]


def test_the_first_submission_creates_pipeline_version_experiment_and_run(submit, server):
    status, out, _ = submit(package())
    assert status == 0
    assert _writes(server) == ["POST /pipelines/upload", "POST /pipelines/upload_version", "POST /experiments", "POST /runs"]
    [version], [run] = _versions(server), server.runs
    assert f"Run {run} of tiny, version {version} (uploaded now): {server.url}/#/runs/details/{run}\n" in out


def test_an_unchanged_package_runs_the_version_that_is_there(submit, server):
    submit(package())
    status, out, _ = submit(package())
    assert status == 0
    assert _writes(server)[4:] == ["POST /runs"]
    assert f"version {_versions(server)[0]} (as before)" in out
    first, second = server.bodies("POST", "/runs")
    assert first["pipeline_version_reference"] == second["pipeline_version_reference"]


def test_a_changed_package_becomes_a_new_version_of_the_same_pipeline(submit, server):
    submit(package(epochs=5))
    submit(package(epochs=6))
    assert len(server.pipelines) == 1
    assert len(set(_versions(server))) == 2
    assert all(re.fullmatch(r"[0-9a-f]{12}", name) for name in _versions(server))
    [uploaded] = [body["text"] for body in server.bodies("POST", "/pipelines/upload_version")[1:]]
    assert yaml.safe_load(uploaded)["root"]["inputDefinitions"]["parameters"]["epochs"]["defaultValue"] == 6


def test_a_run_is_the_version_with_its_parameters_and_its_pipeline_root(submit, server):
    submit(package(), "-p", "epochs=3", "-p", "min_accuracy=0.95", "-p", "pipeline_root=gs://other/root", "--run-name", "by hand")
    [body] = server.bodies("POST", "/runs")
    [version] = [one for one in server.versions.values() if one["display_name"] != "tiny"]
    [experiment] = server.experiments.values()
    assert body == {
        "experiment_id": experiment["experiment_id"],
        "display_name": "by hand",
        "pipeline_version_reference": {"pipeline_id": version["pipeline_id"], "pipeline_version_id": version["pipeline_version_id"]},
        "runtime_config": {
            "parameters": {"epochs": 3, "min_accuracy": 0.95, "pipeline_root": "gs://other/root"},
            "pipeline_root": "gs://other/root",
        },
    }
    assert experiment["display_name"] == "tiny"


def test_the_packages_own_pipeline_root_is_the_runs(submit, server):
    submit(package())
    [body] = server.bodies("POST", "/runs")
    assert body["runtime_config"]["pipeline_root"] == "gs://bucket/root" == body["runtime_config"]["parameters"]["pipeline_root"]


def test_a_namespace_goes_with_everything_and_brings_its_service_account(submit, server):
    submit(package(), "--namespace", "tapeline-pipeline", "--experiment", "nightly")
    assert [one["namespace"] for one in server.pipelines.values()] == ["tapeline-pipeline"]
    assert [(one["display_name"], one["namespace"]) for one in server.experiments.values()] == [("nightly", "tapeline-pipeline")]
    assert [body["service_account"] for body in server.bodies("POST", "/runs")] == ["tapeline-pipeline"]
    submit(package(), "--namespace", "tapeline-pipeline", "--experiment", "nightly", "--service-account", "other")
    assert len(server.pipelines) == len(server.experiments) == 1
    assert server.bodies("POST", "/runs")[1]["service_account"] == "other"


def test_a_config_is_compiled_and_submitted(submit, server, capsys):
    roots = ["kubeflow.pipeline_root=gs://bucket/root", "kubeflow.serving_base_path=gs://bucket/serving"]
    options = [part for root in roots for part in ("--set", root)]
    status = cli.main(["kubeflow", "submit", "configs/digits.yaml", *options, "--no-follow", "--json", "-p", "epochs=2"])
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 0
    assert (answer["outcome"], answer["run_id"]) == ("submitted", *server.runs)
    [body] = server.bodies("POST", "/runs")
    assert body["runtime_config"]["parameters"] == {"epochs": 2, "pipeline_root": "gs://bucket/root"}
    [pipeline] = server.pipelines.values()
    assert pipeline["display_name"] == "digits"
    assert [path for method, path, _, _ in server.requests if method == "GET" and "/runs/" in path] == []


def test_the_fingerprint_of_the_data_is_found_out_at_submission(submit, server, idx_folder):
    submit(package(), "-p", f"data_path={idx_folder}")
    (idx_folder / "train-labels-idx1-ubyte").write_bytes(b"other")
    submit(package(data_path=str(idx_folder)))
    first, second = (body["runtime_config"]["parameters"] for body in server.bodies("POST", "/runs"))
    assert re.fullmatch(r"[0-9a-f]{64}", first["data_fingerprint"])
    assert re.fullmatch(r"[0-9a-f]{64}", second["data_fingerprint"])
    assert first["data_fingerprint"] != second["data_fingerprint"]
    assert "data_path" not in second  # it is the package's own


@pytest.fixture
def idx_folder(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes(b"some")
    return folder


def test_a_fingerprint_that_is_given_is_sent_as_it_is(submit, server, idx_folder):
    submit(package(), "-p", f"data_path={idx_folder}", "-p", "data_fingerprint=mine")
    assert server.bodies("POST", "/runs")[0]["runtime_config"]["parameters"]["data_fingerprint"] == "mine"


def test_data_that_only_the_cluster_sees_gets_a_fingerprint_that_no_cache_knows(submit, server):
    for _ in range(2):
        status, _, err = submit(package(), "-p", "data_path=/mnt/data/mnist")
        assert status == 0
        assert "Note: the data in /mnt/data/mnist cannot be read from here, so ingestion is not answered from KFP's cache. Expected" in err
    first, second = (body["runtime_config"]["parameters"]["data_fingerprint"] for body in server.bodies("POST", "/runs"))
    assert re.fullmatch(r"unresolved-\d{8}T\d{6}\.\d{6}Z", first)
    assert first != second


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-p", "epoch=3"], r"parameter\(s\) provided are not required by pipeline: epoch\. Did you mean 'epochs'\?"),
        (["-p", "epochs=many"], r"input parameter epochs requires type double or integer"),
        (["-p", "pipeline_root=/tmp/root"], r"Expected pipeline_root to be what KFP can write to: gs://.* Received: '/tmp/root'"),
        (["-p", "serving_base_path=gs://my-project-tapeline/serving"], r"Received: the placeholder 'gs://my-project-tapeline/serving'"),
        (["-p", "data_path=gs://"], r"Expected data_path to be a place in a bucket, like gs://BUCKET/FOLDER\. Received: 'gs://'"),
        (["-p", "pipeline_root=gs://bucket/a*b"], r"Expected pipeline_root to name a folder without"),
        (["-p", "serving_base_path=gs://bucket/a[b"], r"Expected serving_base_path to name a folder without"),
        (["--set", "name=other"], r"Expected --set with a config\. Received: it with a package"),
        (["--poll", "0"], r"expected seconds, like 2\. Received: '0'"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(submit, server, capsys, options, said):
    try:
        status, _, err = submit(package(), *options)
    except SystemExit as end:  # argparse's
        status, err = end.code, capsys.readouterr().err
    assert status == 2
    assert re.search(said, err)
    assert server.requests == []


def test_a_package_that_kfp_would_refuse_is_not_sent(submit, server):
    status, _, err = submit(package().replace("schemaVersion: 2.1.0", "schemaVersion: 2.0.0"))
    assert (status, server.requests) == (2, [])
    assert err == "KFP only supports schema version 2.1.0, but the pipeline spec has version 2.0.0\n"


def test_help_and_mistakes_are_told_without_kfp_and_tensorflow(tmp_path):
    (tmp_path / "wrong.yaml").write_text("name: digits\ndata: {format: digit}\n")
    script = """
import contextlib, sys
from pipeline import cli
wrong = ["submit", sys.argv[1], "--host", "http://localhost"]
for arguments in (["submit", "--help"], wrong, ["status"], ["schedule", "x", "--cron", "* *"]):
    with contextlib.suppress(SystemExit):
        assert cli.main(["kubeflow", *arguments]) == 2, arguments
print(sorted({"kfp", "kfp_server_api", "tensorflow", "tfx"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "wrong.yaml")], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "digit" in done.stderr
