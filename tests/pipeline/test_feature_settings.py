"""What can be set of a feature, and crosses: short forms, and each mistake in one line."""

import jsonschema
import pytest
import yaml

from pipeline import config
from trainer.errors import ConfigError

TABLE = """
name: houses
data: {format: csv, path: houses.csv}
task: regression
label: price
features:
  area: {kind: number, missing: mean, clip: [0, 0.99], scale: z_score, buckets: 10}
  rooms: number
  colour: {kind: category, min_count: 2, max_size: 50, unknown: 3}
  shape: {kind: category, encoding: one_hot}
  user: {kind: category, hashed: 1000}
  sold: time
  story: {kind: text, weights: tf_idf, min_documents: 2}
crosses:
  - [colour, shape]
  - {of: [user, area], buckets: 5000}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "houses.yaml"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_every_setting_reads_back_equal_and_is_valid_by_the_json_schema(file, tmp_path):
    settings = config.load(file)
    assert [(cross.of, cross.buckets) for cross in settings.inputs.crosses] == [(("colour", "shape"), 1000), (("user", "area"), 5000)]
    assert "colour" in settings.columns.kept
    assert set(settings.problem.features) == set(settings.features)  # a cross is no column: nobody sends it
    shown = tmp_path / "shown.yaml"
    shown.write_text(config.to_yaml(settings), encoding="utf-8")
    assert config.load(shown) == settings
    for path in (file, shown):
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), config.json_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "features.area.missing=men",
            "features.area.missing: Expected `missing` of a `number` as median, mean or a number. Received: 'men'. Did you mean 'mean'?",
        ),
        (
            "features.area.missing='0'",
            "features.area.missing: Expected `missing` of a `number` as median, mean or a number. Received: '0'. A number has no quotes.",
        ),
        (
            "features.area.missing=[1]",
            "features.area.missing: Expected `missing` of a `number` as median, mean or a number. Received: [1]. Try median.",
        ),
        (
            "features.area.clip=[0.99, 0.01]",
            "features.area.clip: Expected `clip` of a `number` as two shares of the rows from 0 to 1 in rising order. "
            "Received: [0.99, 0.01]. Did you mean [0.01, 0.99]?",
        ),
        (
            "features.area.clip=[1, 99]",
            "features.area.clip: Expected `clip` of a `number` as two shares of the rows from 0 to 1 in rising order. Received: [1, 99]. "
            "Did you mean [0.01, 0.99]?",
        ),
        (
            "features.area.clip=[0.5, 0.5]",
            "features.area.clip: Expected two different shares as `clip` of a `number`. Received: [0.5, 0.5]. Try [0.01, 0.99].",
        ),
        (
            "features.area.clip=0.01",
            "features.area.clip: Expected `clip` of a `number` as two shares of the rows, such as [0.01, 0.99]. Received: 0.01.",
        ),
        (
            "features.area.clip=[-0.1, 0.9]",
            "features.area.clip.0: Expected greater than or equal to 0. Received: -0.1.",
        ),
        (
            "features.area.scale=zscore",
            "features.area.scale: Expected 'robust', 'z_score' or 'min_max'. Received: \"zscore\". Did you mean 'z_score'?",
        ),
        ("features.area.buckets=1", "features.area.buckets: Expected greater than or equal to 2. Received: 1."),
        ("features.colour.min_count=0", "features.colour.min_count: Expected greater than or equal to 1. Received: 0."),
        (
            "features.colour.encoding=onehot",
            "features.colour.encoding: Expected 'embedding' or 'one_hot'. Received: \"onehot\". Did you mean 'one_hot'?",
        ),
        (
            "features.user.max_size=10",
            "features.user: Expected no `max_size` of a `category` with `hashed`, which has no vocabulary. Received: 10. "
            "Remove one of the two.",
        ),
        (
            "features.story.weights=tfidf",
            "features.story.weights: Expected 'equal' or 'tf_idf'. Received: \"tfidf\". Did you mean 'tf_idf'?",
        ),
        ("crosses=[[color, shape]]", "crosses: Expected features. Received: 'color'. Did you mean 'colour'? Name it in `features` too."),
        (
            "crosses=[[colour, rooms]]",
            "crosses: Expected categories, or numbers with `buckets`. Received: 'rooms', a number without. "
            "Set `features.rooms: {kind: number, buckets: 10}`.",
        ),
        (
            "crosses=[[colour, sold]]",
            "crosses: Expected categories, or numbers with `buckets`. Received: 'sold', of the kind `time`. Remove it.",
        ),
        (
            "crosses=[[colour, colour]]",
            "crosses: Expected different features. Received: colour, colour. Remove the one that is there twice.",
        ),
        (
            "crosses=[colour, shape]",
            "crosses: Expected a list of lists of features. Received: 'colour'. Did you mean [[colour, shape]]?",
        ),
        ("crosses=[[colour]]", "crosses: Expected two features or more. Received: [colour]. Name another one, or remove it."),
    ],
)
def test_a_mistake_is_one_line(file, override, message):
    with pytest.raises(ConfigError) as refused:
        config.load(file, [override])
    assert str(refused.value).removeprefix(f"{file}: ") == message


def test_numbered_pictures_have_no_crosses():
    with pytest.raises(ConfigError) as refused:
        config.load("configs/digits.yaml", ["crosses=[[a, b]]"])
    assert "crosses: Expected none with `data.format: digits`" in str(refused.value)
