"""Rows of a table as points of series: from a CSV file to a forecast that a row by itself could not give, for lists and for tables.

The next load of a station has a level of its own. At some it is near the mean of the last three, at others it goes back as far beyond the
level: what the past says depends on the station, which a linear model of both cannot tell.
"""

import csv
import json

import numpy as np
import pytest

HOURS, STATIONS, LENGTH = 600, {"north": 0.95, "south": -1.2, "west": 0.95, "east": -1.2}, 6
CONFIG = f"""
name: load
data: {{format: csv, path: load.csv, series: {{key: station, time: hour}}, splits: {{time: hour}}}}
task: regression
label: load
features:
  past_load: {{kind: series, of: load, length: {LENGTH}}}
  station: category
trainer: {{epochs: 40, batch_size: 64, learning_rate: 0.003}}
"""


@pytest.fixture(scope="module")
def here(place):
    return place("series")


@pytest.fixture(scope="module")
def loads():
    """By station its loads, of which only the past says where they are going."""
    random, found = np.random.default_rng(0), {}
    for number, (station, share) in enumerate(STATIONS.items()):
        level, past = 10.0 * number, [10.0 * number] * 3
        for _ in range(HOURS):
            past.append(level + share * (np.mean(past[-3:]) - level) + random.normal())
        found[station] = [round(each, 4) for each in past[3:]]
    return found


@pytest.fixture(scope="module")
def table(here, loads):
    """All rows in no order; the next hour of each station has no load yet."""
    rows = [(hour, station, load) for station, own in loads.items() for hour, load in enumerate([*own, ""])]
    path = here.folder / "load.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("hour", "station", "load"), *(rows[number] for number in np.random.default_rng(1).permutation(len(rows)))]
        )
    return path


@pytest.fixture(scope="module")
def pushed(here, table):
    (here.folder / "load.yaml").write_text(CONFIG, encoding="utf-8")
    answer = here.run(here.folder / "load.yaml")
    assert answer.status == 0, answer.stderr
    return answer.record


@pytest.fixture(scope="module")
def forecasts(here, table, pushed):
    """What a table of points gives, by station and hour, in the table's own order."""
    output = here.folder / "forecasts.csv"
    said = here.tapeline("predict", "--model_dir", pushed["model_dir"], "--input", table, "--output", output)
    assert said.returncode == 0, said.stderr
    with output.open(encoding="utf-8", newline="") as file, table.open(encoding="utf-8", newline="") as given:
        answers, rows = list(csv.DictReader(file)), list(csv.DictReader(given))
    assert [(each["station"], each["hour"]) for each in answers] == [(each["station"], each["hour"]) for each in rows]
    return {(each["station"], int(each["hour"])): float(each["value"]) for each in answers}


def test_a_forecast_is_clearly_better_than_what_a_row_says_by_itself(forecasts, loads):
    last = range(HOURS * 9 // 10, HOURS)
    own = [forecasts[station, hour] - loads[station][hour] for station in STATIONS for hour in last]
    of_row = [loads[station][hour] - np.mean(loads[station][: last[0]]) for station in STATIONS for hour in last]
    assert np.sqrt(np.mean(np.square(own))) < 0.8 * np.sqrt(np.mean(np.square(of_row)))


def test_rows_without_an_answer_yet_are_forecast_and_lists_are_answered_as_the_table_is(serve, here, pushed, forecasts, loads):
    server = serve(here, pushed)
    lines = [{"past_load": own[-LENGTH:], "station": station} for station, own in loads.items()]
    lines.append({"past_load": [1.0, None, *loads["north"][:2]], "station": "north"})
    (here.folder / "lists.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    said = here.tapeline("predict", here.folder / "lists.jsonl", "--json", "--server", server.address, "--model_name", "load")
    assert said.returncode == 0, said.stderr
    answers = [json.loads(line)["value"] for line in said.stdout.splitlines()]
    np.testing.assert_allclose(answers[:-1], [forecasts[station, HOURS] for station in loads], rtol=1e-4, atol=1e-3)
    assert np.isfinite(answers[-1])
