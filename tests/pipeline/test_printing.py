"""Whatever stdout and stderr are, and whichever folder the command stands in: printing changes nothing that was done.

The runs are answered from the record of the last one, which takes half a second and prints all that a run prints.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.bound import Bound
from components.example_gen import raw_files
from pipeline import cli, config
from pipeline.runs import last_run, record
from pipeline.runs.summary import Summary
from pipeline.workspace import Workspace
from tests.pipeline.kubeflow.kfp_script import package
from tests.pipeline.kubeflow.kfp_server import KfpServer

CHECKOUT = Path(__file__).resolve().parents[2]
DIGITS = CHECKOUT / "configs" / "digits.yaml"
UTF8 = {"PYTHONIOENCODING": "utf-8"}
NOT_UTF8 = [
    {"PYTHONIOENCODING": "euc_jp"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.fixture
def root(tmp_path):
    """The root of a run that has pushed version 7, in a folder with a Japanese name."""
    workspace = Workspace(tmp_path / "数字")
    settings = config.load(DIGITS)
    version = workspace.root / "serving" / "digits" / "7"
    version.mkdir(parents=True)
    summary = Summary(outcome="pushed", version="7", model_dir=str(version), bounds=[Bound("accuracy", 0.9, 0.95, True)])
    summary.components = [{"name": "Pusher", "seconds": 1.0, "cached": False, "rows": None}]
    summary.log = str(workspace.logs / "first.log")
    fingerprint = raw_files.fingerprint(settings.data)
    kept = record.of(settings, workspace, fingerprint, datetime.datetime.now().astimezone(), summary, {})
    record.write(workspace, kept)
    last_run.remember(workspace, last_run.key(settings, workspace, fingerprint, None), kept)
    return workspace.root


def shell(script, environ=UTF8, cwd=CHECKOUT):
    """A shell's `script`, in which `tapeline` is this checkout's: the finished process, its output as bytes."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    command = f'tapeline() {{ "{sys.executable}" -m pipeline.cli "$@"; }}\n{script}'
    return subprocess.run(["bash", "-c", command], cwd=cwd, env={**kept, "PYTHONPATH": str(CHECKOUT), **environ}, capture_output=True)


@pytest.mark.parametrize(("environ", "name"), [(NOT_UTF8[0], "数字"), (NOT_UTF8[1], r"\u6570\u5b57")], ids=["euc_jp", "latin-1"])
def test_a_run_prints_on_a_terminal_that_is_not_utf_8(root, environ, name):
    answer = shell(f"tapeline run '{DIGITS}' --root '{root}'", environ)
    assert answer.returncode == 0, answer.stderr
    said = answer.stdout.decode(environ.get("PYTHONIOENCODING", "ascii"))
    assert "v Pusher " in said
    assert "| accuracy | >= 0.9000 | 0.9500 | passed  |" in said
    assert f"{name}/serving/digits/7" in said
    [log] = (root / "logs").iterdir()
    assert log.read_text(encoding="utf-8") == "Nothing has changed since the last run.\n"


def test_a_root_whose_name_the_locale_cannot_read_is_refused_and_another_is_fine(root, tmp_path):
    answer = shell(f"tapeline run '{DIGITS}' --root '{root}'", NOT_UTF8[2])
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"Expected a root folder whose name can be read in the locale's encoding. Received: '")
    assert answer.stderr.count(b"\n") == 1
    (tmp_path / "plain").mkdir()
    answer = shell(f"tapeline schema accept '{DIGITS}' --root '{tmp_path}/plain' --set schema.path=/x", NOT_UTF8[2])
    assert answer.stderr.startswith(b"Expected a run that has inferred a schema")


@pytest.mark.parametrize("environ", NOT_UTF8, ids=lambda environ: "-".join(environ.values()))
def test_every_other_command_prints_on_a_terminal_that_is_not_utf_8(tmp_path, environ):
    (tmp_path / "設定.yaml").write_text("name: mine\ndata: {format: digits}\nréseau: 1\n", encoding="utf-8")
    script = f"""cd '{tmp_path}'
        tapeline doctor >&2; echo "doctor $?"
        tapeline config check 設定.yaml; echo "check $?"
        tapeline predict 設定.png --model_name m; echo "predict $?"
        tapeline serve --model_base_path 設定 --port x; echo "serve $?"
    """
    answer = shell(script, environ)
    assert b"UnicodeEncodeError" not in answer.stderr
    assert answer.stdout.split(b"\n")[:-1] == [answer.stdout.split(b"\n")[0], b"check 2", b"predict 2", b"serve 2"]
    assert answer.stdout.split(b"\n")[0] in (b"doctor 0", b"doctor 1")  # as this machine is


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full", "0<&- >&- 2>&-", "| true"])
@pytest.mark.parametrize("options", ["", "--json", "--verbose"])
def test_a_pushed_run_stays_one_whether_it_can_be_told_or_not(root, redirection, options):
    answer = shell(f"set -o pipefail; tapeline run '{DIGITS}' --root '{root}' {options} {redirection}")
    assert answer.returncode == 0, answer.stderr
    assert b"Traceback" not in answer.stderr
    [log] = (root / "logs").iterdir()  # and not what the next file's descriptor happened to be
    assert log.read_text(encoding="utf-8") == "Nothing has changed since the last run.\n"
    kept = json.loads((root / "records" / f"{log.stem}.json").read_text(encoding="utf-8"))
    assert (kept["outcome"], kept["exit_status"], kept["answered_from"]) == ("pushed", 0, "first")


def test_a_record_that_could_not_be_written_is_said(root):
    answer = shell(f"tapeline run '{DIGITS}' --root '{root}' --json >/dev/full")
    assert answer.stderr.decode().splitlines()[-1] == (
        "Note: stdout could not be written (No space left on device). The exit status 0 holds all the same. "
        "ROOT/records has the run's record."
    )


LOST = b"Expected an stdout that can be written. Received: No space left on device. Part of the output is lost.\n"
DONE = b"Note: stdout could not be written (No space left on device). The exit status 0 holds all the same.\n"


def test_a_release_that_was_done_stays_one_and_a_status_that_nobody_could_read_has_failed(tmp_path):
    for version in ("1", "2"):
        (tmp_path / "digits" / version).mkdir(parents=True)
        (tmp_path / "digits" / version / "saved_model.pb").touch()
    file = tmp_path / "models.config"
    file.write_text(f'model_config_list {{ config {{ name: "digits" base_path: "{tmp_path}/digits" model_platform: "tensorflow" }} }}\n')
    promoted = shell(f"tapeline release promote 2 --model_config_file '{file}' --no-wait >/dev/full")
    assert promoted.returncode == 0
    assert promoted.stderr.endswith(DONE)
    assert 'key: "stable"' in file.read_text()
    told = shell(f"tapeline release status --model_config_file '{file}' >/dev/full")
    assert told.returncode == 1
    assert told.stderr.endswith(LOST)


def test_a_run_that_was_submitted_stays_so_and_its_status_that_nobody_could_read_has_failed(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(package(data_path="gs://bucket/raw"))
    server = KfpServer()
    try:
        at = f"--host {server.url}"
        submitted = shell(f"tapeline kubeflow submit '{tmp_path}/pipeline.yaml' --no-follow {at} >/dev/full")
        told = shell(f"tapeline kubeflow status {at} >/dev/full")
    finally:
        server.close()
    assert submitted.returncode == 0, submitted.stderr
    assert submitted.stderr.endswith(DONE)
    assert told.returncode == 1, told.stderr
    assert told.stderr.endswith(LOST)


def test_of_every_command_it_is_decided_whether_it_only_prints():
    def paths(parser, before=()):
        inner = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        return {path for name, each in inner[0].items() for path in paths(each, (*before, name))} if inner else {before}

    assert set(cli.ACTS) == paths(cli._parser())


@pytest.mark.parametrize("command", [f"config show '{DIGITS}'", "config schema", "--help", "run --help"])
def test_a_command_that_only_prints_has_failed_where_its_output_is_lost(command):
    answer = shell(f"tapeline {command} >/dev/full")
    assert (answer.returncode, answer.stderr) == (1, LOST)
    assert shell(f"set -o pipefail; tapeline {command} | true").returncode == 0


@pytest.mark.parametrize(
    ("command", "status"),
    [("run '{DIGITS}' --root '{root}' --json", 0), ("doctor", 0), ("config check '{DIGITS}'", 0), ("run '{DIGITS}' --root here", 2)],
)
def test_a_working_folder_that_has_been_removed(root, tmp_path, command, status):
    command = command.format(DIGITS=DIGITS, root=root)
    answer = shell(f"mkdir '{tmp_path}/gone'; cd '{tmp_path}/gone'; rmdir '{tmp_path}/gone'; tapeline {command}")
    assert b"Traceback" not in answer.stderr
    assert answer.returncode == status or command == "doctor", answer.stderr
    if status:
        assert answer.stderr.startswith(b"Expected a working folder that is there")
