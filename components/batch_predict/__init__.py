"""Predictions for a whole file, without a server: the rows as they are, with what the model says of each.

rows, in batches -> RunInference on the model's signature -> a shard a batch -> one file in the order of the rows, put in place at the end
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import apache_beam as beam
import pyarrow as pa
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from components.batch_predict.model import Answered, Exported, SignatureHandler, Work
from components.batch_predict.output import write
from components.example_gen import remote_files
from components.example_gen.readers.rows import Reject
from components.predicted_rows import Source, open_input
from trainer.cause import origin
from trainer.errors import TapelineError
from trainer.problem import Problem


class Counts(NamedTuple):
    """What became of the rows."""

    rows: int
    rejected: int


def predict(model_dir: Path, place: str, output: Path, errors: Path, beam_args: Sequence[str]) -> Counts:
    """Writes `output`, in the format of its suffix, and `errors`, JSON lines, where a row cannot be read or is refused by the model.

    Args:
      model_dir: the folder of a version.
      place: a table (file, folder or pattern), or a picture, a folder or an archive of pictures, as the model takes; here or in a bucket.
      output: its folder is there. Both files appear whole, at the end; without rows there is no `output`, without errors no `errors`.
      errors: an object a line: `file`, `line` (0 where it is the file as a whole) and `reason`.
      beam_args: of the runner.

    Raises:
      ConfigError: there is no such model or input, or a column is missing.
      DataError: a file cannot be read at all.
    """
    exported = Exported.at(model_dir)
    with _opened(place, exported.problem) as sources:
        return _predict(exported, sources, output, errors, beam_args)


@contextlib.contextmanager
def _opened(place: str, problem: Problem) -> Iterator[list[Source]]:
    """The sources, of a place in a bucket those of a copy."""
    if not remote_files.is_remote(place):
        with open_input(place, problem) as sources:
            yield sources
        return
    with remote_files.opened(place) as (here, tree):
        tree.fill(tree.meant(here))
        with open_input(here, problem) as sources:
            yield [Source(tree.naming(source.read)) for source in sources]


def _predict(exported: Exported, sources: list[Source], output: Path, errors: Path, beam_args: Sequence[str]) -> Counts:
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        options = PipelineOptions(list(beam_args))
        with beam.Pipeline(options=options) as pipeline:
            (
                pipeline
                | "Sources" >> beam.Create(list(enumerate(sources)))
                | "Read" >> beam.ParDo(_Read(str(folder)))
                | "Predict" >> RunInference(SignatureHandler(exported))
                | "Write" >> beam.ParDo(_WriteShard(str(folder)))
            )
        shards = sorted(folder.glob("*.arrow"))
        rows = write(folder / output.name, shards)
        rejected = _join(sorted(folder.glob("*.rejects")), folder / errors.name)
        if rows:
            (folder / output.name).replace(output)
        if rejected:
            (folder / errors.name).replace(errors)
        else:
            errors.unlink(missing_ok=True)
        return Counts(rows, rejected)
    except TapelineError as error:
        raise origin(error) from None  # without what Beam has added
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Read(beam.DoFn):
    """(number, source) -> its batches of rows; notes what it leaves out."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, numbered: tuple[int, Source]) -> Iterator[Work]:
        number, source = numbered
        with _rejects(self._folder, f"{number:05d}") as file:
            for batch, rows in enumerate(source.read(lambda reject: _note(file, reject))):
                yield Work(f"{number:05d}_{batch:07d}", rows)
                del rows  # before the next ones are read


class _WriteShard(beam.DoFn):
    """Answered rows -> a file of them, and one of the rows that the model has refused; gives nothing."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, answered: Answered) -> None:
        if answered.rejects:
            with _rejects(self._folder, answered.name) as file:
                for reject in answered.rejects:
                    _note(file, reject)
        if answered.batch.num_rows:
            path = os.path.join(self._folder, f"{answered.name}.arrow")
            with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, answered.batch.schema) as writer:
                writer.write_batch(answered.batch)


def _rejects(folder: str, name: str) -> TextIO:
    return Path(folder, f"{name}.rejects").open("w", encoding="utf-8")


def _note(file: TextIO, reject: Reject) -> None:
    file.write(json.dumps(reject._asdict(), ensure_ascii=False) + "\n")


def _join(parts: list[Path], path: Path) -> int:
    """How many lines there are."""
    count = 0
    with path.open("w", encoding="utf-8") as joined:
        for part in parts:
            with part.open(encoding="utf-8") as file:
                for line in file:
                    joined.write(line)
                    count += 1
    return count
