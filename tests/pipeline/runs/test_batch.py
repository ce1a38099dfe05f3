"""`tapeline predict --model_dir DIR --input FILE --output FILE`: its exit status and what it prints."""

import subprocess
import sys

import pytest

from pipeline.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model of the column `x`, whose value is twice that."""
    import tensorflow as tf

    from trainer.problem import Problem
    from trainer.tasks import Regression

    module = tf.Module()
    module.predict = tf.function(lambda x: {"values": 2 * x}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    folder = tmp_path_factory.mktemp("model") / "double"
    tf.saved_model.save(module, str(folder / "7"), signatures={"predict_columns": module.predict})
    (folder / "7/assets.extra").mkdir()
    problem = Problem(features={"x": "number"}, label="y", task=Regression()).to_json()
    (folder / "7/assets.extra/tapeline.problem.json").write_text(problem, encoding="utf-8")
    return folder


@pytest.fixture
def run(model, tmp_path, capfd):
    """Called with the table's text and the output's name: (exit status, stdout, stderr)."""

    def call(text, name="out.csv", model_dir=model):
        (tmp_path / "in.csv").write_text(text)
        places = ["--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / name)]
        status = main(["predict", f"--model_dir={model_dir}", *places])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


def test_the_output_is_named_with_its_rows(run, tmp_path):
    status, out, err = run("x,id\n1,a\n2,b\n")
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert out.startswith(f"Wrote {tmp_path}/out.csv: 2 rows in ")
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == ['"in.csv",2,"1","a",2', '"in.csv",3,"2","b",4']


def test_a_row_that_is_set_aside_makes_it_exit_1(run, tmp_path):
    status, out, err = run("x\n1\none\n")
    assert (status, out.startswith("Wrote ")) == (1, True)
    assert err == f"tapeline predict: 1 row set aside, with the reason in {tmp_path}/out.csv.errors.jsonl\n"
    status, out, err = run("x\none\n", "none.csv")
    assert (status, out, err.splitlines()[1:]) == (1, "", ["tapeline predict: nothing was written, for no row could be predicted."])
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("out.cvs", "Expected --output to end in .csv, .parquet, .jsonl, .tfrecord. Received: '{}/out.cvs'. Did you mean '.csv'?"),
        ("none/out.csv", "Expected --output in a folder that is there. Received: '{}/none/out.csv'. Make '{}/none' first."),
        ("in.csv", "Expected --output to be another file than --input. Received: '{}/in.csv' twice."),
        ("folder.csv", "Expected --output to be a file. Received: '{}/folder.csv', which is a folder."),
    ],
)
def test_a_wrong_output_is_one_line_and_exit_2(run, tmp_path, name, text):
    (tmp_path / "folder.csv").mkdir()
    assert run("x\n1\n", name) == (2, "", text.replace("{}", str(tmp_path)) + "\n")


def test_a_wrong_column_or_folder_is_one_line_and_exit_2(run, tmp_path):
    status, out, err = run("xx\n1\n")
    assert (status, out) == (2, "")
    assert err == f"Expected the column 'x' in '{tmp_path}/in.csv'. Received: 'xx'. Did you mean 'xx'?\n"
    status, out, err = run("x\n1\n", model_dir=tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("Expected --model_dir to be a model's folder")


def test_help_imports_no_tensorflow():
    code = (
        "import sys; from pipeline.cli import main; main(['predict', '--model_dir', 'x', '--help']); "
        "print(*{'tensorflow', 'apache_beam', 'pyarrow'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--output FILE" in out
    assert out.splitlines()[-1] == ""


def test_without_an_input_it_is_a_usage_error(capsys):
    assert main(["predict", "--model_dir", "x"]) == 2
    assert "the following arguments are required: --input, --output" in capsys.readouterr().err
