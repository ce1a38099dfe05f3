"""What the operator reads of several models: what serves on stdout, what needs attention on stderr, each thing once."""

import contextlib
import re
from pathlib import Path

import pytest

from serving.server.narrator import Narrator
from serving.server.served_model import ServedModel
from serving.server.version_status import Event


def test_what_serves_is_said_when_the_ports_answer_and_then_as_it_changes(capsys):
    narrator = Narrator("127.0.0.1:1", "127.0.0.1:2")
    narrator.tell(Event("available", "digits", 1))
    narrator.tell(Event("available", "more", 4))
    narrator.tell(Event("available", "more", 3))
    assert capsys.readouterr().out == ""
    narrator.opened()
    where = "serves: gRPC 127.0.0.1:1, REST http://127.0.0.1:2/v1/models"
    assert capsys.readouterr().out == f"digits version 1 {where}/digits\nmore version 3 {where}/more\nmore version 4 {where}/more\n"
    narrator.tell(Event("available", "digits", 2))
    narrator.tell(Event("unloaded", "digits", 1))
    narrator.tell(Event("available", "new", 1))
    said = capsys.readouterr()
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  digits version 2 serves now\nnew version 1 {re.escape(where)}/new\n", said.out)
    assert said.err == ""


def test_a_port_that_is_off_is_said(capsys):
    for addresses, where in {
        ("", "127.0.0.1:2"): "no gRPC, REST http://127.0.0.1:2/v1/models/digits",
        ("127.0.0.1:1", ""): "gRPC 127.0.0.1:1, no REST",
    }.items():
        narrator = Narrator(*addresses)
        narrator.tell(Event("available", "digits", 1))
        narrator.opened()
        assert capsys.readouterr().out == f"digits version 1 serves: {where}\n"


def test_what_needs_attention_is_said_with_its_reason(capsys):
    narrator = Narrator("127.0.0.1:1", "127.0.0.1:2")
    narrator.opened()
    narrator.tell(Event("failed", "digits", 2, "no room"))
    narrator.tell(Event("available", "digits", 1))
    narrator.tell(Event("failed", "digits", 3, "x" * 300))
    narrator.tell(Event("warmup", "digits", 1, "odd request"))
    narrator.tell(Event("unloaded", "digits", 1))
    narrator.refused("no such platform")
    assert capsys.readouterr().err.splitlines() == [
        "digits version 2 cannot be loaded, it is tried again: no room",
        f"digits version 3 cannot be loaded, version 1 goes on serving, it is tried again: {'x' * 200} ...",
        "digits version 1 serves all the same: odd request",
        "digits version 1 is unloaded, no version is left",
        "The models stay as they are: no such platform",
    ]


def test_an_empty_folder_is_said_once_and_again_when_the_reason_changes(capsys, tmp_path):
    narrator = Narrator("127.0.0.1:1", "127.0.0.1:2")
    models = [ServedModel(name, tmp_path / name) for name in ("digits", "more")]
    for _ in range(2):
        narrator.waits(models)
    (tmp_path / "more").mkdir()
    narrator.waits(models)
    assert capsys.readouterr().err.splitlines() == [
        f"Waiting for a version of digits in {tmp_path}/digits: the folder does not exist yet",
        f"Waiting for a version of more in {tmp_path}/more: the folder does not exist yet",
        f"Waiting for a version of more in {tmp_path}/more: it has no folder named by a number yet",
    ]


def test_a_list_without_models_is_said_once(capsys):
    narrator = Narrator("127.0.0.1:1", "127.0.0.1:2")
    for _ in range(2):
        narrator.waits([])
    assert capsys.readouterr().err == "No model is listed yet; gRPC 127.0.0.1:1 waits for a HandleReloadConfigRequest\n"
    Narrator("0.0.0.0:1", "0.0.0.0:2", takes_reloads=False).waits([])
    assert capsys.readouterr().err == "No model is listed yet; list one in the file\n"


def test_names_and_reasons_that_a_caller_chose_are_one_line_and_command_no_terminal(capsys, tmp_path):
    name = "a\nforged version 9 serves\x1b[2J"
    narrator = Narrator("127.0.0.1:1", "127.0.0.1:2")
    narrator.opened()
    narrator.tell(Event("available", name, 1))
    narrator.tell(Event("available", name, 2))
    narrator.tell(Event("failed", name, 3, "\x1b]0;title\x07"))
    narrator.tell(Event("warmup", name, 1, "\r"))
    narrator.refused("\x9b31m")
    narrator.waits([ServedModel("other\x1b", tmp_path / "\x1bpath")])
    said = capsys.readouterr()
    assert (said.out.count("\n"), said.err.count("\n")) == (2, 4)
    assert all(sign.isprintable() or sign == "\n" for sign in said.out + said.err)
    assert r"a\nforged version 9 serves\u001b[2J version 1 serves: " in said.out


def test_a_look_that_fails_is_said_once_until_it_fails_with_something_else(capsys):
    narrator = Narrator("127.0.0.1:1", "127.0.0.1:2")
    for error in (RuntimeError("odd"), RuntimeError("odd"), ZeroDivisionError("other")):
        narrator.look_failed(error)
    assert capsys.readouterr().err.splitlines() == [
        "A look at the models' files failed, it is tried again: RuntimeError: odd",
        "A look at the models' files failed, it is tried again: ZeroDivisionError: other",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_where_nobody_can_read_it_the_server_goes_on_without_a_word(monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr("sys.stderr", full)
        Narrator("127.0.0.1:1", "127.0.0.1:2").refused("nobody reads this")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
