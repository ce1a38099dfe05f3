"""What other programs rely on, word by word: a change of it shows in the review."""

import pytest

from pipeline import cli


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("config.schema.json", ["config", "schema"]),
        ("digits.yaml", ["config", "show", "configs/digits.yaml"]),
        ("mnist.yaml", ["config", "show", "configs/mnist.yaml", "--set", "data.path=/data/mnist"]),
    ],
)
def test_golden_answers_of_config(golden, name, arguments, capsys, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    assert cli.main(arguments) == 0
    golden(name, capsys.readouterr().out.replace(str(request.config.rootpath), "ROOT"))
