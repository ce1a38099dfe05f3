"""How a failure of any component ends: in one line."""

import pytest

from pipeline.runs import local, worker
from trainer.errors import DataError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("Expected this. Received: that."), "Expected this. Received: that."),
        (ValueError("wrong\nand more"), "Trainer: ValueError: wrong"),
        (RuntimeError(), "Trainer: RuntimeError: no message"),
        (
            RuntimeError("Traceback (most recent call last):\n  File x\nValueError: the cause [while running 'Write']\n"),
            "Trainer: ValueError: the cause [while running 'Write']",
        ),
    ],
)
def test_a_failure_is_one_line_with_its_cause(error, line):
    assert worker._reason(error, "Trainer", "/root") == line


def test_data_is_downloaded_only_where_the_config_says_so_and_gives_no_path(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(local.download, "fetch", lambda name: tmp_path / name)
    given = settings(data={"format": "idx", "path": "/data", "download": "mnist"})
    assert local._with_data(given) is given
    assert local._with_data(settings()).data.path is None
    assert local._with_data(settings(data={"format": "idx", "download": "mnist"})).data.path == str(tmp_path / "mnist")
