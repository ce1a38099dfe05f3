"""The live lines of a run."""

import io
import json

import pytest
from rich.console import Console

from pipeline.runs import progress
from pipeline.runs.progress import WHAT, Line, Progress


def rendered(lines, width=80, epoch="", left=""):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(progress._table(lines, epoch=epoch, left=left))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("state", ["run", "cached", "failed", "skipped"])
@pytest.mark.parametrize("name", WHAT)
def test_every_component_is_one_whole_line_of_80_columns(name, state):
    [line] = rendered([Line(name, state, 1234.5, 1_700_000)])
    assert len(line.rstrip()) <= 80
    assert line.split() == [
        {"failed": "✗", "skipped": "-"}.get(state, "✓"),
        name,
        *WHAT[name].split(),
        "1,700,000",
        "rows",
        "1234.5",
        "s",
        state,
    ]


def test_the_columns_of_lines_that_are_printed_one_by_one_stand_below_each_other():
    lines = [rendered([Line(name, "run", seconds, 5)])[0] for name, seconds in (("start", 1.0), ("ImageExampleGen", 100.0))]
    assert lines[0].index(" s run") == lines[1].index(" s run")


def test_the_epoch_is_shown_while_the_trainer_runs():
    [line] = rendered([Line("Trainer")], epoch="epoch 100/100, val_acc 0.9876")
    assert "epoch 100/100, val_acc 0.9876 " in line
    [line] = rendered([Line("Trainer", "run")], epoch="epoch 100/100, val_acc 0.9876")
    assert WHAT["Trainer"] in line


def test_without_a_terminal_each_component_is_one_line_when_it_ends(tmp_path):
    out = io.StringIO()
    with Progress(out, tmp_path / "epochs") as shown:
        shown.start("Transform")
        assert out.getvalue() == ""
        shown.finish("run", 70_000)
        shown.start("Trainer")
        shown.finish("cached")
    first, second = out.getvalue().splitlines()
    assert first.startswith("✓ Transform ")
    assert "70,000 rows" in first
    assert first.rstrip().endswith(" run")
    assert second.startswith("✓ Trainer ")
    assert second.rstrip().endswith(" cached")


@pytest.mark.parametrize("state", ["run", "cached"])
def test_a_pusher_whose_model_the_gate_refused_does_not_say_that_it_pushed(tmp_path, state):
    out = io.StringIO()
    with Progress(out, tmp_path / "epochs") as shown:
        shown.start("Pusher")
        shown.finish(state, refused=True)
    [line] = out.getvalue().splitlines()
    assert line.split() == ["-", "Pusher", "nothing", "to", "push:", "gate", "refused", "0.0", "s", "refused"]
    assert shown.components()[0]["cached"] == (state == "cached")


class Terminal(io.StringIO):
    """Keeps what a terminal is sent."""

    def isatty(self):
        return True


def test_on_a_terminal_the_lines_are_live_and_the_cursor_comes_back(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    (tmp_path / "epochs").write_text(json.dumps({"epoch": 2, "epochs": 30, "val_accuracy": 0.5}))
    with Progress(out, tmp_path / "epochs") as shown:
        shown.start("Transform")
        shown.finish("run", 70_000)
        shown.start("Trainer")
        shown._live.refresh()
        assert "epoch 2/30, val_acc 0.5000" in out.getvalue()
        shown.finish("run")
    said = out.getvalue()
    last = said.rpartition("Transform")[2]
    assert "70,000 rows" in last and WHAT["Trainer"] in last  # each line once, as it ended
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l")  # shown again, after it was hidden


def test_a_bar_shows_how_many_epochs_are_done_and_the_time_that_the_others_will_take(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    path = tmp_path / "epochs"
    shown = Progress(io.StringIO(), path)
    shown.start("Trainer")
    said = []
    for epoch, seconds in ((5, 0), (10, 20), (10, 3)):
        path.write_text(json.dumps({"epoch": epoch, "epochs": 20, "val_accuracy": 0.5}) + "\n")
        now[0] += seconds
        said.append(shown._left())
    assert said == ["━━━───────────", "━━── 40 s left", "━━── 37 s left"]
    [line] = rendered(shown.lines, epoch=shown._epoch(), left=said[-1])
    assert "epoch 10/20, val_acc 0.5000" in line and "━━── 37 s left" in line


def test_only_what_is_under_way_can_fail(tmp_path):
    shown = Progress(io.StringIO(), tmp_path / "epochs")
    shown.fail()
    shown.start("Transform")
    shown.finish("run")
    shown.fail()
    shown.start("Trainer")
    shown.fail()
    assert [(line.name, line.state) for line in shown.lines] == [("Transform", "run"), ("Trainer", "failed")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ('{"epoch": 2, "epochs": 30, "val_acc', ""),
        (json.dumps({"epoch": 2, "epochs": 30, "val_accuracy": 0.98765}) + "\n", "epoch 2/30, val_acc 0.9877"),
        (json.dumps({"epoch": 6, "epochs": 20, "val_accuracy": 0.9, "resumed": 1}) + "\n", "goes on from epoch 7 of 20"),
        (json.dumps({"epoch": 20, "epochs": 20, "val_loss": 0.9, "resumed": 1}) + "\n", "goes on from epoch 20 of 20"),
    ],
)
def test_the_last_epoch_is_read_from_the_trainers_file(tmp_path, text, said):
    path = tmp_path / "epochs"
    path.write_text(text)
    assert Progress(io.StringIO(), path)._epoch() == said


def test_a_trainer_that_has_not_begun_has_no_epoch(tmp_path):
    assert Progress(io.StringIO(), tmp_path / "nowhere")._epoch() == ""


def test_a_component_that_ended_although_a_signal_came_ends_well_and_only_once(tmp_path):
    out = io.StringIO()
    with Progress(out, tmp_path / "epochs") as shown:
        shown.end()
        shown.start("Pusher")
        shown.end()
        shown.end()
    [line] = out.getvalue().splitlines()
    assert line.split()[:2] == ["✓", "Pusher"]
    assert line.rstrip().endswith(" run")
