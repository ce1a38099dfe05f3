"""The model that a new one is compared with: the last blessed one other than itself."""

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy


class BaselineModelStrategy(ResolverStrategy):
    """Resolves `model` and `model_blessing` to the last blessed model that this run's Trainer did not give.

    TFX's LatestBlessedModelStrategy would give the candidate itself once it is blessed: an unchanged second run would then
    have a new input, and the Evaluator would run again to compare a model with itself.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]) -> dict[str, list[types.Artifact]]:
        """Returns one artifact of each, or none of either where no other model was blessed."""
        models = {artifact.id: artifact for artifact in input_dict["model"]}
        candidate = _latest_output(store, list(models))
        for blessing in sorted(input_dict["model_blessing"], key=lambda artifact: artifact.id, reverse=True):
            model = models.get(blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY))
            blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
            if blessed and model is not None and model.id != candidate:
                return {"model": [model], "model_blessing": [blessing]}
        return {"model": [], "model_blessing": []}


def _latest_output(store: mlmd.MetadataStore, artifact_ids: list[int]) -> int | None:
    """The artifact that the newest execution put out, trained anew or taken from the cache."""
    events = [event for event in store.get_events_by_artifact_ids(artifact_ids) if event.type == metadata_store_pb2.Event.OUTPUT]
    return max(events, key=lambda event: event.execution_id).artifact_id if events else None
