"""TensorFlow imported without its chatter. Call `silence_tensorflow` before the first `import tensorflow`."""

import faulthandler
import logging
import os
import sys
import warnings

from serving.terminal import lenient


def silence_tensorflow() -> None:
    """Silences TensorFlow's loggers and warnings, and everything that native code writes to the process's stderr.

    The environment variable alone is not enough: before its logger is set up, TensorFlow's native code writes to file descriptor 2
    whatever the variable says. So Python's `sys.stderr` moves to a descriptor of its own and descriptor 2 leads nowhere; should the
    process crash natively, faulthandler still says where.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    sys.stderr.flush()
    sys.stderr = lenient(os.dup(2), sys.stderr.encoding)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(file=sys.stderr)
