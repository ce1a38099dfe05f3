"""`tapeline kubeflow submit|schedule|status|logs|terminate`: arguments -> Kubeflow Pipelines -> what a person reads, or JSON.

What is wrong with the arguments is told without importing kfp or TensorFlow.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from pipeline.arguments import add_command, add_parameters
from trainer.errors import ConfigError

_UNDER_WAY = ("running", "submitted")  # outcomes that are none yet: exit status 0


def add_to(kubeflow: Any) -> None:
    """Adds the commands to the parser of `tapeline kubeflow`."""
    submit = add_command(kubeflow, "submit", _submit, "start a run on Kubeflow Pipelines, and follow it to the gate's verdict")
    _source_arguments(submit)
    submit.add_argument("--run-name", metavar="NAME", help="the run's name (default: the pipeline's, and the time)")
    submit.add_argument("--no-follow", action="store_true", help="return as soon as the run is started")
    _poll_argument(submit)
    _json_argument(submit)
    schedule = add_command(
        kubeflow, "schedule", _schedule, "plan runs by the clock; the one planned before under the same name is replaced"
    )
    _source_arguments(schedule, optional=True)
    what = schedule.add_mutually_exclusive_group(required=True)
    what.add_argument("--cron", metavar="'M H D M W'", help="the time to run at: minute, hour, day of month, month, day of week")
    what.add_argument("--disable", action="store_true", help="start no more runs; --cron starts them again")
    what.add_argument("--delete", action="store_true", help="remove the recurring run; the runs that it started stay")
    schedule.add_argument("--name", metavar="NAME", help="the recurring run's name (default: the pipeline's)")
    status = add_command(kubeflow, "status", _status, "show how far a run is, or what came of it")
    status.add_argument("run", metavar="RUN_ID", nargs="?", help="which run (default: the last)")
    status.add_argument("--follow", action="store_true", help="show it until it ends")
    _poll_argument(status)
    _json_argument(status)
    logs = add_command(kubeflow, "logs", _logs, "print what a run's steps have written")
    logs.add_argument("run", metavar="RUN_ID", nargs="?", help="which run (default: the last)")
    logs.add_argument("step", metavar="STEP", nargs="?", help="which step, like Trainer (default: all that have begun)")
    terminate = add_command(kubeflow, "terminate", _terminate, "end a run; what its steps have done stays")
    terminate.add_argument("run", metavar="RUN_ID", help="which run")
    for parser in (submit, schedule, status, logs, terminate):
        _connection_arguments(parser)
    for parser in (submit, schedule, status, logs):
        default = "any" if parser in (status, logs) else "the pipeline's name"
        parser.add_argument("--experiment", metavar="NAME", help=f"the experiment (default: {default})")


def _source_arguments(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    more = "; not needed with --name to --disable or --delete" if optional else ""
    parser.add_argument(
        "source",
        metavar="CONFIG|PACKAGE",
        nargs="?" if optional else None,
        help=f"YAML file of the use case, or what `tapeline compile` wrote{more}",
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides", help="override a setting of CONFIG; repeatable"
    )
    add_parameters(parser)
    parser.add_argument(
        "--service-account",
        metavar="NAME",
        help="Kubernetes service account of the steps (default: tapeline-pipeline with --namespace, else KFP's own)",
    )


def _connection_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where Kubeflow Pipelines is")
    group.add_argument("--host", metavar="URL", help="its API, like http://127.0.0.1:8888 (default: TAPELINE_KFP_HOST)")
    group.add_argument("--namespace", metavar="NAME", help="the profile's namespace; leave it out where KFP has no profiles")
    proof = group.add_mutually_exclusive_group()
    proof.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="file with a service account's token (default: KF_PIPELINES_SA_TOKEN_PATH, if set)",
    )
    proof.add_argument("--gke-identity", action="store_true", help="authenticate with Google's Application Default Credentials")
    group.add_argument("--insecure", action="store_true", help="send a token over plain HTTP to a host that is not local")
    parser.add_argument("--verbose", action="store_true", help="show tracebacks")


def _poll_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--poll", metavar="SECONDS", type=_positive, default=2.0, help="how often to ask, at first (default: 2)")


def _json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout; progress goes to stderr")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, like 2. Received: '{text}'.")
    return value


def _submit(options: argparse.Namespace) -> int:
    from pipeline.kubeflow.given_parameters import parse
    from pipeline.runners import kubeflow_submit
    from pipeline.runners.summary import Summary

    connection = _connection(options)
    prepared = kubeflow_submit.prepare(options.source, options.overrides, parse(options.parameters))
    _notes(prepared.notes)
    client = _client(connection)
    account = _service_account(options, kubeflow_submit.SERVICE_ACCOUNT)
    started = kubeflow_submit.submit(client, prepared, options.experiment, options.run_name, account)
    out = _out(options)
    what = "uploaded now" if started.is_new else "as before"
    _say(out, f"Run {started.run} of {prepared.package.name}, version {started.version} ({what}): {client.url(started.run)}")
    if options.no_follow:
        _say(out, f"Follow it: {connection.command('status', started.run, '--follow')}")
        return _end(options, Summary(outcome="submitted"), started.run, client)
    from pipeline.runners import kubeflow_run

    return _end(options, kubeflow_run.follow(client, started.run, prepared.package, out, options.poll), started.run, client)


def _schedule(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import cron
    from pipeline.kubeflow.given_parameters import parse
    from pipeline.runners import kubeflow_submit

    connection = _connection(options)
    if not options.source and (options.cron or not options.name):
        raise ConfigError("Expected CONFIG|PACKAGE, or --name with --disable or --delete. Received: none.")
    if not options.cron:
        return _stop(options)
    cron.with_seconds(options.cron)  # a mistake in it is told before anything is compiled
    prepared = kubeflow_submit.prepare(options.source, options.overrides, parse(options.parameters))
    _notes(prepared.notes)
    account = _service_account(options, kubeflow_submit.SERVICE_ACCOUNT)
    identity = kubeflow_submit.schedule(_client(connection), prepared, options.cron, options.experiment, options.name, account)
    name, experiment = options.name or prepared.package.name, options.experiment or prepared.package.name
    _say(sys.stdout, f"Planned: {name}, version {prepared.version}, at {options.cron} ({identity}).")
    _say(sys.stdout, "         One run at a time, and none for times that were missed.")
    _say(sys.stdout, f"Undo:    {connection.command('schedule', '--name', name, '--experiment', experiment, '--delete')}")
    return 0


def _stop(options: argparse.Namespace) -> int:
    from pipeline.runners import kubeflow_submit

    name = options.name or kubeflow_submit.pipeline_name(options.source, options.overrides)
    count = kubeflow_submit.stop(_client(_connection(options)), name, options.experiment, options.delete)
    _say(sys.stdout, f"{'Removed' if options.delete else 'Disabled'}: {count} recurring run{'s' if count > 1 else ''} named {name}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    from pipeline.runners import kubeflow_run

    client = _client(_connection(options))
    found = kubeflow_run.find(client, options.run, options.experiment)
    package = kubeflow_run.package_of(client, found)
    out = _out(options)
    _say(out, f"Run {found.run_id}, {found.display_name}: {client.url(found.run_id)}")
    if options.follow:
        summary = kubeflow_run.follow(client, found.run_id, package, out, options.poll)
    else:
        summary = kubeflow_run.look(client, found, package, out)
    return _end(options, summary, found.run_id, client)


def _logs(options: argparse.Namespace) -> int:
    from pipeline.runners import kubeflow_run

    run, step = options.run, options.step
    if run and not step and "-" not in run:  # `logs Trainer`: an ID of KFP's has dashes, a step's name has none
        run, step = None, run
    client = _client(_connection(options))
    found = kubeflow_run.find(client, run, options.experiment)
    for name, text in kubeflow_run.step_logs(client, found, kubeflow_run.package_of(client, found), step):
        sys.stdout.write(f"{'' if step else f'== {name} =={chr(10)}'}{text}{'' if text.endswith(chr(10)) else chr(10)}")
    return 0


def _terminate(options: argparse.Namespace) -> int:
    connection = _connection(options)
    _client(connection).terminate(options.run)
    _say(sys.stdout, f"Ending {options.run}. See it end: {connection.command('status', options.run, '--follow')}")
    return 0


def _connection(options: argparse.Namespace) -> Any:
    from pipeline.runners.kubeflow_connection import connection

    return connection(options.host, options.namespace, options.token_file, options.gke_identity, options.insecure)


def _client(connection: Any) -> Any:
    from pipeline.runners.kubeflow_client import KubeflowClient

    return KubeflowClient(connection)


def _service_account(options: argparse.Namespace, default: str) -> str | None:
    return options.service_account or (default if options.namespace else None)


def _end(options: argparse.Namespace, summary: Any, run: str, client: Any) -> int:
    if options.json:
        sys.stdout.write(json.dumps({**summary.to_json(), "run_id": run, "url": client.url(run)}) + "\n")
    return 0 if summary.outcome in _UNDER_WAY else summary.exit_status


def _out(options: argparse.Namespace) -> TextIO:
    return sys.stderr if options.json else sys.stdout


def _notes(notes: list[str]) -> None:
    from rich.console import Console

    from pipeline.plain import print_line

    err = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    for note in notes:
        print_line(err, f" {note}", "Note:", "yellow")


def _say(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()
