"""Reads labelled pictures: class folders on the disk or in a zip or tar archive.

list the files -> labels and splits by their names -> sha256 of what is there -> a part for each official split
-> read, check and normalise, several pictures at once -> rows in order -> is it still what was listed?
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen import split
from components.example_gen.digests import State, is_settled, state_of
from components.example_gen.image_columns import PICTURE, PICTURE_LABEL
from components.example_gen.readers import archive
from components.example_gen.readers.binary_column import binary_column
from components.example_gen.readers.data_files import what_is
from components.example_gen.readers.image_layout import SUFFIXES, Layout, Picture, lay_out, pictures_of
from components.example_gen.readers.picture import PictureError, PictureSettings, normalised
from components.example_gen.readers.raw_file import sha256
from components.example_gen.readers.rows import MOST_BYTES, MOST_ROWS, Part, Reject, Rows
from trainer.errors import ConfigError, DataError

_SCHEMA = pa.schema([(PICTURE, pa.binary()), (PICTURE_LABEL, pa.string())])
WORKERS = min(4, os.cpu_count() or 1)  # threads; Pillow and hashlib let them run at once
_TASK_PICTURES, _TASK_BYTES = 16, 1 << 22  # of one task: enough to be worth a thread's while, few enough for memory
_HASH_BYTES = 8
_CHANGED = "Expected '{}' to stay as it is while it is read. Received: another content than a moment ago. Run again."


class Found(NamedTuple):
    """What is in a folder or archive.

    Attributes:
      layout: its pictures, and how many files are left out.
      refused: files of an archive that are not read, and why.
    """

    layout: Layout
    refused: tuple[Reject, ...]


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where pictures lie: a folder, or an archive.

    Attributes:
      digests: sha256 (hexadecimal) by name as people know it: of each picture in a folder, or of the archive.
      states: what a picture in a folder was when its digest was taken; one that still is needs no other digest.
    """

    path: Path
    is_archive: bool
    digests: Mapping[str, str]
    settings: PictureSettings
    states: Mapping[str, State] = dataclasses.field(default_factory=dict)


def open_images(path: Path, settings: PictureSettings | None = None, split_prefixes: bool = False) -> list[Part]:
    """One part for each official split, or one alone, whose rows are the `image`, a JPEG or PNG file, and its `label`, a text.

    Where eval or test is missing, the train part has no split, so that its rows are divided. Rows of a folder or zip archive are in the
    order of a hash of their names, so that neighbours are of all classes, those of a tar archive in its own order. `Rows.hashes` is of
    the file's bytes: exact copies land in one split, the same pixels in another format may not.

    Args:
      path: a folder, or a zip or tar archive (plain, gzipped, bzip2 or xz) of one; image_layout.py says which names are what.
      settings: what is read of a picture; the default if None.
      split_prefixes: whether the names of the files begin with the split, `train_7.jpg`; see `image_layout.has_split_prefixes`.

    Raises:
      ConfigError: there is nothing at `path`.
      DataError: there are no pictures in class folders, or an archive is broken.
    """
    path, settings = Path(path).absolute(), settings or PictureSettings()
    found = find(path, settings.max_bytes, split_prefixes)
    return _at(path, sorted(found.layout.pictures, key=_mixed), found.refused, settings)


def open_unlabelled(path: Path, settings: PictureSettings | None = None) -> list[Part]:
    """One part with every picture of a folder or archive, in whatever folders, or with the one that `path` is; `label` is empty.

    Rows are in the order of their names, those of a tar archive in its own.

    Raises:
      ConfigError: there is nothing at `path`.
      DataError: there are no pictures, or an archive is broken.
    """
    path, settings = Path(path).absolute(), settings or PictureSettings()
    if path.is_file() and path.suffix.casefold() in SUFFIXES:
        return _at(path.parent, [Picture(path.name, "", None)], (), settings)
    names, refused = _names_in(path, settings.max_bytes)
    pictures = [Picture(name, "", None) for name in pictures_of(names)]
    if not pictures:
        raise DataError(f"Expected pictures ({', '.join(sorted(SUFFIXES))}) in '{path}'. Received: {len(names):,} other files.")
    return _at(path, pictures, refused, settings)


def _mixed(picture: Picture) -> bytes:
    """A key by which neighbours are of all classes."""
    return hashlib.blake2b(picture.name.encode(errors="surrogateescape")).digest()


def _at(path: Path, pictures: list[Picture], refused: Iterable[Reject], settings: PictureSettings) -> list[Part]:
    if path.is_dir():
        return _in_folder(path, pictures, refused, settings)
    return _parts(_Source(path, True, {path.name: sha256(path)}, settings), pictures, refused)


def _why(refused: list[Reject]) -> str:
    return f"'{refused[0].file}', {refused[0].reason}, and no other that is there" if refused else "an empty list"


def find(path: Path, max_bytes: int = PictureSettings.max_bytes, split_prefixes: bool = False) -> Found:
    """What is in a folder or archive; nothing is decoded. Raises as `open_images`."""
    names, refused = _names_in(path, max_bytes)
    try:
        return Found(lay_out(names, split_prefixes), tuple(refused))
    except DataError as error:
        hint = f" Refused: '{refused[0].file}', {refused[0].reason}, and {len(refused) - 1:,} more." if refused else ""
        raise DataError(f"{error} Look into '{path}'.{hint}") from error


def _names_in(path: Path, max_bytes: int) -> tuple[list[str], list[Reject]]:
    """The files of a folder or archive by name, and those of an archive that are not read."""
    if path.is_dir():
        return sorted(_walk(path)), []
    if not path.is_file():
        raise ConfigError(f"Expected a folder of pictures, or a zip or tar archive of one. Received: '{path}', {what_is(path)}.")
    names, refused = [], []
    with archive.entries(path, max_bytes) as entries:
        for entry in entries:
            if entry.problem:
                refused.append(Reject(f"{path.name}/{entry.name}", 0, entry.problem))
            else:
                names.append(entry.name)
    return names, refused


def contents(path: Path, pictures: Iterable[Picture], settings: PictureSettings) -> Iterator[tuple[Picture, bytes, str]]:
    """(picture, its file as it is, empty where it cannot be read, and why then) of each, in any order, for a look at a few of them.

    Raises:
      DataError: an archive is broken.
    """
    with _loads(_Source(path, not path.is_dir(), {}, settings), tuple(pictures)) as loads:
        for picture, load, _ in loads:
            problem = _problem(path, settings, picture.name) if path.is_dir() else ""  # a pipe would be waited for, a device read for ever
            if problem:
                yield picture, b"", problem
                continue
            try:
                yield picture, load(), ""
            except archive.EntryError as error:
                yield picture, b"", str(error)
            except OSError as error:
                yield picture, b"", error.strerror or str(error)


def _walk(folder: Path) -> Iterator[str]:
    """The files below, by name; links are followed, but not in circles."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(place, name)) not in seen]
        yield from ((Path(place) / name).relative_to(folder).as_posix() for name in files)


def names_below(folder: Path) -> list[str]:
    """The pictures in a folder and all below it by name, without hidden files, in order."""
    return pictures_of(_walk(folder))


def digests(folder: Path, names: Iterable[str], settings: PictureSettings) -> tuple[dict[str, str], dict[str, str]]:
    """({name: sha256 (hexadecimal)} of the files that can be read, {name: why not} of the others)."""
    taken = _taken(folder, names, settings)
    return {name: each.digest for name, each in taken.items() if each.digest}, {
        name: each.problem for name, each in taken.items() if not each.digest
    }


class _Taken(NamedTuple):
    """A file's sha256, or why it cannot be read; and what it was then, None where it may change unseen."""

    digest: str = ""
    problem: str = ""
    state: State | None = None


def _taken(folder: Path, names: Iterable[str], settings: PictureSettings) -> dict[str, _Taken]:
    names = list(names)
    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(names, pool.map(functools.partial(_digest, folder, settings), names), strict=True))


def unchanged(path: Path, digest: str) -> bytes:
    """The file's content.

    Raises:
      DataError: its sha256 is another.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(_CHANGED.format(path)) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DataError(_CHANGED.format(path))
    return data


def _in_folder(folder: Path, pictures: Iterable[Picture], refused: Iterable[Reject], settings: PictureSettings) -> list[Part]:
    by_name = {picture.name: picture for picture in pictures}
    taken = _taken(folder, by_name, settings)
    good = {name: each for name, each in taken.items() if each.digest}
    refused = [*refused, *(Reject(f"{folder.name}/{name}", 0, each.problem) for name, each in taken.items() if not each.digest)]
    if not good:
        raise DataError(f"Expected pictures that can be read in '{folder}'. Received: {_why(refused)}.")
    named = {f"{folder.name}/{name}": each.digest for name, each in good.items()}
    states = {f"{folder.name}/{name}": each.state for name, each in good.items() if each.state}
    return _parts(_Source(folder, False, named, settings, states), [by_name[name] for name in good], refused)


def _digest(folder: Path, settings: PictureSettings, name: str) -> _Taken:
    if problem := _problem(folder, settings, name):
        return _Taken(problem=problem)
    try:
        found, now = (folder / name).stat(), time.time_ns()
        return _Taken(sha256(folder / name), state=state_of(found) if is_settled(found, now) else None)
    except OSError as error:
        return _Taken(problem=error.strerror or str(error))


def _problem(folder: Path, settings: PictureSettings, name: str) -> str:
    """Why a file in a folder is not read; empty where it is."""
    try:
        path = folder / name
        if not name.isprintable():
            return "a name that is no printable UTF-8"
        if not path.is_file():
            return "a link to nothing" if path.is_symlink() and not path.exists() else "no regular file"
        size = path.stat().st_size
    except OSError as error:
        return error.strerror or str(error)
    return f"{size:,} bytes, more than {settings.max_bytes:,}" if size > settings.max_bytes else ""


def _parts(source: _Source, pictures: Iterable[Picture], refused: Iterable[Reject]) -> list[Part]:
    """One for each split; what was refused is told by the first."""
    by_split: dict[str | None, list[Picture]] = collections.defaultdict(list)
    for picture in pictures:
        by_split[picture.split].append(picture)
    if None not in by_split and not {split.EVAL, split.TEST} <= by_split.keys() and split.TRAIN in by_split:
        by_split[None] = by_split.pop(split.TRAIN)  # it has to make up for the others
    parts = []
    for official in (None, *split.SPLITS):
        if mine := by_split.get(official):
            names = {f"{source.path.name}/{picture.name}" for picture in mine}
            files = source.digests if source.is_archive else {name: value for name, value in source.digests.items() if name in names}
            states = {name: state for name, state in source.states.items() if name in names}
            read = functools.partial(_read, dataclasses.replace(source, digests=files, states=states), tuple(mine), tuple(refused))
            parts.append(Part(official, source.path.name + (f" ({official})" if official else ""), files, read))
            refused = ()
    return parts


class _Result(NamedTuple):
    """A picture, or why it is none."""

    picture: Picture
    data: bytes
    hash: int
    reason: str


def _read(source: _Source, pictures: tuple[Picture, ...], refused: tuple[Reject, ...], reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    for rejected in refused:
        reject(rejected)
    kept: list[_Result] = []
    size = 0
    for result in _results(source, pictures):
        if result.reason:
            reject(Reject(f"{source.path.name}/{result.picture.name}", 0, result.reason))
            continue
        if kept and (len(kept) == MOST_ROWS or size + len(result.data) > MOST_BYTES):
            yield _rows(source, kept)
            kept, size = [], 0
        kept.append(result)
        size += len(result.data)
    if kept:
        yield _rows(source, kept)
    if source.is_archive and sha256(source.path) != source.digests[source.path.name]:
        raise DataError(_CHANGED.format(source.path))


def _rows(source: _Source, results: list[_Result]) -> Rows:
    columns = [binary_column([result.data for result in results]), pa.array([result.picture.label for result in results])]
    return Rows(
        pa.RecordBatch.from_arrays(columns, schema=_SCHEMA),
        np.ones(len(results), np.int64),
        [f"{source.path.name}/{result.picture.name}" for result in results],
        np.array([result.hash for result in results], np.uint64),
    )


_Load = Callable[[], bytes]


def _results(source: _Source, pictures: tuple[Picture, ...]) -> Iterator[_Result]:
    """One for each picture, in order; a few tasks at a time, so that memory stays flat."""
    with ThreadPoolExecutor(WORKERS) as pool, _loads(source, pictures) as loads:
        waiting: collections.deque[Future[list[_Result]]] = collections.deque()
        task: list[tuple[Picture, _Load]] = []
        size = 0
        for picture, load, length in loads:
            task.append((picture, load))
            size += length
            if len(task) == _TASK_PICTURES or size >= _TASK_BYTES:
                waiting.append(pool.submit(_normalised, source, task))
                task, size = [], 0
            if len(waiting) > WORKERS:
                yield from waiting.popleft().result()
        waiting.append(pool.submit(_normalised, source, task))
        while waiting:
            yield from waiting.popleft().result()


def _normalised(source: _Source, task: list[tuple[Picture, _Load]]) -> list[_Result]:
    results = []
    for picture, load in task:
        data, number, reason = b"", 0, ""
        try:
            data, digest = _loaded(source, picture, load)
            number = int.from_bytes(digest[:_HASH_BYTES], "big")
            data = normalised(data, source.settings)
        except (PictureError, archive.EntryError) as error:
            data, reason = b"", str(error)
        except OSError as error:
            raise DataError(_CHANGED.format(source.path / picture.name)) from error
        results.append(_Result(picture, data, number, reason))
    return results


def _loaded(source: _Source, picture: Picture, load: _Load) -> tuple[bytes, bytes]:
    """A picture's bytes and their sha256, which is taken again where the file is not what it was when it was taken.

    Raises:
      DataError: it is another than it was.
    """
    if source.is_archive:
        data = load()
        return data, hashlib.sha256(data).digest()
    name = f"{source.path.name}/{picture.name}"
    data, known = load(), source.digests[name]
    if source.states.get(name) == state_of((source.path / picture.name).stat()):  # behind the reading: it was so all the time
        return data, bytes.fromhex(known)
    digest = hashlib.sha256(data)
    if digest.hexdigest() != known:
        raise DataError(_CHANGED.format(source.path / picture.name))
    return data, digest.digest()


@contextlib.contextmanager
def _loads(source: _Source, pictures: tuple[Picture, ...]) -> Iterator[Iterator[tuple[Picture, _Load, int]]]:
    """(picture, what gives its bytes, in any thread, and how many they are about) of each."""
    if not source.is_archive:
        yield ((picture, (source.path / picture.name).read_bytes, _size(source.path / picture.name)) for picture in pictures)
        return
    wanted = {picture.name: picture for picture in pictures}
    with archive.entries(source.path, source.settings.max_bytes) as entries:
        mine = (entry for entry in entries if not entry.problem and entry.name in wanted)
        if archive.kind(source.path) == "zip":
            place = {name: number for number, name in enumerate(wanted)}
            mine = iter(sorted(mine, key=lambda entry: place[entry.name]))
            yield ((wanted[entry.name], entry.read, entry.size) for entry in mine)
        else:  # a stream, which only this thread reads
            yield ((wanted[entry.name], functools.partial(bytes, entry.read()), entry.size) for entry in mine)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it tells
