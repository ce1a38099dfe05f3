"""The formats that `tapeline init` knows, one entry each; the first one that recognises a path is its format."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline.init import idx, pictures, table, table_files
from pipeline.init.proposal import Proposal, Request
from trainer.errors import ConfigError, did_you_mean

_LOOKED_AT = 1000  # entries of a folder


class Format(NamedTuple):
    """A format of data.

    Attributes:
      words: what such data is, for people.
      instead: of a format that cannot be read yet, what to do.
      recognises: whether a path, or a pattern of some, is of this format.
      propose: looks at the data; None where that is still to come.
    """

    words: str
    recognises: Callable[[str], bool]
    propose: Callable[[Request], Proposal] | None
    instead: str = "Convert it to CSV."


def _named(*suffixes: str) -> Callable[[str], bool]:
    """Whether the path, or a file in the folder, has one of the suffixes."""

    def recognises(path: str) -> bool:
        names = [entry.name for entry in _entries(Path(path))] if Path(path).is_dir() else [Path(path).name]
        return any(name.lower().endswith(suffixes) for name in names)

    return recognises


def _entries(folder: Path) -> list[Path]:
    return [entry for entry, _ in zip(folder.iterdir(), range(_LOOKED_AT), strict=False)] if folder.is_dir() else []


FORMATS = (
    Format("IDX files", idx.recognises, idx.propose),
    Format("pictures in class folders", pictures.recognises, pictures.propose),
    Format("Parquet", _named(".parquet", ".pq"), None),
    Format("JSON lines", _named(".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"), None),
    Format("TFRecord", _named(".tfrecord", ".tfrecords", ".tfrecord.gz", ".tfrecords.gz"), None),
    Format("CSV and TSV", lambda path: bool(table_files.find(path).paths), table.propose),
)


def recognise(path: str) -> Callable[[Request], Proposal]:
    """What proposes a config for the data at `path`, a file, a folder or a pattern.

    Raises:
      ConfigError: nothing is there, or nothing that could be read.
    """
    found = next((each for each in FORMATS if each.recognises(path)), None)
    readable = ", ".join(each.words for each in FORMATS if each.propose)
    if found is None:
        raise ConfigError(f"Expected data: {readable}. Received: '{path}', {_lacking(path)}")
    if found.propose is None:
        raise ConfigError(f"Expected data that can be read: {readable}. Received: '{path}', {found.words}: not yet. {found.instead}")
    return found.propose


def _lacking(path: str) -> str:
    place = Path(path)
    if not place.is_dir():
        near = did_you_mean(place.name, [entry.name for entry in _entries(place.parent)])
        return f"which is not there.{near} Name a file, a folder or a pattern like 'data/*.csv'."
    names = sorted(entry.name for entry in _entries(place))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    return f"a folder with {shown}. Name the file." if names else "a folder without files. Put the data there, or name another."
