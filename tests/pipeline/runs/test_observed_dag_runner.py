"""TFX's local runner on a tiny pipeline: what an observer hears of it."""

import pytest
from tfx.orchestration import metadata

from pipeline.runs.observed_dag_runner import NodeResult, ObservedDagRunner
from tests.pipeline.runs.tiny_pipeline import create_pipeline


class Recorder:
    """Keeps what it hears, in order."""

    def __init__(self):
        self.heard = []

    def started(self, node):
        self.heard.append(node)

    def finished(self, result):
        self.heard.append(result)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(observer): runs the tiny pipeline in `tmp_path`, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    return lambda observer: ObservedDagRunner(observer).run(create_pipeline("artifacts", connection))


def test_an_observer_hears_of_each_node_and_its_outputs_and_what_was_cached(run, tmp_path):
    first, second = Recorder(), Recorder()
    run(first)
    run(second)
    for recorder, cached in ((first, False), (second, True)):
        names, results = recorder.heard[::2], recorder.heard[1::2]
        assert names == [result.node for result in results] == ["ImageExampleGen", "Trainer", "BaselineModel", "Pusher"]
        assert [result.cached for result in results] == [cached, cached, False, cached]
        ingested, trained, _, pushed = (result.outputs for result in results)
        assert set(ingested) == {"examples", "schema"}
        assert ingested["examples"].custom_properties["rows_train"].int_value == 4
        assert set(trained) == {"model"}  # not what it took in
        assert (tmp_path / trained["model"].uri / "weights").read_text() == "4"
        assert set(pushed) == {"pushed_model"}
        assert results[2] == NodeResult("BaselineModel", False, {})
    assert first.heard[3].outputs["model"].id == second.heard[3].outputs["model"].id


def test_outputs_that_the_metadata_do_not_know_are_gone_before_the_first_node(run, tmp_path):
    left = tmp_path / "artifacts" / "Trainer" / "model" / "2" / "half"
    left.mkdir(parents=True)

    class Looks(Recorder):
        def started(self, node):
            assert not left.exists()
            super().started(node)

    recorder = Looks()
    run(recorder)
    assert len(recorder.heard) == 8
