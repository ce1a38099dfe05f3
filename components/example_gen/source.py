"""The one place that knows which reader reads which `data.format`."""

import contextlib
import dataclasses
from collections.abc import Iterator

from components.example_gen import download, raw_files, remote_files
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers import csv_file, digits, idx
from components.example_gen.readers.labelled_images import part
from components.example_gen.readers.rows import Part
from components.example_gen.readers.sniffer import sniff


@contextlib.contextmanager
def open_data(config: DataConfig, columns: Columns) -> Iterator[tuple[list[Part], str]]:
    """The parts of the data that `config` names, checked, and the fingerprint of what the parts read, as `raw_files.fingerprint` takes it.

    They can be read inside the `with`. `config.path` is absolute by now. Where no path is given but a download is, as in a step of
    Kubeflow, the data set is fetched now.

    Raises:
      ConfigError: the data is not there.
      DataError: it cannot be read, or changes meanwhile.
    """
    if config.format == "digits":
        yield [part(images) for images in digits.open_images()], raw_files.fingerprint(config)
    elif remote_files.is_remote(config.path):
        with remote_files.local_copy(config.path or "") as (folder, fingerprint):
            yield _idx(str(folder), config), fingerprint
    elif config.download and not config.path:
        parts = _idx(str(download.fetch(config.download)), config)
        yield parts, download.combined(_files(parts))
    else:
        parts = _csv(config, columns) if config.format == "csv" else _idx(config.path or "", config)
        yield parts, raw_files.combined(config.format, _files(parts))


def _idx(folder: str, config: DataConfig) -> list[Part]:
    return [part(images) for images in idx.open_images(folder, config.max_image_pixels)]


def _csv(config: DataConfig, columns: Columns) -> list[Part]:
    by_split = raw_files.csv_files(config)
    dialect = config.csv or sniff(next(path for paths in by_split.values() for path in paths)).dialect
    types = columns.arrow_types(config.splits.column, config.splits.group)
    return [
        dataclasses.replace(part, split=name)
        for name, paths in by_split.items()
        for part in csv_file.open_csv(paths, dialect, types, columns.orders)
    ]


def _files(parts: list[Part]) -> dict[str, str]:
    return {name: sha256 for each in parts for name, sha256 in each.files.items()}
