"""The JobSet of a training's extra workers, out of the template beside this file and the Trainer's own pod: values to values.

template, pod of the chief, number of workers, file with the arguments -> JobSet; the same addresses -> the chief's TF_CONFIG
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

import yaml

GROUP, VERSION, PLURAL = "jobset.x-k8s.io", "v1alpha2", "jobsets"
LABELS = {"tapeline/trains-together": "true"}  # of all pods of a training: the network policy allow-workers lets them reach each other
_TEMPLATE = Path(__file__).with_name("worker_jobset.yaml")
_INDEX = "$(WORKER_INDEX)"  # which Kubernetes fills in, in each worker's pod
_OF_THE_CHIEF = ("serviceAccountName", "nodeSelector", "tolerations", "imagePullSecrets")  # of its pod, where it says something

Object = dict[str, Any]


def template() -> Object:
    """The JobSet before anything is filled in."""
    return yaml.safe_load(_TEMPLATE.read_text(encoding="utf-8"))


def filled(name: str, workers: int, chief: Object, file: str) -> Object:
    """The JobSet `name`.

    Args:
      name: at most 40 characters, so that the names of its pods are no longer than a host's name may be.
      workers: how many beside the chief.
      chief: the Trainer's own pod, as the API server has it. The JobSet belongs to it, and goes when it goes.
      file: what each worker reads its arguments from.
    """
    jobset = copy.deepcopy(template())
    metadata = chief["metadata"]
    jobset["metadata"]["name"] = name
    jobset["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}]
    [job] = jobset["spec"]["replicatedJobs"]
    job["replicas"] = workers
    spec = _pod(jobset)
    spec |= {field: chief["spec"][field] for field in _OF_THE_CHIEF if chief["spec"].get(field)}
    [worker] = spec["containers"]
    main = next((each for each in chief["spec"]["containers"] if each["name"] == "main"), chief["spec"]["containers"][0])
    worker["image"], worker["args"] = main["image"], [file]
    for kind, amounts in main.get("resources", {}).items():
        if kind in worker["resources"]:
            worker["resources"][kind] |= amounts
    [variable] = [variable for variable in worker["env"] if variable["name"] == "TF_CONFIG"]
    variable["value"] = json.dumps({"cluster": _cluster(name, workers, chief), "task": {"type": "worker", "index": _INDEX}}).replace(
        f'"{_INDEX}"', _INDEX
    )
    return jobset


def chiefs_config(name: str, workers: int, chief: Object) -> str:
    """The TF_CONFIG of the chief of the JobSet `name`."""
    return json.dumps({"cluster": _cluster(name, workers, chief), "task": {"type": "chief", "index": 0}})


def failure(jobset: Object) -> str | None:
    """What a JobSet that has failed says, in front of it the worker where it names one; None where it has not failed."""
    for condition in jobset.get("status", {}).get("conditions", []):
        if condition["type"] == "Failed" and condition["status"] == "True":
            message = condition.get("message", "").rstrip(".")
            job = re.search(r"first failed job: \S+-worker-(\d+)\)", message)
            return f"{f'worker {job[1]}: ' if job else ''}{message}"
    return None


def _cluster(name: str, workers: int, chief: Object) -> dict[str, list[str]]:
    [worker] = _pod(template())["containers"]
    [port] = [port["containerPort"] for port in worker["ports"]]
    return {
        "chief": [f"{chief['status']['podIP']}:{port}"],
        "worker": [f"{name}-worker-{index}-0.{name}:{port}" for index in range(workers)],
    }


def _pod(jobset: Object) -> Object:
    return jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
