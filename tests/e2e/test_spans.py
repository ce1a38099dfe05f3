"""Spans from the config to a model: which one a run reads, when the cache answers, and the same on Kubeflow's emulator."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow]
DATA = Path(os.environ.get("TAPELINE_DATA", Path(__file__).resolve().parents[4] / "shared" / "data")) / "tabular"
ACCIDENTS = sorted(DATA.glob("222127_traffic_accident_20*.csv"))
SMALL = "\nlabel: kind\ntask: binary\nfeatures: {size: number}\ntrainer: {epochs: 2}\n"
REAL = "\nlabel: 天候区分\ntask: multiclass\nfeatures: {昼夜区分: category, 経度: number, 緯度: number}\ntrainer: {epochs: 2}\n"


def tapeline(*arguments):
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def config(tmp_path):
    """config(rest): the file of a config whose spans are data/year-{SPAN}.csv."""
    (tmp_path / "data").mkdir()

    def write(rest):
        file = tmp_path / "years.yaml"
        file.write_text("name: years\ndata: {format: csv, path: 'data/year-{SPAN}.csv'}" + rest)
        return file

    return write


@pytest.fixture
def run(tmp_path):
    """run(config, *overrides): {what of `data` the record says, whether ingestion was cached, the notes}."""

    def start(config, *overrides):
        sets = [word for override in overrides for word in ("--set", override)]
        answer = tapeline("run", config, *sets, "--root", tmp_path / "root", "--json")
        assert answer.returncode in (0, 3), answer.stderr[-2000:]
        record = json.loads(max((tmp_path / "root" / "records").glob("*.json")).read_text())
        ingestion = record["components"][0]
        assert ingestion["name"] == "ImageExampleGen"
        return [each["span"] for each in record["data"]["spans"]], sum(record["data"]["rows"].values()), ingestion["cached"]

    return start


def write_year(folder, number, rows=120):
    lines = [f"{row % 7 + row / 100},{'high' if row % 7 > 3 else 'low'}\n" for row in range(rows)]
    (folder / "data" / f"year-{number}.csv").write_text("size,kind\n" + "".join(lines))


def test_a_run_reads_the_newest_span_until_another_comes_or_is_named_and_so_does_the_emulator(config, run, tmp_path):
    write_year(tmp_path, 1)
    write_year(tmp_path, 2, 130)
    file = config(SMALL)
    assert run(file) == ([2], 130, False)
    assert run(file) == ([2], 130, True)
    write_year(tmp_path, 3, 140)
    assert run(file) == ([3], 140, False)
    assert run(file, "data.span=2", "data.window=2") == ([1, 2], 250, False)
    package = tmp_path / "pipeline.yaml"
    assert tapeline("compile", file, "--set", "data.span=2", "-o", package).returncode == 0
    answer = tapeline("kubeflow", "emulate", package, "--root", tmp_path / "emulated", "--json")
    assert answer.returncode in (0, 3), answer.stderr[-2000:]
    assert "Read the span 2 of '" in json.loads(answer.stdout.splitlines()[-1])["notes"][0]


@pytest.mark.skipif(len(ACCIDENTS) < 3, reason="the accidents of three years are not there")
def test_accidents_of_three_years_are_three_spans(config, run, tmp_path):
    for number, file in enumerate(ACCIDENTS[:3], start=1):
        (tmp_path / "data" / f"year-{number}.csv").write_bytes(file.read_bytes())
    file = config(REAL)
    rows = {span: run(file, f"data.span={span}")[1] for span in (1, 2, 3)}
    assert run(file, "data.window=3") == ([1, 2, 3], sum(rows.values()), False)
