"""Packages of small shell steps, run as Kubeflow Pipelines would run them."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from pipeline.kubeflow import launcher, load_package, run_parameters
from pipeline.kubeflow.artifact_store import ArtifactStore
from pipeline.kubeflow.emulator import Emulator
from pipeline.kubeflow.launcher import StepError
from pipeline.kubeflow.package import PackageError

TEXT = {"schemaTitle": "system.Dataset"}
SAY = 'mkdir -p "$(dirname "$1")" && printf "%s" "$0" > "$1"'


def _step(script, *args, inputs=None, outputs=None, parameters=None, output_parameters=None):
    return {
        "container": {"image": "none", "command": ["sh", "-c", script], "args": list(args)},
        "component": {
            "inputDefinitions": {
                "artifacts": {name: {"artifactType": TEXT} for name in inputs or {}},
                "parameters": {name: {"parameterType": kind} for name, (kind, _) in (parameters or {}).items()},
            },
            "outputDefinitions": {
                "artifacts": {name: {"artifactType": TEXT} for name in outputs or ()},
                "parameters": {name: {"parameterType": kind} for name, kind in (output_parameters or {}).items()},
            },
        },
        "task": {
            "inputs": {
                "artifacts": {
                    name: {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}
                    for name, (task, key) in (inputs or {}).items()
                },
                "parameters": {name: source for name, (_, source) in (parameters or {}).items()},
            },
            "cachingOptions": {"enableCache": True},
        },
    }


def _package(root_parameters=None, changes=None, **steps):
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "tiny"},
        "root": {"dag": {"tasks": {}}, "inputDefinitions": {"parameters": root_parameters or {}}},
        "components": {},
        "deploymentSpec": {"executors": {}},
    }
    for name, step in steps.items():
        spec["deploymentSpec"]["executors"][f"exec-{name}"] = {"container": step["container"]}
        spec["components"][f"comp-{name}"] = {**step["component"], "executorLabel": f"exec-{name}"}
        task = {**step["task"], "componentRef": {"name": f"comp-{name}"}, "taskInfo": {"name": name}, **(changes or {}).get(name, {})}
        spec["root"]["dag"]["tasks"][name] = task
    return load_package.parse(json.dumps(spec))


class _Observer:
    def __init__(self):
        self.seen, self.outputs = [], {}

    def started(self, task):
        pass

    def finished(self, task, state, outputs):
        self.seen.append((task, state))
        self.outputs[task] = outputs

    def text(self, task, output):
        with open(self.outputs[task][output]["uri"], encoding="utf-8") as file:  # noqa: PTH123 - an URI's text
            return file.read()


@pytest.fixture
def run(tmp_path):
    """run(package, given={}, kfp="2.17", fails=...): the observer of a run."""

    def run_(package, given=None, kfp="2.17", fails=None, **options):
        observer = _Observer()
        emulator = Emulator(package, tmp_path, kfp, **options)
        parameters = run_parameters.over_defaults(package, given or {})
        if fails is None:
            emulator.run(parameters, str(tmp_path / "artifacts"), observer)
        else:
            with pytest.raises(fails[0], match=fails[1]):
                emulator.run(parameters, str(tmp_path / "artifacts"), observer)
        return observer

    return run_


EPOCHS = {"epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3}}
OF_ROOT = {"epochs": ("NUMBER_INTEGER", {"componentInputParameter": "epochs"})}


def test_steps_run_behind_what_they_need_and_see_their_parameters_and_inputs(run):
    package = _package(
        EPOCHS,
        b=_step(
            SAY,
            "{{$.inputs.artifacts['text'].path}}",
            "{{$.outputs.artifacts['out'].path}}",
            inputs={"text": ("z", "text")},
            outputs=["out"],
        ),
        z=_step(
            SAY, "{{$.inputs.parameters['epochs']}} epochs", "{{$.outputs.artifacts['text'].uri}}", outputs=["text"], parameters=OF_ROOT
        ),
    )
    observer = run(package, {"epochs": 7})
    assert observer.seen == [("z", "run"), ("b", "run")]
    assert observer.text("z", "text") == "7 epochs"
    assert observer.text("b", "out") == observer.outputs["z"]["text"]["uri"]


@pytest.mark.parametrize(("kfp", "added"), [("2.4", set()), ("2.14", {"executor-logs"}), ("2.17", {"executor-logs"})])
def test_a_step_sees_kfps_executor_input(run, kfp, added):
    show = _step(SAY, "{{$}}", "{{$.outputs.artifacts['out'].path}}", inputs={"text": ("a", "text")}, outputs=["out"])
    package = _package(a=_step(SAY, "hello", "{{$.outputs.artifacts['text'].path}}", outputs=["text"]), b=show)
    call = json.loads(run(package, kfp=kfp).text("b", "out"))
    [given] = call["inputs"]["artifacts"]["text"]["artifacts"]
    assert given["type"] == {"instanceSchema": ""} and given["name"].isdecimal()
    assert given["metadata"]["display_name"] == "text"
    assert set(call["outputs"]["artifacts"]) == {"out"} | added
    assert all(
        entry["artifacts"][0]["type"] == {"schemaTitle": "system.Artifact"}
        for name, entry in call["outputs"]["artifacts"].items()
        if name in added
    )


def test_home_cannot_be_written_and_the_pods_own_disk_is_gone_afterwards(run, tmp_path):
    script = 'mkdir -p "$HOME" 2>/dev/null && exit 3; touch "$TMPDIR/left"; ' + SAY
    run(_package(a=_step(script, "x", "{{$.outputs.artifacts['text'].path}}", outputs=["text"])))
    assert list((tmp_path / "pods").iterdir()) == []


def test_what_a_killed_run_has_left_of_its_pods_is_gone_after_the_next(run, tmp_path):
    (tmp_path / "pods" / "Trainer-12345678").mkdir(parents=True)
    run(_package(a=_step("true")))
    assert list((tmp_path / "pods").iterdir()) == []


def test_metadata_come_back_as_kfp_gives_them(run):
    output = {"artifacts": {"text": {"artifacts": [{"metadata": {"n": 3, "yes": True, "list": [1], "struct": {"a": 1}, "s": "x"}}]}}}
    write = _step('cat > "$1" <<EOF\n$0\nEOF', json.dumps(output), "{{$.outputs.output_metadata_uri}}", outputs=["text"])
    script = 'mkdir -p "$(dirname "$1")" && ' + write["container"]["command"][2]
    write["container"]["command"][2] = script
    metadata = run(_package(a=write)).outputs["a"]["text"]["metadata"]
    assert {name: metadata[name] for name in ("n", "yes", "list", "struct", "s")} == {
        "n": 3.0,
        "yes": 1.0,
        "list": {"list": [1.0]},
        "struct": {"struct": {"a": 1.0}},
        "s": "x",
    }


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ({"artifacts": {"text": {"artifacts": [{"metadata": {"n": None}}]}}}, 'unable to produce MLMD artifact for output "text"'),
        ({"artefacts": {}}, "failed to unmarshall ExecutorOutput"),
        ({"artifacts": {"text": {"artifacts": [{"uri": "/elsewhere/text"}]}}}, "is not below"),
    ],
    ids=["null", "unknown field", "outside the root"],
)
def test_an_output_that_kfp_would_not_take_fails_the_step(run, output, reason):
    script = 'mkdir -p "$(dirname "$1")" && printf "%s" "$0" > "$1"'
    step = _step(script, json.dumps(output), "{{$.outputs.output_metadata_uri}}", outputs=["text"])
    run(_package(a=step), fails=(PackageError, reason))


def test_output_parameters_are_read_from_their_files_and_typed(run):
    give = _step('printf 4 > "$0"', "{{$.outputs.parameters['n'].output_file}}", output_parameters={"n": "NUMBER_INTEGER"})
    source = {"n": ("NUMBER_INTEGER", {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "n"}})}
    take = _step(SAY, "{{$.inputs.parameters['n']}}", "{{$.outputs.artifacts['out'].path}}", outputs=["out"], parameters=source)
    assert run(_package(a=give, b=take)).text("b", "out") == "4"


def test_an_output_that_is_nested_too_deeply_fails_the_step_in_one_line(run):
    nested = "head -c 100000 /dev/zero | tr '\\0' '['"
    give = _step(f'{nested} > "$0"', "{{$.outputs.parameters['n'].output_file}}", output_parameters={"n": "LIST"})
    run(_package(a=give), fails=(PackageError, 'failed to read output parameter name="n" type="LIST": nested too deeply'))
    script = f'mkdir -p "$(dirname "$0")" && {nested} > "$0"'
    step = _step(script, "{{$.outputs.output_metadata_uri}}", outputs=["text"])
    run(_package(a=step), fails=(PackageError, "failed to unmarshall ExecutorOutput"))


@pytest.mark.parametrize(("epochs", "seen"), [(3, [("a", "run"), ("b", "run")]), (1, [("a", "skipped")])])
def test_what_comes_behind_a_skipped_step_is_left_out(run, epochs, seen):
    condition = {"triggerPolicy": {"condition": "inputs.parameter_values['epochs'] > 2.0"}}
    package = _package(EPOCHS, {"a": condition, "b": {"dependentTasks": ["a"]}}, a=_step("true", parameters=OF_ROOT), b=_step("true"))
    assert run(package, {"epochs": epochs}).seen == seen


def test_a_condition_that_is_no_condition_is_an_error(run):
    package = _package(
        EPOCHS, {"a": {"triggerPolicy": {"condition": "inputs.parameter_values['epochs']"}}}, a=_step("true", parameters=OF_ROOT)
    )
    run(package, fails=(PackageError, "return type is not bool"))


def test_a_failed_step_ends_the_run_with_its_last_line(run):
    observer = run(
        _package(None, {"b": {"dependentTasks": ["a"]}}, a=_step("echo why >&2; exit 7"), b=_step("true")), fails=(StepError, "why")
    )
    assert observer.seen == []


def test_a_step_that_always_runs_runs_after_a_failure(run):
    last = {"dependentTasks": ["a"], "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}
    observer = run(_package(None, {"a-last": last}, **{"a": _step("exit 7"), "a-last": _step("true")}), fails=(StepError, ""))
    assert observer.seen == [("a-last", "run")]


def _said(text):
    return _package(EPOCHS, a=_step(SAY, text, "{{$.outputs.artifacts['text'].path}}", outputs=["text"], parameters=OF_ROOT))


def test_an_unchanged_step_is_answered_from_the_cache(run):
    assert run(_said("x")).seen == [("a", "run")]
    assert run(_said("x")).seen == [("a", "cached")]


def test_a_changed_command_parameter_or_switched_off_cache_runs_the_step_again(run):
    run(_said("x"))
    assert run(_said("y")).seen == [("a", "run")]
    assert run(_said("x"), {"epochs": 9}).seen == [("a", "run")]
    assert run(_said("x"), use_cache=False).seen == [("a", "run")]


def test_a_cached_artifact_that_somebody_has_removed_is_made_again(run, tmp_path):
    run(_said("x"))
    shutil.rmtree(tmp_path / "artifacts")
    assert run(_said("x")).seen == [("a", "run")]


def test_two_dollars_become_one_as_in_kubernetes(run):
    package = _package(a=_step(SAY, "$$5", "{{$.outputs.artifacts['text'].path}}", outputs=["text"]))
    assert run(package).text("a", "text") == "$5"


def test_a_command_that_is_not_there_is_said(run):
    step = _step("true")
    step["container"]["command"] = ["no-such-command"]
    run(_package(a=step), fails=(PackageError, 'exec: "no-such-command": executable file not found'))


def test_an_output_parameter_that_a_step_has_not_written_or_is_of_another_type_fails_it(run):
    nothing = _step("true", output_parameters={"n": "NUMBER_INTEGER"})
    run(_package(a=nothing), fails=(PackageError, 'task a: failed to read output parameter name="n" type="NUMBER_INTEGER": .*No such file'))
    words = _step('printf many > "$0"', "{{$.outputs.parameters['n'].output_file}}", output_parameters={"n": "NUMBER_INTEGER"})
    run(_package(a=words), fails=(PackageError, 'type="NUMBER_INTEGER": Expecting value'))


def test_a_parameter_that_is_no_text_and_no_number_is_json_in_a_command(run):
    given = ("STRUCT", {"runtimeValue": {"constant": {"a": [1, True]}}})
    step = _step(SAY, "{{$.inputs.parameters['s']}}", "{{$.outputs.artifacts['text'].path}}", outputs=["text"], parameters={"s": given})
    assert json.loads(run(_package(a=step)).text("a", "text")) == {"a": [1, True]}


def test_a_second_ctrl_c_leaves_no_step_running():
    """The step does not listen to SIGTERM; Ctrl-C comes while it is waited for, and again while its end is."""

    class Interrupted(subprocess.Popen):
        def wait(self, timeout=None):
            raise KeyboardInterrupt

    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    step = Interrupted([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    with step.stdout as said:
        said.readline()
        with pytest.raises(KeyboardInterrupt):
            launcher.wait(step)
        assert subprocess.Popen.wait(step, timeout=60) == -signal.SIGKILL


def test_a_container_that_is_waited_for_in_vain_is_killed_by_its_name(tmp_path, monkeypatch):
    """Docker's daemon runs it: it would outlive the client. `docker` is a script that says how it was called."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n[ "$1" = kill ] || exec sleep 60\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def interrupt(process):
        process.kill()
        process.communicate()
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "wait", interrupt)
    call = {"inputs": {"artifacts": {}, "parameterValues": {}}, "outputs": {"artifacts": {}, "parameters": {}, "outputFile": "none"}}
    pod = launcher.Pod(tmp_path / "Trainer-1", tmp_path / "log", "tapeline:1")
    with pytest.raises(KeyboardInterrupt):
        launcher.execute({"command": ["train"]}, call, pod)
    assert f"kill tapeline-{os.getpid()}-Trainer-1" in (tmp_path / "called").read_text().splitlines()


def test_a_store_whose_folder_was_moved_answers_with_the_places_of_now(tmp_path):
    before, now = tmp_path / "before", tmp_path / "now"
    (before / "artifacts" / "model").mkdir(parents=True)
    store = ArtifactStore(before / "metadata.json")
    names = {"model": store.record("model", {"uri": str(before / "artifacts" / "model")}), "far": store.record("far", {"uri": "gs://b/o"})}
    store.remember("FINGERPRINT", {"artifacts": names, "parameters": {}})
    before.rename(now)
    moved = ArtifactStore(now / "metadata.json")
    execution = moved.cached("FINGERPRINT")
    assert execution is not None
    assert [moved.artifact(name)["uri"] for name in execution["artifacts"].values()] == [str(now / "artifacts" / "model"), "gs://b/o"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 10_000,
        '{"artifacts": {}}',
        '{"artifacts": {"1": {"uri": 3, "contents": [1, 1], "metadata": {}}}, "executions": {}}',
        '{"artifacts": {}, "executions": {"FINGERPRINT": {"artifacts": {"out": "1"}, "parameters": {}}}}',
    ],
    ids=lambda content: content[:60],
)
def test_a_store_that_cannot_be_read_answers_nothing_and_is_written_anew(tmp_path, content):
    file = tmp_path / "metadata.json"
    file.write_text(content)
    store = ArtifactStore(file)
    assert store.cached("FINGERPRINT") is None
    store.remember("other", {"artifacts": {}, "parameters": {"a": 1}})
    assert ArtifactStore(file).cached("other") == {"artifacts": {}, "parameters": {"a": 1}}
