"""Fetches a public data set once, checks every file by its sha256, and keeps it in the user's cache folder."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.errors import ConfigError

# The published files' digests; the same bytes are on every mirror.
_MNIST = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_FASHION_MNIST = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
DATA_SETS: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "mnist": (("https://storage.googleapis.com/cvdf-datasets/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"), _MNIST),
    "fashion_mnist": (
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ),
        _FASHION_MNIST,
    ),
}
_TIMEOUT_SECONDS = 30


def fetch(name: str, cache: Path | None = None, mirrors: Sequence[str] | None = None) -> Path:
    """The folder with the files of the data set `name`; downloads what is not there yet.

    Args:
      name: a key of DATA_SETS.
      cache: where downloads are kept; the user's cache folder if None.
      mirrors: base addresses tried in order; the known ones if None.

    Raises:
      ConfigError: no mirror gave a file with the right digest; says how to give a local folder.
    """
    import pooch

    known_mirrors, digests = DATA_SETS[name]
    folder = (cache or Path(pooch.os_cache("tapeline"))) / name
    for file, digest in digests.items():
        _fetch_file(file, digest, folder, known_mirrors if mirrors is None else mirrors, name)
    return folder


def published_digest(name: str) -> str:
    """A digest of the digests of the data set `name`: what its files are, known without fetching them."""
    _, digests = DATA_SETS[name]
    return combined(digests)


def combined(digests: Mapping[str, str]) -> str:
    """The digest of a download, from the sha256 (hexadecimal) of each file by its name."""
    return hashlib.sha256("".join(f"{file}{digest}" for file, digest in sorted(digests.items())).encode()).hexdigest()


def _fetch_file(file: str, digest: str, folder: Path, mirrors: Sequence[str], name: str) -> None:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    failure: Exception | None = None
    for mirror in mirrors:
        try:
            pooch.retrieve(f"{mirror}/{file}", f"sha256:{digest}", file, folder, downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_SECONDS))
            return
        except (OSError, ValueError) as error:  # no network; or another digest, which pooch says with a ValueError
            failure = error
    raise ConfigError(
        f"Expected to download '{file}' of '{name}'. Received: {_cause(failure)} from {', '.join(mirrors)}. "
        f"Give the folder with the files {', '.join(DATA_SETS[name][1])}: --set data.path=FOLDER."
    )


def _cause(error: Exception | None) -> str:
    if isinstance(error, ValueError):
        return "a file with another sha256"
    return type(error).__name__
