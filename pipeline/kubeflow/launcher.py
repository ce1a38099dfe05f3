"""What KFP's launcher does in a step's pod: fills in the placeholders, runs the container's own command, reads what it put out.

The command runs in a subprocess, or in the container's image through Docker; either way with a HOME that cannot be written.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kubeflow.package import PackageError
from trainer.errors import ConfigError

_UNWRITABLE_HOME = "/proc/kfp-home"  # not even root can make it
_GOOGLE = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "STORAGE_EMULATOR_HOST")  # a pod's own account stands for them there
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TAPELINE_PROGRESS", "TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE", *_GOOGLE)
_IMAGE_LOCAL = ("LANG", "LC_ALL", "TAPELINE_PROGRESS")


@dataclass(frozen=True)
class Pod:
    """Where a step runs.

    Attributes:
      folder: the pod's own disk: its temporary files, its output file.
      log: the file that gets what it says.
      image: the image to run it in; None for a subprocess.
      mounts: folders of this machine that it may use, and whether it may write there.
    """

    folder: Path
    log: Path
    image: str | None = None
    mounts: dict[str, bool] = field(default_factory=dict)

    @property
    def output_file(self) -> str:
        """Where the step writes its ExecutorOutput."""
        return str(self.folder / "kfp_outputs" / "output_metadata.json")


class StepError(Exception):
    """The step's command ended with a status other than 0."""

    def __init__(self, status: int, log: Path) -> None:
        super().__init__(_last_line(log))
        self.status, self.log = status, log


def execute(container: dict[str, Any], call: dict[str, Any], pod: Pod) -> dict[str, Any]:
    """Runs a step and returns its ExecutorOutput as JSON, empty where it wrote none.

    Raises:
      StepError: it failed. PackageError: KFP would not take what it put out.
    """
    for entry in call["outputs"]["artifacts"].values():
        Path(entry["artifacts"][0]["uri"]).parent.mkdir(parents=True, exist_ok=True)
    for entry in call["outputs"]["parameters"].values():
        Path(entry["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
    command = [fill_in(argument, call) for argument in [*container.get("command", []), *container.get("args", [])]]
    (pod.folder / "tmp").mkdir(parents=True, exist_ok=True)
    environment = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
    pod.log.parent.mkdir(parents=True, exist_ok=True)
    with pod.log.open("ab") as log:
        run = _in_docker if pod.image else _in_subprocess
        status = run(command, environment, pod, log)
    if status:
        raise StepError(status, pod.log)
    return _read_output(Path(call["outputs"]["outputFile"]))


def handed_on() -> dict[str, str]:
    """What a subprocess gets of this process's environment."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}


def fill_in(argument: str, call: dict[str, Any]) -> str:
    """An argument with KFP's placeholders replaced, after Kubernetes has made `$` of `$$`."""
    text = argument.replace("$$", "$")
    for placeholder, value in _placeholders(call).items():
        text = text.replace(placeholder, value)
    return text


def _placeholders(call: dict[str, Any]) -> dict[str, str]:
    values = {"{{$}}": json.dumps(call), "{{$.outputs.output_metadata_uri}}": call["outputs"]["outputFile"]}
    for side in ("inputs", "outputs"):
        for name, entry in call[side]["artifacts"].items():
            uri = entry["artifacts"][0]["uri"]
            values[f"{{{{$.{side}.artifacts['{name}'].uri}}}}"] = values[f"{{{{$.{side}.artifacts['{name}'].path}}}}"] = uri
    for name, value in call["inputs"]["parameterValues"].items():
        values[f"{{{{$.inputs.parameters['{name}']}}}}"] = _text(value)
    for name, entry in call["outputs"]["parameters"].items():
        values[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = entry["outputFile"]
    return values


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.15g}" if value != int(value) else str(int(value))
    return json.dumps(value)


def _in_subprocess(command: list[str], environment: dict[str, str], pod: Pod, log: Any) -> int:
    own = handed_on()
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', os.defpath)}"  # `python` is this one
    place = {"HOME": _UNWRITABLE_HOME, "TMPDIR": str(pod.folder / "tmp")}
    if not shutil.which(command[0], path=own["PATH"]):
        raise PackageError(f'exec: "{command[0]}": executable file not found in $PATH')
    return wait(subprocess.Popen(command, stdout=log, stderr=log, cwd=pod.folder, env={**own, **environment, **place}))


def _in_docker(command: list[str], environment: dict[str, str], pod: Pod, log: Any) -> int:
    if not shutil.which("docker"):
        raise ConfigError("Expected Docker for --image. Received: no `docker` on PATH. Install it, or leave --image out.")
    name = f"tapeline-{os.getpid()}-{re.sub(r'[^a-zA-Z0-9_.-]', '-', pod.folder.name)}"
    asked = {"HOME": _UNWRITABLE_HOME, **{key: os.environ[key] for key in _IMAGE_LOCAL if key in os.environ}, **environment}
    options = ["--rm", "--name", name, "--read-only", "--tmpfs", "/tmp:exec", "--network", "none", "--cap-drop", "ALL"]  # noqa: S108 - in the pod
    options += ["--security-opt", "no-new-privileges"]
    if os.getuid():
        options += ["--user", f"{os.getuid()}:{os.getgid()}"]  # else the image's own user
    for key, value in asked.items():
        options += ["--env", f"{key}={value}"]
    for folder, writable in {**pod.mounts, str(pod.folder): True}.items():
        options += ["--volume", f"{folder}:{folder}{'' if writable else ':ro'}"]
    assert pod.image  # noqa: S101 - the caller chose this function by it
    process = subprocess.Popen(["docker", "run", *options, "--entrypoint", command[0], pod.image, *command[1:]], stdout=log, stderr=log)
    try:
        return wait(process)
    except BaseException:
        subprocess.run(["docker", "kill", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        raise


def wait(process: subprocess.Popen) -> int:
    """The status of a step's process, which ends with whatever ends the waiting."""
    try:
        return process.wait()
    except BaseException:  # Ctrl-C: nothing of the run goes on
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also after a second Ctrl-C; nothing where it has ended
            process.kill()
        raise


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "the step said nothing"


def _read_output(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        message = json_format.Parse(file.read_text(encoding="utf-8"), pipeline_spec_pb2.ExecutorOutput())
    except (json_format.ParseError, RecursionError) as error:
        raise PackageError(f'failed to unmarshall ExecutorOutput in file "{file}": {error}') from None
    return json_format.MessageToDict(message)
