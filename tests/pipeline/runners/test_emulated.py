"""What `tapeline kubeflow emulate --image` opens to the image: the run's own folders, and what the person names."""

import tempfile

import pytest
import yaml

from pipeline import cli
from tests.pipeline.kubeflow.kfp_script import package


@pytest.fixture
def place(tmp_path):
    """A folder outside the root that nobody else may write to."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def emulate(tmp_path, monkeypatch, capsys):
    """emulate({parameter: default}, "--option") -> (exit status, stderr) of a package with those defaults, where there is no Docker."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for name in ("TMPDIR", "KERAS_HOME", "TAPELINE_PROGRESS"):  # which a run sets for its process, and this one goes on
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run(defaults, *options):
        compiled = yaml.safe_load(package())
        for name, value in defaults.items():
            compiled["root"]["inputDefinitions"]["parameters"][name]["defaultValue"] = str(value)
        file = tmp_path / "pipeline.yaml"
        file.write_text(yaml.safe_dump(compiled))
        status = cli.main(["kubeflow", "emulate", str(file), "--root", str(tmp_path / "root"), "--image", "tapeline:1", *options])
        return status, capsys.readouterr().err

    return run


@pytest.mark.parametrize("name", ["serving_base_path", "pipeline_root"])
def test_a_folder_that_the_package_names_is_not_opened(emulate, place, name):
    status, err = emulate({name: place})
    assert status == 2
    assert err.splitlines()[-1] == (
        f"Expected {name} below --root with --image. Received: '{place}', from the package. "
        f"If the image may write there, say so: -p {name}={place}."
    )
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_way_out_of_the_root_is_seen(emulate, place, tmp_path):
    status, err = emulate({"serving_base_path": tmp_path / "root" / ".." / "etc"})
    assert status == 2
    assert "below --root" in err
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_the_person_names_keeps_its_mode(emulate, place):
    status, err = emulate({}, "-p", f"serving_base_path={place}")
    assert (status, err.splitlines()[-1]) == (
        2,
        "Expected Docker for --image. Received: no `docker` on PATH. Install it, or leave --image out.",
    )
    assert place.stat().st_mode & 0o777 == 0o700
