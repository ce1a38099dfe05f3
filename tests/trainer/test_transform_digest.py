"""The digest of what Transform does is the same for the same data and settings, and another one for others."""

from tests.trainer.transform_run import of_table
from trainer.features import CategoryFeature, NumberFeature
from trainer.tasks import Binary
from trainer.transform_digest import transform_digest

COLUMNS = {
    "a": [1.0, 2.0, 3.0, None, 1.0] * 4,
    "c": ["x", "y", "x", "z", "y"] * 4,
    "label": ["no", "yes", "no", "yes", "no"] * 4,
}
KINDS = {"a": NumberFeature(), "c": CategoryFeature()}


def digest(folder, **changed):
    columns = {**COLUMNS, **changed}
    folder.mkdir()
    return transform_digest(of_table(folder, {"train": columns, "eval": columns}, KINDS, "label", Binary()).graph.transform_savedmodel_dir)


def test_the_digest_follows_what_is_learnt_and_not_how_it_is_written(tmp_path):
    first = digest(tmp_path / "first")
    assert digest(tmp_path / "again") == first
    assert digest(tmp_path / "other-mean", a=[2.0, 2.0, 3.0, None, 1.0] * 4) != first
    assert digest(tmp_path / "other-category", c=["x", "y", "x", "w", "y"] * 4) != first
