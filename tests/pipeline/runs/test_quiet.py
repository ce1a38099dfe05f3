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


def speak(log, shown=None):
    """A process whose child, in Python and C and by a child of its own, speaks while its output goes to `log`."""
    child = """if True:
        import ctypes, os, subprocess, sys
        libc = ctypes.CDLL(None)
        print("python out", flush=True); print("python err", file=sys.stderr)
        libc.puts(b"c out"); libc.fflush(None)
        os.write(2, b"descriptor err\\n")
        subprocess.run(["echo", "child out"])
    """
    code = f"""if True:
        import os, subprocess, sys
        from pathlib import Path
        from pipeline.runs.quiet import log_of
        with log_of(Path({str(log)!r}), {shown}) as descriptor:
            subprocess.run([sys.executable, "-c", {child!r}], stdout=descriptor, stderr=descriptor)
            print("for the person", flush=True); print("for the person's errors", file=sys.stderr)
        print("after")
        sys.exit(len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0)
    """
    return buffered(code)


SAID = {"python out", "python err", "c out", "descriptor err", "child out"}


def test_everything_said_goes_to_the_log_and_the_persons_lines_to_the_terminal(tmp_path):
    answer = speak(tmp_path / "log")
    assert set((tmp_path / "log").read_text().splitlines()) == SAID
    assert answer.stdout.splitlines() == ["for the person", "after"]
    assert answer.stderr.splitlines() == ["for the person's errors"]


def test_verbose_shows_on_stderr_what_goes_to_the_log_and_keeps_stdout_clean(tmp_path):
    answer = speak(tmp_path / "log", shown=2)
    assert set((tmp_path / "log").read_text().splitlines()) == SAID
    assert set(answer.stderr.splitlines()) >= SAID
    assert answer.stdout.splitlines() == ["for the person", "after"]


def test_a_verbose_log_is_whole_as_soon_as_it_is_closed(tmp_path):
    answer = buffered(f"""if True:
        import subprocess, sys
        from pathlib import Path
        from pipeline.runs.quiet import log_of
        log = Path({str(tmp_path / "log")!r})
        with log_of(log, 2) as descriptor:
            subprocess.run([sys.executable, "-c", "for number in range(100_000): print(number)"], stdout=descriptor)
        print(len(log.read_text().splitlines()))
    """)
    assert answer.stdout == "100000\n"


def test_an_existing_log_is_added_to(tmp_path):
    (tmp_path / "log").write_text("earlier\n")
    speak(tmp_path / "log")
    assert (tmp_path / "log").read_text().startswith("earlier\n")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the descriptors are counted in Linux's /proc")
def test_no_descriptor_is_left_open(tmp_path):
    counts = {speak(tmp_path / "log", shown).returncode for shown in (None, 2)}
    counts |= {hidden(statement, "ConfigError", COUNT).returncode for statement in ("pass", "raise ConfigError")}
    plain = subprocess.run([sys.executable, "-c", "import os, sys; sys.exit(len(os.listdir('/proc/self/fd')))"], capture_output=True)
    assert counts == {plain.returncode}


def test_what_is_still_in_a_buffer_goes_where_it_was_meant_to_go():
    answer = buffered("""if True:
        import os, sys
        from pipeline.runs.quiet import output_hidden
        sys.stdout.write("before ")
        sys.stderr.write("before ")
        with output_hidden():
            sys.stdout.write("hidden ")
            sys.stderr.write("hidden ")
        os.write(1, b"after")
        os.write(2, b"after")
    """)
    assert (answer.stdout, answer.stderr) == ("before after", "before after")


COUNT = "import os, sys; sys.exit(len(os.listdir('/proc/self/fd')))"


def hidden(statement, suppressed="", then="print('after')"):
    """A process in which C speaks, and then something ends, while all output is hidden."""
    code = f"""if True:
        import contextlib, ctypes
        from pipeline.runs.quiet import output_hidden
        from trainer.errors import ConfigError
        with contextlib.suppress({suppressed}), output_hidden():
            libc = ctypes.CDLL(None)
            libc.puts(b"c out"); libc.fflush(None)
            {statement}
        {then}
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
