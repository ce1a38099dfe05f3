"""The flags of `tapeline serve`: named as tensorflow_model_server names them, and they mean the same. Imports nothing slow."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def parse_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags' values. Leaves as argparse does, by SystemExit, after --help (0) and for flags that are wrong (2)."""
    parser = _parser()
    flags = parser.parse_args(argv)
    if not flags.model_base_path and not flags.model_config_file:
        parser.error("expected --model_base_path DIR, or --model_config_file FILE for several models")
    if flags.batching_parameters_file and not flags.enable_batching:
        parser.error("--batching_parameters_file is set without setting --enable_batching to true")
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapeline serve",
        description="Serve models over TensorFlow Serving's gRPC and REST protocols, and follow their new versions.",
        allow_abbrev=False,
    )
    _add_model_flags(parser.add_argument_group("what is served"))
    _add_version_flags(parser.add_argument_group("new versions"))
    ports = parser.add_argument_group("ports")
    _add_port_flags(ports)
    _add_reload_flag(ports)
    _add_batching_flags(parser.add_argument_group("batching"))
    _add_watching_flags(parser.add_argument_group("watching"))
    return parser


def _add_model_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model_name", type=_name, default="default", metavar="NAME", help="name that clients ask for (default: %(default)s)"
    )
    group.add_argument(
        "--model_base_path", type=Path, metavar="DIR", help="folder that holds the version folders (1, 2, ...); the newest is served"
    )
    group.add_argument(
        "--model_config_file",
        type=Path,
        metavar="FILE",
        help="ModelServerConfig as text: several models, version policies and labels; the two flags above are ignored then",
    )
    group.add_argument(
        "--model_config_file_poll_wait_seconds",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="pause between two looks at that file; 0 looks only once (default: %(default)g)",
    )
    _add_switch(
        group,
        "--allow_version_labels_for_unavailable_models",
        default=False,
        help="let a new label point at a version that is not available yet",
    )


def _add_reload_flag(group: argparse._ArgumentGroup) -> None:
    _add_switch(
        group,
        "--allow_reload_requests",
        default=None,
        help="let whoever reaches the gRPC port replace the models, by HandleReloadConfigRequest",
        otherwise="where --bind_address is loopback",
    )


def _add_version_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--file_system_poll_wait_seconds",
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="pause between two looks for new versions; 0 looks only once (default: %(default)g)",
    )
    group.add_argument(
        "--max_num_load_retries",
        type=_count,
        default=5,
        metavar="N",
        help="how often a version that cannot be loaded is tried again while its files stay as they are (default: %(default)s)",
    )
    group.add_argument(
        "--load_retry_interval_micros",
        type=_count,
        default=60_000_000,
        metavar="MICROS",
        help="the longest pause between two such tries; the first ones are shorter (default: %(default)s)",
    )
    _add_switch(group, "--enable_model_warmup", default=True, help="replay assets.extra/tf_serving_warmup_requests before a version serves")


def _add_port_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--port", type=_port, default=8500, metavar="PORT", help="gRPC port; 0 picks a free one (default: %(default)s)")
    group.add_argument(
        "--rest_api_port", type=_port, default=8501, metavar="PORT", help="REST port; 0 picks a free one (default: %(default)s)"
    )
    group.add_argument(
        "--bind_address",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 for every interface, ::1 for IPv6 (default: %(default)s)",
    )
    group.add_argument(
        "--grpc_max_threads",
        type=_threads,
        default=1024,
        metavar="N",
        help="how many requests to models are answered at a time; the others wait (default: %(default)s)",
    )
    group.add_argument(
        "--grpc_max_message_bytes",
        type=_bytes,
        default=16 * 2**20,
        metavar="BYTES",
        help="the largest request over gRPC; none may be compressed (default: %(default)s)",
    )
    group.add_argument(
        "--rest_api_max_body_bytes",
        type=_bytes,
        default=16 * 2**20,
        metavar="BYTES",
        help="the largest body over REST, inflated if it is compressed (default: %(default)s)",
    )
    group.add_argument(
        "--rest_api_allowed_hosts",
        type=_host_names,
        default=(),
        metavar="NAME[,NAME]",
        help="names in `Host` that REST answers beside localhost and loopback addresses (default: on a loopback address no others, "
        "elsewhere any)",
    )
    group.add_argument(
        "--ssl_config_file",
        type=Path,
        metavar="FILE",
        help="SSLConfig as text: key and certificate of the gRPC port, custom_ca, client_verify",
    )


def _add_batching_flags(group: argparse._ArgumentGroup) -> None:
    _add_switch(
        group,
        "--enable_batching",
        default=None,
        help="run requests that wait for a model as one batch; true: for every model, as tensorflow_model_server does",
        otherwise="of the models that say that their rows are independent, as Tapeline's exports do",
    )
    group.add_argument("--batching_parameters_file", type=Path, metavar="FILE", help="BatchingParameters as text")
    group.add_argument(
        "--tensorflow_intra_op_parallelism",
        type=_parallelism,
        default=0,
        metavar="N",
        help="threads that one operation may use; 0 is half of the cores (default: %(default)s)",
    )


def _add_watching_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--monitoring_config_file", type=Path, metavar="FILE", help="MonitoringConfig as text: where the REST port shows metrics"
    )
    group.add_argument("--request_log_dir", type=Path, metavar="DIR", help="write a share of requests and answers there, as PredictionLog")
    group.add_argument(
        "--request_log_sampling_rate",
        type=_share,
        default=1.0,
        metavar="SHARE",
        help="share of the requests to write, 0 to 1 (default: %(default)g)",
    )
    group.add_argument(
        "--request_log_max_files",
        type=_positive,
        default=10,
        metavar="N",
        help="how many files to keep; the oldest is removed when there are more (default: %(default)s)",
    )
    group.add_argument(
        "--request_log_max_file_bytes",
        type=_positive,
        default=64 * 1024 * 1024,
        metavar="BYTES",
        help="size from which a new file is begun (default: %(default)s)",
    )
    group.add_argument("--verbose", action="store_true", help="show what TensorFlow logs, and tracebacks")


def _add_switch(group: argparse._ArgumentGroup, flag: str, *, default: bool | None, help: str, otherwise: str = "") -> None:
    """A flag that stands alone or has `true` or `false`, after `=` or as the next word. `otherwise`: what None means."""
    text = f"{help} (default: {otherwise or str(default).lower()})"
    group.add_argument(flag, type=_boolean, nargs="?", const=True, default=default, metavar="true|false", help=text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"expected true or false, received {text!r}")
    return text.lower() in ("true", "1")


def _name(text: str) -> str:
    if not text or "/" in text or ":" in text:
        raise argparse.ArgumentTypeError(f"expected a name without '/' and ':', received {text!r}")
    return text


def _port(text: str) -> int:
    return _integer(text, 0, 65535)


def _bytes(text: str) -> int:
    return _integer(text, 1, 2**31 - 1)


def _host_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower().removesuffix(".") for name in text.split(","))
    if not all(names) or any("/" in name for name in names):
        raise argparse.ArgumentTypeError(f"expected names without scheme and path, such as models.example.com, received {text!r}")
    return names


def _parallelism(text: str) -> int:
    return _integer(text, 0, 1024)


def _threads(text: str) -> int:
    return _integer(text, 1, 65536)


def _count(text: str) -> int:
    return _integer(text, 0, 2**53)


def _positive(text: str) -> int:
    return _integer(text, 1, 2**53)


def _integer(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected an integer from {least} to {most}, received {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    return _number(text, 86400, "seconds")


def _share(text: str) -> float:
    return _number(text, 1, "a share")


def _number(text: str, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f"expected {what} from 0 to {most}, received {text!r}")
    return number
