"""Each is a package changed in one place, and refused as KFP would refuse it."""

import pytest

from pipeline.kubeflow import load_package, run_parameters
from pipeline.kubeflow.package import PackageError


def _task(documents, name):
    return documents[0]["root"]["dag"]["tasks"][name]


def _resolver(documents):
    documents[0]["deploymentSpec"]["executors"]["BaselineModel_executor"] = {
        "resolver": {"outputArtifactQueries": {"model": {"filter": "x"}}}
    }


def _old_schema(documents):
    documents[0]["schemaVersion"] = "2.0.0"


def _misnamed_producer(documents):
    _task(documents, "Trainer")["inputs"]["artifacts"]["examples"]["taskOutputArtifact"]["producerTask"] = "Transfrom"


def _misnamed_output(documents):
    _task(documents, "Trainer")["inputs"]["artifacts"]["examples"]["taskOutputArtifact"]["outputArtifactKey"] = "example"


def _misnamed_dependency(documents):
    _task(documents, "Pusher")["dependentTasks"] = ["Evaluater"]


def _missing_type(documents):
    documents[0]["components"]["Trainer"]["outputDefinitions"]["artifacts"]["model"]["artifactType"] = {}


def _unknown_field(documents):
    documents[0]["retries"] = 3


def _unknown_executor_field(documents):
    documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["imagePull"] = "Always"


def _missing_executor(documents):
    del documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]


def _missing_component(documents):
    _task(documents, "Trainer")["componentRef"]["name"] = "Trainr"


def _bad_task_name(documents):
    tasks = documents[0]["root"]["dag"]["tasks"]
    tasks["latest_blessed"] = tasks["BaselineModel"]


def _missing_parameter(documents):
    del _task(documents, "Trainer")["inputs"]["parameters"]["run_fn"]


def _unknown_parent_parameter(documents):
    _task(documents, "Trainer")["inputs"]["parameters"]["epochs"] = {"componentInputParameter": "epoch"}


def _runtime_parameter(documents):
    _task(documents, "Trainer")["inputs"]["parameters"]["epochs"] = {"runtimeValue": {"runtimeParameter": "epochs"}}


def _cycle(documents):
    _task(documents, "ImageExampleGen")["dependentTasks"] = ["Pusher"]


def _no_name(documents):
    documents[0]["pipelineInfo"]["name"] = ""


def _bad_name(documents):
    documents[0]["pipelineInfo"]["name"] = "Digits_1"


def _no_command(documents):
    container = documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    del container["command"], container["args"]


def _long_argument(documents):
    documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["args"].append("x" * 131_073)


def _two_specs(documents):
    documents.append(documents[0])


def _job(documents):
    documents[0] = {"pipelineSpec": documents[0], "runtimeConfig": {}}


def _two_platforms(documents):
    documents += [{"platforms": {}}, {"platforms": {}}]


def _no_root(documents):
    del documents[0]["root"]
    documents[0]["schemaVersion"] = "2.1.0"


def _component_called_root(documents):
    documents[0]["components"]["root"] = documents[0]["components"]["Trainer"]


def _no_tasks(documents):
    documents[0]["root"] = {"inputDefinitions": {}}


def _no_component(documents):
    _task(documents, "Trainer")["componentRef"] = {}


def _nested_dag(documents):
    documents[0]["components"]["Trainer"] = {"dag": {"tasks": {}}}


def _empty_component(documents):
    documents[0]["components"]["Trainer"] = {}


def _unknown_input(documents):
    _task(documents, "Trainer")["inputs"]["parameters"]["run_fm"] = _task(documents, "Trainer")["inputs"]["parameters"]["run_fn"]


def _untyped_parameter(documents):
    documents[0]["components"]["Trainer"]["inputDefinitions"]["parameters"]["run_fn"] = {}


def _untyped_root_parameter(documents):
    documents[0]["root"]["inputDefinitions"]["parameters"]["epochs"] = {}


def _artifact_from_the_root(documents):
    _task(documents, "Trainer")["inputs"]["artifacts"]["examples"] = {"componentInputArtifact": "examples"}


def _no_image(documents):
    documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["image"] = ""


def _accelerator_without_count(documents):
    documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["resources"]["accelerator"] = {"type": "nvidia.com/gpu"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_resolver, 'executor\\(label="BaselineModel_executor"\\): non-container and non-importer executor not implemented'),
        (_old_schema, "KFP only supports schema version 2.1.0, but the pipeline spec has version 2.0.0"),
        (_misnamed_producer, "unknown producer task \"Transfrom\" in DAG.* Did you mean 'Transform'"),
        (_misnamed_output, "cannot find output 'example' in the outputs of Transform"),
        (_misnamed_dependency, "unknown producer task \"Evaluater\" in DAG.* Did you mean 'Evaluator'"),
        (_missing_type, 'failed to determine schema for "model"'),
        (_unknown_field, 'unknown template format: .*no field named "retries"'),
        (_unknown_executor_field, 'no field named "imagePull"'),
        (_missing_executor, 'executor\\(label="Trainer_executor"\\) not found in deployment config'),
        (_missing_component, 'cannot find component ref name="Trainr"'),
        (_bad_task_name, "task name 'latest_blessed' is invalid"),
        (_missing_parameter, 'neither value nor default value provided for non-optional parameter "run_fn"'),
        (_unknown_parent_parameter, "parent DAG does not have input parameter epoch.* Did you mean 'epochs'"),
        (_runtime_parameter, "is not implemented"),
        (_cycle, "dependency cycle"),
        (_no_name, "name is empty"),
        (_bad_name, "name should consist of lower case alphanumeric characters"),
        (_no_command, "command and arguments are empty"),
        (_long_argument, "argument list too long"),
        (_two_specs, "multiple pipeline specs provided"),
        (_job, "This is a PipelineJob"),
        (_two_platforms, "multiple platform specs provided"),
        (_no_root, "root component is empty"),
        (_component_called_root, 'component name "root" is reserved'),
        (_no_tasks, "it has no dag"),
        (_no_component, 'component ref name is empty for task name="Trainer"'),
        (_nested_dag, "nested DAGs are not emulated"),
        (_empty_component, "unknown component implementation$"),
        (_unknown_input, "input parameter 'run_fm' is not one of its component's.* Did you mean 'run_fn'"),
        (_untyped_parameter, "input parameter run_fn has unspecified type"),
        (_artifact_from_the_root, "input artifact 'examples': artifact spec of this kind is not implemented"),
        (_no_image, "container image is empty"),
        (_accelerator_without_count, "KFP would drop it"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_package_that_kfp_would_refuse_is_refused_with_its_reason(digits, text_of, change, reason):
    load_package.parse(text_of(digits))  # it was right before
    change(digits)
    with pytest.raises(PackageError, match=reason):
        load_package.parse(text_of(digits))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"epoch": 1}, r"parameter\(s\) provided are not required by pipeline: epoch.* Did you mean 'epochs'"),
        ({"epochs": "three"}, "input parameter epochs requires type double or integer"),
        ({"epochs": True}, "requires type double or integer"),
        ({"data_path": 7}, "input parameter data_path requires type string"),
    ],
)
def test_parameters_that_kfp_would_refuse_are_refused(digits, text_of, given, reason):
    package = load_package.parse(text_of(digits))
    with pytest.raises(PackageError, match=reason):
        run_parameters.over_defaults(package, given)


def test_a_parameter_without_default_must_be_given(digits, text_of):
    del digits[0]["root"]["inputDefinitions"]["parameters"]["epochs"]["defaultValue"]
    with pytest.raises(PackageError, match="parameter epochs is not optional, yet has neither default value nor user provided value"):
        run_parameters.over_defaults(load_package.parse(text_of(digits)), {})


def test_a_root_parameter_needs_a_type(digits, text_of):
    _untyped_root_parameter(digits)
    with pytest.raises(PackageError, match="input parameter epochs has unspecified type"):
        run_parameters.over_defaults(load_package.parse(text_of(digits)), {"epochs": 1})


def test_a_check_that_kfp_never_makes_is_said(digits, text_of):
    digits[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["lifecycle"] = {"preCacheCheck": {"command": ["true"]}}
    [warning] = load_package.parse(text_of(digits)).warnings
    assert warning == "Trainer_executor: its lifecycle.preCacheCheck never runs on KFP"


def test_a_platform_label_that_names_no_executor_is_said(compile_config, text_of):
    documents = compile_config("configs/digits.yaml", "accelerator={gpu: {type: nvidia-l4}}")
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors["Trainer-executor"] = executors.pop("Trainer_executor")
    [warning] = load_package.parse(text_of(documents)).warnings
    assert "'Trainer-executor' names no executor" in warning and "Did you mean 'Trainer_executor'" in warning


def test_a_file_that_is_not_there_names_the_nearest(tmp_path, digits, text_of):
    (tmp_path / "pipeline.yaml").write_text(text_of(digits))
    with pytest.raises(Exception, match=r"Did you mean 'pipeline.yaml'"):
        load_package.load(tmp_path / "pipelin.yaml")
