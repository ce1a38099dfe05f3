"""Compiles the pipeline for Kubeflow Pipelines: a PipelineSpec of schema 2.1.0 and the platform document beside it.

config -> the local DAG, its baseline looked up where models are served -> TFX's compiler -> what KFP needs beyond it -> YAML
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base import base_component
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from components import pusher, start, worker_jobset
from components.example_gen import download, raw_files, remote_files, spans
from components.served_model import ServedModel
from pipeline import dag, places, reviewed_schema, steps
from pipeline.accelerator import placement
from pipeline.code_digest import code_digests, step_digests
from pipeline.config import PipelineConfig
from pipeline.kubeflow import package_parameters
from pipeline.kubeflow.inline_file import inline
from pipeline.kubeflow.package_parameters import PARAMETERS
from pipeline.steps import Step
from serving import whole_file
from trainer.errors import ConfigError

STEP_COMMAND = ["python", "-m", "pipeline.kubeflow.step"]
# Not DirectRunner, which first tries Prism, whose binary it downloads.
BEAM_ARGS = ["--runner=FnApiRunner", "--direct_running_mode=in_memory"]
_LARGEST_ARGUMENT = 128 * 1024  # Linux's bound on one argument of a command
_SPEC_ARGUMENT = "--json_serialized_inputs_spec_args"


def compile_package(config: PipelineConfig) -> list[dict[str, Any]]:
    """The package's documents: the PipelineSpec, then the platform's where it says anything.

    Raises:
      ConfigError: the config cannot run there.
    """
    if config.tuner:
        raise ConfigError(
            "Expected no `tuner` on Kubeflow, where no step searches yet. Received: one. "
            "Search here by `tapeline tune`, write the settings that it prints into the config, and remove `tuner`."
        )
    start.check_on_cluster(config.trainer.start_from, config.trainer.step.HAS_TEACHER)
    if config.trainer.backbone:
        raise ConfigError(
            "Expected no `trainer.backbone` on Kubeflow, whose steps do not see this machine's files. "
            f"Received: '{config.trainer.backbone.path}'. Leave it out, or run here by `tapeline run`."
        )
    places.check_name(config.kubeflow.pipeline_root, "kubeflow.pipeline_root")
    places.check_name(config.kubeflow.serving_base_path, "kubeflow.serving_base_path", places.UNLOADABLE_SIGNS)
    fingerprint = data_fingerprint(config)
    config = _with_strategy(config)
    code = code_digests()
    with tempfile.TemporaryDirectory() as unused:
        pipeline = _pipeline(config, fingerprint, code, unused)
        spec = _compile(config, pipeline)
    _add_parameters(spec, config, fingerprint, code)
    _hand_on_statistics(spec)
    _set_caching(spec, config)
    _describe_inputs(spec)
    _name_code(spec, code)
    _check_arguments(spec)
    spec["defaultPipelineRoot"] = config.kubeflow.pipeline_root
    platform = _platform(config)
    return [_plain(spec), platform] if platform else [_plain(spec)]


def write_package(config: PipelineConfig, path: Path) -> None:
    """Writes the package, whole or not at all. Raises ConfigError."""
    text = yaml.safe_dump_all(compile_package(config), sort_keys=True, width=140, allow_unicode=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write(path, text)
    except OSError as error:
        raise ConfigError(f"Expected -o to name a file that can be written. Received: '{path}': {error.strerror}.") from None


def data_fingerprint(config: PipelineConfig) -> str:
    """A digest of what the run would ingest; of a download, which is checked against it anyway, its published digests'.

    UNRESOLVED for a place that the cluster sees and this machine does not.

    Raises:
      ConfigError: the data should be on this machine, and are not.
    """
    path = package_parameters.data_path(config)
    if not path and config.data.download:
        return download.published_digest(config.data.download)
    if problem := spans.fault(path):
        raise ConfigError(f"kubeflow.data_path: {problem}")
    try:
        return raw_files.fingerprint(config.data.model_copy(update={"path": path or None}))
    except ConfigError:
        if config.kubeflow.data_path or remote_files.is_remote(path):
            return package_parameters.UNRESOLVED
        raise


def pipeline_name(config: PipelineConfig) -> str:
    """The name as KFP takes it: lower-case letters, digits and `-`."""
    return config.name.lower().replace("_", "-").strip("-")


def _pipeline(config: PipelineConfig, fingerprint: str, code: dict[str, str], unused_root: str) -> tfx_pipeline.Pipeline:
    serving_path = f"{config.kubeflow.serving_base_path.rstrip('/')}/{config.name}"
    inputs = dag.Inputs(
        data_fingerprint=fingerprint,
        schema_file=_schema(config),
        serving_path=serving_path,
        code=code,
        accepted_place=package_parameters.accepted_place(config),
        finds_start=True,
    )
    on_cluster = config.model_copy(update={"data": config.data.model_copy(update={"path": package_parameters.data_path(config) or None})})
    pipeline = dag.create_pipeline(
        on_cluster,
        inputs,
        unused_root,
        None,
        BEAM_ARGS,
        find_baseline=lambda: ServedModel(serving_path=serving_path, max_accuracy_drop=0.0),
    )
    for node in pipeline.components:
        if isinstance(node, base_component.BaseComponent):
            node.with_platform_config(_resources(config, steps.BY_ID[node.id]))
    return pipeline


def _schema(config: PipelineConfig) -> str | None:
    """The reviewed schema inside the package: the cluster has no file of this machine's."""
    reviewed_schema.check(config)
    if not config.schema_.path or not Path(config.schema_.path).is_file():
        return None
    return inline("schema.pbtxt", Path(config.schema_.path).read_bytes())


def _with_strategy(config: PipelineConfig) -> PipelineConfig:
    """`auto` becomes the accelerator's own strategy: what was asked for decides, and not what a node happens to have."""
    needed, given = config.accelerator.strategy, config.trainer.strategy
    is_there = given != "gpu" or config.accelerator.gpu
    if given not in ("auto", needed) and ("tpu" in (given, needed) or not is_there):
        raise ConfigError(
            f"Expected `trainer.strategy` to be `auto` or `{needed}` with `accelerator: {config.accelerator.kind}`. Received: '{given}'."
        )
    if given != "auto":
        return config
    return config.model_copy(update={"trainer": config.trainer.model_copy(update={"strategy": needed})})


def _resources(config: PipelineConfig, step: Step) -> pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec:
    """Requests are limits: a step's pod is not evicted for what it was promised."""
    asked = getattr(config.kubeflow.resources, step.resources_id)
    resources = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec(
        cpu_limit=asked.cpu, cpu_request=asked.cpu, memory_limit=asked.memory, memory_request=asked.memory
    )
    place = placement(config.accelerator)
    if step.is_accelerated and place.count:
        resources.accelerator.type, resources.accelerator.count = place.resource, place.count
    return resources


def _compile(config: PipelineConfig, pipeline: tfx_pipeline.Pipeline) -> dict[str, Any]:
    pipeline.pipeline_info.pipeline_name = pipeline_name(config)
    images = {kubeflow_v2_dag_runner._DEFAULT_IMAGE_PATH_KEY: config.kubeflow.image}  # it has no public name
    images |= {step.id: config.kubeflow.image_for(config.accelerator.kind) for step in _accelerated()}
    runner_config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        display_name=config.name, default_image=images, default_commands=STEP_COMMAND, use_pipeline_spec_2_1=True
    )
    job = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config=runner_config).run(pipeline, write_out=False)
    return job["pipelineSpec"]


def _add_parameters(spec: dict[str, Any], config: PipelineConfig, fingerprint: str, code: dict[str, str]) -> None:
    """Parameters at the root with their defaults, which TFX's compiler loses, and at the steps that take them."""
    root = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    for parameter in PARAMETERS:
        root[parameter.name] = {
            "parameterType": parameter.kind,
            "defaultValue": parameter.default(config, fingerprint),
            "description": parameter.description,
        }
        for step in (each for each in parameter.steps if each.id in spec["components"]):  # a teacher is not in every pipeline
            _add_input(spec, step.id, parameter.name, parameter.kind, {"componentInputParameter": parameter.name})
    tasks = spec["root"]["dag"]["tasks"]
    tasks[steps.INGESTION.id]["inputs"]["parameters"]["fingerprint"] = {"componentInputParameter": "data_fingerprint"}
    gate = package_parameters.gate(config, code[steps.EVALUATOR.code])
    _add_input(spec, steps.EVALUATOR.id, package_parameters.GATE, package_parameters.STRING, {"runtimeValue": {"constant": gate}})
    # The step makes it from the gate's settings and parameters; a constant beside them could only contradict.
    del (
        tasks[steps.EVALUATOR.id]["inputs"]["parameters"]["eval_config"],
        spec["components"][steps.EVALUATOR.id]["inputDefinitions"]["parameters"]["eval_config"],
    )


def _add_input(spec: dict[str, Any], step: str, name: str, kind: str, value: dict[str, Any]) -> None:
    definitions = spec["components"][step].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    definitions[name] = {"parameterType": kind}
    spec["root"]["dag"]["tasks"][step].setdefault("inputs", {}).setdefault("parameters", {})[name] = value


def _hand_on_statistics(spec: dict[str, Any]) -> None:
    """Gives the Pusher's step what the data gate has written: with the model, the data is accepted. TFX's Pusher has no such input."""
    kind = spec["components"][steps.DATA_GATE.id]["outputDefinitions"]["artifacts"][pusher.FOUND]
    definitions = spec["components"][steps.PUSHER.id]["inputDefinitions"].setdefault("artifacts", {})
    definitions[pusher.FOUND] = {"artifactType": kind["artifactType"]}
    task = spec["root"]["dag"]["tasks"][steps.PUSHER.id]
    task["inputs"]["artifacts"][pusher.FOUND] = {
        "taskOutputArtifact": {"producerTask": steps.DATA_GATE.id, "outputArtifactKey": pusher.FOUND}
    }
    task["dependentTasks"] = sorted({*task.get("dependentTasks", []), steps.DATA_GATE.id})


def _set_caching(spec: dict[str, Any], config: PipelineConfig) -> None:
    """KFP's cache compares parameters and not data: ingestion is only cached where the data cannot change below its fingerprint."""
    fixed = config.data.format == "digits" or not package_parameters.data_path(config)
    tasks = spec["root"]["dag"]["tasks"]
    for name, task in tasks.items():
        task["cachingOptions"] = {"enableCache": True} if steps.BY_ID[name].is_cached_by_kfp else {}
    if not fixed and not config.kubeflow.cache_ingestion:
        tasks[steps.INGESTION.id]["cachingOptions"] = {}
        # A recurring run sends the fingerprint of the day it was made, which its data need not have.
        tasks[steps.INGESTION.id]["inputs"]["parameters"]["fingerprint"] = {"runtimeValue": {"constant": ""}}


def _describe_inputs(spec: dict[str, Any]) -> None:
    """Gives each step the full definition of its inputs: what the step's entry point restores types from."""
    for name, component in spec["components"].items():
        arguments = _arguments(spec, name)
        arguments[arguments.index(_SPEC_ARGUMENT) + 1] = json.dumps(component.get("inputDefinitions", {}), sort_keys=True)


def _name_code(spec: dict[str, Any], code: dict[str, str]) -> None:
    """Names the code that each step must run: what an older image does would be cached as this code's answer."""
    for name in spec["components"]:
        for part, digest in step_digests(name, code).items():
            _arguments(spec, name).extend(["--code", f"{part}={digest}"])


def _check_arguments(spec: dict[str, Any]) -> None:
    """Refuses what would only fail on the cluster: all that a step takes in, a reviewed schema too, is one argument of its command."""
    for name, task in spec["root"]["dag"]["tasks"].items():
        size = len(json.dumps(task.get("inputs", {})).encode())
        if size > _LARGEST_ARGUMENT:
            raise ConfigError(
                f"Expected inputs of at most {_LARGEST_ARGUMENT:,} bytes, since a step gets them as one argument. "
                f"Received: {size:,} bytes for the step {name}. Is the reviewed schema larger than it has to be?"
            )


def _arguments(spec: dict[str, Any], name: str) -> list[str]:
    return spec["deploymentSpec"]["executors"][spec["components"][name]["executorLabel"]]["container"]["args"]


def _platform(config: PipelineConfig) -> dict[str, Any]:
    """What the PipelineSpec has no place for: selector and tolerations of the accelerated steps, the label of pods that train together."""
    place = placement(config.accelerator)
    settings: dict[str, Any] = {}
    if place.count:
        settings |= {"nodeSelector": {"labels": place.node_selector}, "tolerations": place.tolerations}
    if config.trainer.workers > 1:
        settings["podMetadata"] = {"labels": worker_jobset.LABELS}
    if not settings:
        return {}
    executors = {f"{step.id}_executor": settings for step in _accelerated()}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _accelerated() -> list[Step]:
    return [step for step in steps.STEPS if step.is_accelerated and step != steps.TUNER]  # which is refused


def _plain(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` without NumPy's or protobuf's own types, and with whole numbers as such."""
    return json.loads(json.dumps(spec))
