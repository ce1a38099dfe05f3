"""Peak memory at 100,000 and at 2,000,000 generated rows: of ingestion alone, and of the whole run with one epoch.

generate both tables -> `tapeline init` -> each step at both sizes, each a process of its own -> the ratio of the peaks
"""

from pathlib import Path

from benchmarks import generated_table
from benchmarks.measured import Measured, python, run
from benchmarks.printed import row, say, verdict

SMALL, LARGE = 100_000, 2_000_000
AT_MOST = 1.2


def memory(work: Path, environment: dict[str, str], small: int = SMALL, large: int = LARGE) -> None:
    """Measures and prints the table."""
    folder = work / "memory"
    folder.mkdir(parents=True)
    configs = {rows: config_for(folder, rows, environment) for rows in (small, large)}
    print("\n| a generated CSV | rows | seconds | CPU seconds | peak MiB |\n| --- | ---: | ---: | ---: | ---: |")
    for name, measure in {"ingestion": _ingestion, "whole run, one epoch": _whole_run}.items():
        figures: dict[int, Measured] = {}
        for rows, config in configs.items():
            say(f"memory: {name}, {rows:,} rows")
            figures[rows] = measure(config, folder / f"{name.split()[0]}-{rows}", environment)
            print(f"| {name} | {rows:,} | {row(figures[rows])} |", flush=True)
        ratio = figures[large].peak_mib / figures[small].peak_mib
        print(f"| ratio of the peaks, {large // small} times the rows | | | | {verdict(ratio, at_most=AT_MOST)} |", flush=True)
    print()


def config_for(folder: Path, rows: int, environment: dict[str, str]) -> Path:
    """Generates a table of `rows` rows in `folder`, and the config that `tapeline init --yes` writes for it."""
    say(f"generating {rows:,} rows")
    table = generated_table.write_csv(folder / f"table_{rows}.csv", rows)
    config = folder / f"table_{rows}.yaml"
    run(python("pipeline.cli", "init", table, "--label", generated_table.LABEL, "--output", config, "--yes"), environment)
    return config


def _ingestion(config: Path, folder: Path, environment: dict[str, str]) -> Measured:
    return run(python("benchmarks.ingestion", config, folder), environment)


def _whole_run(config: Path, root: Path, environment: dict[str, str]) -> Measured:
    settings = ("--set", "trainer.epochs=1", "--set", "trainer.cache=none")  # else rows stay in memory while they fit
    return run(python("pipeline.cli", "run", config, "--root", root, *settings), environment)
