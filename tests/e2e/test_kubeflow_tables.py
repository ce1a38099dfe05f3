"""Tables and texts compiled for Kubeflow and emulated: the run's own weights, numbers, verdict and exported problem, for each task.

`init` -> `run`, and `compile` -> `kubeflow emulate`, on 400 rows that are made here.
"""

import csv
import datetime
import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

PLAIN = ["the", "a", "shop", "staff", "order", "room", "came", "was"]
FEW_EPOCHS = ("--set", "trainer.epochs=3")


def sentence(rng, words):
    """Seven words, few of them out of `words`: now and then none, so that no model is always right."""
    return " ".join(rng.choice(words if rng.random() < 0.25 else PLAIN) for _ in range(7))


def contracts(rng):
    """A number with holes, a category of Japanese values, a date, a text; the label is one of two words."""
    yield "age", "料金", "都市", "joined", "comment", "契約"
    for _ in range(400):
        age, city = rng.randint(18, 80), rng.choice(["東京", "大阪", "札幌", "福岡"])
        ends = (age - 49) / 20 + (1 if city in ("東京", "大阪") else -1) + rng.gauss(0, 0.7) > 0.4
        price = "" if rng.random() < 0.05 else round(rng.uniform(10, 99), 2)
        joined = datetime.date(2024, 1, 1) + datetime.timedelta(days=rng.randrange(500))
        comment = sentence(rng, ["slow", "rude", "dirty", "高い"] if ends else ["good", "quick", "clean", "丁寧"])
        yield age, price, city, joined.isoformat(), comment, "解約" if ends else "継続"


def topics(rng):
    """Texts alone, of three topics."""
    words = {"スポーツ": ["match", "goal", "team"], "経済": ["stock", "bank", "yen"], "天気": ["rain", "cloud", "wind"]}
    yield "text", "topic"
    for _ in range(400):
        topic = rng.choice(list(words))
        yield sentence(rng, words[topic]), topic


def rents(rng):
    """Numbers and a category; the label is a number."""
    floors = {"木造": 0, "鉄骨": 5, "RC": 9}
    yield "面積", "構造", "built", "賃料"
    for _ in range(400):
        area, kind, built = round(rng.uniform(20, 120), 1), rng.choice(list(floors)), rng.randint(1970, 2024)
        yield area, kind, built, round(area * 0.3 + (built - 1970) * 0.2 + floors[kind] + rng.gauss(0, 1), 2)


def posts(rng):
    """A text and a number; the label is any of three tags, or none."""
    words = {"food": ["rice", "soup"], "travel": ["train", "hotel"], "music": ["song", "band"]}
    yield "text", "length", "tags"
    for _ in range(400):
        tags = [tag for tag in words if rng.random() < 0.45]
        yield sentence(rng, [word for tag in tags for word in words[tag]] or PLAIN), rng.randint(1, 9), "|".join(tags)


TABLES = {"binary": contracts, "multiclass": topics, "regression": rents, "multilabel": posts}


def write(file, rows):
    with file.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(rows)


def answer(done):
    """The object that `--json` prints; stderr where there is none."""
    assert done.stdout.strip(), done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def near(value):
    """What `value` equals, where a sum may round otherwise: in the tenth digit, though the weights are the same to the bit."""
    if isinstance(value, dict):
        return {name: near(each) for name, each in value.items()}
    if isinstance(value, list):
        return [near(each) for each in value]
    return pytest.approx(value, rel=1e-7, nan_ok=True) if isinstance(value, float) else value


@dataclass(frozen=True)
class Both:
    """One table's two runs: what each printed, with its exit status and its root, and the package."""

    task: str
    status: tuple[int, int]
    local: dict
    emulated: dict
    roots: tuple[Path, Path]
    package: Path
    said: str

    def files(self, pattern):
        """The one file of each root that `pattern` finds among its artifacts."""
        return [next(iter(sorted((root / "artifacts").rglob(pattern)))) for root in self.roots]


@pytest.fixture(scope="module")
def run_both(place):
    """run_both(task, *overrides): the Both of `task`, run once for all tests that ask for it."""
    done = {}

    def run(task, *overrides):
        if (task, overrides) in done:
            return done[task, overrides]
        here = place(task)
        cwd = here.folder / "cwd"
        rows = list(TABLES[task](random.Random(7)))  # noqa: S311 - data, and no secret
        write(cwd / "rows.csv", rows)
        label = rows[0][-1]
        begun = here.tapeline("init", "rows.csv", "--label", label, "--task", task, "--name", task, "-o", "rows.yaml", "--yes")
        assert begun.returncode == 0, begun.stderr
        sets = [*FEW_EPOCHS, *(word for override in overrides for word in ("--set", override))]
        local = here.tapeline("run", "rows.yaml", *sets, "--root", here.root, "--json")
        package, emulated = cwd / "package.yaml", here.folder / "emulated"
        compiled = here.tapeline("compile", "rows.yaml", *sets, "-o", package)
        assert compiled.returncode == 0, compiled.stderr
        there = here.tapeline("kubeflow", "emulate", package, "--root", emulated, "--json")
        status = local.returncode, there.returncode
        done[task, overrides] = Both(task, status, answer(local), answer(there), (here.root, emulated), package, there.stderr)
        return done[task, overrides]

    return run


@pytest.fixture(scope="module", params=TABLES)
def both(request, run_both):
    return run_both(request.param)


def test_status_outcome_metrics_and_bounds_are_the_same(both):
    assert both.status in ((0, 0), (3, 3)), both.said[-3000:]
    for what in ("outcome", "metrics", "bounds", "reasons", "notes", "anomalies", "shifts"):
        assert both.emulated[what] == near(both.local[what]), what
    assert both.local["metrics"]
    assert [each["name"] for each in both.emulated["components"]] == [each["name"] for each in both.local["components"]]
    assert [each["rows"] for each in both.emulated["components"]] == [each["rows"] for each in both.local["components"]]


def test_the_verdicts_file_is_the_same(both):
    local, emulated = both.files("verdict.json")
    assert json.loads(emulated.read_text()) == near(json.loads(local.read_text()))


def test_the_exported_problem_with_its_classes_is_the_same(both):
    local, emulated = (json.loads(file.read_text()) for file in both.files("tapeline.problem.json"))
    assert emulated == local


def test_the_weights_are_the_same_to_the_bit(both):
    local, emulated = both.files("Format-Serving/variables/variables.data-*")
    assert emulated.read_bytes() == local.read_bytes()


def test_the_person_is_told_to_ask_about_rows(both):
    if both.status == (0, 0):
        assert "predict ROWS.csv --model_name" in both.said.splitlines()[-1]
