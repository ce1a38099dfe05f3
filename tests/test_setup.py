"""The set-up: which TFX a machine gets, what the locks and setup.py promise, and what a client alone can do."""

import ast
import importlib.metadata
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pipeline.extras import extra_of
from pipeline.tfx_platform import Machine, TfxPlatform, choose
from trainer.errors import ConfigError, TapelineError

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDERS = ("components", "pipeline", "serving", "trainer")
LOCKS = sorted(CHECKOUT.glob("requirements-*.lock"))
LINUX, MAC = ("Linux", "x86_64"), ("Darwin", "arm64")


# --- which TFX a machine gets


@pytest.mark.parametrize(
    ("machine", "tfx", "reason"),
    [
        (Machine(*LINUX, (2, 31)), "1.16", "glibc 2.31 is older than 2.39"),
        (Machine(*LINUX, (2, 38)), "1.16", "glibc 2.38 is older than 2.39"),
        (Machine(*LINUX, (2, 39)), "1.21", "glibc 2.39 is 2.39 or newer"),
        (Machine(*LINUX, (3, 0)), "1.21", "glibc 3.0 is 2.39 or newer"),
        (Machine(*MAC, None), "1.21", "macOS on arm64"),
    ],
    ids=str,
)
def test_the_platform_decides_which_tfx_is_installed_and_says_why(machine, tfx, reason):
    assert choose({}, machine) == TfxPlatform(tfx, reason)


@pytest.mark.parametrize(
    ("machine", "received"),
    [
        (Machine("Linux", "x86_64", None), "Linux on x86_64 without glibc"),
        (Machine("Linux", "aarch64", (2, 41)), "Linux on aarch64 with glibc 2.41"),
        (Machine("Darwin", "x86_64", None), "macOS on x86_64"),
        (Machine("Windows", "AMD64", None), "Windows on AMD64"),
    ],
    ids=str,
)
def test_a_machine_that_tfx_has_no_wheels_for_is_refused_in_one_line_with_the_next_step(machine, received):
    with pytest.raises(TapelineError) as refusal:
        choose({}, machine)
    assert f"Received: {received}." in str(refusal.value)
    assert "container of Debian 13" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_environment_variable_overrides_the_platform():
    assert choose({"TAPELINE_TFX": "1.21"}, Machine(*LINUX, (2, 31))) == TfxPlatform("1.21", "TAPELINE_TFX says so")


def test_an_override_that_names_no_lock_is_refused():
    with pytest.raises(ConfigError, match=r"Expected TAPELINE_TFX to be 1\.16 or 1\.21\. Received: '1\.20'\."):
        choose({"TAPELINE_TFX": "1.20"})


@pytest.mark.parametrize("tfx", ["1.16", "1.21"])
def test_each_tfx_that_can_be_chosen_has_its_lock(tfx):
    lock = (CHECKOUT / TfxPlatform(tfx, "").lock).read_text()
    assert re.search(rf"^tfx=={re.escape(tfx)}\.", lock, re.MULTILINE)


# --- what the locks and setup.py promise


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_and_hashes_every_package_and_names_no_index(lock):
    text = lock.read_text()
    packages = [block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block.strip()]
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==\S+( ; .+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", package), package.splitlines()[0]
    assert "://" not in text


@pytest.mark.parametrize("name", ["tfx-1.16", "tfx-1.21", "build", "uv"])
def test_a_lock_has_all_that_its_in_file_asks_for(name):
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (CHECKOUT / f"requirements-{name}.lock").read_text(), re.MULTILINE))
    for wanted, version in _wanted(CHECKOUT / f"requirements-{name}.in"):
        assert wanted in locked, f"run `make lock`: {wanted} is missing"
        assert version in ("", locked[wanted]), f"run `make lock`: {wanted} is locked at {locked[wanted]}"


def test_setup_py_lists_every_package_of_the_four_folders():
    found = {
        str(init.parent.relative_to(CHECKOUT)).replace(os.sep, ".")
        for folder in FOLDERS
        for init in (CHECKOUT / folder).rglob("__init__.py")
    }
    assert set(_setup_call()["packages"]) == found


def test_the_package_alone_and_its_client_extra_bring_no_tensorflow():
    metadata = importlib.metadata.metadata("tapeline")
    required = metadata.get_all("Requires-Dist") or []
    assert [line for line in required if "extra ==" not in line] == []
    client = [line for line in required if 'extra == "client"' in line]
    assert client
    assert not any("tensorflow" in line or "tfx" in line for line in client)


def _set_up_with(monkeypatch) -> dict:
    """The arguments that setup.py calls setup() with."""
    received = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: received.update(arguments))
    runpy.run_path(str(CHECKOUT / "setup.py"))
    return received


@pytest.mark.parametrize(("python", "extras"), [("3.10", ["client"]), ("3.11", None), ("3.12", ["client"]), ("3.13", ["client"])])
def test_the_client_installs_on_every_python_from_3_10_on_and_the_other_extras_on_3_11(monkeypatch, python, extras):
    arguments = _set_up_with(monkeypatch)
    assert SpecifierSet(arguments["python_requires"]).contains(f"{python}.1")
    assert not SpecifierSet(arguments["python_requires"]).contains("3.9.9")
    wanted = {
        extra: [each for each in map(Requirement, requirements) if not each.marker or each.marker.evaluate({"python_version": python})]
        for extra, requirements in arguments["extras_require"].items()
    }
    assert sorted(extra for extra, requirements in wanted.items() if requirements) == (extras or sorted(wanted))
    assert sorted(each.name for each in wanted["client"]) == ["grpcio", "numpy", "protobuf", "rich"]


# --- what is there where only the client is installed


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """light(*arguments): `tapeline` where Python finds nothing but the checkout and what the client extra brings."""
    site = tmp_path_factory.mktemp("light")
    for name in ("grpcio", "numpy", "protobuf", "rich", "markdown-it-py", "mdurl", "pygments", "typing-extensions", "tapeline"):
        for file in importlib.metadata.distribution(name).files:
            depth = 2 if file.parts[0] == "google" else 1  # a folder that many share
            place = site.joinpath(*file.parts[:depth])
            if ".." not in file.parts and "__pycache__" not in file.parts[:depth] and not place.exists():
                place.parent.mkdir(exist_ok=True)
                place.symlink_to(
                    Path(str(file.locate())).parents[len(file.parts) - depth - 1] if len(file.parts) > depth else file.locate()
                )

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-S", "-m", "pipeline.cli", *arguments],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{site}:{CHECKOUT}", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
            cwd=site,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return call


@pytest.mark.parametrize(
    ("command", "extras"),
    [
        ("run x.yaml", "pipeline"),
        ("run x.yaml --json", "pipeline"),
        ("config check x.yaml", "pipeline"),
        ("schema accept x.yaml", "pipeline"),
        ("compile x.yaml", "pipeline"),
        ("doctor", "pipeline"),
        ("release status", "pipeline"),
        ("kubeflow emulate x.yaml", "pipeline,kubeflow"),
        ("kubeflow status --host http://127.0.0.1:1", "pipeline,kubeflow"),
        ("serve --model_base_path . --port auto --rest_api_port auto", "server"),
    ],
)
def test_a_command_without_its_extra_says_in_one_line_which_to_install(light, command, extras):
    answer = light(*command.split())
    assert answer.returncode == 2
    line = answer.stderr.splitlines()[-1]
    assert line.startswith(f"`tapeline {command.split()[0]}` needs tapeline[{extras}]. Missing: ")
    assert line.endswith(f"Next: pip install 'tapeline[{extras}]'")
    assert "Traceback" not in answer.stderr
    assert [json.loads(answer.stdout)["reasons"]] == [[line]] if "--json" in command else answer.stdout == ""


@pytest.mark.parametrize("command", ["--help", "run --help", "release promote --help", "predict --help", "loadtest --help"])
def test_help_needs_no_extra(light, command):
    answer = light(*command.split())
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("usage: tapeline")


def test_predict_needs_the_client_extra_alone(light, tmp_path):
    (tmp_path / "rows.csv").write_text("x\n1\n")
    answer = light("predict", str(tmp_path / "rows.csv"), "--model_name", "digits", "--server", "127.0.0.1:1")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("tapeline predict: No server answers at 127.0.0.1:1. ")


def test_a_module_of_somebody_elses_is_not_taken_for_an_extras():
    with pytest.raises(ModuleNotFoundError, match="my_own_model"), extra_of("run"):
        importlib.import_module("my_own_model")


def _wanted(path: Path) -> list[tuple[str, str]]:
    """The names in an .in file and those it includes, with the pinned version or ''."""
    wanted = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if include := re.match(r"-r (\S+)", line):
            wanted += _wanted(path.parent / include[1])
        elif package := re.match(r"([A-Za-z0-9-]+)(?:==(\S+))?", line):
            wanted.append((package[1], package[2] or ""))
    return wanted


def _setup_call() -> dict:
    """The literal arguments of setup() in setup.py."""
    call = next(node for node in ast.walk(ast.parse((CHECKOUT / "setup.py").read_text())) if isinstance(node, ast.Call))
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "packages"}
