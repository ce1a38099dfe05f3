"""The `tapeline` command: exit statuses, one line an error, help without TensorFlow or NumPy."""

import importlib.metadata
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli, config

CHECKOUT = Path(__file__).resolve().parents[2]
DIGITS = str(CHECKOUT / "configs" / "digits.yaml")
HELP = [
    "",
    "init",
    "run",
    "compile",
    "kubeflow",
    "kubeflow emulate",
    "kubeflow submit",
    "kubeflow logs",
    "release",
    "release status",
    "release promote",
    "release rollback",
]
HELP += ["serve", "predict", "config", "config check", "config show", "config schema", "schema", "schema accept", "doctor"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without runs/ and configs/."""
    monkeypatch.chdir(tmp_path)


def call(*arguments):
    """The exit status, whichever way the command ends."""
    try:
        return cli.main(list(arguments))
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "the following arguments are required: CONFIG"),
        (["train"], "invalid choice: 'train'"),
        ([], "the following arguments are required: COMMAND"),
        (["config"], "the following arguments are required: COMMAND"),
        (["run", DIGITS, "--sett", "a=1"], "unrecognized arguments"),
        (["run", DIGITS, "--root"], "expected one argument"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_what_is_wrong(capsys, arguments, said):
    assert call(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


@pytest.mark.parametrize("command", ["run", "config check", "config show", "schema accept"])
def test_a_wrong_config_ends_with_2_and_one_line_on_stderr(capsys, tmp_path, command):
    (tmp_path / "bad.yaml").write_text("name: mine\ndata: {format: digits}\ntrainer: {lop: fit}\n")
    assert call(*command.split(), "bad.yaml") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("bad.yaml: trainer.lop: Expected one of the keys ")
    assert err.endswith("Did you mean 'loop'?\n")


def test_with_json_the_error_is_a_json_line_as_well(capsys):
    assert call("run", DIGITS, "--json", "--set", "trainer.lop=fit") == 2
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["outcome"], answer["version"], answer["components"]) == ("failed", None, [])
    assert answer["reasons"] == err.splitlines()


@pytest.mark.parametrize("root", ["in-the-way", "in-the-way/below", "/proc/tapeline"])
def test_a_root_that_cannot_be_written_ends_with_2_before_tensorflow_is_imported(tmp_path, root):
    (tmp_path / "in-the-way").touch()
    arguments = ["run", DIGITS, "--root", root]
    code = f"import sys; from pipeline import cli; status = cli.main({arguments!r}); print('tensorflow' in sys.modules); sys.exit(status)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)}
    )
    assert (answer.returncode, answer.stdout) == (2, "False\n")
    assert answer.stderr.startswith("Expected a root folder that can be written. Received: '")
    assert answer.stderr.count("\n") == 1


def test_raw_files_that_are_not_there_end_with_2_and_leave_no_root(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ndata: {format: idx, path: raw}\n")
    assert call("run", "mine.yaml", "--root", "root") == 2
    assert (
        capsys.readouterr().err == f"Expected `data.path` to be a folder of IDX files. Received: '{tmp_path}/raw', which is not a folder.\n"
    )
    assert not (tmp_path / "root").exists()


def test_check_says_what_the_config_is(capsys):
    assert call("config", "check", DIGITS, "--set", "trainer.loop=gradient_tape") == 0
    assert capsys.readouterr().out == f"{DIGITS} is right: digits, digits, mlp with gradient_tape.\n"


def test_show_prints_every_setting_as_yaml_that_loads_back(capsys, tmp_path):
    assert call("config", "show", DIGITS) == 0
    (tmp_path / "shown.yaml").write_text(capsys.readouterr().out)
    assert config.load(tmp_path / "shown.yaml") == config.load(DIGITS)


def test_schema_prints_the_json_schema(capsys):
    assert call("config", "schema") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(config.json_schema()))


def test_the_json_schema_is_of_every_config_and_so_takes_none(capsys):
    assert call("config", "schema", "nowhere.yaml") == 2
    assert "unrecognized arguments: nowhere.yaml" in capsys.readouterr().err


def test_a_schema_is_accepted_once(capsys, tmp_path):
    inferred = tmp_path / "root" / "artifacts" / "SchemaGen" / "schema" / "3" / "schema.pbtxt"
    inferred.parent.mkdir(parents=True)
    inferred.write_text("feature {}")
    arguments = ["schema", "accept", DIGITS, "--root", "root", "--set", "schema.path=mine.pbtxt"]
    assert call(*arguments) == 0
    assert (tmp_path / "mine.pbtxt").read_text() == "feature {}"
    assert capsys.readouterr().out.startswith(f"Wrote {tmp_path}/mine.pbtxt. ")
    assert call(*arguments) == 2
    assert capsys.readouterr().err.startswith("Expected no reviewed schema yet. ")


def test_predict_and_serve_have_their_own_command_lines(capsys):
    assert call("predict", "nowhere.png", "--model_name", "digits") == 2
    assert "nowhere.png" in capsys.readouterr().err
    assert call("serve", "--port", "eighty", "--model_base_path", ".") == 2
    assert "expected a port from 1 to 65535, 0 for none, or auto for a free one, received 'eighty'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def helped():
    """{command: [exit status, what it printed, which heavy packages were imported by then]}, all in one process."""
    code = f"""if True:
        import contextlib, io, json, sys
        from pipeline import cli
        answers = {{}}
        for command in {HELP!r}:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                try:
                    status = cli.main([*command.split(), "--help"])
                except SystemExit as end:
                    status = end.code
            answers[command] = [status or 0, out.getvalue(), sorted({{"tensorflow", "numpy", "tfx", "grpc"}} & sys.modules.keys())]
        print(json.dumps(answers))
    """
    return json.loads(subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("command", HELP)
def test_help_answers_at_once(helped, command):
    status, text, imported = helped[command]
    assert status == 0
    assert text.startswith(f"usage: tapeline {command}".rstrip())
    assert imported == []


def test_output_whose_reader_has_gone_is_no_error(tmp_path):
    command = [sys.executable, "-m", "pipeline.cli", "config", "show", DIGITS]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_a_pipe_that_breaks_elsewhere_is_an_error(monkeypatch, capsys):
    """As that of a server that ends the connection while it is sent something."""

    def send(*_):
        ours, theirs = socket.socketpair()
        theirs.close()
        with ours:
            ours.sendall(b"a")

    monkeypatch.setattr(config, "load", send)
    assert call("config", "check", DIGITS) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "BrokenPipeError: [Errno 32] Broken pipe\n")


def _config(tmp_path, path):
    file = tmp_path / "use.yaml"
    file.write_text(f"name: digits\ndata: {{format: idx, path: {path}}}\n")
    return str(file)


def test_a_config_whose_data_are_not_there_is_not_right(tmp_path, capsys):
    assert call("config", "check", _config(tmp_path, "nowhere")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"Expected `data.path` to be a folder of IDX files. Received: '{tmp_path}/nowhere', which is not a folder.\n"
    (tmp_path / "nowhere").mkdir()
    assert call("config", "check", _config(tmp_path, "nowhere")) == 2
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / "nowhere" / name).touch()
    assert call("config", "check", _config(tmp_path, "nowhere")) == 0


def test_data_on_object_storage_are_not_looked_for_and_the_check_says_so(tmp_path, capsys):
    assert call("config", "check", _config(tmp_path, "gs://bucket/data")) == 0
    assert capsys.readouterr().out.endswith(" Whether gs://bucket/data is there was not looked at.\n")


def test_a_config_whose_reviewed_schema_is_none_is_not_right(tmp_path, capsys):
    schema = tmp_path / "schema.pbtxt"
    arguments = ("config", "check", DIGITS, "--set", f"schema.path={schema}")
    assert call(*arguments) == 0  # the first run infers it
    schema.write_text("garbage")
    assert call(*arguments) == 2
    assert f"Received: '{schema}': 1:1 : " in capsys.readouterr().err
    schema.unlink()
    schema.mkdir()
    assert call(*arguments) == 2
    assert f"Received: '{schema}', a folder." in capsys.readouterr().err


def test_the_version_is_the_installed_ones(capsys):
    assert call("--version") == 0
    assert capsys.readouterr().out == f"tapeline {importlib.metadata.version('tapeline')}\n"


def test_a_checkout_that_is_not_installed_says_so_in_the_place_of_its_version(monkeypatch, capsys):
    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", none)
    assert call("--version") == 0
    assert capsys.readouterr().out == "tapeline (not installed)\n"


def test_what_the_readme_writes_into_a_checkout_is_no_change_of_it():
    if not shutil.which("git"):
        pytest.skip("needs git")
    written = ["pipeline.yaml", "seven.png", "runs/digits/last_run.json"]
    done = subprocess.run(["git", "check-ignore", "--no-index", *written], cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("no git repository")
    assert done.stdout.split() == written
