"""Releases in a file, with no server asked: labels, what stays loaded, what is remembered, and what is refused."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.release.config_file import ConfigFile
from pipeline.release.errors import ChangedError, ReleaseError

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def promote(release, config_file):
    """Called with a version and options: promotes it in `config_file`, unseen by any server."""

    def call(version, *options):
        answer = release("promote", version, "--model_config_file", config_file, "--no-wait", *options)
        assert answer.status == 0, answer.err
        return answer

    return call


@pytest.fixture
def rollback(release, config_file):
    return lambda *options: release("rollback", "--model_config_file", config_file, *options)


def test_the_first_promote_lists_one_version_and_puts_stable_on_it(promote, config_file, entry):
    answer = promote(3)
    assert entry(config_file) == entry_of(stable=3, versions=[3])
    assert answer.out == "stable of digits is version 3. There is no version before it to roll back to.\n"
    assert "No server was asked: " in answer.err


def test_the_version_before_stays_loaded_and_one_command_goes_back_to_it(promote, rollback, config_file, entry):
    promote(3)
    assert promote(4).out == "stable of digits is version 4, was 3. `tapeline release rollback` puts it on 3.\n"
    assert entry(config_file) == entry_of(stable=4, versions=[3, 4])
    assert rollback().out == "stable of digits is version 3, was 4. There is no version before it to roll back to.\n"
    assert entry(config_file) == entry_of(stable=3, versions=[3])


def test_every_rollback_goes_one_step_further_back_until_there_is_none(promote, rollback, config_file, entry):
    for version in (1, 2, 3):
        promote(version)
    rollback()
    assert entry(config_file) == entry_of(stable=2, versions=[1, 2])
    rollback()
    assert entry(config_file) == entry_of(stable=1, versions=[1])
    answer = rollback()
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith("Expected a version before that stable could go back to. Received: none in ")
    assert "stable is 1. Name the version: tapeline release promote VERSION." in answer.err


def test_a_rollback_to_a_version_that_is_not_kept_loaded_asks_for_a_server(promote, rollback, config_file, entry):
    promote(1)
    promote(2)
    config_file.write_text(config_file.read_text().replace("versions: 1\n", ""))
    answer = rollback()
    assert answer.status == 2
    assert "before moving stable back to version 1, which is not loaded any more" in answer.err
    assert rollback("--no-wait").status == 0
    assert entry(config_file).labels == {"stable": 1}


def test_what_is_stable_is_noted_beside_the_versions_for_the_next_runs_gate(promote, rollback, tmp_path):
    note = tmp_path / "digits" / "released.json"
    promote(3)
    promote(4)
    assert json.loads(note.read_text()) == {"stable": 4}
    promote(5, "--label", "canary")
    assert json.loads(note.read_text()) == {"stable": 4}
    rollback()
    assert json.loads(note.read_text()) == {"stable": 3}
    assert sorted(path.name for path in (tmp_path / "digits").iterdir()) == ["1", "2", "3", "4", "5", "released.json"]


def test_a_release_whose_base_path_cannot_be_written_is_done_and_says_so(promote, config_file, entry, tmp_path):
    (tmp_path / "digits" / "released.json").mkdir()
    answer = promote(3)
    assert entry(config_file) == entry_of(stable=3, versions=[3])
    assert "Later runs on Kubeflow cannot learn that version 3 is stable: " in answer.err
    assert sorted(path.name for path in (tmp_path / "digits").iterdir()) == ["1", "2", "3", "4", "5", "released.json"]


def test_a_canary_beside_stable_leaves_stable_and_its_history_alone(promote, rollback, config_file, entry):
    promote(1)
    promote(2)
    answer = promote(3, "--label", "canary")
    assert answer.out == "canary of digits is version 3. stable has not moved.\n"
    assert entry(config_file) == entry_of(stable=2, canary=3, versions=[1, 2, 3])
    assert rollback().status == 0
    assert entry(config_file) == entry_of(stable=1, canary=3, versions=[1, 3])


def test_no_more_than_three_versions_are_ever_listed(promote, config_file, entry):
    for version, label in ((1, "stable"), (2, "stable"), (3, "canary"), (4, "stable"), (5, "canary"), (5, "stable")):
        promote(version, "--label", label)
        assert len(entry(config_file).versions) <= 3
    assert entry(config_file) == entry_of(stable=5, canary=5, versions=[4, 5])


def test_labels_of_others_keep_their_versions_and_other_models_are_left_alone(promote, config_file, entry, tmp_path):
    config_file.write_text(
        'model_config_list { config { name: "other" base_path: "/nowhere" model_platform: "tensorflow" model_version_policy { all {} } } '
        f'config {{ name: "digits" base_path: "{tmp_path}/digits" model_platform: "tensorflow" '
        'version_labels { key: "beta" value: 1 } logging_config { sampling_config { sampling_rate: 0.5 } } } }'
    )
    promote(3, "--model_name", "digits")
    assert entry(config_file) == entry_of(stable=3, beta=1, versions=[1, 3])
    text = config_file.read_text()
    assert "sampling_rate: 0.5" in text
    assert "all {" in text


def test_comments_at_the_top_stay_and_what_was_before_is_one_of_them(promote, config_file):
    promote(3)
    promote(4)
    lines = config_file.read_text().splitlines()
    assert lines[:3] == ["# Served on the small machine.", '# tapeline-release: {"digits": [3]}', "model_config_list {"]


def test_the_newest_version_can_be_asked_for_by_name(promote, config_file, entry):
    promote("latest")
    assert entry(config_file).labels == {"stable": 5}


def test_a_version_that_is_stable_already_changes_nothing(promote, config_file):
    promote(3)
    before = (config_file.stat().st_mtime_ns, config_file.stat().st_ino)  # not st_atime: it is read
    assert promote(3).err == "stable is version 3 already. Nothing was changed.\n"
    assert (config_file.stat().st_mtime_ns, config_file.stat().st_ino) == before


def test_a_dry_run_prints_the_difference_and_writes_nothing(release, config_file):
    before = config_file.read_text()
    answer = release("promote", 3, "--model_config_file", config_file, "--dry-run")
    assert (answer.status, config_file.read_text()) == (0, before)
    assert answer.out.startswith(f"--- {config_file}\n+++ {config_file} afterwards\n")
    assert '+      key: "stable"\n+      value: 3\n' in answer.out
    assert answer.err.endswith("Nothing was changed.\n")


def test_the_file_keeps_its_mode_and_a_link_to_it_stays_a_link(promote, config_file, tmp_path, release):
    config_file.chmod(0o640)
    link = tmp_path / "linked" / "models.config"
    link.parent.mkdir()
    link.symlink_to(config_file)
    assert release("promote", 3, "--model_config_file", link, "--no-wait").status == 0
    assert link.is_symlink()
    assert config_file.stat().st_mode & 0o777 == 0o640
    assert "stable" in config_file.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "linked", "models.config"]


def test_a_command_killed_before_the_file_is_in_place_leaves_the_old_one_whole(config_file):
    """The new text is on the disk, and the process gone before it is renamed."""
    before = config_file.read_text()
    code = f"""if True:
        import os, pathlib, signal
        from pipeline import cli
        pathlib.Path.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
        cli.main(["release", "promote", "3", "--no-wait", "--model_config_file", {str(config_file)!r}])
    """
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == -signal.SIGKILL
    assert config_file.read_text() == before


def test_a_file_that_somebody_else_has_changed_meanwhile_is_left_as_it_is(config_file):
    place = ConfigFile(config_file)
    snapshot = place.read()
    config_file.write_text("theirs")
    with pytest.raises(ChangedError, match="was changed by somebody else meanwhile"):
        place.write("mine", snapshot)
    assert config_file.read_text() == "theirs"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_in_one_line(release, config_file):
    config_file.parent.chmod(0o555)
    try:
        answer = release("promote", 3, "--model_config_file", config_file, "--no-wait")
    finally:
        config_file.parent.chmod(0o755)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "cannot be replaced: Permission denied. It is as it was." in answer.err


def test_a_disk_that_takes_no_more_leaves_the_old_file_whole_and_nothing_beside_it(config_file):
    before = config_file.read_text()
    place = ConfigFile(config_file)
    snapshot = place.read()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(ReleaseError) as refused:
            place.write("much more than ten bytes", snapshot)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(refused.value).startswith(f"{config_file} cannot be replaced: File too large. It is as it was. ")
    assert config_file.read_text() == before
    assert sorted(path.name for path in config_file.parent.iterdir()) == ["digits", "models.config"]


# --- what is refused


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (7, "Expected VERSION to be a version in {base}. Received: 7. Nearest: 3, 4, 5.\n"),
        (0, "Received: 0. Nearest: 1, 2, 3.\n"),
        ("newest", "Expected VERSION to be a number or 'latest'. Received: 'newest'. Nearest: 3, 4, 5.\n"),
        (6, "Expected version 6 to hold saved_model.pb. Received: {base}/6 without one. Wait until it is copied, or push it again.\n"),
        (2**63, "Expected VERSION to be a number or 'latest'."),
    ],
)
def test_a_version_that_was_not_pushed_is_refused_with_the_nearest(release, config_file, tmp_path, version, said):
    if version == 6:
        (tmp_path / "digits" / "6").mkdir()
    before = config_file.read_text()
    answer = release("promote", version, "--model_config_file", config_file, "--no-wait")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said.format(base=f"{tmp_path}/digits") in answer.err
    assert config_file.read_text() == before


def test_a_pipe_is_no_config_file_and_nobody_waits_for_it(release, tmp_path):
    os.mkfifo(tmp_path / "models.config")
    answer = release("promote", 3, "--model_config_file", tmp_path / "models.config", "--no-wait")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"Received: '{tmp_path}/models.config': It is no regular file." in answer.err


def test_a_base_path_that_is_a_pods_is_not_checked_and_that_is_said(release, tmp_path, entry):
    path = tmp_path / "models.config"
    path.write_text('model_config_list { config { name: "digits" base_path: "/models/digits" model_platform: "tensorflow" } }')
    answer = release("promote", "latest", "--model_config_file", path, "--no-wait")
    assert answer.status == 2
    assert answer.err.startswith("Expected VERSION to be a number: /models/digits cannot be read from here (No such file or directory).")
    answer = release("promote", 7, "--model_config_file", path, "--no-wait")
    assert answer.err.startswith("Whether version 7 was pushed is not checked: /models/digits cannot be read from here")
    assert entry(path) == entry_of(stable=7, versions=[7])


def test_a_bucket_is_looked_into_through_tensorflows_file_systems():
    """`ram://` stands for `gs://`: the same calls, and no network."""
    from tensorflow.io import gfile

    from pipeline.release.pushed_versions import chosen, find
    from trainer.errors import ConfigError

    for name in ("3", "20", "notes"):
        gfile.makedirs(f"ram://bucket/digits/{name}")
        with gfile.GFile(f"ram://bucket/digits/{name}/saved_model.pb", "w") as file:
            file.write("x")
    pushed = find("ram://bucket/digits/")
    assert sorted(pushed.folders) == [3, 20]
    assert chosen("latest", pushed) == 20
    with pytest.raises(ConfigError, match=r"Received: 4\. Nearest: 3, 20"):
        chosen("4", pushed)
    assert find("ram://bucket/nowhere").unknown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["promote", "3"],
            "Expected --server HOST:PORT, to see that the version is loaded before moving stable to version 3. Received: none. ",
        ),
        (["promote", "3", "--server", "nowhere"], "gRPC port. Received: 'nowhere'. Try nowhere:8500.\n"),
        (["promote", "3", "--server", "http://nowhere:8500"], "gRPC port. Received: 'http://nowhere:8500'.\n"),
        (["promote", "3", "--server", "a:1", "--no-wait"], "not allowed with argument"),
        (["promote", "3", "--label", "best"], "argument --label: invalid choice: 'best' (choose from 'stable', 'canary')"),
        (["promote", "3", "--no-wait", "--timeout", "0"], "expected seconds, more than 0 and at most 86400, received '0'"),
        (["promote", "3", "--no-wait", "--timeout", "soon"], "expected seconds, more than 0 and at most 86400, received 'soon'"),
        (["promote", "3", "--no-wait", "--context", "kind"], "Received: both, --model_config_file and --context.\n"),
        (["promote", "3", "--no-wait", "--model_name", "digit"], "to be one of digits. Received: 'digit'. Did you mean 'digits'?\n"),
        (["status", "--server", "nowhere:0x1"], "gRPC port. Received: 'nowhere:0x1'.\n"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_the_next_step(release, config_file, arguments, said):
    before = config_file.read_text()
    answer = release(*arguments, "--model_config_file", config_file)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.err
    assert config_file.read_text() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory. Did you mean 'models.config'?\n"),
        ("model_config_list {", "models.config2: Expected a ModelServerConfig, such as model_config_list"),
        ("custom_model_config " + "{ [type.googleapis.com/google.protobuf.Any] " * 3000, "Received: nested too deeply.\n"),
        ("", "Received: no model.\n"),
        ("# Zürich", "models.config2: Expected a ModelServerConfig as UTF-8 text. Received: invalid start byte.\n"),
        (
            'model_config_list { config { name: "a" } config { name: "b" } }',
            "Expected --model_name, because there are several models: a, b.\n",
        ),
        ('# tapeline-release: {"a": 3}\nmodel_config_list { config { name: "a" } }', "Mend it, or remove the line"),
        ("# tapeline-release: " + "[" * 100_000 + "\nmodel_config_list { config { name: 'a' } }", "[ ...'. Mend it, or remove the line"),
        ("# tapeline-release: [3\nmodel_config_list { config { name: 'a' } }", "Received: '# tapeline-release: [3'."),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_2(release, config_file, text, said):
    path = config_file.with_name("models.config2")
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    answer = release("promote", 3, "--no-wait", "--model_config_file", path)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err


# --- status


def test_status_shows_labels_rollback_and_the_newest_push(release, promote, config_file):
    promote(3)
    promote(4)
    answer = release("status", "--model_config_file", config_file)
    rows = [line.split() for line in answer.out.splitlines()]
    assert rows == [
        ["digits", "in", str(config_file)],
        ["version"],
        ["stable", "4"],
        ["canary", "-"],
        ["rollback", "3"],
        ["newest", "push", "5"],
    ]


def test_status_before_the_first_release_says_what_to_do(release, config_file):
    out = release("status", "--model_config_file", config_file).out
    assert "No label yet: `tapeline release promote VERSION` says what stable is.\n" in out
    assert "its policy is 'latest': every push changes what is served.\n" in out


def test_status_as_json_has_everything(release, promote, config_file, tmp_path):
    promote(3)
    promote(4)
    assert json.loads(release("status", "--model_config_file", config_file, "--json").out) == {
        "config": str(config_file),
        "model": "digits",
        "base_path": f"{tmp_path}/digits",
        "policy": "specific",
        "listed": [3, 4],
        "labels": {"stable": 4},
        "history": [3],
        "rollback": 3,
        "pushed": [1, 2, 3, 4, 5],
        "newest_pushed": 5,
        "servers": {},
    }


def test_help_and_refusals_import_neither_tensorflow_nor_grpc_nor_kubernetes(config_file):
    code = f"""if True:
        import sys
        from pipeline import cli
        for arguments in (["status", "--help"], ["promote", "9", "--no-wait", "--model_config_file", {str(config_file)!r}]):
            try:
                print(cli.main(["release", *arguments]))
            except SystemExit as end:
                print(end.code)
            print(sorted({{"tensorflow", "grpc", "numpy", "kubernetes"}} & sys.modules.keys()))
    """
    answer = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-3:] == ["[]", "2", "[]"]


def entry_of(versions, **labels):
    """What `entry` gives for these."""
    return labels, versions
