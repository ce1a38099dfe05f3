"""The Trainer's step, with `ADDRESSES` of this machine, the chief's first, in place of the pods' own: their names and their one port."""

import json
import os
import sys

from components import worker_jobset
from pipeline.kubeflow import step

if __name__ == "__main__":
    chief, *workers = json.loads(os.environ["ADDRESSES"])
    worker_jobset._cluster = lambda *_: {"chief": [chief], "worker": workers}
    status = step.main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)
