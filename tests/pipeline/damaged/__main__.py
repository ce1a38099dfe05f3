"""Prints every damaged input, and the line that a user reads: `python -m tests.pipeline.damaged [WORD]`."""

import sys
import tempfile
from pathlib import Path

from tests.pipeline.damaged import given
from tests.pipeline.damaged.cases import CASES


def main(word: str = "") -> None:
    """Prints those whose name or format has the word in it."""
    for case in CASES:
        if word not in f"{case.format}: {case.name}":
            continue
        for expected, give in ((case.init, given.init), (case.ingest, given.ingest)):
            if expected is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                answer = give(case, Path(folder))
                said = (
                    (answer.err or answer.out).replace(folder, "").rstrip("\n")
                    if answer.status or give is given.ingest
                    else _notes(answer.out)
                )
            mark = " " if expected.split()[0] == str(answer.status) else "!"
            line = f"{mark} {case.format}: {case.name} | {give.__name__} {answer.status} | {said}"
            print(line)  # noqa: T201 - the table


def _notes(out: str) -> str:
    return " / ".join(line for line in out.splitlines() if line.startswith("Note:"))


if __name__ == "__main__":
    main(*sys.argv[1:])
