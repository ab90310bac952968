"""Starting services as processes of their own, and asking them."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())", "serve"]
OBEDIENT = [sys.executable, str(Path(__file__).with_name("serve_obedient.py"))]
SOURCES = str(Path(__file__).parents[2] / "src")


class Service:
    """A running service and a client of it."""

    def __init__(self, process, url, token=""):
        self.process = process
        self.url = url
        self.port = int(url.rpartition(":")[2])
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)

    def post(self, path, body, **options):
        return self.client.post(path, json=body, **options)

    def signals(self, *completions, reference="x"):
        rollouts = [{"prompt": "p", "completion": text, "reference": reference} for text in completions]
        return self.post("/v1/signals", {"rollouts": rollouts})

    def metric(self, name):
        """The value of the metric whose line begins so."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def workers(self):
        """Process ids of the verifier's workers."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in listed.stdout.split()]

    def kill(self, pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid


@contextmanager
def running(command, token="", **environment):
    """The process of a service that says its address as the first line of its output."""
    path = os.pathsep.join([SOURCES, *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
    try:
        said = process.stdout.readline().strip()
        assert said, process.stderr.read()[-3000:]
        service = Service(process, json.loads(said)["url"] if said.startswith("{") else said, token)
        with service.client:
            yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def obedient(config, *flags):
    return [*OBEDIENT, json.dumps({"port": 0, **config}), *flags]
