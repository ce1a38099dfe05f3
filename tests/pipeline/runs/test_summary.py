"""What a run ends with: the record, the exit status and the few lines that a person reads."""

import dataclasses
import io
import json

import pytest
from rich.console import Console

from components.anomaly import Anomaly, Shift
from components.bound import Bound
from pipeline.runs.summary import Summary, print_summary
from trainer.exported import Exported


def printed(summary, width=80):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    print_summary(console, summary, "digits")
    return console.file.getvalue()


@pytest.mark.parametrize(("outcome", "status"), [("pushed", 0), ("failed", 1), ("refused", 3), ("anomalies", 4)])
def test_each_outcome_has_its_exit_status(outcome, status):
    assert Summary(outcome=outcome).exit_status == status


def test_a_run_that_has_not_got_anywhere_has_failed():
    assert Summary().exit_status == 1


def test_data_that_is_stopped_says_what_is_only_warned_of_in_a_note():
    wrong = Anomaly("road", "train", "new_value", "road: 2 rows")
    moved = Anomaly("weather", "train", "drift", "weather: the shares", severity="warn")
    shift = Shift("weather", "train", "drift", 0.3, 0.1)
    summary = Summary(reasons=["road: 2 rows"])
    summary.stop({"anomalies": [dataclasses.asdict(each) for each in (wrong, moved)], "shifts": [dataclasses.asdict(shift)]})
    assert (summary.outcome, summary.anomalies, summary.shifts) == ("anomalies", [wrong, moved], [shift])
    assert summary.notes == ["the data: weather: the shares"]


def test_of_data_without_drift_the_farthest_distance_within_its_bound_is_told():
    shifts = [Shift("injured", "train", "drift", 0.32, 0.1), Shift("road", "train", "drift", 0.05, 0.1)]  # the first by one far value
    summary = Summary()
    summary.warn([], shifts)
    assert summary.notes == ["no drift from the data that was accepted last: road has moved most, by 0.05 where 0.10 is allowed"]
    summary = Summary()
    summary.warn([], shifts[:1])
    assert summary.notes == ["no drift from the data that was accepted last"]


def test_the_record_has_the_promised_keys_and_is_json():
    record = json.loads(json.dumps(Summary(bounds=[Bound("accuracy", 0.9, None, False)]).to_json()))
    promised = {"outcome", "version", "model_dir", "metrics", "reasons", "components", "seconds"}
    assert record.keys() == promised | {"notes", "anomalies", "shifts", "bounds", "log", "tuning"}  # the exit status says all else


def test_converted_models_are_told_with_what_they_cost_and_where_they_are_and_come_back_from_plain_values():
    summary = Summary("pushed", "17", "/root/digits/17")
    numbers = {
        "bytes": 61528,
        "milliseconds": 0.0123,
        "rows": 177,
        "metric": "accuracy",
        "value": 0.97,
        "saved_model": 1.0,
        "difference": 0.017,
    }
    summary.convert(
        [Exported("litert int8", "converted/int8.tflite", **numbers), Exported("onnx", failure="no form")], "/root/model/converted"
    )
    assert Summary.from_values(json.loads(json.dumps(summary.to_values()))) == summary
    text = " ".join(printed(summary, 300).split())
    assert "litert int8: 61,528 bytes, 0.0123 ms a row, accuracy 0.97 (SavedModel: 1), answers up to 0.017 apart on 177 test rows" in text
    assert "no onnx: no form" in text
    assert "converted models are in /root/model/converted" in text


def test_a_push_is_told_with_the_gates_table_the_place_and_the_next_commands():
    text = printed(
        Summary(
            "pushed", "17", "/a/very/long/root/" + "x" * 80 + "/digits/17", bounds=[Bound("accuracy", 0.9, 0.98765, True)], seconds=21.04
        )
    )
    assert "accuracy │ ≥ 0.9000 │ 0.9877 │ passed" in text
    assert f"Pushed digits version 17 in 21.0 s: /a/very/long/root/{'x' * 80}/digits/17\n" in text  # not wrapped: it is copied
    assert f"tapeline serve --model_name digits --model_base_path /a/very/long/root/{'x' * 80}/digits\n" in text
    assert "tapeline predict IMAGE.png --model_name digits\n" in text


def test_a_refusal_is_told_with_every_reason_and_that_nothing_was_pushed():
    bounds = [
        Bound("accuracy", 0.9, 0.95, True),
        Bound("accuracy (class 8)", 0.9, 0.875, False),
        Bound("accuracy (class 3)", 0.9, None, False),
    ]
    text = printed(
        Summary("refused", bounds=bounds, reasons=[bound.reason for bound in bounds if not bound.passed], log="/root/logs/1.log"), 120
    )
    assert "Refused: accuracy (class 8) is 0.8750, which is 0.0250 below the bound of 0.9000\n" in text
    assert "Refused: accuracy (class 3) has no rows in the test split" in text
    assert "Nothing was pushed; what is served stays as it is.\n" in text
    assert "Log:    /root/logs/1.log\n" in text
    assert "no rows │ refused" in text


@pytest.mark.parametrize(("outcome", "title"), [("failed", "Failed"), ("anomalies", "Anomalies")])
def test_a_reason_is_one_line_word_for_word(outcome, title):
    reason = "Expected [8, 8] in 'x'. " + "long " * 30
    assert f"{title}: {reason}\n" in printed(Summary(outcome, reasons=[reason], log="log"))


def test_the_gates_table_fits_80_columns_with_a_baseline():
    bound = Bound("accuracy (class 8)", 0.9712, 0.95, False, " (the last blessed model's 0.9812 less 0.01)")
    assert max(map(len, printed(Summary("refused", bounds=[bound])).splitlines())) <= 80
