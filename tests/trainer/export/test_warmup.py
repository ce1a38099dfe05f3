"""The warm-up file of an exported model: the requests that TensorFlow Serving answers before it serves, one a signature."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_transform as tft

from serving.server import warmup as server
from serving.server.logged_requests import logged_inputs
from serving.server.saved_model import SavedModel
from tests.trainer.conftest import ROWS
from tests.trainer.transform_run import of_table, serialized
from trainer import fit
from trainer.config import TrainerConfig
from trainer.export import export
from trainer.export.rows import RAW_FILES
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.features.time import MISSING, TimeFeature
from trainer.models import build_model
from trainer.run import run
from trainer.tasks import Multiclass

GAPS = {
    "size": [1.5, None, -3.0] * 10,
    "the colour": ["a", "b", None] * 10,
    "seen": [None, 1_700_000_000, 1_500_000_000] * 10,
    "y": ["red", "green", "blue"] * 10,
}


def answered(folder):
    """The inputs by signature of the warm-up requests, all of which the project's server answers."""
    logs = []
    model = SavedModel(Path(folder))

    def replay(model, log):
        server.replay(model, log)
        logs.append(log)

    assert server.warm_up(Path(folder), model, replay) == ""
    model.close()
    return {log.predict_log.request.model_spec.signature_name: logged_inputs(log) for log in logs}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    features = {"size": NumberFeature(), "the colour": CategoryFeature(), "seen": TimeFeature()}
    return of_table(tmp_path_factory.mktemp("table"), {"train": GAPS, "eval": GAPS}, features, "y", Multiclass())


@pytest.mark.parametrize("warmup", [2, 0])
def test_a_run_writes_a_request_of_raw_rows_for_each_signature_that_is_for_callers_unless_it_is_told_not_to(table, tmp_path, warmup):
    arguments = table.fn_args(tmp_path, fit, epochs=1)
    arguments.custom_config |= {"export": f'{{"warmup": {warmup}}}', RAW_FILES: {"eval": f"{table.folder}/raw-eval.gz"}}
    run(arguments, fit.train)
    requests = answered(arguments.serving_model_dir)
    if not warmup:
        assert requests == {}
        return
    rows = serialized({name: values[:2] for name, values in GAPS.items()}, table.graph.raw_metadata.schema)
    assert requests["serving_default"]["examples"].tolist() == requests["classify"]["inputs"].tolist() == rows
    columns = requests.pop("predict_columns")
    np.testing.assert_array_equal(columns["size"], np.array([1.5, np.nan], np.float32))
    assert columns["the colour"].tolist() == [b"a", b"b"]
    assert columns["seen"].tolist() == [MISSING, 1_700_000_000]
    assert set(requests) == {"serving_default", "classify"}


def test_a_picture_is_sent_as_a_file_and_as_pixels(scaled, tmp_path):
    graph = tft.TFTransformOutput(scaled.graph_path)
    spec = {name: feature for name, feature in graph.transformed_feature_spec().items() if name != "label"}
    model = build_model(TrainerConfig(seed=3), scaled.problem.task, spec)
    export(model, graph, scaled.problem, str(tmp_path), rows=scaled.raw[ROWS["eval"]], warmup_rows=3)
    requests = answered(tmp_path)
    assert set(requests) == {"serving_default", "predict_image", "predict_pixels"}
    assert requests["predict_image"]["image"].tolist() == scaled.pngs[ROWS["eval"]][:3]
    np.testing.assert_array_equal(requests["predict_pixels"]["pixels"], scaled.images[ROWS["eval"]][:3])
