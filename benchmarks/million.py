"""The whole run on a generated table of 1,000,000 rows, `init` to pushed, beside AutoGluon on the same file.

generate -> `tapeline init --yes` and `tapeline run` -> AutoGluon in an environment of its own, where one is named -> both times
"""

import json
import subprocess
from pathlib import Path

from benchmarks import autogluon_fit, generated_table
from benchmarks.measured import Measured, python, run
from benchmarks.printed import row, say

ROWS = 1_000_000


def million(work: Path, environment: dict[str, str], autogluon: str | None, seconds: int, rows: int = ROWS) -> None:
    """Measures and prints the table.

    Args:
      work: a folder for all files.
      environment: variables of our side's processes.
      autogluon: the Python of an environment that has AutoGluon, or None: then its side is left out.
      seconds: AutoGluon's time limit.
      rows: of the table.
    """
    folder = work / "million"
    folder.mkdir(parents=True)
    say(f"million: generating {rows:,} rows")
    table = generated_table.write_csv(folder / "table.csv", rows)
    say("million: tapeline")
    config, root = folder / "table.yaml", folder / "root"
    init = run(python("pipeline.cli", "init", table, "--label", generated_table.LABEL, "--output", config, "--yes"), environment)
    ours = run(python("pipeline.cli", "run", config, "--root", root), environment)
    print(f"\n| a generated CSV of {rows:,} rows | accuracy | seconds | CPU seconds | peak MiB |\n| --- | ---: | ---: | ---: | ---: |")
    print(f"| `tapeline init --yes` | | {row(init)} |\n| `tapeline run` | {_accuracy(root):.4f} | {row(ours)} |")
    if missing := why_left_out(autogluon):
        print(f"\nAutoGluon is left out: {missing}.\n")
        return
    say(f"million: AutoGluon, at most {seconds} s")
    predicted = folder / "autogluon.json"
    script = [str(autogluon), str(Path(autogluon_fit.__file__)), str(table), generated_table.LABEL, str(folder / "ag"), str(seconds)]
    theirs = run(["sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(predicted), *script])
    accuracy = json.loads(predicted.read_text(encoding="utf-8").splitlines()[-1])["accuracy"]
    print(f"| AutoGluon, `time_limit={seconds}` | {accuracy:.4f} | {row(theirs)} |")
    print(f"| **ratio** of the whole time, tapeline's to AutoGluon's | | **{_seconds(init, ours) / theirs.seconds:.2f}** | | |\n")


def why_left_out(autogluon: str | None) -> str:
    """Why AutoGluon's side cannot be run, with the Python of its environment; empty where it can."""
    if autogluon is None:
        return "no environment is named (`--autogluon PYTHON`)"
    try:
        found = subprocess.run([autogluon, "-c", "import autogluon.tabular"], capture_output=True, text=True)
    except OSError as error:
        return f"'{autogluon}' cannot be run, {error.strerror}"
    return "" if found.returncode == 0 else f"'{autogluon}' cannot import it, {found.stderr.strip().splitlines()[-1]}"


def _seconds(*figures: Measured) -> float:
    return sum(each.seconds for each in figures)


def _accuracy(root: Path) -> float:
    """Of the test split, by the run's record."""
    [record] = (root / "records").glob("*.json")
    return json.loads(record.read_text(encoding="utf-8"))["metrics"]["accuracy"]
