"""Raw data in a bucket, `gs://...`: known without reading it, and copied to read it.

a place, pattern or pattern of spans -> the bucket is listed as far as it could mean -> a folder of this machine with an empty file for
each object -> the readers' own rules say which of them are meant -> a fingerprint of the listing, or the content in place of nothing

So everything that holds for files of this machine holds for those of a bucket; people see the names that they have there.
"""

import contextlib
import dataclasses
import functools
import glob
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from components.bucket import SCHEME, Bucket, Stored
from components.example_gen import spans
from components.example_gen.config import DataConfig
from components.example_gen.readers.rows import Part, Reject
from trainer.errors import ConfigError, DataError

_LOG = logging.getLogger(__name__)
_AT_ONCE = 8  # objects that are copied
_SECONDS_BETWEEN = 10  # two lines about how far it is
_PLACEHOLDER = "{"
_SHOWN = SCHEME.removesuffix("/")  # in place of the folder that stands for all buckets
_Reading = Callable[[Callable[[Reject], None]], Iterator[Any]]  # of a part


def is_remote(path: str | None) -> bool:
    """Whether `path` is a URL and not a place in the file system."""
    return "://" in (path or "")


class Tree:
    """A folder of this machine that stands for all buckets.

    Attributes:
      root: the folder; `gs://bucket/a.csv` is `root/bucket/a.csv`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._buckets: dict[str, Bucket] = {}
        self._stored: dict[str, Stored] = {}
        self._listed: set[str] = set()  # the prefixes below which all is known

    def here(self, url: str) -> str:
        """Where the file, folder or pattern `url` is on this machine. Raises ConfigError where it is no place in a bucket."""
        if not url.startswith(SCHEME) or not url.removeprefix(SCHEME).strip("/"):
            raise ConfigError(f"Expected a path of this machine, or a place in a bucket, like gs://BUCKET/FOLDER. Received: '{url}'.")
        return os.path.join(self.root, url.removeprefix(SCHEME).rstrip("/"))

    def shown(self, text: str) -> str:
        """`text` with the names that people know."""
        return text.replace(str(self.root), _SHOWN)

    def see(self, place: str) -> None:
        """Lists what `place`, a path or pattern on this machine, could mean, and makes an empty file for each object.

        Raises:
          ConfigError: the bucket cannot be listed, or a part of the place is `..`.
        """
        bucket, *parts = Path(place).relative_to(self.root).parts
        if ".." in (bucket, *parts):
            raise ConfigError(f"Expected a place in a bucket without `..`, for which it has no folders. Received: '{place}'.")
        first = next((number for number, part in enumerate(parts) if _is_pattern(part)), None)
        if first is not None:
            head = parts[first].split(_PLACEHOLDER)[0].split("*")[0].split("?")[0].split("[")[0]
            # Of day-{SPAN} and *.csv the names beside each other say enough, where there may be ten thousands of pictures below each.
            self._list(bucket, "/".join([*parts[:first], head]), is_deep=first < len(parts) - 1 or "**" in parts[first])
            return
        name = "/".join(parts)
        if name:
            self._list(bucket, name, is_deep=False)
        self._list(bucket, f"{name}/" if name else "")
        if not Path(place).exists():  # what is near is told
            self._list(bucket, "".join(f"{part}/" for part in parts[:-1]), is_deep=False)

    def _list(self, bucket: str, prefix: str, is_deep: bool = True) -> None:
        """Makes the files of the objects whose names begin with `prefix`."""
        if any(f"{bucket}/{prefix}".startswith(listed) for listed in self._listed):
            return
        if bucket not in self._buckets:
            self._buckets[bucket] = Bucket(bucket)
        objects, folders = self._buckets[bucket].objects(prefix, is_deep)
        (self.root / bucket).mkdir(exist_ok=True)
        for stored in objects:
            self._make(stored)
        for folder in folders:
            if _is_file_name(folder.rstrip("/")):
                Path(os.path.join(self.root, bucket, folder)).mkdir(exist_ok=True, parents=True)
        if is_deep:
            self._listed.add(f"{bucket}/{prefix}")

    def _make(self, stored: Stored) -> None:
        path = os.path.join(self.root, stored.bucket, stored.name)
        if stored.name.endswith("/"):  # how consoles make a folder
            return
        try:
            if not _is_file_name(stored.name):
                raise FileNotFoundError(0, "no file of this machine can be called that")
            Path(Path(path).parent).mkdir(exist_ok=True, parents=True)
            with Path(path).open("xb"):
                pass
        except OSError as error:
            if path in self._stored:
                return
            raise DataError(
                f"Expected objects that files can be called like. Received: '{SCHEME}{stored.bucket}/{stored.name}': {error.strerror}. "
                "Rename it, or give a `data.path` without it."
            ) from None
        self._stored[path] = stored

    def digest(self, path: Path) -> str:
        """The sha256 (hexadecimal) of what the listing says of the content of a file."""
        return self._stored[str(path)].digest

    def meant(self, place: str) -> list[Path]:
        """The files that `place`, a path or pattern on this machine, means: the one, those below a folder, or those that match."""
        if Path(place).is_dir():
            return [Path(path) for path in self._stored if path.startswith(f"{place}/")]
        return [Path(path) for path in sorted(glob.glob(place, recursive=True)) if path in self._stored]  # noqa: PTH207 - the pattern is absolute

    def size(self, paths: Iterable[Path]) -> int:
        """The bytes of these files together."""
        return sum(self._stored[str(path)].size for path in paths)

    def fill(self, paths: Iterable[Path]) -> None:
        """Copies the content of these files, several at a time, and logs how far it is.

        Raises:
          DataError: there is no room for them, or one has changed since it was listed.
          ConfigError: one cannot be read.
        """
        wanted = {str(path): self._stored[str(path)] for path in paths}
        size, free = self.size(map(Path, wanted)), shutil.disk_usage(self.root).free
        if size > free:
            raise DataError(
                f"Expected room for a copy of the data, {_bytes(size)}. Received: {_bytes(free)} free in '{self.root.parent}'. "
                "Make room, or name a folder of another disk with the variable TMPDIR."
            )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            copies = [pool.submit(self._copy, stored, path) for path, stored in wanted.items()]
            done, told = 0, time.monotonic()
            _LOG.info("Copying %d objects, %s, of %s.", len(wanted), _bytes(size), ", ".join(self._buckets))
            try:
                for copy in copies:
                    done += copy.result()
                    if time.monotonic() - told > _SECONDS_BETWEEN:
                        told = time.monotonic()
                        _LOG.info("Copied %s of %s.", _bytes(done), _bytes(size))
            finally:
                pool.shutdown(cancel_futures=True)

    def _copy(self, stored: Stored, path: str) -> int:
        try:
            self._buckets[stored.bucket].copy(stored, Path(path))
        except OSError as error:
            raise DataError(
                f"Expected to write a copy of '{SCHEME}{stored.bucket}/{stored.name}'. Received: {error.strerror or error} in "
                f"'{self.root.parent}'. Make room, or name a folder of another disk with the variable TMPDIR."
            ) from None
        return stored.size

    def named(self, part: Part) -> Part:
        """The part of the files here with the names that they have there."""
        span = part.span and part.span._replace(path=self.shown(part.span.path))
        return dataclasses.replace(part, name=self.shown(part.name), read=self.naming(part.read), span=span)

    def naming(self, read: _Reading) -> _Reading:
        """`read` of a part, whose errors and rejects have the names that people know; it can be pickled as far as `read` can."""
        return functools.partial(_read, read, str(self.root))


@contextlib.contextmanager
def opened(place: str) -> Iterator[tuple[str, Tree]]:
    """A file, folder or pattern in a bucket as one of this machine, with an empty file for every object that it could mean.

    Errors that are raised inside the `with` have the bucket's names. The folder is gone afterwards.

    Raises:
      ConfigError: the bucket cannot be listed.
      DataError: an object's name cannot be a file's.
    """
    with tempfile.TemporaryDirectory(prefix="tapeline-raw-") as folder:
        tree = Tree(Path(folder).resolve())
        with _renaming(str(tree.root)):
            here = tree.here(place)
            tree.see(here)
            yield here, tree


@contextlib.contextmanager
def listed(config: DataConfig) -> Iterator[tuple[DataConfig, Tree]]:
    """The config with a path of this machine in place of the bucket's, as `opened` gives it, and the spans that it means as well."""
    with opened(config.path or "") as (path, tree):
        here = config.model_copy(update={"path": path})
        spanned = spans.resolve(path, config.span, config.window) if spans.has_spans(path) else []
        for place in [span.path for span in spanned] or [path]:
            for each in _places(config, place):
                tree.see(each)
        yield here, tree


def _places(config: DataConfig, path: str) -> list[str]:
    """What the files of a config without spans are below."""
    files = config.splits.files
    tables = [os.path.join(path, each) for each in files.values()] if files else [path]
    return [*tables, *(str(Path(table).parent / (config.pictures or "")) for table in tables if config.is_list)]


def _is_pattern(part: str) -> bool:
    return glob.has_magic(part) or _PLACEHOLDER in part


def _is_file_name(name: str) -> bool:
    """Whether an object's name is that of a file below the folder that stands for its bucket."""
    return "\0" not in name and not any(part in ("", ".", "..") for part in name.split("/"))


def _bytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


@contextlib.contextmanager
def _renaming(root: str) -> Iterator[None]:
    """Puts the bucket's names into errors."""
    try:
        yield
    except (ConfigError, DataError) as error:
        error.args = (str(error).replace(root, _SHOWN), *error.args[1:])
        raise


def _read(read: _Reading, root: str, reject: Callable[[Reject], None]) -> Iterator[Any]:
    def renamed(rejected: Reject) -> None:
        reject(rejected._replace(file=rejected.file.replace(root, _SHOWN), reason=rejected.reason.replace(root, _SHOWN)))

    with _renaming(root):
        for rows in read(renamed):
            yield rows
            del rows  # before the next ones are read
