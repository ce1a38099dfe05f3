"""Gives a damaged input to `tapeline init` and to the ingestion, in this process, and says what came of it."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.example_gen import executor, raw_files, split
from components.example_gen.config import DataConfig
from pipeline import cli
from pipeline.runs.pipeline_run import BEAM_ARGS
from tests.pipeline.damaged.case import Case
from trainer.errors import TapelineError


class Answer(NamedTuple):
    """What came of it.

    Attributes:
      status: the exit status.
      out: what was printed; of the ingestion how many rows there are.
      err: what was printed on stderr.
      left: files that are there now and are no part of the input.
    """

    status: int
    out: str
    err: str
    left: list[str]


def init(case: Case, folder: Path) -> Answer:
    """`tapeline init`, in a working folder inside of `folder`."""
    given, work = _made(case, folder), folder / "work"
    work.mkdir()
    out, err = io.StringIO(), io.StringIO()
    with _noticed(folder) as left, contextlib.chdir(work), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(["init", str(given), "-o", "mine.yaml", "--yes", *case.options])
    return Answer(status, out.getvalue(), err.getvalue(), left)


def ingest(case: Case, folder: Path) -> Answer:
    """The ingestion as a run does it: the data's fingerprint, then the component's executor, on Beam."""
    from tfx.dsl.components.base import base_beam_executor
    from tfx.types import standard_artifacts

    given, work = _made(case, folder), folder / "work"
    work.mkdir()
    artifact = standard_artifacts.Examples()
    artifact.uri = str(work / "examples")
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(work), unique_id="1")
    with _noticed(folder) as left:
        try:
            data = DataConfig(**{"format": case.format, "path": str(given), **case.data})
            properties = {"data": data.to_json(), "columns": case.columns.to_json(), "fingerprint": raw_files.fingerprint(data)}
            executor.Executor(context).Do({}, {"examples": [artifact]}, properties)
        except TapelineError as error:
            status, rows, err = error.exit_status, 0, f"{error}\n"
        else:
            status, rows, err = 0, sum(artifact.get_int_custom_property(f"rows_{name}") for name in split.SPLITS), ""
    return Answer(status, str(rows), err, [name for name in left if not name.startswith("work/examples/")])


def _made(case: Case, folder: Path) -> Path | str:
    (folder / "data").mkdir()
    return case.make(folder / "data")


@contextlib.contextmanager
def _noticed(folder: Path) -> Iterator[list[str]]:
    """Collects what appears in the folder and among temporary files meanwhile."""
    left: list[str] = []
    before = _files(folder)
    yield left
    left += sorted(_files(folder) - before)


def _files(folder: Path) -> set[str]:
    below = {os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder) for name in names}
    return below | {
        f"TMPDIR/{path.name}"
        for path in Path(tempfile.gettempdir()).iterdir()
        if path != folder and not path.name.startswith("__autograph")
    }
