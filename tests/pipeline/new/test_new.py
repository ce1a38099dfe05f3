"""`tapeline new`: what it writes runs green as it is, and its tests fail once it is broken."""

import subprocess
import sys

import pytest

from pipeline import cli

KINDS = ["step", "model"]


@pytest.fixture
def written(tmp_path, monkeypatch, capsys):
    """written(kind, *arguments): (exit status, stdout, stderr) of `tapeline new`, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def new(kind, *arguments):
        status = cli.main(["new", kind, *arguments])
        return status, *capsys.readouterr()

    return new


def pytest_of(folder, name):
    """The end of pytest's output, and its status."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{name}.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("kind", "file", "line"), [("step", "my_steps.py", "  step: my_steps.py:step"), ("model", "my_model.py", "  model: my_model.py:build")]
)
def test_it_says_what_to_put_into_the_config_and_what_to_type_next(written, tmp_path, kind, file, line):
    status, said, _ = written(kind)
    assert status == 0
    assert f"Wrote {file} and test_{file}. Try them: python -m pytest test_{file}" in said
    assert f"{line}\n" in said and "tapeline config check CONFIG" in said
    assert ("loop: gradient_tape" in said) == (kind == "step")
    assert sorted(path.name for path in tmp_path.iterdir()) == [file, f"test_{file}"]
    assert "my_code" not in (tmp_path / file).read_text() + (tmp_path / f"test_{file}").read_text()


@pytest.mark.parametrize("taken", ["other.py", "test_other.py"])
def test_a_file_that_is_there_is_left_as_it_is(written, tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    status, _, said = written("step", "-o", "other.py")
    assert status == 2
    assert said.startswith(f"Expected no file yet at '{taken}'.")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["my-steps.py", "steps.txt", "class.py", "."])
def test_a_name_that_cannot_be_imported_is_refused(written, tmp_path, name):
    status, _, said = written("model", "-o", name)
    assert status == 2 and "whose name can be imported" in said
    assert list(tmp_path.iterdir()) == []


BROKEN = {
    "step": [
        ("tape.gradient(scaled_loss, model", "tape.gradient(-scaled_loss, model"),
        ("tape.gradient(scaled_loss, model", "tape.gradient(loss, model"),
        ("return loss, tape", "return [loss], tape"),
        ("WEIGHT * certainty(predictions)", "WEIGHT * float(certainty(predictions))"),
        ("model.trainable_variables), predictions", "model.trainable_variables[:1]), predictions"),
    ],
    "model": [
        ("layers.Dense(outputs, name", "layers.Dense(outputs, activation='softmax', name"),
        ("layers.Dense(outputs, name", "layers.Dense(2, name"),
        ("layers.Dropout(dropout)(x)", "layers.Lambda(keras.ops.stop_gradient)(x)"),
        ("layers.Dropout(dropout)(x)", "x - keras.ops.mean(x, axis=0)"),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_its_test_is_green_and_fails_when_the_code_is_broken(written, tmp_path, kind):
    written(kind, "-o", "mine.py")
    status, said = pytest_of(tmp_path, "mine")
    assert status == 0, said
    text = (tmp_path / "mine.py").read_text()
    for right, wrong in BROKEN[kind]:
        assert text.count(right) == 1
        (tmp_path / "mine.py").write_text(text.replace(right, wrong))
        status, said = pytest_of(tmp_path, "mine")
        assert status == 1 and "failed" in said, (wrong, said)
