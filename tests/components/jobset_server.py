"""An API server of the tests, over HTTP on 127.0.0.1: one pod, and JobSets that may be run as processes of this machine.

It takes what the JobSet controller's own documents say: a Job a replica, `$(NAME)` in a variable as kubelet fills it in, and a JobSet that
has failed as soon as one of its Jobs has.
"""

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMESPACE, POD = "tapeline-pipeline", "mnist-abc12-system-container-impl-123"
PODS = re.compile(rf"/api/v1/namespaces/{NAMESPACE}/pods/([^/?]+)")
JOBSETS = re.compile(rf"/apis/jobset\.x-k8s\.io/v1alpha2/namespaces/{NAMESPACE}/jobsets(?:/([^/?]+))?")
VERBS = {"GET": "get", "POST": "create", "DELETE": "delete"}
CHIEF = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": POD, "namespace": NAMESPACE, "uid": "0d3c7ab2-6a55-4a0b-9c4e-2f8b8a2c7d10"},
    "spec": {
        "serviceAccountName": "tapeline-pipeline",
        "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            {"name": "wait", "image": "argoexec:3"},
            {
                "name": "main",
                "image": "registry/tapeline:4fa9311-gpu",
                "resources": {
                    "requests": {"cpu": "6", "memory": "20G", "nvidia.com/gpu": "1"},
                    "limits": {"cpu": "6", "memory": "20G", "nvidia.com/gpu": "1"},
                },
            },
        ],
    },
    "status": {"podIP": "10.4.1.7"},
}


class JobSetServer(http.server.ThreadingHTTPServer):
    """`calls` are the (verb, resource) that were asked, `jobsets` those that are there, `created` all that there ever were.

    Attributes:
      refuse: (verb, resource) -> (status, message).
      failed: the message of the JobSet's failure, where it has failed whatever its processes do.
      command: runs the workers as processes, by this command in place of the image's; None runs none.
    """

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls, self.jobsets, self.created, self.refuse = [], {}, [], {}
        self.looked = threading.Semaphore(0)  # released for each look at a JobSet
        self.failed, self.command, self.processes, self._folder = "", None, {}, folder
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": NAMESPACE}}],
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}],
            "users": [{"name": "me", "user": {"token": "secret"}}],
        }
        (folder / "kubeconfig").write_text(json.dumps(config))
        self.environment = {"KUBECONFIG": str(folder / "kubeconfig"), "KFP_POD_NAME": POD}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self.shutdown()
        self._thread.join()
        self.server_close()
        for name in [*self.processes]:
            self.end(name)

    def start(self, jobset):
        """A process for each replica, with the environment of its pod and nothing else but where Python finds the code."""
        name = jobset["metadata"]["name"]
        [job] = jobset["spec"]["replicatedJobs"]
        [worker] = job["template"]["spec"]["template"]["spec"]["containers"]
        for index in range(job["replicas"]) if self.command else ():
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
            for variable in worker["env"]:
                value = variable.get("value", str(index))  # the one that is no value is the job's index
                environment[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], value)  # noqa: B023
            environment["HOME"] = str(self._folder)
            with (self._folder / f"worker-{index}.log").open("wb") as log:
                command = [*self.command, *worker["args"]]
                process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
            self.processes.setdefault(name, []).append(process)

    def status(self, name):
        """What the controller would say of it."""
        ended = [process.poll() for process in self.processes.get(name, [])]
        bad = [index for index, status in enumerate(ended) if status not in (None, 0)]
        message = self.failed or (
            f"jobset failed due to one or more job failures (first failed job: {name}-worker-{bad[0]})" if bad else ""
        )
        return {"conditions": [{"type": "Failed", "status": "True", "message": message}] if message else []}

    def end(self, name):
        """As Kubernetes ends the pods of what is deleted."""
        for process in self.processes.pop(name, []):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    """The calls that are used, as the real API server answers them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def do_DELETE(self):
        self._answer()

    def _answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path = self.path.partition("?")[0]
        pod, jobset = PODS.fullmatch(path), JOBSETS.fullmatch(path)
        call = (VERBS[self.command], "pods" if pod else "jobsets")
        self.server.calls.append(call)
        if call == ("get", "jobsets"):
            self.server.looked.release()
        if call in self.server.refuse:
            self._refuse(*self.server.refuse[call])
        elif pod:
            self._send(200, CHIEF) if pod[1] == POD else self._refuse(404, f'pods "{pod[1]}" not found')
        elif self.command == "POST":
            made = json.loads(body)
            self.server.created.append(made)
            self.server.jobsets[made["metadata"]["name"]] = made
            self.server.start(made)
            self._send(201, made)
        elif jobset[1] not in self.server.jobsets:
            self._refuse(404, f'jobsets.jobset.x-k8s.io "{jobset[1]}" not found')
        elif self.command == "GET":
            self._send(200, self.server.jobsets[jobset[1]] | {"status": self.server.status(jobset[1])})
        else:
            del self.server.jobsets[jobset[1]]
            self.server.end(jobset[1])
            self._send(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _refuse(self, code, message):
        self._send(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})

    def _send(self, code, body):
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Says nothing."""


WORKER = [sys.executable, "-m", "trainer.worker"]
