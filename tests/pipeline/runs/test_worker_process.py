"""A local run does its work in another process: its caller's stays as it is, and each notices when the other one ends.

In the worker, and only there, `sitecustomize` puts something tiny in the place of the real pipeline.
"""

import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import absl.logging
import pytest

from pipeline.runs import local, record, worker_process
from pipeline.workspace import Workspace

CHECKOUT = Path(__file__).resolve().parents[3]
TINY = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pipeline import dag
from tiny_pipeline import create_pipeline
dag.create_pipeline = lambda config, inputs, artifacts, connection, beam_args: create_pipeline(
    artifacts, connection, destination=inputs.serving_path + "/17"
)
"""
# Without TFX, whose import takes seconds.
INSTEAD_OF_A_RUN = """
import os, signal, sys, time, types
sys.modules["pipeline.runs.pipeline_run"] = types.SimpleNamespace(run=lambda *_: {})
"""
DYING = INSTEAD_OF_A_RUN.format("os.kill(os.getpid(), signal.SIGKILL)")
HANGING = INSTEAD_OF_A_RUN.format("time.sleep(100)")
HANGING_ALSO_AFTERWARDS = INSTEAD_OF_A_RUN.format("exec('try: print(1); time.sleep(100)\\nfinally: print(2); time.sleep(100)')")


@pytest.fixture
def in_worker(tmp_path, monkeypatch):
    """in_worker(code): `code` is executed first in every worker."""

    def put(code):
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), str(CHECKOUT)]))

    return put


def state():
    """What of this process a run must leave alone, also while it is under way."""
    return {
        "environment": dict(os.environ),
        "temporary folder": tempfile.gettempdir(),
        "working folder": Path.cwd(),
        "signal handlers": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "hook": sys.unraisablehook,
        "module path": list(sys.path),
        "streams": (sys.stdout, sys.stderr),
        "logging": (logging.root.level, list(logging.root.handlers), logging.getLogger("trainer").level, absl.logging.get_verbosity()),
    }


def descriptors():
    """What each open descriptor leads to."""
    found = {}
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found[path.name] = path.readlink()
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the descriptors are read in Linux's /proc")
def test_two_runs_at_once_in_threads_of_one_process_end_well_and_change_nothing_of_it(tmp_path, settings, in_worker, capfd):
    in_worker(TINY)
    before, opened, summaries = state(), descriptors(), {}

    def run(name):
        summaries[name] = local.run(settings(name=name), tmp_path / name)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert state() == before
        threads[0].join(0.1)
    assert (state(), descriptors()) == (before, opened)
    for name, summary in summaries.items():
        assert (summary.outcome, summary.model_dir) == ("pushed", str(tmp_path / name / "serving" / name / "17"))
        kept = record.read(Workspace(tmp_path / name), Path(summary.log).stem)
        assert kept.name == name
        assert not (tmp_path / name / "tmp").exists()
    said = capfd.readouterr()
    assert said.out.count("Pusher") == 2
    assert said.err == ""


def test_a_worker_that_is_killed_makes_a_failed_run_with_a_line_and_a_record(tmp_path, settings, in_worker):
    in_worker(DYING)
    summary = local.run(settings(), tmp_path / "root")
    assert (summary.outcome, summary.exit_status) == ("failed", 1)
    assert summary.reasons == [
        "start: Expected the run's process to end by itself. Received: SIGKILL, which the kernel also sends where memory is short. "
        "Run the same command again: finished components are taken from the cache."
    ]
    assert record.read(Workspace(tmp_path / "root"), Path(summary.log).stem).failure == summary.reasons[0]
    assert not (tmp_path / "root" / "tmp").exists()
    with Workspace(tmp_path / "root").use():  # nobody holds it any more
        pass


def test_a_worker_that_cannot_begin_makes_a_failed_run_whose_log_says_why(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(worker_process, "_PROGRAM", "raise SystemExit('no beginning')")
    summary = local.run(settings(), tmp_path / "root")
    assert summary.reasons[0].startswith("start: Expected the run's process to end by itself. Received: exit status 1. ")
    assert Path(summary.log).read_text(encoding="utf-8") == "no beginning\n"


def test_without_another_process_a_run_fails_in_a_line(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    summary = local.run(settings(), tmp_path / "root")
    assert (summary.outcome, summary.exit_status) == ("failed", 1)
    assert summary.reasons[0].startswith("start: FileNotFoundError: ")


def test_ctrl_c_is_passed_on_and_the_run_ends_in_order(tmp_path, settings, in_worker, ctrl_c, monkeypatch):
    in_worker(HANGING)
    finish = local.Progress.finish

    def loaded(progress, state, rows=None, *, refused=False):
        finish(progress, state, rows, refused=refused)
        if state == "run":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(local.Progress, "finish", loaded)
    summary = local.run(settings(), tmp_path / "root")
    assert summary.exit_status == 130
    assert summary.reasons == ["start was interrupted. Run the same command again: finished components are taken from the cache."]
    assert record.read(Workspace(tmp_path / "root"), Path(summary.log).stem).exit_status == 130
    assert not (tmp_path / "root" / "tmp").exists()


@contextlib.contextmanager
def command(root):
    """`tapeline run --json` in a session of its own, which has loaded, and hangs."""
    words = ["-m", "pipeline.cli", "run", str(CHECKOUT / "configs" / "digits.yaml"), "--root", str(root), "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, *words], cwd=CHECKOUT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        assert "start" in process.stderr.readline()
        yield process


def children_of(process):
    """The worker, and the watch on the metadata's lock."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    assert len(children) == 2
    return children


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["to the command", "to its group, as a terminal does"])
def test_a_signal_ends_the_command_in_order_also_where_the_worker_gets_it_twice(tmp_path, in_worker, send, number, status):
    in_worker(HANGING)
    with command(tmp_path / "root") as process:
        send(process.pid, number)
        out, err = process.communicate()
    assert process.returncode == status, err
    assert json.loads(out)["reasons"][0].startswith("start was interrupted. ")
    assert "Traceback" not in err
    [file] = (tmp_path / "root" / "records").iterdir()
    assert json.loads(file.read_text(encoding="utf-8"))["exit_status"] == status
    assert not (tmp_path / "root" / "tmp").exists()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the worker is found in Linux's /proc")
def test_a_second_signal_ends_command_and_worker_at_once(tmp_path, in_worker):
    in_worker(HANGING_ALSO_AFTERWARDS)
    with command(tmp_path / "root") as process:
        children = children_of(process)
        [log] = (tmp_path / "root" / "logs").iterdir()
        for so_far in ("1\n", "1\n2\n"):
            while log.read_text(encoding="utf-8") != so_far:
                pass
            process.terminate()
        process.communicate()
    assert process.returncode == 143
    while any(_runs(child) for child in children):
        pass


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the worker is found in Linux's /proc")
def test_a_worker_whose_caller_is_killed_ends_and_holds_nothing(tmp_path, in_worker):
    in_worker(HANGING)
    with command(tmp_path / "root") as process:
        children = children_of(process)
        process.kill()
    while any(_runs(child) for child in children) or not _is_free(tmp_path / "root" / ".lock"):
        pass  # a process's first thread may have ended before the others, which still hold its files
    with Workspace(tmp_path / "root").use():
        pass


def _is_free(lock):
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _runs(child):
    try:
        return Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
