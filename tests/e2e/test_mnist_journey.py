"""MNIST with its official test set: trained, pushed, and asked for all 10,000 answers over gRPC."""

import os
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TAPELINE_MNIST", CHECKOUT.parent / "shared" / "data" / "mnist"))

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="no MNIST files; TAPELINE_MNIST names their folder")]


@pytest.fixture(scope="module")
def here(place):
    return place("mnist")


@pytest.fixture(scope="module")
def pushed(here):
    return here.run(CHECKOUT / "configs" / "mnist.yaml", "--set", f"data.path={DATA}")


def test_the_default_config_reaches_0_975_on_the_official_test_set_and_is_pushed(pushed, here):
    assert (pushed.status, pushed.record["outcome"]) == (0, "pushed"), pushed.stderr
    assert pushed.record["metrics"]["accuracy"] >= 0.975
    assert pushed.record["metrics"]["example_count"] == 10_000
    assert here.versions("mnist") == [pushed.record["version"]]


def test_the_10000_test_images_sent_as_png_get_the_answers_that_the_evaluator_saw(pushed, here, serve, rows_of_test_split):
    from serving.client import Client

    pngs, labels = rows_of_test_split(here)
    with Client(serve(here, pushed.record).address, model_name="mnist", deadline=120) as client:
        prediction = client.predict_images(pngs)
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (np.asarray(labels), prediction.classes), 1)
    assert matrix.tolist() == pushed.record["metrics"]["confusion_matrix"]
    assert len(pngs) == 10_000
