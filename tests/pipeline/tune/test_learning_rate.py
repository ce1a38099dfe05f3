"""`tapeline tune lr`: what it needs, what it prints, and the files that it leaves."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from pipeline import cli

SVG = "{http://www.w3.org/2000/svg}"


def tune(file, root, *flags):
    return cli.main(["tune", "lr", str(file), "--root", str(root), *flags])


@pytest.fixture(scope="module")
def root(transformed):
    return transformed[0]


@pytest.fixture(scope="module")
def file(transformed):
    return transformed[1]


def test_it_suggests_a_rate_and_writes_a_picture_and_json(file, root, capsys):
    assert tune(file, root, "--json") == 0
    told = capsys.readouterr()
    found = json.loads(told.out.splitlines()[-1])
    assert json.loads((root / "tuning" / "learning_rate.json").read_text()) == found
    assert 1e-4 < found["suggestion"] < 1
    assert found["suggestion"] in found["rates"]
    assert told.err.splitlines()[-1] == f"Suggested for the config: trainer.learning_rate: {found['suggestion']:.1e}"
    assert sum("<- suggested" in line for line in told.err.splitlines()) == 1
    picture = ElementTree.parse(root / "tuning" / "learning_rate.svg").getroot()  # noqa: S314 - written by the command just now
    [line] = picture.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    assert points == sorted(points)
    [mark] = picture.iter(f"{SVG}circle")
    assert any(abs(float(mark.get("cx")) - x) < 0.1 and abs(float(mark.get("cy")) - y) < 0.1 for x, y in points)


def test_the_same_seed_finds_the_same_and_the_loop_makes_no_difference(file, root, capsys):
    found = []
    for seed, loop in ((1, "fit"), (1, "gradient_tape"), (2, "fit")):
        assert tune(file, root, "--json", "--set", f"trainer.loop={loop}", "--set", f"trainer.seed={seed}") == 0
        found.append(json.loads(capsys.readouterr().out.splitlines()[-1])["losses"])
    assert found[0] == found[1] != found[2]


def test_without_a_run_it_names_the_command_to_run_first(file, tmp_path, capsys):
    assert tune(file, tmp_path / "none") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Expected a run in '{tmp_path}/none' that has transformed this config's data. Received: none. First: ")
    assert line.endswith(f"run {file} --root {tmp_path}/none")


def test_rows_that_were_transformed_otherwise_are_not_taken(file, root, capsys):
    assert tune(file, root, "--set", "preprocessing.normalize=standardize") == 2
    assert "Received: only runs of other `data`, `preprocessing`, " in capsys.readouterr().err


def test_settings_of_the_training_need_no_other_run(file, root, capsys):
    assert tune(file, root, "--steps", "20", "--first", "1e-4", "--last", "1", "--set", "trainer.epochs=7") == 0
    assert capsys.readouterr().out.startswith("20 learning rates, a step each; the loss did")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--first", "1", "--last", "0.1"], "Expected 0 < --first < --last. Received: 1 and 0.1."),
        (["--steps", "3"], "Expected --steps of at least 20. Received: 3."),
    ],
)
def test_a_wrong_flag_is_one_line(file, root, capsys, flags, message):
    assert tune(file, root, *flags) == 2
    assert capsys.readouterr().err.splitlines() == [message]


def test_help_and_mistakes_are_answered_without_tensorflow():
    code = (
        "import sys; from pipeline import cli; status = cli.main(['tune', 'lr', 'configs/none.yaml']); "
        "print(status, {'tensorflow', 'keras', 'tfx'} & sys.modules.keys())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "2 set()"
