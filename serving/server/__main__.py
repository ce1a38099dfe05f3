"""`python -m serving.server`, what `tapeline serve` runs. Usage errors and what is wrong with a file are said without TensorFlow."""

import argparse
import os
import sys
from collections.abc import Sequence

from serving.errors import ServingError, StartError
from serving.server.flags import parse_flags
from serving.server.idle_flags import idle_notes
from serving.terminal import say, settle_terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns 0, or 2 when the port is taken or the flags are wrong."""
    try:
        flags = parse_flags(argv)
    except SystemExit as exit_:  # argparse leaves this way: 0 after --help, 2 after a usage error
        return exit_.code if isinstance(exit_.code, int) else 2
    try:
        for note in idle_notes(flags):
            say(f"tapeline serve: {note}", sys.stderr)
        _read_files(flags)
        from serving.server.serve import serve  # here, because it brings gRPC and TensorFlow

        status = serve(flags)
    except ServingError as error:
        say(f"tapeline serve: {error}", sys.stderr)
        return StartError.exit_status
    return _end(status)


def _read_files(flags: argparse.Namespace) -> None:
    """Puts what the files say beside the flags that name them. Raises ServingError."""
    from serving.server.batching_parameters import read_batching_parameters  # here, because these bring protobuf
    from serving.server.model_config import check_served_here, read_first_config, read_models, single_model
    from serving.server.monitoring import Monitoring, read_monitoring_config
    from serving.server.tls import read_ssl_config

    if flags.model_config_file:
        may_wait = flags.allow_version_labels_for_unavailable_models or flags.force_allow_any_version_labels_for_unavailable_models
        flags.config = read_first_config(flags.model_config_file, labels_allowed=may_wait)
    else:
        flags.config = single_model(flags.model_name, flags.model_base_path.expanduser().absolute())
        check_served_here(read_models(flags.config).values())
    flags.batching_parameters = read_batching_parameters(flags.batching_parameters_file) if flags.batching_parameters_file else None
    flags.monitoring = read_monitoring_config(flags.monitoring_config_file) if flags.monitoring_config_file else Monitoring()
    flags.tls = read_ssl_config(flags.ssl_config_file) if flags.ssl_config_file else None


def _end(status: int) -> int:
    """Ends the process without taking gRPC and TensorFlow apart: that would cancel a request that arrives now instead of refusing it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    settle_terminal()
    sys.exit(main())
