"""Downloading a public data set, from a real HTTP server on this machine."""

import functools
import hashlib
import http.server
import socket
import threading

import pytest

from components.example_gen import download, source
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from trainer.errors import ConfigError
from trainer.features import names

FILES = {"train-images-idx3-ubyte.gz": b"images", "train-labels-idx1-ubyte.gz": b"labels"}


@pytest.fixture(autouse=True)
def tiny_data_set(monkeypatch):
    """A data set `tiny` of two short files."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setitem(download.DATA_SETS, "tiny", (("http://127.0.0.1:1/known",), digests))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve(tmp_path):
    """serve(name, files): the address of a server of those files, and the list of paths it was asked for."""
    servers = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            self.server.asked.append(self.path)

    def start(name, files=FILES):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", server.asked

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def closed():
    """The address of a port on which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def test_every_file_is_fetched_checked_and_kept_below_the_name_of_the_data_set(serve, tmp_path):
    mirror, asked = serve("good")
    folder = download.fetch("tiny", tmp_path / "cache", [mirror])
    assert folder == tmp_path / "cache" / "tiny"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert len(asked) == len(FILES)


def test_a_second_time_nothing_is_asked_of_the_network(serve, closed, tmp_path):
    mirror, _ = serve("good")
    download.fetch("tiny", tmp_path / "cache", [mirror])
    assert download.fetch("tiny", tmp_path / "cache", [closed]) == tmp_path / "cache" / "tiny"


def test_a_cached_file_that_was_damaged_is_fetched_again(serve, tmp_path):
    mirror, asked = serve("good")
    folder = download.fetch("tiny", tmp_path / "cache", [mirror])
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    asked.clear()
    download.fetch("tiny", tmp_path / "cache", [mirror])
    assert (folder / "train-labels-idx1-ubyte.gz").read_bytes() == b"labels"
    assert len(asked) == 1


def test_the_second_mirror_is_asked_where_the_first_fails(serve, closed, tmp_path):
    empty, _ = serve("empty", {})
    wrong, _ = serve("wrong", dict.fromkeys(FILES, b"something else"))
    good, _ = serve("good")
    folder = download.fetch("tiny", tmp_path / "cache", [closed, empty, wrong, good])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_a_file_with_another_digest_is_refused_and_not_kept(serve, tmp_path):
    mirror, _ = serve("wrong", {**FILES, "train-images-idx3-ubyte.gz": b"something else"})
    with pytest.raises(ConfigError) as caught:
        download.fetch("tiny", tmp_path / "cache", [mirror])
    assert str(caught.value) == (
        f"Expected to download 'train-images-idx3-ubyte.gz' of 'tiny'. Received: a file with another sha256 from {mirror}. "
        "Give the folder with the files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz: --set data.path=FOLDER."
    )
    assert not list((tmp_path / "cache").rglob("*ubyte*"))


def test_without_a_network_one_line_says_how_to_give_a_path(closed, tmp_path):
    with pytest.raises(ConfigError) as caught:
        download.fetch("tiny", tmp_path / "cache", [closed])
    message = str(caught.value)
    assert message.startswith(f"Expected to download 'train-images-idx3-ubyte.gz' of 'tiny'. Received: ConnectionError from {closed}.")
    assert message.endswith("--set data.path=FOLDER.")
    assert "\n" not in message


def test_a_config_without_a_path_reads_the_download_under_the_digest_that_is_known_beforehand(
    serve, tmp_path, monkeypatch, write_idx, images, labels
):
    """A package for Kubeflow is compiled with that digest, and the step refuses data of another one."""
    raw = write_idx(tmp_path / "raw", images(6), labels(6), zipped=True)
    files = {path.name: path.read_bytes() for path in sorted(raw.iterdir(), reverse=True)}
    mirror, _ = serve("good", files)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setitem(download.DATA_SETS, "mnist", ((mirror,), digests))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with source.open_data(DataConfig(format="idx", download="mnist"), Columns()) as (parts, fingerprint):
        assert [rows.batch.column(names.IMAGE_LABEL).to_pylist() for part in parts for rows in part.read(print)] == [[0, 1, 2, 3, 4, 5]]
    assert fingerprint == download.published_digest("mnist")
    assert fingerprint != download.combined(dict.fromkeys(digests, "0" * 64))


def test_a_download_prints_nothing(serve, tmp_path, capfd):
    mirror, _ = serve("good")
    download.fetch("tiny", tmp_path / "cache", [mirror])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_known_data_sets_have_four_files_two_mirrors_and_whole_digests(name):
    mirrors, digests = download.DATA_SETS[name]
    assert len(mirrors) == 2
    assert all(mirror.startswith("https://") for mirror in mirrors)
    assert sorted(digests) == sorted(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
    assert all(len(digest) == 64 for digest in digests.values())
