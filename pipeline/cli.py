"""The `tapeline` command: arguments -> config -> runner. Help and configuration errors answer without importing TensorFlow."""

import argparse
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline import interruption
from pipeline import show_model as show
from pipeline.extras import extra_of
from pipeline.init import command as init
from pipeline.kubeflow import command as kubeflow
from pipeline.new import command as new
from pipeline.release import command as release
from pipeline.runs import batch
from pipeline.subcommand import add_command
from pipeline.tune import command as tune
from serving.terminal import lost_output, settle_terminal
from trainer import environment
from trainer.cause import one_line
from trainer.errors import TapelineError, printable

if TYPE_CHECKING:
    from serving.predict_table import Record

DEFAULT_CONFIG = "configs/digits.yaml"
_NO_WORKING_FOLDER = (
    "Expected a working folder that is there. Received: one that has been removed. "
    "Go to another (`cd`), or name every file by its whole path."
)
# Whether a command does something beyond printing: then it has done it, whether or not that can be told.
ACTS = {
    ("init",): True,
    ("new", "step"): True,
    ("new", "model"): True,
    ("run",): True,
    ("tune lr",): True,
    ("tune",): True,
    ("compile",): True,
    ("kubeflow", "emulate"): True,
    ("kubeflow", "submit"): True,
    ("kubeflow", "schedule"): True,
    ("kubeflow", "status"): False,
    ("kubeflow", "logs"): False,
    ("kubeflow", "terminate"): True,
    ("release", "status"): False,
    ("release", "promote"): True,
    ("release", "rollback"): True,
    ("serve",): True,
    ("predict",): False,
    ("loadtest",): False,
    ("config", "check"): False,
    ("config", "show"): False,
    ("config", "schema"): False,
    ("schema", "accept"): True,
    ("schema", "diff"): False,
    ("schema", "edit"): True,
    ("show", "model"): True,
    ("doctor",): False,
}


_SCHEMA_FLAGS = (
    ("--add-value", "COLUMN=VALUE", "allow one more value"),
    ("--range", "COLUMN=MIN:MAX", "allow numbers from MIN to MAX, of which one may be empty"),
    ("--optional", "COLUMN", "allow rows without a value, and files without the column"),
    ("--drift", "COLUMN=THRESHOLD", "how far it may be from the data that was accepted last, 0 to 1"),
    ("--skew", "COLUMN=THRESHOLD", "how far eval and test may be from train, 0 to 1"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    0 done (`run`: pushed), 1 a crash or unreadable data, 2 a usage or configuration error, 3 the gate refused,
    4 the data has anomalies, 130 Ctrl-C, 143 SIGTERM.
    """
    arguments = tune.joined(sys.argv[1:] if argv is None else argv)
    given = dict(os.environ)
    environment.settle()  # before anything imports Keras or TensorFlow
    forwarded = {"serve": _serve, "predict": _predict, "loadtest": _loadtest}.get(arguments[0]) if arguments else None
    options = argparse.Namespace(environment=given)
    if not forwarded:
        options = _parser().parse_args(arguments, options)
    try:
        with extra_of(arguments[0]):
            status = forwarded(arguments[1:]) if forwarded else options.command(options)
        sys.stdout.flush()
        return status
    except TapelineError as error:
        return _fail(str(error), error.exit_status, options)
    except interruption.Told as interrupt:
        return interruption.exit_status(interrupt) or 130
    except KeyboardInterrupt as interrupt:
        return _fail("Interrupted. Run the same command again.", interruption.exit_status(interrupt) or 130, options)
    except Exception as error:  # a broken pipe too: it is the network's, for stdout's is no error (serving.terminal)
        if isinstance(error, FileNotFoundError) and _working_folder_is_gone():
            return _fail(_NO_WORKING_FOLDER, 2, options)
        # what nobody foresaw is one line too, unless a traceback is asked for
        if getattr(options, "verbose", False):
            raise
        more = ". --verbose shows the traceback." if hasattr(options, "verbose") else ""
        place = getattr(options, "output", None) or getattr(options, "root", None) or ""
        return _fail(f"{one_line(error, str(place))}{more}", 1, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline", description="Labelled data in; a validated, gated, versioned TensorFlow Serving model out."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    init.add_to(commands)
    new.add_to(commands)
    run = add_command(commands, "run", _run, "run a pipeline: raw data -> gated, pushed model")
    _config_arguments(run)
    _root_argument(run, "folder for everything the run writes")
    run.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout; progress goes to stderr")
    run.add_argument("--verbose", action="store_true", help="show what TFX, Beam and TensorFlow say, and tracebacks")
    for parser_of_config in tune.add_to(commands):
        _config_arguments(parser_of_config)
    _compile_command(commands)
    kubeflow.add_to(commands)
    release.add_to(commands)
    commands.add_parser("serve", help="serve pushed models on this machine, as TensorFlow Serving does")
    commands.add_parser("predict", help="send images or rows to a server and print what it answers, or predict a file without one")
    commands.add_parser("loadtest", help="send requests to a server at a rate, and measure how long they wait")
    config = commands.add_parser("config", help="check or show a config file, or print its JSON Schema").add_subparsers(
        metavar="COMMAND", required=True
    )
    _config_arguments(add_command(config, "check", _config_check, "say whether a config file is right"), optional=True)
    _config_arguments(add_command(config, "show", _config_show, "print every setting, defaults included"), optional=True)
    add_command(config, "schema", _config_schema, "print the JSON Schema that editors complete from")
    schema = commands.add_parser("schema", help="review the schema of the data").add_subparsers(metavar="COMMAND", required=True)
    accept = add_command(schema, "accept", _schema_accept, "write the inferred schema to `schema.path`, where later runs take it from")
    _config_arguments(accept)
    _root_argument(accept, "folder of the run that inferred it")
    accept.add_argument("--widen", action="store_true", help="change the schema that is there as little as the last run's data need")
    diff = add_command(schema, "diff", _schema_diff, "say how the reviewed schema and the data of the last run differ")
    _config_arguments(diff)
    _root_argument(diff, "folder of the run")
    edit = add_command(schema, "edit", _schema_edit, "change the reviewed schema, by flags or, without any, in $EDITOR")
    _config_arguments(edit)
    for flag, value, text in _SCHEMA_FLAGS:
        edit.add_argument(flag, metavar=value, action="append", default=[], help=f"{text}; repeatable")
    _config_arguments(show.add_to(commands))
    doctor = add_command(commands, "doctor", _doctor, "check this machine and the installed packages")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("tapeline")
    except importlib.metadata.PackageNotFoundError:  # run out of a checkout by another environment's Python
        return "(not installed)"


def _compile_command(commands: Any) -> None:
    compiler = add_command(commands, "compile", _compile, "compile a pipeline for Kubeflow Pipelines")
    _config_arguments(compiler)
    compiler.add_argument("--target", choices=["kubeflow"], default="kubeflow", help="what to compile for (default: kubeflow)")
    compiler.add_argument(
        "-o", "--output", metavar="FILE", type=Path, default=Path("pipeline.yaml"), help="package (default: pipeline.yaml)"
    )


def _config_arguments(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    if optional:
        parser.add_argument(
            "config", metavar="CONFIG", nargs="?", default=DEFAULT_CONFIG, help=f"YAML file of the use case (default: {DEFAULT_CONFIG})"
        )
    else:
        parser.add_argument("config", metavar="CONFIG", help="YAML file of the use case")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a setting, like trainer.loop=gradient_tape; repeatable",
    )


def _root_argument(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--root", metavar="DIR", type=Path, help=f"{text} (default: runs/NAME)")


def _run(options: argparse.Namespace) -> int:
    from pipeline import config, workspace
    from pipeline.runs import local

    settings = config.load(options.config, options.overrides)
    note = environment.note(options.environment)
    if note:
        print(note, file=sys.stderr)
    summary = local.run(settings, options.root or workspace.default_root(settings), options.verbose, options.json, interruption.hold)
    if options.json:
        print(json.dumps(summary.to_json()))
    return summary.exit_status


def _compile(options: argparse.Namespace) -> int:
    from pipeline import config
    from pipeline.kubeflow.config import PLACEHOLDER
    from pipeline.plain import command
    from pipeline.runs.quiet import output_hidden

    settings = config.load(options.config, options.overrides)
    with output_hidden():
        from pipeline.kubeflow.compile import write_package

        write_package(settings, options.output)
    for key in ("pipeline_root", "serving_base_path"):
        value = getattr(settings.kubeflow, key)
        if value.startswith(PLACEHOLDER):
            print(
                f"Note: kubeflow.{key} is still the placeholder {value}. Set it in the config, or the parameter {key} of each run.",
                file=sys.stderr,
            )
    print(f"Wrote {options.output}. Run it here: {command('kubeflow', 'emulate', options.output)}")
    return 0


def _config_check(options: argparse.Namespace) -> int:
    from components.example_gen import raw_files, remote_files
    from pipeline import config, places, reviewed_schema

    settings = config.load(options.config, options.overrides)
    places.check_base_path(settings.pusher.base_path or "", "pusher.base_path")
    places.check_name(settings.kubeflow.pipeline_root, "kubeflow.pipeline_root")
    places.check_name(settings.kubeflow.serving_base_path, "kubeflow.serving_base_path", places.UNLOADABLE_SIGNS)
    is_remote = remote_files.is_remote(settings.data.path)
    if settings.data.path and not is_remote:
        raw_files.files(settings.data)  # raises where they are not there
    reviewed_schema.check(settings)
    unseen = f" Whether {settings.data.path} is there was not looked at." if is_remote else ""
    what = f"{settings.name}, {settings.data.format}, {settings.trainer.model} with {settings.trainer.loop}"
    print(f"{options.config} is right: {what}.{unseen}")
    return 0


def _config_show(options: argparse.Namespace) -> int:
    from pipeline import config

    print(config.to_yaml(config.load(options.config, options.overrides)), end="")
    return 0


def _config_schema(_: argparse.Namespace) -> int:
    from pipeline import config

    print(json.dumps(config.json_schema(), indent=2))
    return 0


def _schema_accept(options: argparse.Namespace) -> int:
    from pipeline import config, reviewed_schema, workspace
    from pipeline.runs.quiet import output_hidden

    settings = config.load(options.config, options.overrides)
    with output_hidden():
        path = reviewed_schema.accept(settings, workspace.Workspace(options.root or workspace.default_root(settings)), options.widen)
    print(f"Wrote {path}. Read it through, edit it, keep it under version control: the next run compares the data with it.")
    return 0


def _schema_diff(options: argparse.Namespace) -> int:
    from pipeline import config, workspace
    from pipeline.runs.quiet import output_hidden

    settings = config.load(options.config, options.overrides)
    with output_hidden():
        from pipeline.schema_diff import differences

        lines = differences(settings, workspace.Workspace(options.root or workspace.default_root(settings)))
    print("\n".join(lines) or f"The data of the last run is as {settings.schema_.path} says.")
    if lines:
        print("`tapeline schema edit` takes the flags above; `tapeline schema accept --widen` takes in all of it.")
    return 0


def _schema_edit(options: argparse.Namespace) -> int:
    from pipeline import config, schema_edit

    settings = config.load(options.config, options.overrides)
    changes = schema_edit.Changes(options.add_value, options.range, options.optional, options.drift, options.skew)
    lines = schema_edit.edit(settings, changes, options.environment)
    print("\n".join([*lines, f"Wrote {settings.schema_.path}."]) if lines else "Nothing has changed.")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from pipeline import doctor

    return doctor.run(options.json, options.environment)


def _serve(arguments: list[str]) -> int:
    from pipeline import pushed_models
    from serving.server import __main__ as server

    return server.main(pushed_models.with_default_model(arguments))


def _predict(arguments: list[str]) -> int:
    if batch.is_meant(arguments):
        with extra_of("predict --model_dir"):
            return batch.main(arguments)

    from pipeline import pushed_models
    from serving import predict

    return predict.main(arguments, pushed_models.names(), _as_learnt)


def _as_learnt(name: str, version: int, paths: Sequence[Path]) -> "Callable[[], Iterator[Record]] | None":
    from pipeline import learnt_rows  # here, because it brings Arrow

    return learnt_rows.reader(name, version, paths)


def _loadtest(arguments: list[str]) -> int:
    from pipeline import pushed_models
    from serving.loadtest import __main__ as loadtest

    return loadtest.main(arguments, pushed_models.names())


def _working_folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _fail(message: str, status: int, options: argparse.Namespace) -> int:
    if getattr(options, "json", False):
        from pipeline.runs.summary import Summary

        print(json.dumps(Summary(reasons=message.splitlines()).to_json()))
    print("\n".join(map(printable, message.splitlines())), file=sys.stderr)
    return status


def console() -> NoReturn:
    """The console script: `main`, then the end of the process without the seconds that TensorFlow and Beam take to tear down."""
    settle_terminal()
    if sys.argv[1:2] != ["serve"]:  # the server has handlers of its own
        interruption.raise_on_signals()
    try:
        status = main()
    except SystemExit as end:  # argparse's, and the server's
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt as interrupt:  # before there was a command
        status = interruption.exit_status(interrupt) or 130
    status = _status_after_printing(status)
    sys.stderr.flush()
    os._exit(status)


def _status_after_printing(status: int) -> int:
    """What was done is done, also where nobody could be told; a command that only prints has failed then."""
    error = lost_output()
    if error is None:
        return status
    if _acts(sys.argv[1:]):
        record = " ROOT/records has the run's record." if sys.argv[1] == "run" else ""
        print(
            f"Note: stdout could not be written ({error.strerror}). The exit status {status} holds all the same.{record}", file=sys.stderr
        )
        return status
    print(f"Expected an stdout that can be written. Received: {error.strerror}. Part of the output is lost.", file=sys.stderr)
    return status or 1


def _acts(arguments: Sequence[str]) -> bool:
    if {"-h", "--help"} & set(arguments):
        return False
    if arguments[:1] == ["predict"] and batch.is_meant(arguments):
        return True
    arguments = tune.joined(arguments)
    return ACTS.get(tuple(arguments[:1]), False) or ACTS.get(tuple(arguments[:2]), False)


if __name__ == "__main__":
    console()
