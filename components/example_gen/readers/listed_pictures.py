"""Puts pictures into the rows of a table that names them: a list of labelled pictures, with whatever else it says of each.

a folder -> its pictures and their sha256
the table's rows with the names as text -> find, read, check and normalise each picture -> the same rows with pictures
"""

import dataclasses
import functools
import hashlib
import os
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.readers import image_files
from components.example_gen.readers.image_layout import SUFFIXES
from components.example_gen.readers.picture import PictureError, PictureSettings, normalised
from components.example_gen.readers.rows import MOST_BYTES, Part, Reject, Rows
from trainer.errors import ConfigError

_NO_PICTURE = f"no picture by its name ({', '.join(sorted(SUFFIXES))})"
_ENDINGS = tuple(each for suffix in sorted(SUFFIXES) for each in (suffix, suffix.upper()))  # of a picture that is named without
_HASH_BYTES = 8
_FOLDERS = 50  # that are looked into below a table's
_AT_ONCE = 64  # pictures that are decoded before any is kept


def folder_of(path: Path, below: str | None) -> Path:
    """The folder in which the pictures of the list `path` are: the list's own, or the one `below` it.

    Raises:
      ConfigError: there is no such folder, or it is not below.
    """
    if below is not None and is_outside(below):
        raise ConfigError(f"Expected `data.pictures` to be a folder below '{path.parent}', that of the list. Received: '{below}'.")
    folder = path.parent / (below or "")
    if not folder.is_dir():
        raise ConfigError(f"Expected a folder of pictures, `data.pictures`. Received: '{folder}', which is not there.")
    return folder


def folders_in(folder: Path) -> list[str]:
    """The folders in which pictures beside a table may be, below the table's own, some of them."""
    found = (entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith("."))
    return [name for name, _ in zip(found, range(_FOLDERS), strict=False)]


def named_file(folder: Path, name: str, files_in: Callable[[Path], Collection[str]] | None = None) -> str | None:
    """The picture below `folder` that a row names, with slashes and its suffix; None where there is none.

    `files_in`: the names in a folder, for whoever asks for so many that looking for each of them would take long.
    """
    return next((file for spelt in _spellings(name) if (file := _file(folder, spelt, files_in)) is not None), None)


def _spellings(name: str) -> tuple[str, ...]:
    """The name as it is, and as a path where Windows has written it, with backslashes."""
    return tuple(dict.fromkeys((name, name.replace("\\", "/"))))


def _file(folder: Path, name: str, files_in: Callable[[Path], Collection[str]] | None) -> str | None:
    endings = ("",) if os.path.splitext(name)[1].casefold() in SUFFIXES else _ENDINGS  # noqa: PTH122 - a table has very many names
    if files_in:
        parent, own = os.path.split(name)
        there = files_in(folder / parent if parent else folder)
        endings = tuple(ending for ending in endings if own + ending in there)
    if not endings or is_outside(name):
        return None
    try:
        return next((name + ending for ending in endings if (folder / (name + ending)).is_file()), None)
    except (OSError, ValueError):  # a name that no file can have
        return None


def names_in(folder: Path) -> frozenset[str]:
    """What is in `folder`; nothing where it is no folder that can be read."""
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208  # names alone, a million of them
    except (OSError, ValueError):
        return frozenset()


def with_pictures(parts: Iterable[Part], columns: Collection[str], pictures: "Pictures") -> list[Part]:
    """The parts with a JPEG or PNG file in place of each of its names.

    A row whose picture is not there, outside of the folder or unreadable is left out, and told of by its line. `Rows.hashes` is of the
    pictures' bytes: exact copies land in one split.

    Args:
      parts: of a table, whose `columns` are text.
      columns: which hold the name of a picture, a path below the pictures' folder, with or without the suffix.
      pictures: those that may be named.
    """
    return [
        dataclasses.replace(
            part,
            files={**part.files, **{f"{pictures.folder.name}/{name}": digest for name, digest in pictures.digests.items()}},
            read=functools.partial(_read, part, tuple(columns), pictures),
        )
        for part in parts
    ]


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Those below a folder.

    Attributes:
      folder: where they are.
      digests: sha256 (hexadecimal) by name.
      problems: why a picture cannot be read, by name.
      settings: what is read of one.
    """

    folder: Path
    digests: Mapping[str, str]
    problems: Mapping[str, str]
    settings: PictureSettings

    @classmethod
    def below(cls, folder: Path, settings: PictureSettings) -> "Pictures":
        """All of a folder; links are followed. Reads every file once."""
        digests, problems = image_files.digests(folder, image_files.names_below(folder), settings)
        return cls(folder, digests, problems, settings)

    @classmethod
    def named(cls, folder: Path, names: Iterable[str], settings: PictureSettings) -> "Pictures":
        """Those of `names` that are in the folder, or else in the folder in it that has the most of them. Reads each once."""
        names = list(dict.fromkeys(names))
        found = {below: _found(folder / below, names) for below in (".", *folders_in(folder))}
        below = max(found, key=lambda below: len(found[below]))  # the first of equals
        digests, problems = image_files.digests(folder / below, found[below], settings)
        return cls(folder / below, digests, problems, settings)

    @functools.cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in [*self.digests, *self.problems]:
            found.setdefault(name.removesuffix(PurePosixPath(name).suffix), []).append(name)
        return found

    def find(self, given: str | None) -> str:
        """The picture that a row names.

        Raises:
          PictureError: there is none.
        """
        if not given:
            raise PictureError("no picture is named")
        known = (spelt for spelt in _spellings(given) if self._knows(posixpath.normpath(spelt)))
        given = next(known, _spellings(given)[-1])
        if is_outside(given):
            raise PictureError(f"'{given}', not below the folder '{self.folder.name}'")
        name = posixpath.normpath(given)
        if name in self.problems:
            raise PictureError(f"'{given}', {self.problems[name]}")
        if name in self.digests:
            return name
        like = self._by_stem.get(name, [])
        if len(like) > 1:
            raise PictureError(f"'{given}', which {' and '.join(like)} could be")
        if like:
            return self.find(like[0])
        raise PictureError(f"'{given}', {_NO_PICTURE if _is_there(self.folder / name) else 'not there'}")

    def _knows(self, name: str) -> bool:
        return name in self.digests or name in self.problems or name in self._by_stem

    def load(self, name: str) -> tuple[bytes, bytes]:
        """(a JPEG or PNG file, sha256 of the file as it is).

        Raises:
          PictureError: it cannot be read.
          DataError: it has changed.
        """
        data = image_files.unchanged(self.folder / name, self.digests[name])
        try:
            return normalised(data, self.settings), bytes.fromhex(self.digests[name])
        except PictureError as error:
            raise PictureError(f"'{name}', {error}") from None


def _found(folder: Path, names: Iterable[str]) -> list[str]:
    files = (named_file(folder, name) for name in names)
    return sorted({posixpath.normpath(file) for file in files if file})


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


def is_outside(name: str) -> bool:
    """Whether a path leads out of the folder that it is below; by its text alone, for links are the user's own."""
    normal = posixpath.normpath(name)
    return normal.startswith(("/", "../")) or normal == ".."


class _Loaded(NamedTuple):
    """The pictures of a row, or why it has none."""

    files: tuple[bytes, ...]
    hash: int
    reason: str


def _read(part: Part, columns: tuple[str, ...], pictures: Pictures, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    with ThreadPoolExecutor(image_files.WORKERS) as pool:
        for rows in part.read(reject):
            names = list(zip(*(rows.batch.column(name).to_pylist() for name in columns), strict=True))
            kept: dict[int, _Loaded] = {}
            size = 0
            for start in range(0, len(names), _AT_ONCE):
                loaded = pool.map(functools.partial(_load, pictures), names[start : start + _AT_ONCE])
                for number, each in enumerate(loaded, start):
                    if each.reason:
                        reject(Reject(rows.file if isinstance(rows.file, str) else rows.file[number], int(rows.lines[number]), each.reason))
                        continue
                    length = sum(map(len, each.files))
                    if kept and size + length > MOST_BYTES:
                        yield _joined(rows, columns, kept)
                        kept, size = {}, 0
                    kept[number], size = each, size + length
            if kept:
                yield _joined(rows, columns, kept)


def _load(pictures: Pictures, names: tuple[str | None, ...]) -> _Loaded:
    try:
        loaded = [pictures.load(pictures.find(name)) for name in names]
    except PictureError as error:
        return _Loaded((), 0, str(error))
    both = loaded[0][1] if len(loaded) == 1 else hashlib.sha256(b"".join(digest for _, digest in loaded)).digest()
    return _Loaded(tuple(data for data, _ in loaded), int.from_bytes(both[:_HASH_BYTES], "big"), "")


def _joined(rows: Rows, columns: tuple[str, ...], kept: Mapping[int, _Loaded]) -> Rows:
    """The rows of these numbers, with their pictures."""
    numbers = list(kept)
    batch = rows.batch.take(pa.array(numbers))
    files = {name: pa.array([each.files[place] for each in kept.values()], pa.binary()) for place, name in enumerate(columns)}
    names = batch.schema.names
    arrays = [files[name] if name in files else batch.column(name) for name in names]
    return Rows(
        pa.RecordBatch.from_arrays(arrays, names=names),
        rows.lines[np.array(numbers)],
        rows.file if isinstance(rows.file, str) else [rows.file[number] for number in numbers],
        np.array([each.hash for each in kept.values()], np.uint64),
    )
