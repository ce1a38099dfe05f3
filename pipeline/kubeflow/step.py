"""What every step of the compiled package runs: gives TFX's own entry point what it needs and KFP drops, and takes out what KFP adds.

python -m pipeline.kubeflow.step --executor_class_path ... --json_serialized_invocation_args EXECUTOR_INPUT ...

same code as the package's? -> restore types -> drop what is not the component's -> put parameters in place -> empty its outputs
-> TFX's kubeflow_v2_run_executor -> mend its output

Of the several workers of a Trainer only the chief, by TF_CONFIG, empties and writes outputs.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.gate_verdict import VERDICT_FILE
from pipeline.code_digest import code_digests
from pipeline.kubeflow import executor_input
from serving.terminal import settle_terminal
from trainer import cluster, environment
from trainer.cause import one_line, origin
from trainer.errors import AnomaliesError, ConfigError, TapelineError

_EVALUATOR = "components.evaluator.Executor"
# Without one of these every Beam step builds a source package of the whole of TFX. Nothing reads it: Beam runs in this process.
_STAGING = ("--setup_file", "--extra_package", "--requirements_file", "--sdk_container_image")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one step and returns its exit status; what it has to say goes to stderr, which KFP shows as the step's log."""
    options, rest = _parser().parse_known_args(argv)
    with tempfile.TemporaryDirectory(prefix="tapeline-step-") as temporary:
        _settle_in(Path(temporary))
        try:
            _check_code(dict(part.split("=", 1) for part in options.code))
            _run(options, rest, Path(temporary))
        except Exception as error:  # noqa: BLE001 - whatever a component raises ends as one line below its traceback, which KFP's log keeps
            first = origin(error)
            if not isinstance(error, TapelineError):
                traceback.print_exc()
            if isinstance(first, AnomaliesError):
                _tell_anomalies(first)
            print("; ".join(one_line(error, temporary).splitlines()), file=sys.stderr)  # the log's last line is what KFP's user reads
            return first.exit_status if isinstance(first, TapelineError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.step", description="Run one step of a compiled package.")
    parser.add_argument("--executor_class_path", required=True, help="TFX's executor")
    parser.add_argument("--json_serialized_invocation_args", required=True, help="KFP's ExecutorInput")
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}", help="the component's inputDefinitions")
    parser.add_argument("--code", metavar="PART=DIGEST", action="append", default=[], help="the code that the package was compiled with")
    return parser


def _settle_in(temporary: Path) -> None:
    """A pod's HOME may not be writable, and several libraries write there; settled before any of them is imported."""
    note = environment.note(os.environ)
    if note:
        print(note, file=sys.stderr)
    environment.settle()
    home = os.environ.get("HOME", "")
    if not home or not os.access(home, os.W_OK):
        os.environ["HOME"] = str(temporary)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")


def _check_code(compiled: dict[str, str]) -> None:
    """Raises ConfigError where this is not the code that the package names: KFP would cache its results as that code's."""
    here = code_digests()
    for part, digest in compiled.items():
        if here.get(part) != digest:
            raise ConfigError(
                f"Expected the code that the package was compiled with ({part}: {digest}). Received: an image with other code "
                f"({here.get(part, 'none')}). Build and push the image of this checkout, name it in `kubeflow.image`, and compile again."
            )


def _run(options: argparse.Namespace, beam_args: list[str], temporary: Path) -> None:
    inputs_spec = json.loads(options.json_serialized_inputs_spec_args or "{}")
    given = json.loads(options.json_serialized_invocation_args)
    call = executor_input.for_tfx(given, inputs_spec, temporary)
    if not any(argument.split("=")[0] in _STAGING for argument in beam_args):
        beam_args = [*beam_args, "--setup_file=./setup.py"]
    logging.basicConfig(level=logging.INFO)
    is_helper = cluster.is_helper(os.environ)
    if is_helper:
        call["outputs"]["outputFile"] = str(temporary / "output" / "executor_output.json")
    else:
        _clear_outputs(call)
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor as tfx_step

    try:
        tfx_step.main(
            tfx_step._parse_flags(  # what its own __main__ does
                [
                    *("--executor_class_path", options.executor_class_path),
                    *("--json_serialized_invocation_args", json.dumps(call)),
                    *("--json_serialized_inputs_spec_args", json.dumps(inputs_spec)),
                    *beam_args,
                ]
            )
        )
    finally:
        shutil.rmtree(Path(call["outputs"]["outputFile"]).parent / ".temp", ignore_errors=True)
    if not is_helper:
        _finish(options.executor_class_path, given)


def _clear_outputs(call: dict[str, Any]) -> None:
    """Removes what an earlier try of this step has written: a component writes into an empty folder or not at all."""
    from tfx.dsl.io import fileio

    for entry in call["outputs"]["artifacts"].values():
        for artifact in entry["artifacts"]:
            if fileio.isdir(artifact["uri"]):
                fileio.rmtree(artifact["uri"])


def _finish(executor: str, given: dict[str, Any]) -> None:
    """Mends the executor's output for KFP, and says what it tells: the gate's verdict, the pushed version."""
    file = Path(given["outputs"]["outputFile"])
    output = json.loads(file.read_text(encoding="utf-8"))
    if executor == _EVALUATOR:
        _tell_verdict(output)
    for artifact in output.get("artifacts", {}).get("pushed_model", {}).get("artifacts", []):
        metadata = artifact.get("metadata", {})
        pushed = {"version": metadata.get("pushed_version"), "destination": metadata.get("pushed_destination")}
        print(f"pushed: {json.dumps(pushed)}", file=sys.stderr)
    executor_input.mend_output(output, given)
    file.write_text(json.dumps(output), encoding="utf-8")


def _tell_anomalies(error: AnomaliesError) -> None:
    """Each line by itself, and each anomaly as the run's record has it: the log's last line has all of them in one."""
    found = {"reasons": str(error).splitlines(), "anomalies": error.anomalies, "shifts": error.shifts}
    print(f"anomalies: {json.dumps(found, ensure_ascii=False)}", file=sys.stderr)


def _tell_verdict(output: dict[str, Any]) -> None:
    """The verdict's file goes into the log too, since KFP's API gives logs and no artifacts, and into the blessing's metadata."""
    from tfx.utils import io_utils

    [blessing] = output["artifacts"]["blessing"]["artifacts"]
    found = io_utils.read_string_file(os.path.join(blessing["uri"], VERDICT_FILE))
    print(f"verdict: {found}", file=sys.stderr)
    blessing.setdefault("metadata", {})["verdict"] = found


if __name__ == "__main__":
    settle_terminal()
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # without the seconds that TensorFlow and Beam take to tear down
