"""Drift on Kubeflow: emulated runs say of later data what local runs say, and stop at the same rows."""

import json
import random

import pytest

CONFIG = """
name: rows
data: {format: csv, path: first.csv}
schema: {path: rows.schema.pbtxt}
label: kind
task: binary
features: {size: number, colour: category}
trainer: {epochs: 2}
evaluator: {min_accuracy: 0.1, max_accuracy_drop: null, linear_baseline: false}
"""


def rows(seed, red):
    """400 rows whose label the size tells; `red` is the share of one colour."""
    rng = random.Random(seed)  # noqa: S311 - data, and no secret
    for _ in range(400):
        size = rng.random()
        yield f"{size:.4f},{'red' if rng.random() < red else 'blue'},{'high' if size + rng.gauss(0, 0.1) > 0.5 else 'low'}"


@pytest.fixture(scope="module")
def here(place):
    made = place("drift")
    cwd = made.folder / "cwd"
    files = {"first": [*rows(1, 0.2)], "later": [*rows(2, 0.7)], "wrong": [*[*rows(1, 0.2)][:-1], "0.4,green,low"]}
    for name, lines in files.items():
        (cwd / f"{name}.csv").write_text("\n".join(["size,colour,kind", *lines]) + "\n")
    (cwd / "rows.yaml").write_text(CONFIG)
    return made


def answer(done):
    assert done.stdout.strip(), done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def runs(here):
    """(what `run` says, what `kubeflow emulate` says) of the first data, of later data, of that again, and of wrong data."""
    said = {"run": [], "emulate": []}
    for name in ("first", "later", "later", "wrong"):
        sets = ("--set", f"data.path={name}.csv")
        said["run"].append(answer(here.tapeline("run", "rows.yaml", *sets, "--root", here.root, "--json")))
        if name == "first":
            accepted = here.tapeline("schema", "accept", "rows.yaml", "--root", here.root)
            assert accepted.returncode == 0, accepted.stderr
            compiled = here.tapeline("compile", "rows.yaml", "-o", "package.yaml")
            assert compiled.returncode == 0, compiled.stderr
        emulate = ("kubeflow", "emulate", "package.yaml", "-p", f"data_path={name}.csv", "--root", here.folder / "emulated", "--json")
        said["emulate"].append(answer(here.tapeline(*emulate)))
    return list(zip(said["run"], said["emulate"], strict=True))


def test_later_data_has_drifted_alike_also_when_it_is_run_again(runs):
    for (status, local), (there, emulated) in runs[1:3]:
        assert (status, there) == (0, 0), (local["reasons"], emulated["reasons"])
        assert emulated["shifts"] == local["shifts"]
        assert emulated["anomalies"] == local["anomalies"]
        assert [(each["kind"], each["feature"]) for each in local["anomalies"]] == [("drift", "colour")]


def test_the_first_data_has_not_drifted(runs):
    for _, said in runs[0]:
        assert not [each for each in said["shifts"] if each["kind"] == "drift"]


def test_values_that_the_reviewed_schema_does_not_know_end_both_with_4_and_the_same_lines_of_the_same_file(runs):
    (status, local), (there, emulated) = runs[3]
    assert (status, there) == (4, 4)
    assert emulated["reasons"] == local["reasons"]
    assert emulated["anomalies"] == local["anomalies"]
    assert "'green' (line 401 of wrong.csv)" in local["reasons"][0]
