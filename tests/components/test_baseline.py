"""Which model a new one is compared with, out of a real metadata store."""

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts

from components.baseline import BaselineModelStrategy


class Store:
    """A metadata store in memory, filled as TFX's Trainer and Evaluator fill it."""

    def __init__(self):
        config = metadata_store_pb2.ConnectionConfig()
        config.fake_database.SetInParent()
        self.mlmd = mlmd.MetadataStore(config)
        self.models, self.blessings = [], []
        self._trainer = self.mlmd.put_execution_type(metadata_store_pb2.ExecutionType(name="Trainer"))

    def train(self):
        """A new model."""
        model = standard_artifacts.Model()
        self._put(model)
        self.models.append(model)
        return self.train_from_cache(model)

    def train_from_cache(self, model):
        """Another execution of the Trainer that TFX answers with `model`."""
        [execution] = self.mlmd.put_executions([metadata_store_pb2.Execution(type_id=self._trainer)])
        self._event(model, execution, metadata_store_pb2.Event.OUTPUT)
        return model

    def evaluate(self, model, blessed):
        [execution] = self.mlmd.put_executions([metadata_store_pb2.Execution(type_id=self._trainer)])
        self._event(model, execution, metadata_store_pb2.Event.INPUT)
        blessing = standard_artifacts.ModelBlessing()
        blessing.set_int_custom_property("blessed", int(blessed))
        blessing.set_int_custom_property("current_model_id", model.id)
        self._put(blessing)
        self.blessings.append(blessing)
        return blessing

    def resolve(self):
        resolved = BaselineModelStrategy().resolve_artifacts(self.mlmd, {"model": self.models, "model_blessing": self.blessings})
        assert resolved.keys() == {"model", "model_blessing"}
        return resolved["model"], resolved["model_blessing"]

    def _put(self, artifact):
        artifact.type_id = self.mlmd.put_artifact_type(artifact.artifact_type, can_add_fields=True)
        [artifact.id] = self.mlmd.put_artifacts([artifact.mlmd_artifact])

    def _event(self, artifact, execution, kind):
        self.mlmd.put_events([metadata_store_pb2.Event(artifact_id=artifact.id, execution_id=execution, type=kind)])


@pytest.fixture
def store():
    return Store()


def test_in_the_very_first_run_there_is_none(store):
    assert store.resolve() == ([], [])
    store.train()
    assert store.resolve() == ([], [])


def test_the_candidate_is_never_compared_with_itself(store):
    model = store.train()
    store.evaluate(model, blessed=True)
    store.train_from_cache(model)
    assert store.resolve() == ([], [])


def test_the_model_that_was_blessed_last_wins(store):
    first, second = store.train(), store.train()
    store.evaluate(first, blessed=True)
    blessing = store.evaluate(second, blessed=True)
    store.train()
    assert store.resolve() == ([second], [blessing])


def test_a_model_that_was_not_blessed_is_no_baseline(store):
    first = store.train()
    blessing = store.evaluate(first, blessed=True)
    store.evaluate(store.train(), blessed=False)
    store.train()
    assert store.resolve() == ([first], [blessing])


def test_a_candidate_from_the_cache_is_compared_with_the_last_blessed_other_model(store):
    """Settings went A, B, A: the candidate is A again, and B is what serves."""
    first = store.train()
    store.evaluate(first, blessed=True)
    second = store.train()
    blessing = store.evaluate(second, blessed=True)
    store.train_from_cache(first)
    assert store.resolve() == ([second], [blessing])


def test_a_model_that_was_refused_later_under_a_stricter_bound_counts_by_its_last_blessing(store):
    first = store.train()
    blessing = store.evaluate(first, blessed=True)
    store.evaluate(first, blessed=False)
    store.train()
    assert store.resolve() == ([first], [blessing])


def test_a_blessing_whose_model_is_gone_is_passed_over(store):
    first = store.train()
    blessing = store.evaluate(first, blessed=True)
    gone = store.train()
    store.evaluate(gone, blessed=True)
    store.models.remove(gone)
    store.train()
    assert store.resolve() == ([first], [blessing])
