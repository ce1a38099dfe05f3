"""What the libraries say goes to the log, and the terminal comes back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


def buffered(code):
    """A finished process whose output Python buffers, whatever the environment says."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environ, capture_output=True, text=True)


def speak(log, verbose=False, fail=False):
    """A process in which Python, C and a child process speak while their output goes to `log`."""
    code = f"""if True:
        import ctypes, os, subprocess, sys
        from pathlib import Path
        from pipeline.runs.quiet import output_to_log
        libc = ctypes.CDLL(None)
        print("before")
        try:
            with output_to_log(Path({str(log)!r}), {verbose}) as (out, err):
                print("python out"); print("python err", file=sys.stderr)
                libc.puts(b"c out"); libc.fflush(None)
                os.write(2, b"descriptor err\\n")
                subprocess.run(["echo", "child out"])
                print("for the person", file=out); print("for the person's errors", file=err)
                if {fail}:
                    raise RuntimeError
        except RuntimeError:
            pass
        print("after")
        os.write(2, b"after err\\n")
        sys.exit(len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0)
    """
    return buffered(code)


SAID = {"python out", "python err", "c out", "descriptor err", "child out"}


def test_everything_said_goes_to_the_log_and_the_persons_lines_to_the_terminal(tmp_path):
    answer = speak(tmp_path / "log")
    assert set((tmp_path / "log").read_text().splitlines()) == SAID
    assert answer.stdout.splitlines() == ["before", "for the person", "after"]
    assert answer.stderr.splitlines() == ["for the person's errors", "after err"]


def test_the_terminal_comes_back_after_a_failure(tmp_path):
    answer = speak(tmp_path / "log", fail=True)
    assert answer.stdout.splitlines()[-1] == "after"
    assert answer.stderr.splitlines()[-1] == "after err"


def test_verbose_shows_on_stderr_what_goes_to_the_log_and_keeps_stdout_clean(tmp_path):
    answer = speak(tmp_path / "log", verbose=True)
    assert set((tmp_path / "log").read_text().splitlines()) == SAID
    assert set(answer.stderr.splitlines()) >= SAID
    assert answer.stdout.splitlines() == ["before", "for the person", "after"]


def test_a_verbose_log_is_whole_as_soon_as_the_terminal_is_back(tmp_path):
    answer = buffered(f"""if True:
        from pathlib import Path
        from pipeline.runs.quiet import output_to_log
        log = Path({str(tmp_path / "log")!r})
        with output_to_log(log, True):
            for number in range(100_000):
                print(number)
        print(len(log.read_text().splitlines()))
    """)
    assert answer.stdout == "100000\n"


def test_an_existing_log_is_added_to(tmp_path):
    (tmp_path / "log").write_text("earlier\n")
    speak(tmp_path / "log")
    assert (tmp_path / "log").read_text().startswith("earlier\n")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the descriptors are counted in Linux's /proc")
def test_no_descriptor_is_left_open(tmp_path):
    counts = {speak(tmp_path / "log", **options).returncode for options in ({}, {"verbose": True}, {"fail": True})}
    plain = subprocess.run([sys.executable, "-c", "import os, sys; sys.exit(len(os.listdir('/proc/self/fd')))"], capture_output=True)
    assert counts == {plain.returncode}


def test_what_is_still_in_a_buffer_goes_where_it_was_meant_to_go(tmp_path):
    answer = buffered(f"""if True:
        import os, sys
        from pathlib import Path
        from pipeline.runs.quiet import output_to_log
        sys.stdout.write("before ")
        sys.stderr.write("before ")
        with output_to_log(Path({str(tmp_path / "log")!r}), False) as (out, err):
            os.write(out.fileno(), b"person ")
            os.write(err.fileno(), b"person ")
            sys.stdout.write("log ")
            sys.stderr.write("log ")
        os.write(1, b"after")
        os.write(2, b"after")
    """)
    assert (answer.stdout, answer.stderr) == ("before person after", "before person after")
    assert (tmp_path / "log").read_text() == "log log "


def hidden(statement):
    """A process in which C speaks, and then something ends, while all output is hidden."""
    code = f"""if True:
        import ctypes
        from pipeline.runs.quiet import output_hidden
        from trainer.errors import ConfigError
        with output_hidden():
            libc = ctypes.CDLL(None)
            libc.puts(b"c out"); libc.fflush(None)
            {statement}
        print("after")
    """
    return buffered(code)


def test_what_was_hidden_is_shown_where_an_error_that_nobody_foresaw_ends_it():
    assert (hidden("pass").stdout, hidden("pass").stderr) == ("after\n", "")
    answer = hidden("raise ValueError('odd')")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("c out\nTraceback")
    assert answer.stderr.endswith("ValueError: odd\n")
    answer = hidden("raise ConfigError('says everything itself')")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("Traceback")
