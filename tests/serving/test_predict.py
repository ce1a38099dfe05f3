"""`tapeline predict`: what it prints, and what it says when something is wrong."""

import io
import json
import subprocess
import sys

import pytest
from PIL import Image

from serving.named_picture import SUFFIXES
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


def test_a_file_that_cannot_be_read_is_one_line_and_exit_2_before_anything_is_sent(run, folder, free_port):
    (folder / "empty").mkdir()
    cases = {
        folder / "none.png": "expected a PNG or JPEG file. Received: no such file or directory.",
        folder / "empty": f"expected a folder with pictures ({', '.join(SUFFIXES)}). Received one without.",
    }
    for path, text in cases.items():
        status, out, err = run(folder / "b.png", path, server=f"127.0.0.1:{free_port}")
        assert (status, out, err) == (2, "", f"tapeline predict: {path}: {text}\n")


def test_where_no_picture_is_whole_nothing_is_sent(run, folder, free_port, png):
    (folder / "half").mkdir()
    (folder / "half" / "half.png").write_bytes(png(1)[:-30])
    half = f"{folder}/half/half.png: expected a whole PNG or JPEG image. Received a damaged one (it ends too early)."
    notes = f"{folder}/notes.txt: expected a PNG or JPEG image. Received 8 bytes of something else."
    cases = {
        ("notes.txt",): notes,
        ("half",): half,
        ("half/half.png", "notes.txt"): f"{half} None of the 2 files is a whole picture.",
    }
    for names, text in cases.items():
        status, out, err = run(*(folder / name for name in names), server=f"127.0.0.1:{free_port}")
        assert (status, out, err) == (2, "", f"tapeline predict: {text}\n")


def test_an_unreachable_server_is_one_line_and_exit_1(run, folder, free_port):
    status, out, err = run(folder, server=f"127.0.0.1:{free_port}")
    assert (status, out) == (1, "")
    assert err == (
        f"tapeline predict: No server answers at 127.0.0.1:{free_port}. "
        "Start one: tapeline serve --model_name digits; or name another address.\n"
    )


def test_without_a_name_the_first_of_the_models_is_asked_that_the_server_has(served, folder, capsys, free_port):
    arguments = [str(folder / "b.png"), "--server", served.grpc]
    assert main(arguments, model_names=["newest", "digits", "older"]) == 0
    assert "1 image, digits version 7" in capsys.readouterr().out
    assert main(arguments, model_names=["newest", "older"]) == 2
    assert capsys.readouterr().err == (
        f"tapeline predict: Expected --model_name: the server at {served.grpc} has none of the models that were pushed here: "
        "newest, older.\n"
    )
    assert main([*arguments[:2], f"127.0.0.1:{free_port}"], model_names=["newest", "older"]) == 1
    assert capsys.readouterr().err.endswith("Start one: tapeline serve --model_name newest; or name another address.\n")


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
    """A model of rows: the features `x` (a number), `name` (text) and `count` (an integer, 1 where it is missing).

    Its signature `columns` takes them as tensors.
    """
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

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string),
                tf.TensorSpec([None, 1], tf.float32),
                tf.TensorSpec([None], tf.int8),
                tf.TensorSpec([None], tf.bool),
            ]
        )
        def columns(self, name, x, count, old):
            return {"name": name, "score": x[:, 0] * tf.cast(count, tf.float32), "old": old}

    base_path = tmp_path_factory.mktemp("table")
    model = Table()
    tf.saved_model.save(model, str(base_path / "1"), signatures={"serving_default": model.serving_default, "columns": model.columns})
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


@pytest.fixture
def answers(run, table_server, tmp_path):
    """Called with the text of a CSV file and arguments: [(name, score), ...], of the rows that were answered."""

    def ask(text, *arguments):
        (tmp_path / "rows.csv").write_text(text)
        status, out, err = run(tmp_path / "rows.csv", "--json", *arguments, server=table_server)
        assert (status, err) == (0, "")
        return [(row["name"], row["score"]) for row in map(json.loads, out.splitlines())]

    return ask


def test_a_column_is_of_the_kind_that_all_its_cells_are(answers):
    assert answers("x,name\n7.25,01234\n71,98765\n1e2,1_000\n") == [("01234", 7.25), ("98765", 71.0), ("1_000", 100.0)]


def test_where_the_cells_say_another_kind_than_the_model_the_model_decides_for_the_whole_column(answers):
    assert answers("x,name,count\n7,1,2\n71,2.50,\n") == [("1", 14.0), ("2.50", 71.0)]
    many = "".join(f"{n},{n},1\n" for n in range(300))  # more than one request
    assert answers("x,name,count\n" + many) == [(str(n), float(n)) for n in range(300)]


def test_the_caller_may_say_what_a_column_is(answers, run, table_server, tmp_path):
    assert answers("x,name\n7,1\n", "--column", "x:float", "--column=name:string") == [("1", 7.0)]
    for column, text in {
        "nam:string": "--column: expected one of the columns x, name. Received: 'nam'. Did you mean 'name'?",
        "name:int64": f"{tmp_path}/rows.csv, line 3, column 'name': expected int64. Received: 'one'.",
    }.items():
        (tmp_path / "rows.csv").write_text("x,name\n7,1\n7,one\n")
        status, out, err = run(tmp_path / "rows.csv", "--column", column, server=table_server)
        assert (status, out, err) == (2, "", f"tapeline predict: {text}\n")
    assert run(tmp_path / "rows.csv", "--column", "name:text")[0] == 2


def test_the_table_says_what_the_columns_were_taken_for(run, table_server, tmp_path):
    (tmp_path / "rows.csv").write_text(CSV)
    assert run(tmp_path / "rows.csv", server=table_server)[1].endswith("\nread as x: float, name: string, count: int64\n")


@pytest.mark.parametrize(
    ("cell", "kind"), [("7.25", "int64"), ("99999999999999999999", "int64"), ("1_000", "int64"), ("x", "int64"), ("\u0663", "int64")]
)
def test_a_cell_that_is_not_what_the_model_reads_is_one_line_with_its_row_and_column(run, table_server, tmp_path, cell, kind):
    path = tmp_path / "rows.csv"
    path.write_text(f"x,name,count\n1.5,a,3\n2.5,b,{cell}\n", encoding="utf-8")
    status, out, err = run(path, server=table_server)
    assert (status, out, err) == (2, "", f"tapeline predict: {path}, line 3, column 'count': expected {kind}. Received: '{cell}'.\n")


def test_json_lines_are_columns_too(run, table_server, monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin(b'{"x": 7.25, "name": "01234"}\n{"x": 71, "name": "5", "count": null}\n'))
    status, out, _ = run("-", "--json", server=table_server)
    assert (status, [(row["name"], row["score"]) for row in map(json.loads, out.splitlines())]) == (0, [("01234", 7.25), ("5", 71.0)])
    monkeypatch.setattr("sys.stdin", Stdin(b'{"x": 1.5, "name": "a"}\n{"x": "1.5", "name": "b"}\n'))
    status, _, err = run("-", server=table_server)
    assert (status, err) == (2, "tapeline predict: stdin, line 1, column 'x': expected string. Received: 1.5.\n")


def test_a_signature_of_tensors_takes_the_columns_as_its_dtypes(answers, run, table_server, tmp_path):
    arguments = ["--signature_name", "columns"]
    assert answers("name,x,count,old\n01234,7,3,true\n5,2.5,-1,0\n", *arguments) == [("01234", 21.0), ("5", -2.5)]
    path = tmp_path / "rows.csv"
    for row, text in {
        "a,1,7.25,1": "column 'count': expected int8. Received: '7.25'.",
        "a,1,128,1": "column 'count': expected int8. Received: '128'.",
        "a,1e40,1,1": "column 'x': expected float. Received: '1e40'.",
        "a,,1,1": "column 'x': expected float. Received: nothing.",
        "a,1,1,perhaps": "column 'old': expected bool. Received: 'perhaps'.",
    }.items():
        path.write_text(f"name,x,count,old\na,1,1,1\n{row}\n")
        status, out, err = run(path, *arguments, server=table_server)
        assert (status, err) == (1, f"tapeline predict: {path}:3: {text}\n")
        assert "1 row, digits version 1; 1 refused" in out
    path.write_text("name,x,count,old\na,1,1,1\n")
    status, _, err = run(path, *arguments, "--column", "count:float", server=table_server)
    assert (status, err) == (2, "tapeline predict: --column: expected int8 for 'count', as signature 'columns' says. Received: float.\n")
    path.write_text("name,x,counts,old\na,1,1,1\n")
    status, _, err = run(path, *arguments, server=table_server)
    assert status == 1
    assert "Received: 'counts'. Did you mean 'count'?" in err


def test_a_header_names_every_column_once(run, table_server, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,name,x\n1,a,2\n")
    status, _, err = run(path, server=table_server)
    assert (status, err) == (2, f"tapeline predict: {path}: expected every name once in the header. Received: 'x' twice.\n")


def test_a_row_that_the_model_refuses_is_named_and_the_others_are_answered(run, table_server, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,name\n1.5,a\n,b\n2.5,c\n")
    status, out, err = run(path, "--json", server=table_server)
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [row.get("score") for row in rows] == [1.5, None, 2.5]
    assert rows[1]["row"] == f"{path}:3"
    assert rows[1]["error"].endswith("Feature: x (data type: float) is required but could not be found.")
    assert err == f"tapeline predict: {path}:3: {rows[1]['error']}\n"


def test_a_picture_that_the_model_cannot_decode_is_named_and_the_others_are_answered(run, folder):
    Image.new("CMYK", (28, 28)).save(folder / "b2.jpg")
    status, out, err = run(folder, "--json")
    rows = {row["file"].rsplit("/", 1)[-1]: row for row in map(json.loads, out.splitlines())}
    assert status == 1
    assert {name: row.get("class") for name, row in rows.items()} == {"a.PNG": 3, "b.png": 4, "b2.jpg": None, "c.png": 7}
    assert err == f"tapeline predict: {folder}/b2.jpg: {rows['b2.jpg']['error']}\n"
    assert rows["b2.jpg"]["error"].startswith("jpeg::Uncompress failed.")
    assert rows["b2.jpg"]["error"].endswith("It is a JPEG of four components (CMYK): save it as RGB.")
    status, out, err = run(folder)
    assert (status, err.count("\n")) == (1, 1)
    assert "3 images, digits version 7; 1 refused" in out
    status, out, err = run(folder / "b2.jpg", "--explain-errors")
    assert (status, out) == (1, "")
    assert "next: send what one of them wants" in err


@pytest.mark.parametrize("paths", [["."], ["b2.png", "a.PNG", "b3.png", "b.png", "sub"]], ids=["in a folder", "named"])
def test_a_damaged_picture_is_named_and_the_others_are_answered(run, folder, png, paths):
    (folder / "b2.png").write_bytes(png(1)[:-30])
    (folder / "b3.png").write_bytes(b"no picture")
    status, out, err = run(*(folder / path for path in paths), "--json")
    rows = {row["file"].rsplit("/", 1)[-1]: row for row in map(json.loads, out.splitlines())}
    assert status == 1
    assert {name: row.get("class") for name, row in rows.items()} == {"a.PNG": 3, "b.png": 4, "b2.png": None, "b3.png": None, "c.png": 7}
    assert rows["b2.png"]["error"].endswith(". Expected a whole PNG or JPEG image. Received a damaged one (it ends too early).")
    assert rows["b3.png"]["error"].endswith(". Expected a PNG or JPEG image. Received 10 bytes of something else.")
    assert err == "".join(f"tapeline predict: {folder}/{name}: {rows[name]['error']}\n" for name in ("b2.png", "b3.png"))


def test_where_nothing_of_a_whole_batch_is_answered_the_rest_is_not_sent(run, table_server, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("name\n" + "a\n" * 600)
    status, out, err = run(path, server=table_server)
    assert (status, out, err.count("\n")) == (1, "", 257)
    assert err.endswith("tapeline predict: none of the first 256 rows was answered; what follows was not sent.\n")


@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_a_files_name_is_whole_however_narrow_the_terminal(run, folder, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    long = folder / ("a-long-name-of-a-folder-" * 4)
    long.mkdir()
    (folder / "b.png").rename(long / "b.png")
    lines = run(folder)[1].splitlines()
    assert [line.split()[1:3] for line in lines if line.split()[:1] == [str(long / "b.png")]] == [["4", "91.0%"]]
    assert any("\u2588" in line for line in lines) == (columns == "300")


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
        (b'{"x": ' + b"[" * 100_000, "stdin, line 1: expected a JSON object of features. It is nested too deeply."),
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
