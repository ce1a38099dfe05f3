"""What is played to the client by `kfp_server`: a small package, a run's progress, the logs of its steps."""

import json

import yaml

TASKS = ("ImageExampleGen", "DataGate", "Trainer", "Evaluator", "Pusher")


def package(epochs=5, data_path="", cached=False):
    """A small package with the steps that submission knows by name, one behind the other, as YAML."""
    parameters = {
        "data_path": {"parameterType": "STRING", "defaultValue": data_path},
        "data_fingerprint": {"parameterType": "STRING", "defaultValue": "compiled"},
        "pipeline_root": {"parameterType": "STRING", "defaultValue": "gs://bucket/root"},
        "serving_base_path": {"parameterType": "STRING", "defaultValue": "gs://bucket/serving"},
        "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": epochs},
        "min_accuracy": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.9},
    }
    data = json.dumps({"download": None, "format": "idx", "path": data_path or None, "splits": {"eval": 1, "test": 1, "train": 8}})
    tasks = {
        name: {
            "componentRef": {"name": name},
            "taskInfo": {"name": name},
            "dependentTasks": [*TASKS[max(place - 1, 0) : place]],
            "cachingOptions": {"enableCache": True} if cached or 0 < place < 4 else {},
        }
        for place, name in enumerate(TASKS)
    }
    tasks["ImageExampleGen"]["inputs"] = {"parameters": {"data": {"runtimeValue": {"constant": data}}}}
    components = {name: {"executorLabel": f"{name}_executor"} for name in TASKS}
    components["ImageExampleGen"]["inputDefinitions"] = {"parameters": {"data": {"parameterType": "STRING"}}}
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "tiny"},
        "defaultPipelineRoot": "gs://bucket/root",
        "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": parameters}},
        "components": components,
        "deploymentSpec": {"executors": {f"{name}_executor": {"container": {"image": "none", "command": ["true"]}} for name in TASKS}},
    }
    return yaml.safe_dump(spec)


def frames(*states, end="SUCCEEDED"):
    """A script: `frames("run", "running")` is a run whose first task has ended and whose second runs; then `end` with the last states."""
    steps = [dict(zip(TASKS, words.split(), strict=False)) for words in states]
    return [*((step, "RUNNING") for step in steps), (steps[-1], end)]


EVALUATOR_LOG = """\
I0504 03:00:42.000000      20 launcher_v2.go:90] ExecutorInput: {}
INFO:root:Evaluating model.
verdict: {"metrics": {"accuracy": 0.97}, "bounds": [{"metric": "accuracy", "bound": 0.9, "value": 0.97, "passed": true, "origin": ""}]}
I0504 03:00:43.000000      20 launcher_v2.go:151] publish success.
time="2026-05-04T03:00:44.000Z" level=info msg="sub-process exited" argo=true error="<nil>"
"""
PUSHER_LOG = """\
pushed: {"version": "1777863642", "destination": "gs://bucket/serving/tiny/1777863642"}
I0504 03:00:53.000000      20 launcher_v2.go:151] publish success.
"""
