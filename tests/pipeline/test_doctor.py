"""`tapeline doctor`: each line's failure and its remedy, by their text."""

import json
import subprocess
import sys

import pytest

from pipeline import doctor
from pipeline.tfx_platform import Machine, TfxPlatform, choose

LOCK = """absl-py==1.4.0 \\
    --hash=sha256:00
jeepney==0.9.0 ; sys_platform == 'nowhere' \\
    --hash=sha256:00
typing-extensions==4.16.0 \\
    --hash=sha256:00
"""
LOCKED = {"absl-py": "1.4.0", "typing-extensions": "4.16.0"}


def test_another_python_than_3_11_fails():
    finding = doctor.check_python((3, 12, 1), "/usr/bin/python3.12")
    assert (finding.state, finding.text) == ("failure", "3.12.1 (/usr/bin/python3.12)")
    assert finding.remedy == "TFX needs Python 3.11: install it, then `rm -r .venv && make env`."


def test_the_chosen_tfx_is_named_with_its_reason():
    finding = doctor.check_tfx(lambda: TfxPlatform("1.16", "glibc 2.36 is older than 2.39"))
    assert (finding.state, finding.text) == ("ok", "1.16, since glibc 2.36 is older than 2.39")


def test_a_machine_without_a_tfx_fails_with_the_next_step():
    finding = doctor.check_tfx(lambda: choose({}, Machine("Linux", "x86_64", None)))
    assert (finding.state, finding.text) == ("failure", "no TFX for this machine")
    assert "Received: Linux on x86_64 without glibc." in finding.remedy


def test_packages_as_locked_are_counted_without_those_for_other_machines():
    finding = doctor.check_packages(LOCK, {**LOCKED, "tapeline": "0.1.0"})
    assert (finding.state, finding.text) == ("ok", "2 as locked")


@pytest.mark.parametrize(
    ("installed", "text"),
    [
        ({"absl-py": "1.4.0"}, "1 missing: typing-extensions; 2 locked"),
        ({"absl-py": "2.0", "typing-extensions": "4.16.0"}, "1 different: absl-py 2.0 instead of 1.4.0; 2 locked"),
        ({"absl-py": "2.0"}, "1 missing: typing-extensions; 1 different: absl-py 2.0 instead of 1.4.0; 2 locked"),
    ],
)
def test_missing_and_different_packages_fail_by_name(installed, text):
    finding = doctor.check_packages(LOCK, installed)
    assert (finding.state, finding.text) == ("failure", text)
    assert finding.remedy == "Rebuild .venv: `rm -r .venv && make env`."


def test_of_many_missing_packages_three_are_named():
    lock = "".join(f"package-{letter}==1.0 \\\n    --hash=sha256:00\n" for letter in "abcde")
    assert doctor.check_packages(lock, {}).text == "5 missing: package-a, package-b, package-c, ...; 5 locked"


def test_without_a_lock_file_there_is_a_warning():
    finding = doctor.check_packages(None, LOCKED)
    assert (finding.state, finding.text) == ("warning", "no lock file to compare with")


@pytest.mark.parametrize(("keras", "text"), [(None, "not installed, Keras 3 is needed"), ("2.15.0", "2.15.0, Keras 3 is needed")])
def test_anything_but_keras_3_fails(keras, text):
    finding = doctor.check_keras(keras)
    assert (finding.state, finding.text, finding.remedy) == ("failure", text, "Rebuild .venv: `rm -r .venv && make env`.")


def test_keras_3_is_well():
    assert doctor.check_keras("3.15.1").text == "3.15.1 on TensorFlow"


@pytest.mark.parametrize(
    ("environ", "state", "text"),
    [
        ({"PATH": "/bin"}, "ok", "nothing in the environment changes results"),
        ({"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"}, "ok", "nothing in the environment changes results"),
        ({"KERAS_BACKEND": "jax"}, "ok", "KERAS_BACKEND=jax: a run sets its own"),
        (
            {"KERAS_MAX_EPOCHS": "1", "TF_USE_LEGACY_KERAS": "1"},
            "ok",
            "KERAS_MAX_EPOCHS=1, TF_USE_LEGACY_KERAS=1: a run sets its own",
        ),
        ({"XLA_FLAGS": "--a", "KERAS_HOME": "/k"}, "warning", "XLA_FLAGS=--a may change results"),
    ],
)
def test_settings_of_keras_and_tensorflow_are_named_with_whether_they_count(environ, state, text):
    finding = doctor.check_settings(environ)
    assert (finding.state, finding.text) == (state, text)
    assert ("unset XLA_FLAGS" in finding.remedy) == (state == "warning")


def test_a_removed_working_folder_is_named_with_the_way_out():
    finding = doctor.check_disk(None, "the working folder")
    assert (finding.state, finding.text) == ("warning", "the working folder has been removed")
    assert finding.remedy


@pytest.mark.parametrize(("free", "state"), [(5e9, "ok"), (4.9e9, "warning"), (0.9e9, "failure")])
def test_little_disk_warns_and_too_little_fails(free, state):
    finding = doctor.check_disk(free, "/runs")
    assert (finding.state, finding.text) == (state, f"{free / 1e9:.1f} GB free in /runs")
    assert ("tapeline run --root DIR" in finding.remedy) == (state != "ok")


def test_little_memory_warns_with_the_setting_that_helps():
    assert doctor.check_machine(8e9, 1).text == "8.0 GB of memory, 1 core"
    finding = doctor.check_machine(2e9, 2)
    assert finding.state == "warning"
    assert "trainer.cache: none" in finding.remedy


@pytest.mark.parametrize(
    ("client", "server", "text"),
    [
        (None, None, "not found (optional)"),
        ("28.2.2", None, "28.2.2, the daemon does not answer (optional)"),
    ],
)
def test_docker_is_optional(client, server, text):
    finding = doctor.check_docker(client, server)
    assert (finding.state, finding.text) == ("warning", text)
    assert finding.remedy


def test_kubectl_is_optional():
    finding = doctor.check_kubectl(None)
    assert (finding.state, finding.text, finding.remedy) == ("warning", "not found (optional)", "Install it to deploy on Kubernetes.")


def test_what_is_as_it_should_be_is_ok_and_needs_no_remedy():
    for finding in (doctor.check_python((3, 11, 7), "python"), doctor.check_docker("28.2.2", "28.2.2"), doctor.check_kubectl("1.33.1")):
        assert (finding.state, finding.remedy) == ("ok", ""), finding


@pytest.fixture(scope="module")
def examined():
    """What `run(as_json=True)` prints and returns in a process of its own, and whether it imported TensorFlow."""
    code = (
        "import sys; from pipeline import doctor; status = doctor.run(as_json=True); print('tensorflow' in sys.modules); sys.exit(status)"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_json_has_every_finding_and_agrees_with_the_exit_status(examined):
    answer = json.loads(examined.stdout.splitlines()[0])
    assert [finding["name"] for finding in answer["findings"]] == [
        "Python",
        "TFX",
        "Packages",
        "Keras",
        "Settings",
        "Disk",
        "Machine",
        "Docker",
        "kubectl",
    ]
    failed = [finding for finding in answer["findings"] if finding["state"] == "failure"]
    assert answer["healthy"] == (not failed) == (examined.returncode == 0), failed


def test_the_doctor_imports_no_tensorflow(examined):
    assert examined.stdout.splitlines()[-1] == "False"


def test_a_finding_has_a_mark_and_its_remedy_a_line_of_its_own(capsys):
    doctor._show([doctor.Finding("Disk", "failure", "0.1 GB free in [here]", "Free some."), doctor.Finding("Python", "ok", "3.11.7")])
    assert capsys.readouterr().out == "✗ Disk      0.1 GB free in [here]\n            → Free some.\n✓ Python    3.11.7\n"


def test_everything_but_a_path_fits_80_columns(capsys):
    path = "/" + "a" * 100
    found = [
        doctor.check_docker("28.2.2", None),
        doctor.check_packages(LOCK, {"absl-py": "1.3.0"}),
        doctor.check_disk(1e9, path),
        doctor.check_settings({"TF_XLA_FLAGS": "--tf_xla_auto_jit=2", "XLA_FLAGS": "--xla_a", "TF_ENABLE_ONEDNN_OPTS": "0"}),
    ]
    doctor._show(found)
    out = capsys.readouterr().out
    assert all(len(line) <= 80 or line.strip() == path for line in out.splitlines()), out
    said = " ".join(out.split())
    assert all(" ".join(each.text.split()) in said and each.remedy in said for each in found)


def test_only_a_failure_makes_the_exit_status_1(monkeypatch, capsys):
    for state, status in (("ok", 0), ("warning", 0), ("failure", 1)):
        monkeypatch.setattr(doctor, "_examine", lambda environ, state=state: [doctor.Finding("Disk", state, "text", "remedy")])
        assert doctor.run() == status
