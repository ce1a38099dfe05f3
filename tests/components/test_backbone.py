"""Where the network that a training builds on is: its content is in the settings, and an archive is unpacked without leaving its folder."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.backbone import found
from tests.backbones import packed
from trainer.config import TrainerConfig
from trainer.errors import ConfigError


@pytest.fixture
def saved(tmp_path):
    """The folder of something with the names of a SavedModel's files."""
    folder = tmp_path / "hub"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return folder


def find(path, unpacked="/nowhere"):
    return found(TrainerConfig(backbone={"path": str(path), "range": [-1, 1]}), Path(unpacked)).backbone


def tar(file, *names):
    with tarfile.open(file, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return file


def test_another_content_of_a_file_or_a_folder_is_another_digest(saved, tmp_path):
    file = tmp_path / "network.keras"
    file.write_bytes(b"one")
    for place, inside in (file, file), (saved, saved / "variables" / "variables.index"):
        first = find(place)
        assert find(place) == first
        assert (first.path, first.range) == (str(place), (-1, 1))
        inside.write_bytes(b"two")
        assert find(place).digest != first.digest
    assert found(TrainerConfig(), Path("/nowhere")) == TrainerConfig()


@pytest.mark.parametrize("inside", [".", "mobilenet/1"])
def test_an_archive_is_unpacked_once_for_each_content(saved, tmp_path, inside):
    file, folder = tmp_path / "hub.tar.gz", tmp_path / "unpacked"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(saved, inside)
    place = Path(find(file, folder).path)
    assert place.is_relative_to(folder)
    assert (place / "variables" / "variables.index").read_bytes() == b"weights"
    (place / "variables" / "variables.index").write_bytes(b"still there")
    assert find(file, folder).path == str(place)
    assert (place / "variables" / "variables.index").read_bytes() == b"still there"
    (saved / "saved_model.pb").write_bytes(b"another graph")
    assert find(packed(saved, file), folder).path != str(place)


def test_a_file_of_keras_in_a_zip_archive_is_found(tmp_path):
    with zipfile.ZipFile(tmp_path / "network.zip", "w") as archive:
        archive.writestr("README.md", "about it")
        archive.writestr("models/network.keras", b"network")
    assert Path(find(tmp_path / "network.zip", tmp_path / "unpacked").path).read_bytes() == b"network"


@pytest.mark.parametrize(("name", "said"), [("../evil", r"'\.\.' in its path"), ("/tmp/evil", "an absolute path")])  # noqa: S108 - refused
def test_an_archive_that_leads_out_of_its_folder_is_refused_and_nothing_of_it_is_left(tmp_path, name, said):
    file = tar(tmp_path / "evil.tar.gz", "saved_model.pb", name)
    with pytest.raises(
        ConfigError, match=rf"^trainer\.backbone\.path: Expected an archive of plain files .* Received: '{name}' in .*, {said}"
    ):
        find(file, tmp_path / "unpacked")
    assert [*(tmp_path / "unpacked").iterdir()] == []
    assert not (tmp_path / "evil").exists()


def test_a_link_in_an_archive_is_refused(tmp_path):
    with tarfile.open(tmp_path / "link.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("saved_model.pb")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ConfigError, match=r"Received: 'saved_model\.pb' in .*, a link\."):
        find(tmp_path / "link.tgz", tmp_path / "unpacked")


def test_an_archive_without_one_network_is_refused(tmp_path):
    for names, received in (["a.txt"], "neither"), (["1/saved_model.pb", "2/saved_model.pb"], "'1', '2'"):
        file = tar(tmp_path / "x.tar.gz", *names)
        with pytest.raises(ConfigError, match=rf"Expected one SavedModel or one file ending in \.keras in .* Received: {received}\."):
            find(file, tmp_path / "unpacked")
    file.write_bytes(b"no archive")
    with pytest.raises(ConfigError, match=r"^trainer\.backbone\.path: Expected .*x\.tar\.gz'"):
        find(file, tmp_path / "unpacked")


def test_what_is_not_there_or_is_no_network_is_said_with_the_nearest_name(saved, tmp_path):
    (tmp_path / "network.keras").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"Received: '.*netwrok\.keras', which does not exist\. Did you mean 'network\.keras'\?"):
        find(tmp_path / "netwrok.keras")
    (tmp_path / "versions").mkdir()
    saved.rename(tmp_path / "versions" / "1")
    with pytest.raises(ConfigError, match=r"Received: '.*versions', which is none of these\. Did you mean '.*versions/1'\?"):
        find(tmp_path / "versions")
