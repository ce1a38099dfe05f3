"""Workers of one training, each a process of its own on 127.0.0.1, as `python -m trainer.worker` starts them."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import attr

ROOT = Path(__file__).parents[2]
SECONDS = 240  # until a worker that does not end counts as hung


def free_addresses(count):
    """So many of this machine, each with a port that was free."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def tf_config(addresses, index):
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


def command(fn_args, folder, program=("-m", "trainer.worker")):
    """What starts a worker with these arguments."""
    file = Path(folder, "fn_args.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"run_fn": "trainer.gradient_tape.run_fn", "fn_args": attr.asdict(fn_args)}), encoding="utf-8")
    return [sys.executable, *program, str(file)]


def start(arguments, config, **variables):
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "TF_CONFIG": config, **variables}
    return subprocess.Popen(
        arguments, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def ends(workers):
    """(status, stdout, stderr) of each; all are ended, whatever happens."""
    try:
        return [(worker.returncode, *said) for worker in workers for said in [worker.communicate(timeout=SECONDS)]]
    finally:
        for worker in workers:
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGKILL)
                worker.communicate()
