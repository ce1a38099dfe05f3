"""`tapeline kubeflow emulate|submit|schedule|status|logs|terminate`: arguments -> Kubeflow Pipelines -> what a person reads, or JSON.

What is wrong with the arguments is told without importing kfp or TensorFlow.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from pipeline.subcommand import add_command
from trainer import environment
from trainer.errors import ConfigError

_SERVICE_ACCOUNT = "tapeline-pipeline"  # that of k8s/base
_UNDER_WAY = ("running", "submitted")  # outcomes that are none yet: exit status 0


def add_to(commands: Any) -> None:
    """Adds `kubeflow` and its commands to the parser of `tapeline`."""
    kubeflow = commands.add_parser("kubeflow", help="run a compiled pipeline here, or on Kubeflow Pipelines").add_subparsers(
        metavar="COMMAND", required=True
    )
    emulate = add_command(kubeflow, "emulate", _emulate, "run a compiled package here, under the rules of Kubeflow Pipelines")
    emulate.add_argument("package", metavar="PACKAGE", type=Path, help="what `tapeline compile` wrote")
    _parameter_arguments(emulate)
    emulate.add_argument("--root", metavar="DIR", type=Path, help="folder for everything the run writes (default: runs/NAME-kubeflow)")
    emulate.add_argument(
        "--kfp", choices=["2.4", "2.14", "2.17"], default="2.17", help="version of Kubeflow Pipelines to imitate (default: 2.17)"
    )
    emulate.add_argument("--image", metavar="IMAGE", help="run the steps in this image, through Docker")
    emulate.add_argument("--no-cache", action="store_true", help="run every step, cached or not")
    _json_argument(emulate)
    emulate.add_argument("--verbose", action="store_true", help="show tracebacks")
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
    _parameter_arguments(parser)
    parser.add_argument(
        "--service-account",
        metavar="NAME",
        help="Kubernetes service account of the steps (default: tapeline-pipeline with --namespace, else KFP's own)",
    )


def _parameter_arguments(parser: argparse.ArgumentParser) -> None:
    """-p NAME=VALUE, as `options.parameters`."""
    parser.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="parameters",
        help="set a parameter of the package, like epochs=3; repeatable",
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


def _emulate(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import emulate, launcher
    from pipeline.kubeflow.run_parameters import parse

    note = environment.note(launcher.handed_on())
    if note:
        _say(sys.stderr, note)
    summary = emulate.run(
        options.package,
        options.root,
        parse(options.parameters),
        options.kfp,
        options.image,
        use_cache=not options.no_cache,
        as_json=options.json,
    )
    if options.json:
        _say(sys.stdout, json.dumps(summary.to_json()))
    return summary.exit_status


def _submit(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import submit
    from pipeline.kubeflow.prepare import prepare
    from pipeline.kubeflow.run_parameters import parse
    from pipeline.runs.summary import Summary

    connection = _connection(options)
    prepared = prepare(options.source, options.overrides, parse(options.parameters))
    _notes(prepared.notes)
    client = _client(connection)
    account = _service_account(options)
    started = submit.submit(client, prepared, options.experiment, options.run_name, account)
    out = _out(options)
    what = "uploaded now" if started.is_new else "as before"
    _say(out, f"Run {started.run} of {prepared.package.name}, version {started.version} ({what}): {client.url(started.run)}")
    if options.no_follow:
        _say(out, f"Follow it: {connection.command('status', started.run, '--follow')}")
        return _end(options, Summary(outcome="submitted"), started.run, client)
    from pipeline.kubeflow import follow

    return _end(options, follow.follow(client, started.run, prepared.package, out, options.poll), started.run, client)


def _schedule(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import cron, schedule
    from pipeline.kubeflow.prepare import prepare
    from pipeline.kubeflow.run_parameters import parse

    connection = _connection(options)
    if not options.source and (options.cron or not options.name):
        raise ConfigError("Expected CONFIG|PACKAGE, or --name with --disable or --delete. Received: none.")
    if not options.cron:
        return _stop(options)
    cron.with_seconds(options.cron)  # a mistake in it is told before anything is compiled
    prepared = prepare(options.source, options.overrides, parse(options.parameters))
    _notes(prepared.notes)
    account = _service_account(options)
    identity = schedule.schedule(_client(connection), prepared, options.cron, options.experiment, options.name, account)
    name, experiment = options.name or prepared.package.name, options.experiment or prepared.package.name
    _say(sys.stdout, f"Planned: {name}, version {prepared.version}, at {options.cron} ({identity}).")
    _say(sys.stdout, "         One run at a time, and none for times that were missed.")
    _say(sys.stdout, f"Undo:    {connection.command('schedule', '--name', name, '--experiment', experiment, '--delete')}")
    return 0


def _stop(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import schedule
    from pipeline.kubeflow.prepare import pipeline_name

    name = options.name or pipeline_name(options.source, options.overrides)
    count = schedule.stop(_client(_connection(options)), name, options.experiment, options.delete)
    _say(sys.stdout, f"{'Removed' if options.delete else 'Disabled'}: {count} recurring run{'s' if count > 1 else ''} named {name}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import follow

    client = _client(_connection(options))
    found = follow.find(client, options.run, options.experiment)
    package = follow.package_of(client, found)
    out = _out(options)
    _say(out, f"Run {found.run_id}, {found.display_name}: {client.url(found.run_id)}")
    if options.follow:
        summary = follow.follow(client, found.run_id, package, out, options.poll)
    else:
        summary = follow.look(client, found, package, out)
    return _end(options, summary, found.run_id, client)


def _logs(options: argparse.Namespace) -> int:
    from pipeline.kubeflow import follow

    run, step = options.run, options.step
    if run and not step and "-" not in run:  # `logs Trainer`: an ID of KFP's has dashes, a step's name has none
        run, step = None, run
    client = _client(_connection(options))
    found = follow.find(client, run, options.experiment)
    for name, text in follow.step_logs(client, found, follow.package_of(client, found), step):
        sys.stdout.write(f"{'' if step else f'== {name} =={chr(10)}'}{text}{'' if text.endswith(chr(10)) else chr(10)}")
    return 0


def _terminate(options: argparse.Namespace) -> int:
    connection = _connection(options)
    _client(connection).terminate(options.run)
    _say(sys.stdout, f"Ending {options.run}. See it end: {connection.command('status', options.run, '--follow')}")
    return 0


def _connection(options: argparse.Namespace) -> Any:
    from pipeline.kubeflow.connection import connection

    return connection(options.host, options.namespace, options.token_file, options.gke_identity, options.insecure)


def _client(connection: Any) -> Any:
    from pipeline.kubeflow.client import KubeflowClient

    return KubeflowClient(connection)


def _service_account(options: argparse.Namespace) -> str | None:
    return options.service_account or (_SERVICE_ACCOUNT if options.namespace else None)


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
