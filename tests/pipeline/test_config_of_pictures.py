"""What of a config goes with pictures alone, and what a table that names some needs."""

import pytest

from pipeline import config
from trainer.errors import ConfigError


def test_augmentation_is_for_a_picture_alone(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "name: c\ndata: {format: csv, path: rows.csv}\nlabel: y\ntask: binary\nfeatures: {x: number}\ntrainer: {augment: [flip]}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=r"trainer\.augment: Expected none where the model is given no picture\. Remove it\."):
        config.load(path)
    path.write_text("name: c\ndata: {format: images, path: photos}\ntrainer: {augment: [flip, crop]}\n", encoding="utf-8")
    assert config.load(path).trainer.augment == ["flip", "crop"]


def test_a_table_that_names_pictures_needs_its_columns_named_one_of_them_a_picture(tmp_path):
    path = tmp_path / "c.yaml"
    start = "name: c\ndata: {format: images, path: photos/labels.csv}\ntrainer: {augment: [flip]}\n"
    path.write_text(start, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"label: Expected a value with `data\.format: images`"):
        config.load(path)
    target = "label: y\ntask: multiclass\n"
    path.write_text(f"{start}{target}features: {{x: number}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"features: Expected the column that names the pictures, with the kind `image`\."):
        config.load(path)
    path.write_text(f"{start}{target}features: {{file: image, x: number}}\n", encoding="utf-8")
    assert config.load(path).columns.kept == {"file": "bytes", "x": "float", "y": "string"}
    path.write_text("name: c\ndata: {format: images, path: photos, pictures: x}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"data\.pictures: Expected none where `data\.path` is no table that names pictures\."):
        config.load(path)
