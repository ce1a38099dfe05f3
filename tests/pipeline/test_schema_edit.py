"""Editing the reviewed schema: by flags or in an editor, the file is a whole schema or what it was."""

import pytest

from pipeline.schema_edit import Changes, edit
from trainer.errors import ConfigError

TEXT = """# reviewed
feature {
  name: "species"
  type: BYTES
  string_domain { value: "setosa" }
  presence { min_fraction: 1 min_count: 1 }
  shape { dim { size: 1 } }
}
feature { name: "size=cm" type: FLOAT float_domain { min: 0 } }
feature { name: "age" type: INT }
feature { name: "garden" type: BYTES domain: "gardens" }
string_domain { name: "gardens" value: "north" }
"""


@pytest.fixture
def schema(tmp_path, settings):
    """schema(changes, environ) edits TEXT; `.file` is where it is."""
    file = tmp_path / "s.pbtxt"
    file.write_text(TEXT)

    def run(changes=None, environ=None):
        return [line for line in edit(settings(schema={"path": str(file)}), changes or Changes(), environ or {}) if line[0] in "+-"][2:]

    run.file = file
    return run


def test_a_value_is_added_where_the_schema_lists_values_and_shown(schema):
    assert schema(Changes(values=["species=Setosa", "garden=south=west"])) == ['+    value: "Setosa"', '+  value: "south=west"']
    assert 'value: "south=west"' in schema.file.read_text()
    assert schema(Changes(values=["species=Setosa"])) == []


def test_a_range_replaces_the_one_that_is_there_and_one_side_may_be_open(schema):
    assert schema(Changes(ranges=["size=cm=-1:2.5"])) == ["-    min: 0.0", "+    min: -1.0", "+    max: 2.5"]
    assert schema(Changes(ranges=["age=:120"])) == ["+  int_domain {", "+    max: 120", "+  }"]


def test_an_optional_column_may_be_missing_and_have_one_value(schema):
    lines = schema(Changes(optional=["species"]))
    assert {"-  presence {", "-  shape {", "+  value_count {"} <= set(lines)


def test_thresholds_are_of_shares_for_texts_and_of_divergence_for_numbers(schema):
    assert "+    infinity_norm {" in schema(Changes(drift=["species=0.25"]))
    assert "+    jensen_shannon_divergence {" in schema(Changes(skew=["age=1"]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            Changes(values=["specis=x"]),
            "--add-value: Expected a column of the schema. Received: 'specis'. Did you mean 'species'?",
        ),
        (Changes(values=["species"]), "--add-value: Expected COLUMN=VALUE. Received: 'species'."),
        (Changes(values=["age=3"]), "--add-value age: Expected a column whose values the schema lists. Received: one of any values."),
        (Changes(ranges=["age=5:1"]), "--range age: Expected the least value first. Received: '5:1'. Did you mean '1:5'?"),
        (Changes(ranges=["age=0.5:1"]), "--range age: Expected whole numbers. Received: '0.5:1'."),
        (Changes(ranges=["age=7"]), "--range age: Expected MIN:MAX, of which one may be empty. Received: '7'."),
        (Changes(ranges=["species=0:1"]), "--range species: Expected a column of numbers. Received: one of texts."),
        (Changes(drift=["age=high"]), "--drift age: Expected a number. Received: 'high'."),
        (Changes(drift=["age=2"]), "--drift age: Expected a threshold from 0 to 1; 1 never warns. Received: 2."),
        (Changes(optional=["x"]), "--optional: Expected a column of the schema. Received: 'x'."),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_nothing_is_written(schema, changes, said):
    with pytest.raises(ConfigError) as caught:
        schema(changes)
    assert str(caught.value) == said
    assert schema.file.read_text() == TEXT


def editor(tmp_path, command):
    script = tmp_path / "editor"
    script.write_text(f'#!/bin/sh\n{command} "$1"\n')
    script.chmod(0o755)
    return {"EDITOR": str(script)}


def test_an_editor_changes_the_file_and_keeps_comments(schema, tmp_path):
    assert schema(environ=editor(tmp_path, "sed -i 's/setosa/rosa/'")) == [
        '-  string_domain { value: "setosa" }',
        '+  string_domain { value: "rosa" }',
    ]
    assert schema.file.read_text().startswith("# reviewed\n")


def test_what_is_typed_and_is_no_schema_is_kept_beside_the_file_that_stays(schema, tmp_path):
    with pytest.raises(ConfigError) as caught:
        schema(environ=editor(tmp_path, "sed -i 's/^feature/featur/'"))
    assert f"'{schema.file}' is as it was; what was typed is in '{schema.file}.edited'." in str(caught.value)
    assert schema.file.read_text() == TEXT
    assert "featur {" in (tmp_path / "s.pbtxt.edited").read_text()


@pytest.mark.parametrize(("environ", "said"), [({}, "Received: neither"), ({"EDITOR": "/no/such"}, "Received: '/no/such'")])
def test_without_an_editor_the_flags_are_named(schema, environ, said):
    with pytest.raises(ConfigError, match=said):
        schema(environ=environ)


def test_an_editor_that_fails_changes_nothing(schema, tmp_path):
    with pytest.raises(ConfigError, match="Received: 1 from"):
        schema(environ=editor(tmp_path, "false"))
    assert schema.file.read_text() == TEXT
