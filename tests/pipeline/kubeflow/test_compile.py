"""What a compiled package says, held against KFP's protos, the local DAG and golden files."""

import json
import os
import sys

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline import config, dag, steps
from pipeline.kubeflow import compile as compiler
from pipeline.kubeflow import load_package
from tests.pipeline.kubeflow.conftest import CODE
from trainer.errors import ConfigError

GPU = "accelerator={gpu: {type: nvidia-l4, count: 2}}"
TPU = "accelerator={tpu: {type: tpu-v5-lite-podslice, topology: 2x4}}"


def _containers(documents):
    return {name: executor["container"] for name, executor in documents[0]["deploymentSpec"]["executors"].items()}


def test_the_package_parses_strictly_by_kfps_own_protos(digits):
    message = json_format.ParseDict(digits[0], pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(digits[0]["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    assert (message.schema_version, message.pipeline_info.name) == ("2.1.0", "digits")


def test_the_platform_document_parses_strictly_and_names_an_executor(compile_config):
    spec, platform = compile_config("configs/digits.yaml", GPU)
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for label, settings in executors.items():
        json_format.ParseDict(settings, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
        assert label in spec["deploymentSpec"]["executors"]


def test_a_cpu_package_is_one_document(digits):
    assert len(digits) == 1


def test_no_executor_is_one_that_kfp_refuses(digits):
    assert all(set(executor) == {"container"} for executor in digits[0]["deploymentSpec"]["executors"].values())


def test_every_command_goes_through_the_projects_entry_point(digits):
    for container in _containers(digits).values():
        assert container["command"] == ["python", "-m", "pipeline.kubeflow.step"]
        assert "{{$}}" in container["args"]


def test_the_types_that_kfp_drops_are_in_every_steps_arguments(digits):
    for name, component in digits[0]["components"].items():
        arguments = digits[0]["deploymentSpec"]["executors"][component["executorLabel"]]["container"]["args"]
        given = json.loads(arguments[arguments.index("--json_serialized_inputs_spec_args") + 1])
        assert given == component.get("inputDefinitions", {}), name


def test_every_step_names_the_code_that_it_must_run(digits):
    named = {}
    for name, component in digits[0]["components"].items():
        arguments = digits[0]["deploymentSpec"]["executors"][component["executorLabel"]]["container"]["args"]
        named[name] = {arguments[place + 1] for place, argument in enumerate(arguments) if argument == "--code"}
    own = {
        "ImageExampleGen": "ingestion",
        "DataGate": "gate",
        "Transform": "preprocessing",
        "Trainer": "training",
        "Evaluator": "evaluation",
        "BaselineModel": "push",
        "Pusher": "push",
    }
    for name, parts in named.items():
        assert parts == {f"{part}={CODE[part]}" for part in ("step", own.get(name)) if part}, name


@pytest.mark.parametrize("path", ["configs/digits.yaml", "configs/mnist.yaml"])
def test_the_dag_is_the_local_one_node_by_node(compile_config, path):
    """The same nodes behind the same nodes, taking the same outputs.

    Only the baseline comes from elsewhere, and the Pusher's step takes what the gate found, which the runner takes here.
    """
    compiled = load_package.parse(yaml.safe_dump_all(compile_config(path)))
    settings = config.load(path)
    inputs = dag.Inputs(data_fingerprint="", schema_file=None, serving_path="/serving", code=CODE)
    local = dag.create_pipeline(settings, inputs, "/root", None, [])
    assert set(compiled.tasks) == {node.id for node in local.components}
    for node in local.components:
        beyond = {"found": (steps.DATA_GATE.id, "found")} if node.id == steps.PUSHER.id else {}
        assert compiled.producers(node.id) == {upstream.id for upstream in node.upstream_nodes} | {step for step, _ in beyond.values()}, (
            node.id
        )
        if node.id == steps.BASELINE.id:
            continue
        taken = {
            name: (entry["taskOutputArtifact"]["producerTask"], entry["taskOutputArtifact"]["outputArtifactKey"])
            for name, entry in compiled.tasks[node.id].get("inputs", {}).get("artifacts", {}).items()
        }
        local_inputs = {name: (channel.producer_component_id, channel.output_key) for name, channel in node.inputs.items()}
        assert taken == local_inputs | beyond, node.id
        assert set(compiled.component(node.id).get("outputDefinitions", {}).get("artifacts", {})) == set(node.outputs), node.id


def test_a_change_of_preprocessing_is_a_change_of_transform_alone(compile_config, digits):
    """Whatever else comes after it runs again where Transform's output is another, and is taken from the cache where it is not."""
    changed = compile_config("configs/digits.yaml", "preprocessing.normalize=standardize")[0]["root"]["dag"]["tasks"]
    before = digits[0]["root"]["dag"]["tasks"]
    assert {name for name in changed if changed[name] != before[name]} == {"Transform"}


def test_every_parameter_has_its_default_from_the_config(compile_config):
    [spec] = compile_config(
        "configs/digits.yaml",
        "trainer.epochs=7",
        "evaluator.min_accuracy=0.5",
        "evaluator.min_class_accuracy=0.25",
        "evaluator.max_accuracy_drop=null",
        "kubeflow.pipeline_root=gs://b/root",
        "kubeflow.serving_base_path=gs://b/serving",
    )
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert {name: (entry["parameterType"], entry["defaultValue"]) for name, entry in parameters.items() if name != "data_fingerprint"} == {
        "data_path": ("STRING", ""),
        "pipeline_root": ("STRING", "gs://b/root"),
        "serving_base_path": ("STRING", "gs://b/serving"),
        "epochs": ("NUMBER_INTEGER", 7),
        "min_accuracy": ("NUMBER_DOUBLE", 0.5),
        "min_class_accuracy": ("NUMBER_DOUBLE", 0.25),
        "max_accuracy_drop": ("NUMBER_DOUBLE", 1.0),
    }
    assert len(parameters["data_fingerprint"]["defaultValue"]) == 64
    assert spec["defaultPipelineRoot"] == "gs://b/root"


def test_changed_data_at_the_same_path_are_never_answered_from_the_cache(compile_config, tmp_path):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"raw")
    of_path = ("configs/digits.yaml", "data.format=idx", f"data.path={tmp_path}")
    [before] = compile_config(*of_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"new")
    [after] = compile_config(*of_path)
    fingerprints = [spec["root"]["inputDefinitions"]["parameters"]["data_fingerprint"]["defaultValue"] for spec in (before, after)]
    assert fingerprints[0] != fingerprints[1]
    task = before["root"]["dag"]["tasks"]["ImageExampleGen"]
    assert task["cachingOptions"] == {}  # runs started elsewhere send an old fingerprint
    assert task["inputs"]["parameters"]["fingerprint"] == {"runtimeValue": {"constant": ""}}  # which the step would refuse


def test_cached_ingestion_is_told_the_fingerprint_that_its_cache_goes_by(compile_config, tmp_path):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"raw")
    [spec] = compile_config("configs/digits.yaml", "data.format=idx", f"data.path={tmp_path}", "kubeflow.cache_ingestion=true")
    task = spec["root"]["dag"]["tasks"]["ImageExampleGen"]
    assert task["cachingOptions"] == {"enableCache": True}
    assert task["inputs"]["parameters"]["fingerprint"] == {"componentInputParameter": "data_fingerprint"}


def test_data_that_only_the_cluster_sees_are_no_reason_not_to_compile(compile_config):
    [spec] = compile_config("configs/digits.yaml", "data.format=idx", "data.path=/", "kubeflow.data_path=/on/the/cluster")
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["data_path"]["defaultValue"] == "/on/the/cluster"
    assert parameters["data_fingerprint"]["defaultValue"] == "unresolved"
    assert spec["root"]["dag"]["tasks"]["ImageExampleGen"]["cachingOptions"] == {}


def test_data_that_should_be_here_and_are_not_are_a_mistake(compile_config):
    with pytest.raises(ConfigError, match=r"Expected `data.path` to be a folder of IDX files"):
        compile_config("configs/digits.yaml", "data.format=idx", "data.path=/nowhere/at/all")


@pytest.mark.parametrize("step", ["BaselineModel", "Pusher"])
def test_what_depends_on_the_served_folder_is_never_cached(digits, step):
    assert digits[0]["root"]["dag"]["tasks"][step]["cachingOptions"] == {}


def test_a_gpu_gets_kubernetes_names_selector_toleration_image_and_strategy(compile_config):
    spec, platform = compile_config("configs/digits.yaml", GPU, "kubeflow.image=registry/tapeline:1.2")
    trainer = _containers([spec])["Trainer_executor"]
    assert trainer["resources"]["accelerator"] == {"type": "nvidia.com/gpu", "count": "2"}
    assert trainer["image"] == "registry/tapeline:1.2-gpu"
    assert (
        '\\"strategy\\": \\"mirrored\\"'
        in spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    )
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["Trainer_executor"]
    assert settings["nodeSelector"]["labels"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert settings["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    others = [container for name, container in _containers([spec]).items() if name != "Trainer_executor"]
    assert all(container["image"] == "registry/tapeline:1.2" and "accelerator" not in container["resources"] for container in others)


def test_a_tpu_slice_gets_its_chips_and_both_selectors(compile_config):
    spec, platform = compile_config("configs/digits.yaml", TPU)
    trainer = _containers([spec])["Trainer_executor"]
    assert trainer["resources"]["accelerator"] == {"type": "google.com/tpu", "count": "8"}
    assert trainer["image"].endswith("-tpu")
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["Trainer_executor"]
    assert settings["nodeSelector"]["labels"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "2x4",
    }


def test_a_trainer_that_starts_workers_has_their_label_so_that_the_network_lets_them_meet(compile_config):
    several = ("trainer.loop=gradient_tape", "trainer.strategy=multi_worker", "trainer.workers=3")
    for more, others in (((), set()), ((GPU,), {"nodeSelector", "tolerations"})):
        _, platform = compile_config("configs/digits.yaml", *several, *more)
        [(name, settings)] = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items()
        assert name == "Trainer_executor"
        assert settings["podMetadata"] == {"labels": {"tapeline/trains-together": "true"}}
        assert settings.keys() == {"podMetadata", *others}
        json_format.ParseDict(settings, kubernetes_executor_config_pb2.KubernetesExecutorConfig())


def test_a_strategy_that_contradicts_the_accelerator_is_refused(compile_config):
    with pytest.raises(ConfigError, match="`auto` or `tpu`"):
        compile_config("configs/digits.yaml", TPU, "trainer.strategy=mirrored")
    with pytest.raises(ConfigError, match=r"with `accelerator: cpu`\. Received: 'gpu'"):
        compile_config("configs/digits.yaml", "trainer.strategy=gpu")


def test_a_search_is_refused_with_what_to_do_instead(compile_config):
    with pytest.raises(ConfigError, match=r"^Expected no `tuner` on Kubeflow.* Search here by `tapeline tune`"):
        compile_config("configs/digits.yaml", "tuner={search: {trainer.dropout: [0.1, 0.2]}}")


@pytest.mark.parametrize("place", ["last", "gs://bucket/pretrained.weights.h5"])
def test_weights_that_the_cluster_sees_are_found_by_a_step_before_the_trainer(compile_config, place):
    [spec] = compile_config("configs/digits.yaml", f"trainer.start_from={place}")
    tasks = spec["root"]["dag"]["tasks"]
    given = tasks["StartModel"]["inputs"]["parameters"]
    assert given["start_from"]["runtimeValue"]["constant"] == place
    assert given["serving_path"]["runtimeValue"]["constant"].endswith("/digits")
    assert not tasks["StartModel"].get("cachingOptions", {}).get("enableCache")
    assert tasks["Trainer"]["inputs"]["artifacts"]["base_model"]["taskOutputArtifact"]["producerTask"] == "StartModel"


def test_weights_of_this_machine_are_refused(compile_config):
    with pytest.raises(
        ConfigError, match=r"^trainer\.start_from: Expected `last` or a place in a bucket.* Received: '/old/x\.weights\.h5'"
    ):
        compile_config("configs/digits.yaml", "trainer.start_from=/old/x.weights.h5")
    with pytest.raises(ConfigError, match=r"^trainer\.start_from: Expected none with `trainer\.step: distill` on Kubeflow"):
        compile_config("configs/digits.yaml", "trainer.start_from=last", "trainer.loop=gradient_tape", "trainer.step=distill")
    with pytest.raises(ConfigError, match=r"^Expected no `trainer\.backbone` on Kubeflow.* Received: '/networks/x\.keras'\. Leave it out"):
        compile_config("configs/digits.yaml", "trainer.model=auto", "trainer.backbone.path=/networks/x.keras")


def test_a_strategy_that_was_asked_for_stays(compile_config):
    [spec] = compile_config("configs/digits.yaml", "trainer.strategy=mirrored")
    constant = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    assert '\\"strategy\\": \\"mirrored\\"' in constant


def test_a_schema_that_no_command_line_could_hold_is_refused(compile_config, tmp_path):
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(f"# {'x' * 100_000}\n")
    with pytest.raises(
        ConfigError, match=r"Expected inputs of at most 131,072 bytes.* Received: 13\d,\d{3} bytes for the step ImportSchemaGen"
    ):
        compile_config("configs/digits.yaml", f"schema.path={schema}")


def test_every_step_asks_for_cpu_and_memory(compile_config):
    [spec] = compile_config("configs/digits.yaml", "kubeflow.resources.ImageExampleGen={cpu: 3, memory: 5}")
    containers = _containers([spec])
    assert all(
        {"cpuLimit", "memoryLimit", "cpuRequest", "memoryRequest"} <= set(container["resources"]) for container in containers.values()
    )
    assert containers["ImageExampleGen_executor"]["resources"]["cpuLimit"] == 3.0
    assert containers["ImageExampleGen_executor"]["resources"]["memoryLimit"] == 5.0


def test_a_reviewed_schema_travels_inside_the_package(compile_config, tmp_path):
    schema = tmp_path / "schema.pbtxt"
    schema.write_text('feature { name: "x" }')
    [spec] = compile_config("configs/digits.yaml", f"schema.path={schema}")
    value = spec["root"]["dag"]["tasks"]["ImportSchemaGen"]["inputs"]["parameters"]["schema_file"]["runtimeValue"]["constant"]
    assert value.startswith("data:") and str(tmp_path) not in json.dumps(spec)


def test_a_file_that_is_no_schema_does_not_get_into_a_package(compile_config, tmp_path):
    (tmp_path / "schema.pbtxt").write_text("no schema")
    with pytest.raises(ConfigError, match=r"Expected `schema.path` to name a schema"):
        compile_config("configs/digits.yaml", f"schema.path={tmp_path / 'schema.pbtxt'}")


@pytest.mark.parametrize("setting", ["pipeline_root", "serving_base_path"])
def test_a_place_that_tensorflow_takes_for_a_pattern_is_refused(compile_config, setting):
    with pytest.raises(ConfigError, match=f"Expected kubeflow.{setting} to name a folder without"):
        compile_config("configs/digits.yaml", f"kubeflow.{setting}='gs://bucket/a[b'")


def test_the_pipelines_name_is_one_that_kfp_takes(compile_config):
    [spec] = compile_config("configs/digits.yaml", "name=My_Digits")
    assert spec["pipelineInfo"]["name"] == "my-digits"


def test_nothing_of_this_machine_is_in_the_package(digits, request):
    text = json.dumps(digits)
    assert str(request.config.rootpath) not in text and sys.prefix not in text and "site-packages" not in text


def test_the_same_config_compiles_to_the_same_package(compile_config, digits):
    assert compile_config("configs/digits.yaml") == digits


@pytest.mark.parametrize(
    ("name", "path", "overrides"), [("digits", "configs/digits.yaml", ()), ("mnist-gpu", "configs/mnist.yaml", (GPU,))]
)
def test_the_package_is_the_golden_one(compile_config, golden, name, path, overrides):
    documents = compile_config(path, *overrides)
    documents[0]["sdkVersion"] = "tfx"  # this and what TFDV writes of its options are all that the two platforms may differ in
    options = documents[0]["root"]["dag"]["tasks"]["StatisticsGen"]["inputs"]["parameters"]["stats_options_json"]["runtimeValue"]
    set_by_us = "_use_sketch_based_topk_uniques"
    options["constant"] = json.dumps({set_by_us: json.loads(options["constant"])[set_by_us]})
    golden(f"kubeflow/{name}.yaml", yaml.safe_dump_all(documents, width=140))


def test_the_written_package_is_whole_and_readable_by_everybody(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(compiler, "compile_package", lambda _: digits)
    compiler.write_package(config.load("configs/digits.yaml"), tmp_path / "new" / "pipeline.yaml")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["pipeline.yaml"]
    assert (tmp_path / "new" / "pipeline.yaml").stat().st_mode & 0o777 == 0o644


def test_an_output_that_cannot_be_written_is_a_usage_error(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(compiler, "compile_package", lambda _: digits)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="-o to name a file that can be written"):
        compiler.write_package(config.load("configs/digits.yaml"), tmp_path / "file" / "pipeline.yaml")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=f"Received: '{tmp_path}/pipe': It is no regular file."):
        compiler.write_package(config.load("configs/digits.yaml"), tmp_path / "pipe")


def test_a_pipeline_root_that_the_libraries_would_take_for_a_pattern_is_refused(compile_config):
    with pytest.raises(ConfigError, match=r"Expected kubeflow.pipeline_root .* Received: 'gs://bucket/\[old\]/root', with '\['"):
        compile_config("configs/digits.yaml", "kubeflow.pipeline_root='gs://bucket/[old]/root'")
