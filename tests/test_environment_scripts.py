"""How `.venv` comes to be: the real scripts, on a small lock and wheels made here; it is whole, or not believed."""

import base64
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDERS = ("components", "pipeline", "serving", "trainer")


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
