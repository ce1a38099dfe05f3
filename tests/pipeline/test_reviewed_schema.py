"""The reviewed schema: how the inferred one becomes it, and how a run takes it in."""

from pathlib import Path

import pytest

from pipeline import reviewed_schema
from trainer.errors import ConfigError


def inferred(workspace, execution, text):
    path = workspace.artifacts / "SchemaGen" / "schema" / str(execution) / "schema.pbtxt"
    path.parent.mkdir(parents=True)
    path.write_text(text)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "schemas" / "digits.pbtxt"


def test_the_schema_of_the_last_run_is_accepted_where_the_config_says(workspace, settings, target):
    for execution, text in ((9, "older"), (10, "newest"), (2, "oldest")):
        inferred(workspace, execution, text)
    assert reviewed_schema.accept(settings(schema={"path": str(target)}), workspace) == target
    assert target.read_text() == "newest"


def test_without_a_path_in_the_config_nothing_can_be_accepted(workspace, settings):
    with pytest.raises(
        ConfigError, match=r"^Expected `schema\.path` to say where the reviewed schema goes\. Received: none\. .*--set schema\.path=FILE\.$"
    ):
        reviewed_schema.accept(settings(), workspace)


def test_a_reviewed_schema_is_never_overwritten(workspace, settings, target):
    inferred(workspace, 1, "new")
    target.parent.mkdir()
    target.write_text("reviewed")
    with pytest.raises(ConfigError) as caught:
        reviewed_schema.accept(settings(schema={"path": str(target)}), workspace)
    assert (
        str(caught.value)
        == f"Expected no reviewed schema yet. Received: '{target}'. Say what may be with `tapeline schema edit`, or let it take in "
        "the last run's data with `tapeline schema accept --widen`."
    )
    assert target.read_text() == "reviewed"


def test_before_any_run_there_is_nothing_to_accept(workspace, settings, target):
    with pytest.raises(ConfigError) as caught:
        reviewed_schema.accept(settings(schema={"path": str(target)}), workspace)
    assert str(caught.value) == (
        f"Expected a run that has inferred a schema in '{workspace.root}'. Received: none. Run `tapeline run` first, or name its --root."
    )


def test_while_there_is_no_file_the_schema_is_inferred(workspace, settings, target):
    assert reviewed_schema.for_run(settings(), workspace) is None
    assert reviewed_schema.for_run(settings(schema={"path": str(target)}), workspace) is None


def test_a_run_reads_a_copy_whose_name_changes_with_the_content(workspace, settings, target):
    """TFX's cache compares the name only: an edited schema must have another."""
    target.parent.mkdir()
    names = []
    for text in ("first", "second", "first"):
        target.write_text(text)
        names.append(reviewed_schema.for_run(settings(schema={"path": str(target)}), workspace))
        assert Path(names[-1]).read_text(encoding="utf-8") == text
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize("record", ["[" * 10_000, '{"outputs": 3}', '{"outputs": null}', "{"])
def test_a_broken_record_of_the_last_run_and_a_folder_of_ones_own_do_not_matter(workspace, settings, target, record):
    inferred(workspace, 3, "newest")
    inferred(workspace, "copy-of-3", "a copy")
    workspace.last_run.write_text(record)
    reviewed_schema.accept(settings(schema={"path": str(target)}), workspace)
    assert target.read_text() == "newest"


def test_a_folder_as_the_schemas_path_is_refused(settings, target):
    target.mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        reviewed_schema.check_place(settings(schema={"path": str(target)}))
    assert str(caught.value) == (
        f"Expected `schema.path` to name a file, or one that is still to be written. Received: '{target}', a folder. "
        f"Did you mean '{target}/schema.pbtxt'?"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"feature { name: 'x' }\nfeatur { name: 'y' }\n", "2:1 : "),
        (b"\x89PNG\r\n", "invalid start byte"),
        (b"{}", "1:1 : "),
        (b"feature { struct_domain { " * 3000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_schema_is_named_with_its_line(settings, target, content, reason):
    target.parent.mkdir()
    target.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        reviewed_schema.check(settings(schema={"path": str(target)}))
    line = str(caught.value)
    assert line.startswith(f"Expected `schema.path` to name a schema, a Schema proto as text. Received: '{target}': ")
    assert reason in line
    assert "\n" not in line


def test_a_schema_or_none_is_fine(settings, target):
    target.parent.mkdir()
    reviewed_schema.check(settings())
    reviewed_schema.check(settings(schema={"path": str(target)}))
    target.write_text('feature { name: "image/class/label" type: INT }')
    reviewed_schema.check(settings(schema={"path": str(target)}))
