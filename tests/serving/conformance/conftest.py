"""What any TensorFlow Serving must answer, as cases that know nothing of this project's own server or client.

    pytest tests/serving/conformance                                             this project's server, started here
    TAPELINE_SERVING_TARGET=host:port TAPELINE_SERVING_REST_TARGET=host:port \
        pytest tests/serving/conformance                                         any other (default REST port: 8501)

The other server must serve the suite's own models. With TensorFlow Serving's own binary, in its container image:

    python -m tests.serving.conformance.models $PWD/models
    docker run --rm -p 8500:8500 -p 8501:8501 -v $PWD/models:$PWD/models tensorflow/serving \
        --model_config_file=$PWD/models/models.config --monitoring_config_file=$PWD/models/monitoring.config \
        --allow_version_labels_for_unavailable_models=true --file_system_poll_wait_seconds=1 --max_num_load_retries=0
    TAPELINE_SERVING_TARGET=localhost:8500 pytest tests/serving/conformance -m "not tapeline_only"

The flag about labels is needed at its start, before any version is loaded. Cases marked `tapeline_only` go beyond TensorFlow Serving,
or hold where it differs. Cases that change the server or its files are skipped there, unless TAPELINE_SERVING_MODELS names the folder
on this machine: they put everything back, but a failing one may leave the server changed.
"""

import os
from pathlib import Path

import pytest

from tests.serving.conformance.models import models_config
from tests.serving.conformance.own_server import own_server, wait_for_models
from tests.serving.conformance.target import Target


def pytest_configure(config):
    config.addinivalue_line("markers", "tapeline_only: beyond TensorFlow Serving, or where it differs")


@pytest.fixture(scope="session")
def target(tmp_path_factory):
    """The server under test, with all models available."""
    address = os.environ.get("TAPELINE_SERVING_TARGET")
    if not address:
        with own_server(tmp_path_factory.mktemp("conformance")) as (own, _):
            yield own
        return
    rest_address = os.environ.get("TAPELINE_SERVING_REST_TARGET", f"{address.rpartition(':')[0]}:8501")
    models = os.environ.get("TAPELINE_SERVING_MODELS")
    other = Target(address, rest_address, Path(models) if models else None)
    wait_for_models(other, models_config(Path("/")))
    yield other
    other.channel.close()


@pytest.fixture
def models(target):
    """The folder that the server serves from, for cases that change its files or what it serves."""
    if target.models is None:
        pytest.skip("changes the server or its files; TAPELINE_SERVING_MODELS would name the folder")
    return target.models


@pytest.fixture
def config(target, models):
    """The config that is served, to be changed and handed to `target.reload`; the original is loaded again afterwards."""
    yield models_config(models)
    target.reload(models_config(models))
    wait_for_models(target, models_config(models))
