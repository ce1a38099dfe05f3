"""Ingestion alone, as the local run calls it: the rows of a config's data become TFRecords in the splits, in this process.

`python -m benchmarks.ingestion CONFIG FOLDER` writes below FOLDER; it is measured from outside.
"""

import sys
from pathlib import Path

from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from components.example_gen import executor
from pipeline import config as configs
from pipeline.runs.beam_args import IN_MEMORY


def run(config: Path, folder: Path) -> None:
    """Runs the executor on the data of the config file."""
    given = configs.load(config)
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=IN_MEMORY, tmp_dir=str(folder), unique_id="1")
    executor.Executor(context).Do({}, {"examples": [examples]}, {"data": given.data.to_json(), "columns": given.columns.to_json()})


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
