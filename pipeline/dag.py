"""The pipeline: which components run, in which order, on whose outputs. Wiring only; the work is in the components.

ingest -> describe -> (infer or import) schema -> validate -> gate the data -> transform -> train -> evaluate -> push
"""

import dataclasses
import json
from collections.abc import Callable

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.pusher.component import Pusher
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.transform.component import Transform
from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base import base_node, executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.metadata import ConnectionConfigType
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import standard_artifacts

from components import pusher
from components.baseline import BaselineModelStrategy
from components.data_gate import DataGate
from components.evaluation import eval_config
from components.evaluator import Evaluator
from components.example_gen import split
from components.example_gen.component import ImageExampleGen
from components.start import StartModel
from components.teacher import TeacherModel
from components.trainer import Trainer
from pipeline import steps
from pipeline.config import PipelineConfig
from trainer.start import KEY, Start
from trainer.steps import Distill


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a run needs beside its config, found out by the runner.

    Attributes:
      data_fingerprint: digest of the raw data.
      schema_file: the reviewed schema, or None to infer one.
      serving_path: the folder that gets the versions.
      accepted: the folder of the statistics that the data is compared with, empty where there are none.
      accepted_place: instead of `accepted`, the folder in which the steps find and keep these statistics themselves.
      teacher: a digest of the model that this run's learns from, empty where there is none, or where its step looks it up each time.
      start: the weights to start from, where there are some.
      finds_start: whether a step finds them, instead.
      code: digests of the source, from `pipeline.code_digest`, so that edited code runs again.
    """

    data_fingerprint: str
    schema_file: str | None
    serving_path: str
    code: dict[str, str]
    accepted: str = ""
    accepted_place: str = ""
    teacher: str = ""
    start: Start | None = None
    finds_start: bool = False


def create_pipeline(
    config: PipelineConfig,
    inputs: Inputs,
    root: str,
    metadata: ConnectionConfigType | None,
    beam_args: list[str],
    find_baseline: Callable[[], base_node.BaseNode] | None = None,
    until: str | None = None,
) -> tfx_pipeline.Pipeline:
    """The whole pipeline with its artifacts below `root`.

    `find_baseline` makes the node whose output `model` the new model is held against; by default it finds the last blessed one in the
    metadata, and there is no such node where no bound needs a baseline. `until` is the id of the last node, where not all are wanted.
    """
    example_gen = ImageExampleGen(
        data=config.data.to_json(),
        fingerprint=inputs.data_fingerprint,
        code=inputs.code[steps.INGESTION.code],
        columns=config.columns.to_json(),
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples, stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True))  # docs/adr/0041
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = _schema_gen(inputs.schema_file, statistics, config)
    schema = schema_gen.outputs["schema"]
    validator = ExampleValidator(statistics=statistics, schema=schema)
    gate = DataGate(
        examples=examples,
        statistics=statistics,
        anomalies=validator.outputs["anomalies"],
        problem=config.problem.to_json(),
        severities=json.dumps({"warn": config.schema_.warn, "stop": config.schema_.stop}),
        accepted=inputs.accepted,
        accepted_place=inputs.accepted_place,
        is_reviewed=int(inputs.schema_file is not None),
        code=inputs.code[steps.DATA_GATE.code],
    )

    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=[_analyzed(config)], transform=[split.TRAIN, split.EVAL]),
        disable_statistics=True,  # the raw statistics are validated; the transformed ones nobody reads
        custom_config={
            "features": config.inputs.to_json(),
            "problem": config.problem.to_json(),
            "code": inputs.code[steps.TRANSFORM.code],
        },
    )
    transform.add_upstream_node(gate)
    lent = _teacher(config, inputs) or _start(config, inputs)
    if lent:
        lent.add_upstream_node(gate)
    material = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "base_model": lent.outputs["model"] if lent else None,
        "train_args": trainer_pb2.TrainArgs(splits=[split.TRAIN]),
        "eval_args": trainer_pb2.EvalArgs(splits=[split.EVAL]),
    }
    settings = {"trainer": config.trainer.to_json(), "problem": config.problem.to_json(), "code": inputs.code[steps.TRAINER.code]}
    if inputs.start:
        settings[KEY] = inputs.start.to_json()
    tuner = (
        Tuner(**material, tuner_fn="trainer.tuner.tuner_fn", custom_config={**settings, "tuner": config.tuner.to_json()})
        if config.tuner
        else None
    )
    trainer = Trainer(
        **material,
        raw_examples=examples,
        run_fn=f"trainer.{config.trainer.loop}.run_fn",
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        custom_config={**settings, "export": config.export.to_json()},
    )
    model = trainer.outputs["model"]

    baseline = _baseline(find_baseline, config)
    if baseline:
        baseline.add_upstream_node(trainer)
    evaluator = Evaluator(
        examples=examples,
        example_splits=[split.TEST],
        model=model,
        baseline_model=baseline.outputs["model"] if baseline else None,
        eval_config=eval_config(config.gate, config.problem, inputs.code[steps.EVALUATOR.code]),
    )
    push = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=inputs.serving_path)),
        custom_executor_spec=executor_spec.ExecutorClassSpec(pusher.Executor),
        custom_config={pusher.ACCEPTED_PLACE: inputs.accepted_place} if inputs.accepted_place else None,
    )
    components = [
        *(example_gen, statistics_gen, schema_gen, validator, gate, transform),
        *([lent] if lent else []),
        *([tuner] if tuner else []),
        trainer,
        *([baseline] if baseline else []),
        *(evaluator, push),
    ]
    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=root,
        components=components[: [node.id for node in components].index(until) + 1] if until else components,
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=beam_args,
    )


def _teacher(config: PipelineConfig, inputs: Inputs) -> base_node.BaseNode | None:
    if not isinstance(config.trainer.step, Distill):
        return None
    given = config.trainer.step.teacher or ""
    return TeacherModel(teacher=given, serving_path=inputs.serving_path, fingerprint=inputs.teacher).with_id(steps.TEACHER.id)


def _start(config: PipelineConfig, inputs: Inputs) -> base_node.BaseNode | None:
    if config.trainer.start_from is None or not inputs.finds_start:
        return None
    return StartModel(start_from=config.trainer.start_from, serving_path=inputs.serving_path).with_id(steps.START.id)


def _baseline(find_baseline: Callable[[], base_node.BaseNode] | None, config: PipelineConfig) -> base_node.BaseNode | None:
    if find_baseline is None and config.evaluator.max_accuracy_drop is None:
        return None
    return (find_baseline or _last_blessed)().with_id(steps.BASELINE.id)


def _last_blessed() -> base_node.BaseNode:
    return Resolver(
        strategy_class=BaselineModelStrategy,
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    )


def _analyzed(config: PipelineConfig) -> str:
    """The split that Transform learns from; it reads one through even where there is nothing to learn, so then the small one."""
    return split.TRAIN if config.inputs.learns_from_data else split.EVAL


def _schema_gen(schema_file: str | None, statistics: types.BaseChannel, config: PipelineConfig) -> base_node.BaseNode:
    if schema_file:
        return ImportSchemaGen(schema_file=schema_file)
    # Of columns every split counts: a rare value that the train split happens not to have is no anomaly of the data.
    unseen = [] if config.has_columns else [split.EVAL, split.TEST]
    return SchemaGen(statistics=statistics, infer_feature_shape=not config.has_columns, exclude_splits=unseen)
