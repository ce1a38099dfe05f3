"""Real TFX components that do next to nothing, under the names of the real ones: a whole run of them takes half a second."""

from pathlib import Path

from tfx import types
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from components.gate_verdict import VERDICT_FILE
from trainer import errors


@component
def Ingest(rows: Parameter[int], examples: OutputArtifact[standard_artifacts.Examples], schema: OutputArtifact[standard_artifacts.Schema]):
    """Puts out two artifacts: rows by split, and a schema."""
    for artifact in (examples, schema):
        (Path(artifact.uri) / "file").touch()
    for name, factor in (("train", 4), ("eval", 2), ("test", 1)):
        examples.set_int_custom_property(f"rows_{name}", factor * rows)
    examples.set_string_custom_property("digest", "abc")


@component
def Train(fails: Parameter[str], examples: InputArtifact[standard_artifacts.Examples], model: OutputArtifact[standard_artifacts.Model]):
    """Writes a model, or raises the error of that name."""
    if fails:
        raise getattr(errors, fails)("Expected a model. Received: none.")
    (Path(model.uri) / "weights").write_text(str(examples.get_int_custom_property("rows_train")))


@component
def Evaluate(
    verdict: Parameter[str], model: InputArtifact[standard_artifacts.Model], blessing: OutputArtifact[standard_artifacts.ModelBlessing]
):
    """Leaves the verdict beside the blessing."""
    (Path(blessing.uri) / VERDICT_FILE).write_text(verdict)


@component
def Push(
    destination: Parameter[str],
    model: InputArtifact[standard_artifacts.Model],
    pushed_model: OutputArtifact[standard_artifacts.PushedModel],
):
    """Pushes to the destination, or says that the gate refused the model where there is none."""
    (Path(pushed_model.uri) / "file").touch()
    pushed_model.set_int_custom_property("pushed", 1 if destination else 0)
    if destination:
        Path(destination).mkdir(parents=True, exist_ok=True)
        (Path(destination) / "file").touch()  # as much as its record above holds
        pushed_model.set_string_custom_property("pushed_destination", destination)
        pushed_model.set_string_custom_property("pushed_version", destination.rpartition("/")[2])


def create_pipeline(root, connection, rows=1, fails="", destination="", verdict=""):
    """Ingestion, training, a look for a baseline that finds none, an evaluation where there is a verdict, and a push."""
    ingest = Ingest(rows=rows).with_id("ImageExampleGen")
    train = Train(examples=ingest.outputs["examples"], fails=fails).with_id("Trainer")
    baseline = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("BaselineModel")
    baseline.add_upstream_node(train)
    push = Push(model=train.outputs["model"], destination=destination).with_id("Pusher")
    evaluation = [Evaluate(verdict=verdict, model=train.outputs["model"]).with_id("Evaluator")] if verdict else []
    for node in (baseline, *evaluation):
        push.add_upstream_node(node)
    return tfx_pipeline.Pipeline(
        pipeline_name="tiny",
        pipeline_root=root,
        components=[ingest, train, baseline, *evaluation, push],
        enable_cache=True,
        metadata_connection_config=connection,
    )
