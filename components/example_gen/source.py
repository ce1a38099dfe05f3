"""The one place that knows which reader reads which `data.format`."""

import contextlib
from collections.abc import Iterator

from components.example_gen import digits, download, idx, remote_files
from components.example_gen.config import DataConfig
from components.example_gen.labelled_images import Part


@contextlib.contextmanager
def open_parts(config: DataConfig) -> Iterator[list[Part]]:
    """The parts of the data that `config` names, checked; they can be read inside the `with`. `config.path` is absolute by now.

    Where no path is given but a download is, as in a step of Kubeflow, the data set is fetched now.
    """
    if config.format == "digits":
        yield digits.open_parts()
    elif remote_files.is_remote(config.path):
        with remote_files.local_copy(config.path or "") as folder:
            yield idx.open_parts(str(folder))
    elif config.download and not config.path:
        yield idx.open_parts(str(download.fetch(config.download)))
    else:
        yield idx.open_parts(config.path or "")
