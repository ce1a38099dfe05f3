"""Places on object storage in a config: a bucket must be named."""

import json

import pytest
import yaml

from pipeline import config
from trainer.errors import ConfigError

PLACES = ["data.path", "schema.path", "pusher.base_path", "kubeflow.pipeline_root", "kubeflow.serving_base_path", "kubeflow.data_path"]


@pytest.mark.parametrize("key", PLACES)
@pytest.mark.parametrize("place", ["gs://", "gs:///folder", "gs:/bucket", "gs:bucket", "GS://bucket", "s3://", "minio:// /x", " gs://b"])
@pytest.mark.parametrize("override", [True, False])
def test_a_place_on_object_storage_needs_a_bucket(tmp_path, key, place, override):
    section, name = key.split(".")
    values = {"name": "mine", "data": {"format": "idx", "path": "gs://bucket"}}
    values.setdefault(section, {})[name] = "gs://bucket" if override else place
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        config.load(path, [f"{key}={json.dumps(place)}"] if override else [])
    assert caught.value.exit_status == 2
    said = str(caught.value).replace(f"{path}: ", "")
    assert said == f'{key}: Expected a place in a bucket, like gs://BUCKET/FOLDER. Received: "{place}".'


@pytest.mark.parametrize("place", ["gs://bucket", "gs://bucket/a b/", "minio://bucket/root?endpoint=x", "s3://b/c", "hdfs:///x", "gs"])
def test_a_place_with_a_bucket_or_elsewhere_is_taken(tmp_path, place):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "data": {"format": "digits"}, "kubeflow": {"pipeline_root": place}}))
    assert config.load(path).kubeflow.pipeline_root == place
