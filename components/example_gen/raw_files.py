"""Which raw files a config names, and a digest of them; found without reading a row, so that a wrong path is told at once."""

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from components.example_gen import remote_files, spans
from components.example_gen.config import DataConfig
from components.example_gen.digests import Digests
from components.example_gen.readers import image_files, json_lines, listed_pictures, parquet_file, tfrecord_file
from components.example_gen.readers.data_files import check_place, files_at, what_is
from trainer.errors import ConfigError, did_you_mean

_TRAIN_PREFIXES = ("train",)
_TEST_PREFIXES = ("t10k", "test")
_SPLITS = ("train", "eval", "test")
_FILES = {
    "parquet": (parquet_file.SUFFIXES, "Parquet files"),
    "jsonl": (json_lines.SUFFIXES, "JSON lines"),
    "tfrecord": (tfrecord_file.SUFFIXES, "TFRecord files"),
}


def fingerprint(config: DataConfig, memory: Path | None = None) -> str:
    """A digest of the data's content, so that changed data at the same path is never answered from a cache.

    `memory` is a file that digests are kept in, so that files which nobody has touched are not read again.
    """
    if remote_files.is_remote(config.path):
        with remote_files.listed(config) as (here, tree):
            return fingerprint_by(here, tree.digest)
    digests = Digests(memory)
    result = fingerprint_by(config, digests.of)
    digests.save()
    return result


def fingerprint_by(config: DataConfig, digest_of: Callable[[Path], str]) -> str:
    """The fingerprint of data on this machine, where `digest_of` gives the sha256 (hexadecimal) of a file."""
    if spans.has_spans(config.path):
        return combined_spans((span, fingerprint_by(each, digest_of)) for span, each in by_span(config))
    return combined(config.format, {name: digest_of(path) for name, path in named_files(config).items()})


def combined(kind: str, digests: Mapping[str, str]) -> str:
    """The fingerprint of local data of the format `kind`, from the sha256 (hexadecimal) of each file by its name, in order."""
    digest = hashlib.sha256(kind.encode())
    for name, sha256 in digests.items():
        digest.update(name.encode(errors="surrogateescape") + bytes.fromhex(sha256))
    return digest.hexdigest()


def combined_spans(fingerprints: Iterable[tuple[spans.Span, str]]) -> str:
    """The fingerprint of data of these spans: which they are counts, and what is in them."""
    digest = hashlib.sha256(b"spans")
    for span, each in fingerprints:
        digest.update(f"{span.number}\0{span.version}\0{each}\0".encode())
    return digest.hexdigest()


def by_span(config: DataConfig) -> list[tuple[spans.Span, DataConfig]]:
    """The spans that the config's pattern means now, the oldest first, each with the config of it alone.

    Raises:
      ConfigError: one is not there, or is there twice.
    """
    found = spans.resolve(config.path or "", config.span, config.window)
    return [(span, config.model_copy(update={"path": span.path, "span": "newest", "window": 1})) for span in found]


def files(config: DataConfig) -> list[Path]:
    """The raw files that will be read, none for bundled data."""
    return list(named_files(config).values())


def named_files(config: DataConfig) -> dict[str, Path]:
    """The raw files by their names, which count as content where they say something, as a picture's folder does.

    Raises:
      ConfigError: they are not there.
      DataError: a folder or archive has no pictures in class folders.
    """
    if spans.has_spans(config.path):
        return {f"{span.number}/{name}": path for span, each in by_span(config) for name, path in named_files(each).items()}
    place = config.path or ""
    check_place(place)
    if config.format == "digits":
        return {}
    if config.format == "idx":
        return {path.name: path for _, images, labels in find_idx(place) for path in (images, labels)}
    if config.format == "csv":
        return {str(number): path for number, path in enumerate(path for paths in csv_files(config).values() for path in paths)}
    if config.format == "images":
        if config.is_list:
            tables = by_split(config)
            listed = {name: _listed(Path(each), config.pictures) for name, each in tables.items()}
            return {_of_split(each, name, config): path for name, files in listed.items() for each, path in files.items()}
        path = Path(place)
        if path.is_file():
            return {path.name: path}
        found = image_files.find(path, split_prefixes=config.splits.prefixes).layout.pictures
        return {picture.name: path / picture.name for picture in found if (path / picture.name).is_file()}
    return {
        _of_split(name, split, config): path
        for split, each in by_split(config).items()
        for name, path in files_at(each, *_FILES[config.format]).items()
    }


def _of_split(name: str, split: str | None, config: DataConfig) -> str:
    """A file's name, told from those of the other splits' files."""
    return name if config.splits.files is None else f"{split or 'train'}/{name}"


def _listed(path: Path, below: str | None) -> dict[str, Path]:
    """A table, and every picture that it could name."""
    if not path.is_file():
        _matching(str(path))
        raise ConfigError(f"Expected one table that names pictures. Received: '{path}', a pattern. Name a file.")
    folder = listed_pictures.folder_of(path, below)
    names = image_files.names_below(folder)
    return {path.name: path, **{f"{folder.name}/{name}": folder / name for name in names if (folder / name).is_file()}}


def by_split(config: DataConfig) -> dict[str | None, str]:
    """The place of the files of each split, a file, a folder or a pattern, under None that of those whose rows are divided.

    Raises:
      ConfigError: the train split has none.
    """
    given = config.splits.files
    if given is None:
        return {None: config.path or ""}
    # However they are written: the fingerprint goes by the order.
    found: dict[str | None, str] = {name: os.path.join(config.path or "", given[name]) for name in _SPLITS if name in given}
    if "train" not in found:
        raise ConfigError("Expected `data.splits.files` to name the train split's file. Received: none.")
    if len(found) < len(_SPLITS):
        found[None] = found.pop("train")  # divided between train and what has no file
    return found


def csv_files(config: DataConfig) -> dict[str | None, list[Path]]:
    """The files by the split that they are, None for those whose rows are divided.

    Raises:
      ConfigError: a path or a pattern has no file.
    """
    return {name: _matching(place) for name, place in by_split(config).items()}


def _matching(pattern: str) -> list[Path]:
    if Path(pattern).is_file():
        return [Path(pattern)]
    files = [Path(path) for path in sorted(glob.glob(pattern, recursive=True)) if Path(path).is_file()]  # noqa: PTH207 - patterns are absolute
    if not files:
        what = "which is a folder" if Path(pattern).is_dir() else what_is(pattern)
        near = did_you_mean(Path(pattern).name, [path.name for path in Path(pattern).parent.glob("*")]) if what.endswith("there") else ""
        hint = f" Name the files: {pattern.rstrip('/')}/*.csv." if not near and what.endswith("folder") else ""
        raise ConfigError(f"Expected a CSV file, or a pattern of some. Received: '{pattern}', {what}.{near}{hint}")
    return files


def find_idx(folder: str) -> list[tuple[str | None, Path, Path]]:
    """(official split or None, image file, label file) of each pair in `folder`.

    Raises:
      ConfigError: the folder or one of a pair is missing.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(f"Expected `data.path` to be a folder of IDX files. Received: '{root}', which is not a folder.")
    pairs: list[tuple[str | None, Path, Path]] = []
    for split, prefixes in ((None, _TRAIN_PREFIXES), ("test", _TEST_PREFIXES)):
        images, labels = _find(root, prefixes, "images", 3), _find(root, prefixes, "labels", 1)
        if images is None and labels is None and split == "test":
            continue
        for found, kind, dims in ((images, "images", 3), (labels, "labels", 1)):
            if found is None:
                raise ConfigError(
                    f"Expected `data.path` to hold {prefixes[0]}-{kind}-idx{dims}-ubyte, gzipped or not. "
                    f"Received: '{root}' {_folder(root, prefixes, kind, dims) or f'with {_listing(root)}.'}"
                )
        if images and labels:  # always: the loop above has refused the rest
            pairs.append((split, images, labels))
    return pairs


def _find(root: Path, prefixes: tuple[str, ...], kind: str, dims: int) -> Path | None:
    return next((path for path in _candidates(root, prefixes, kind, dims) if path.is_file()), None)


def _candidates(root: Path, prefixes: tuple[str, ...], kind: str, dims: int) -> list[Path]:
    """Unpacked files keep the dot of the name inside the gzip header."""
    return [
        root / f"{prefix}-{kind}{separator}idx{dims}-ubyte{suffix}" for prefix in prefixes for separator in "-." for suffix in ("", ".gz")
    ]


def _folder(root: Path, prefixes: tuple[str, ...], kind: str, dims: int) -> str:
    """What to say where a folder has the file's name, as in archives that were unpacked each into a folder; empty where none has."""
    folder = next((path for path in _candidates(root, prefixes, kind, dims) if path.is_dir()), None)
    if folder is None:
        return ""
    inside = next((path for path in sorted(folder.iterdir()) if path.is_file()), None)
    if inside is None:
        return f"where {folder.name} is a folder without a file. Put the file itself there."
    return f"where {folder.name} is a folder, the file is inside it. Put the files of such folders beside each other: {inside} and so on."


def _listing(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") if names else "no files"
