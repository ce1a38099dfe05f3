"""Which statistics a run's data is compared with."""

from pipeline import accepted_data


def accept(workspace, fingerprint, statistics):
    accepted_data.keep(workspace, fingerprint, statistics)


def compared_with(workspace, fingerprint):
    folder = accepted_data.for_run(workspace, fingerprint)
    return (workspace.root / folder / "Split-train" / "FeatureStats.pb").read_bytes() if folder else None


def test_the_first_data_is_compared_with_nothing(workspace):
    assert accepted_data.for_run(workspace, "a") == ""


def test_other_data_is_compared_with_that_accepted_last_and_the_same_as_it_was_before(workspace):
    accept(workspace, "a", b"of a")
    assert compared_with(workspace, "a") is None
    assert compared_with(workspace, "b") == b"of a"
    accept(workspace, "b", b"of b")
    assert compared_with(workspace, "b") == b"of a"
    assert compared_with(workspace, "c") == b"of b"
    accept(workspace, "b", b"of b with another column")
    assert compared_with(workspace, "b") == b"of a"


def test_the_folder_is_told_from_the_root_on_and_old_ones_go(workspace):
    for name in "abcd":
        accept(workspace, name, name.encode())
    assert not accepted_data.for_run(workspace, "e").startswith("/")
    assert len([path for path in workspace.accepted.iterdir() if path.is_dir()]) == 2


def test_a_broken_file_or_a_folder_that_is_gone_compares_nothing(workspace):
    accept(workspace, "a", b"of a")
    (workspace.accepted / "last.json").write_text("{")
    assert accepted_data.for_run(workspace, "b") == ""
    accept(workspace, "a", b"of a")
    (workspace.root / accepted_data.for_run(workspace, "b") / "Split-train" / "FeatureStats.pb").unlink()
    assert accepted_data.for_run(workspace, "b") == ""
