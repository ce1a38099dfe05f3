"""`tapeline predict`: what it prints, and what it says when something is wrong."""

import io
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


class Stdin:
    """What a pipe holds."""

    def __init__(self, content):
        self.buffer = io.BytesIO(content)


@pytest.fixture(scope="module")
def table_server(serve_here, tmp_path_factory):
    """A model of rows: the features `x` (a number), `name` (text) and `count` (an integer, 1 where it is missing)."""
    import tensorflow as tf

    features = {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "name": tf.io.FixedLenFeature([], tf.string),
        "count": tf.io.FixedLenFeature([], tf.int64, 1),
    }

    class Table(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serving_default(self, examples):
            row = tf.io.parse_example(examples, features)
            return {"score": row["x"] * tf.cast(row["count"], tf.float32), "name": row["name"]}

    base_path = tmp_path_factory.mktemp("table")
    model = Table()
    tf.saved_model.save(model, str(base_path / "1"), signatures={"serving_default": model.serving_default})
    return serve_here(base_path).grpc


CSV = "x,name,count\n0.5,first,3\n1.5,second,\n"


def test_a_csv_file_is_rows_of_features(run, table_server, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV)
    status, out, err = run(path, "--json", server=table_server)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [(row["name"], row["score"]) for row in rows] == [("first", 1.5), ("second", 1.5)]
    assert [row["row"] for row in rows] == [f"{path}:2", f"{path}:3"]
    status, out, _ = run(path, server=table_server)
    assert status == 0
    assert "score" in out
    assert "2 rows, digits version 1" in out


@pytest.mark.parametrize(
    "content", [CSV.encode(), b'{"x": 0.5, "name": "first", "count": 3}\n\n{"x": 1.5, "name": "second"}\n'], ids=["CSV", "JSON"]
)
def test_rows_come_from_stdin_too(run, table_server, content, monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin(content))
    status, out, _ = run("-", "--json", server=table_server)
    assert (status, [json.loads(line)["score"] for line in out.splitlines()]) == (0, [1.5, 1.5])


def test_an_image_comes_from_stdin(run, png, monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin(png(2)))
    status, out, _ = run("-", "--json")
    assert (status, json.loads(out)["class"], json.loads(out)["file"]) == (0, 5, "stdin")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received nothing."),
        (b"\xff\xfe\x00", "stdin: expected a PNG or JPEG image, JSON lines, or CSV. Received bytes that are none of them."),
        (b'{"x": }', "stdin, line 1: expected a JSON object of features."),
        (b"x,name\n1\n", "stdin, line 2: expected 2 cells, as in the header. Received 1."),
    ],
)
def test_odd_stdin_is_one_line_and_exit_2(run, content, text, monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin(content))
    status, out, err = run("-")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"tapeline predict: {text}")


def test_errors_are_explained_on_request(run, folder):
    status, _, err = run(folder / "b.png", "--signature_name", "predict_imag")
    assert (status, err) == (1, 'tapeline predict: Serving signature key "predict_imag" not found.\n')
    status, _, err = run(folder / "b.png", "--signature_name", "predict_imag", "--explain-errors")
    assert status == 1
    assert "asked: model 'digits', the newest version, signature 'predict_imag'" in err
    assert "predict_image: image: string [?] -> classes: int64 [?], probabilities: float [?, 10]" in err
    assert "next: send what one of them wants, --signature_name chooses it" in err


def test_a_signature_that_takes_no_strings_is_refused_with_what_it_takes(run, folder):
    status, _, err = run(folder / "b.png", "--signature_name", "add")
    assert status == 1
    assert "Signature 'add': expected one input of strings, for images or tf.Examples. It has {a: float [?], b: float [?]}" in err


def test_a_version_may_be_asked_for(run, folder):
    assert run(folder / "b.png", "--version", "7")[0] == 0
    assert run(folder / "b.png", "--version", "8")[2] == "tapeline predict: Servable not found for request: Specific(digits, 8)\n"
