"""The set-up: which TFX a machine gets, what the locks and setup.py promise, and that `.venv` is whole or not believed."""

import ast
import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
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


# --- how .venv comes to be: the real scripts, on a small lock and wheels made here


@pytest.fixture(scope="module")
def environment():
    """scripts/environment.py as a module."""
    spec = importlib.util.spec_from_file_location("environment", CHECKOUT / "scripts" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path, environment):
    """A copy of the checkout whose lock asks for setuptools alone, and the variables with which its set-up needs no index."""
    uv = _uv(environment)
    copy = tmp_path / "checkout"
    copy.mkdir()
    for folder in (*FOLDERS, "scripts"):
        shutil.copytree(CHECKOUT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "requirements-uv.lock", "requirements-build.lock"):
        shutil.copy(CHECKOUT / name, copy)
    wheel = _wheel_of_installed("setuptools", tmp_path)
    (copy / "requirements-tfx-1.16.lock").write_text(_locked(wheel))
    variables = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache"), "TAPELINE_TFX": "1.16"}
    # The build lock's wheels are not here, and with one wheel nothing is built from source.
    (copy / "requirements-build.lock").write_text("")
    path = f"{Path(uv).parent}:/usr/bin:/bin"
    return copy, {"PATH": path, "HOME": str(tmp_path), "PYTHON": sys._base_executable, **variables}


def test_a_second_call_starts_at_once_a_changed_lock_builds_anew(checkout):
    copy, environ = checkout
    first = _set_up(copy, environ)
    assert first.returncode == 0, first.stderr
    assert "TFX 1.16: TAPELINE_TFX says so" in first.stderr
    assert (copy / ".venv" / "bin" / "tapeline").exists()
    (copy / ".venv" / "untouched").touch()

    assert _set_up(copy, environ).stderr == "TFX 1.16: TAPELINE_TFX says so\n"
    assert (copy / ".venv" / "untouched").exists()

    lock = copy / "requirements-tfx-1.16.lock"
    lock.write_text(lock.read_text() + "# changed\n")
    assert "creating .venv" in _set_up(copy, environ).stderr
    assert not (copy / ".venv" / "untouched").exists()


def test_a_set_up_that_failed_half_way_is_not_believed_and_the_next_call_mends_it(checkout):
    copy, environ = checkout
    lock = copy / "requirements-tfx-1.16.lock"
    good = lock.read_text()
    lock.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", good))
    failed = _set_up(copy, environ)
    assert failed.returncode == 1
    assert "make: `uv pip sync` failed, see above; nothing half-made will be used." in failed.stderr.splitlines()[-1]
    assert (copy / ".venv" / "bin" / "python").exists(), "this test is about an environment that is there but not whole"

    assert _set_up(copy, environ).returncode == 1, "the half-made environment was believed"
    lock.write_text(good)
    assert _set_up(copy, environ).returncode == 0


def test_two_calls_at_once_build_one_environment(checkout):
    copy, environ = checkout
    command = ["/bin/sh", str(copy / "scripts" / "environment.sh")]
    both = [subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "".join(said).count("creating .venv") == 1


UV_SAYS = ["Using Python 3.11.7 environment at: .venv", "Resolved 285 packages in 367ms", "Downloading numpy (17.4MiB)"]
UV_SAYS += ["Downloading tensorflow (600.1MiB)", " Downloaded numpy", "warning: Failed to hardlink files", "Prepared 1 package in 1.2s"]
UV_SAYS += ["Installed 285 packages in 5s", "Bytecode compiled 22055 files in 7.12s", " + absl-py==1.4.0", " ~ numpy==1.26.4"]


def _told(monkeypatch, capsys, terminal: bool) -> str:
    """What the set-up prints where 11 seconds pass before each line that uv says."""
    from scripts import progress

    now = iter(range(0, 1000, 11))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    told = progress.Progress("reading the lock")
    for line in UV_SAYS:
        told.tell()
        told.read(line)
    told.clear()
    return capsys.readouterr().err


def test_a_log_of_the_set_up_says_every_few_seconds_what_it_is_at_and_lists_no_packages(monkeypatch, capsys):
    assert _told(monkeypatch, capsys, terminal=False).splitlines() == [
        "make: reading the lock, 11 s",
        "make: reading the lock, 22 s",
        "make: fetching and installing, 33 s",
        "make: fetching and installing: numpy, 44 s",
        "make: fetching and installing: numpy and 1 more, 55 s",
        "make: fetching and installing: tensorflow, 66 s",
        "warning: Failed to hardlink files",
        "make: fetching and installing: tensorflow, 77 s",
        "make: installing, 88 s",
        "make: compiling, 99 s",
        "make: finishing, 110 s",
        "make: finishing, 121 s",
    ]


def test_on_a_terminal_the_set_up_rewrites_one_line_and_takes_it_away(monkeypatch, capsys):
    told = _told(monkeypatch, capsys, terminal=True)
    assert told.count("\n") == 1, "only the warning stays"
    assert told.split("\r\x1b[2K")[-3:] == ["make: finishing, 110 s", "make: finishing, 121 s", ""]


def test_what_a_step_of_the_set_up_says_is_passed_on_to_its_last_byte_with_its_status(capsys):
    from scripts import progress

    command = [sys.executable, "-c", "import sys; sys.stderr.write('error: no such\\n cause: this'); sys.exit(3)"]
    assert progress.run(command, os.environ, "trying") == 3
    assert capsys.readouterr().err == "error: no such\n cause: this\n"


def test_a_shim_that_fails_does_not_stop_the_search_for_python(tmp_path):
    for folder in ("shims", "real"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shims" / "python3.11").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "shims" / "python3.11").chmod(0o755)
    (tmp_path / "real" / "python3").symlink_to(sys._base_executable)
    environ = {"PATH": f"{tmp_path}/shims:{tmp_path}/real:/usr/bin:/bin", "HOME": str(tmp_path)}
    answer = subprocess.run([CHECKOUT / "scripts" / "environment.sh", "--python"], env=environ, capture_output=True, text=True)
    assert answer.stdout.strip() == str(tmp_path / "real" / "python3")


def test_a_named_python_of_another_version_is_refused_in_one_line():
    environ = {"PATH": "/usr/bin:/bin", "PYTHON": "/bin/false"}
    answer = subprocess.run([CHECKOUT / "scripts" / "environment.sh"], env=environ, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.startswith("make: expected PYTHON to be a Python 3.11. Received: '/bin/false'")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "pip", "index"),
    [
        ({}, {}, None),
        ({}, {"index-url": "file:///pip"}, "file:///pip"),
        ({"UV_DEFAULT_INDEX": "file:///uv"}, {"index-url": "file:///pip"}, "file:///uv"),
    ],
)
def test_an_index_that_is_set_for_pip_holds_for_uv_unless_uv_has_its_own(environment, variables, pip, index):
    assert environment.uv_environment(variables, pip).get("UV_DEFAULT_INDEX") == index


def test_an_index_in_uvs_older_variable_is_left_alone(environment):
    assert "UV_DEFAULT_INDEX" not in environment.uv_environment({"UV_INDEX_URL": "file:///uv"}, {"index-url": "file:///pip"})


def test_uv_trusts_the_certificate_that_is_set_for_pip_and_the_systems(environment):
    uv = environment.uv_environment({}, {"cert": "/company.pem"})
    assert (uv["SSL_CERT_FILE"], uv["UV_SYSTEM_CERTS"]) == ("/company.pem", "1")


@pytest.mark.parametrize("variables", [{}, {"HOME": "/nonexistent"}])
def test_without_a_home_uv_keeps_its_cache_in_the_checkout(environment, variables):
    assert environment.uv_environment(variables, {})["UV_CACHE_DIR"] == str(CHECKOUT / ".tools" / "cache")


def _set_up(copy: Path, environ: dict) -> subprocess.CompletedProcess:
    return subprocess.run(["/bin/sh", copy / "scripts" / "environment.sh"], env=environ, capture_output=True, text=True, timeout=120)


def _uv(environment) -> str:
    own = CHECKOUT / ".tools" / "uv" / "bin" / "uv"
    uv = str(own) if own.exists() else shutil.which("uv")
    if uv is None or environment.uv_version(uv) < environment.pinned_uv():
        pytest.skip("no uv here: this environment was not made by `make`")
    return uv


def _wheel_of_installed(name: str, folder: Path) -> Path:
    """A wheel put together again from an installed package's files, so that the test needs no index."""
    package = importlib.metadata.distribution(name)
    wheel = folder / f"{name}-{package.version}-py3-none-any.whl"
    record = f"{name}-{package.version}.dist-info/RECORD"
    files = [file for file in package.files if "__pycache__" not in str(file) and ".." not in file.parts and str(file) != record]
    lines = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in files:
            content = Path(file.locate()).read_bytes()
            archive.writestr(str(file), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{file},sha256={digest},{len(content)}\n")
        archive.writestr(record, "".join([*lines, f"{record},,\n"]))
    return wheel


def _locked(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


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
