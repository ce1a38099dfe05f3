"""Small tables, and `tapeline init` on them."""

import random
from types import SimpleNamespace

import pytest

from pipeline import cli, config


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(name, **columns): a CSV file of these columns, in the working folder; its path."""
    monkeypatch.chdir(tmp_path)

    def make(name="table.csv", **columns):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
        path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")
        return path

    return make


@pytest.fixture
def init(capsys, tmp_path, monkeypatch):
    """init(*arguments): the status, what was printed, and the config as text and checked, None where none was written."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, output="mine.yaml"):
        given = [*map(str, arguments), *(["-o", output] if output else [])]
        status = cli.main(["init", *given])
        out, err = capsys.readouterr()
        file = tmp_path / (output or "none.yaml")
        written = file.exists()
        return SimpleNamespace(
            status=status,
            out=out,
            err=err,
            text=file.read_text(encoding="utf-8") if written else None,
            config=config.load(file) if written else None,
        )

    return run


@pytest.fixture
def some():
    """some(*values): one of them for each of 100 rows, by chance but always alike; some() gives numbers with a point."""
    generator = random.Random(3)  # noqa: S311 - made-up values

    def draw(*values):
        return [generator.choice(values) if values else round(generator.uniform(0, 50), 2) for _ in range(100)]

    return draw
