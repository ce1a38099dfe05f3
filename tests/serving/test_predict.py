"""`tapeline predict`: what it prints, and what it says when something is wrong."""

import json
import subprocess
import sys

import pytest

from serving.predict import main


@pytest.fixture
def run(served, capsys):
    """Called with arguments it gives (exit status, stdout, stderr) against the server of this process."""

    def call(*arguments, server=None):
        status = main([*map(str, arguments), "--model_name", "digits", "--server", server or served.grpc])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def folder(tmp_path, png):
    for name, pixel in (("b.png", 1), ("a.PNG", 0), ("sub/c.png", 4)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(pixel))
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder_is_a_table_with_file_class_and_probability(run, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    status, out, err = run(folder)
    assert (status, err) == (0, "")
    rows = {line.split()[0].rsplit("/", 1)[-1]: line.split()[1:3] for line in out.splitlines() if str(folder) in line}
    assert rows == {"a.PNG": ["3", "91.0%"], "b.png": ["4", "91.0%"], "c.png": ["7", "91.0%"]}
    assert "3 images, digits version 7" in out


def test_json_is_one_object_a_line_with_every_probability(run, folder):
    status, out, _ = run(folder / "b.png", folder / "a.PNG", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [row["class"] for row in rows] == [4, 3]
    assert rows[0]["file"] == str(folder / "b.png")
    assert rows[0]["probability"] == pytest.approx(0.91)
    assert len(rows[0]["probabilities"]) == 10
    assert (rows[0]["model_name"], rows[0]["version"]) == ("digits", 7)


def test_a_bad_file_is_one_line_and_exit_2_before_anything_is_sent(run, folder, free_port, png):
    (folder / "half.png").write_bytes(png(1)[:-30])
    (folder / "empty").mkdir()
    cases = {
        folder / "none.png": "expected a PNG or JPEG file. Received: no such file or directory.",
        folder / "notes.txt": "expected a PNG or JPEG image. Received 8 bytes of something else.",
        folder / "half.png": "expected a whole PNG or JPEG image. Received a damaged one",
        folder / "empty": "expected a folder with PNG or JPEG files (.png, .jpg, .jpeg). Received one without.",
    }
    for path, text in cases.items():
        status, out, err = run(folder / "b.png", path, server=f"127.0.0.1:{free_port}")
        assert (status, out) == (2, "")
        assert err.startswith(f"tapeline predict: {path}: {text}")
        assert err.count("\n") == 1


def test_an_unreachable_server_is_one_line_and_exit_1(run, folder, free_port):
    status, out, err = run(folder, server=f"127.0.0.1:{free_port}")
    assert (status, out) == (1, "")
    assert err == (
        f"tapeline predict: No server answers at 127.0.0.1:{free_port}. "
        "Start one: tapeline serve --model_name digits; or name another address.\n"
    )


def test_usage_errors_are_exit_2(capsys):
    assert main([]) == 2
    assert "required: FILE, --model_name" in capsys.readouterr().err


def test_help_imports_neither_tensorflow_nor_grpc():
    code = (
        "import sys; from serving.predict import main; main(['--help']); print(*{'tensorflow', 'grpc', 'numpy', 'PIL'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "usage: tapeline predict" in out
    assert out.splitlines()[-1] == ""


def test_the_client_needs_no_tensorflow():
    code = "import sys; import serving.client; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
