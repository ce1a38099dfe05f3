"""Rows a second of each reader beside what reads the same file alone: pandas for tables, Pillow for pictures.

generate -> per round and file: both sides, each a process of its own -> the ratio of the best of all rounds
"""

import json
import subprocess
from pathlib import Path

import pandas as pd

from benchmarks import generated_pictures, generated_table
from benchmarks.measured import python
from benchmarks.printed import say, verdict
from benchmarks.reading import READERS, Reader

ROWS, JSON_ROWS, PICTURES = 500_000, 100_000, 600
_TIMES = 5  # in each process


def readers(work: Path, rounds: int) -> None:
    """Measures and prints the table."""
    files = _files(work / "readers")
    print("\n| reader | rows per second | reference | rows per second | ratio | ratio of CPU time |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    for name, (kind, path) in files.items():
        figures: dict[str, list[dict[str, float]]] = {"tapeline": [], "reference": []}
        for number in range(rounds):
            for side, seen in figures.items():
                say(f"readers, round {number + 1}: {name}, {side}")
                seen.append(_measured(side, kind, path))
        print(_row(name, READERS[kind], figures["tapeline"], figures["reference"]))
    print()


def _files(folder: Path) -> dict[str, tuple[str, Path]]:
    """{for people: (the format in READERS, path)}."""
    say("readers: generating tables and pictures")
    folder.mkdir(parents=True)
    mixed = generated_table.write_csv(folder / "mixed.csv", ROWS)
    table = pd.read_csv(mixed)
    numbers, texts = folder / "numbers.csv", folder / "texts.csv"
    table[list(generated_table.NUMBERS)].to_csv(numbers, index=False)
    table[[*generated_table.CATEGORIES, generated_table.TEXT]].to_csv(texts, index=False)
    table.to_parquet(folder / "mixed.parquet")
    table[:JSON_ROWS].to_json(folder / "mixed.jsonl", orient="records", lines=True)
    jpeg = generated_pictures.write_folder(folder / "jpeg", "JPEG", PICTURES)
    png = generated_pictures.write_folder(folder / "png", "PNG", PICTURES)
    return {
        "CSV, 8 numbers": ("csv", numbers),
        "CSV, 3 categories and a text": ("csv", texts),
        "CSV, all of them": ("csv", mixed),
        "Parquet, all of them": ("parquet", folder / "mixed.parquet"),
        "JSON lines, all of them": ("jsonl", folder / "mixed.jsonl"),
        "JPEG in class folders": ("folder", jpeg),
        "PNG in class folders": ("folder", png),
        "JPEG in a zip archive": ("zip", generated_pictures.write_zip(folder / "jpeg.zip", jpeg)),
    }


def _measured(side: str, kind: str, path: Path) -> dict[str, float]:
    result = subprocess.run(python("benchmarks.reading", side, kind, path, str(_TIMES)), capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def _row(name: str, reader: Reader, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> str:
    (speed, cpu_speed), (reference, cpu_reference) = (
        [max(each["rows"] / each[key] for each in side) for key in ("seconds", "cpu_seconds")] for side in (ours, theirs)
    )
    ratio = verdict(speed / reference, reader.at_least)
    return f"| {name} | {speed:,.0f} | {reader.reference} | {reference:,.0f} | {ratio} | {cpu_speed / cpu_reference:.2f} |"
