"""Engines as processes of their own: started, waited for with a limit, ended by their ids in any case.

vLLM and Ray start processes that start processes, rename them and outlive each other. So this process takes in orphans
(a subreaper of Linux): whatever its children leave behind becomes its own child, and is found and ended.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

_PATIENCE = float(
    os.environ.get("HERO_ENGINES_PATIENCE", "1")
)  # for a machine with other work: limits are so much longer

HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]
"""The command `hero`."""

FEW_BLOCKS = 512
"""Of vLLM's cache, 128 tokens each: some 70 MB for the small models here, where by itself it takes a gigabyte."""

# What vLLM and verl need to know on a CPU, and how they are kept to one thread a process and off the network.
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "NO_PROXY": "localhost,127.0.0.1,127.0.0.2,127.0.0.3",
    "OMP_NUM_THREADS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "VERL_ENGINE_DEVICE": "cuda",
    "VERL_USE_EXTERNAL_MODULES": "verl_on_cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",
}


_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass
class Engines:
    """Starts processes for one test module and ends them all.

    Attributes:
        folder: for logs.
        ray: Ray's temporary folder; its path is short, since sockets lie in it.
        strangers: processes that were this one's children before.
    """

    folder: Path
    ray: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="hr", dir="/tmp")))
    strangers: set[int] = field(default_factory=lambda: {child.pid for child in psutil.Process().children()})

    def __post_init__(self) -> None:
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl: no subreaper")

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process."""
        return os.environ | _ENVIRONMENT | {"RAY_TMPDIR": str(self.ray)} | more

    def run(self, *command: object, seconds: float, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        Raises:
            AssertionError: it took longer; with the end of what it said.
        """
        seconds *= _PATIENCE
        log = self.folder / f"run-{uuid.uuid4().hex[:6]}.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                list(map(str, command)),
                env=self.environment(**more),
                cwd=self.folder,
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.end()
                raise AssertionError(f"no end within {seconds:g} s; it said last:\n{tail(log)}") from None
        return subprocess.CompletedProcess(process.args, code, log.read_text(errors="replace"))

    @contextmanager
    def serving(self, model: Path, *flags: str, **more: str) -> Iterator[Server]:
        """vLLM's server with a model; the block may go on before it answers, see `Server.wait`."""
        port = free_port()
        log = self.folder / f"server-{port}.log"
        settings = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "2048", "--port", str(port)]
        settings += ["--num-gpu-blocks-override", str(FEW_BLOCKS), *flags]
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), *settings]
        with log.open("w") as said:
            process = subprocess.Popen(
                command, env=self.environment(**more), cwd=self.folder, stdout=said, stderr=subprocess.STDOUT
            )
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            yield server
        finally:
            server.kill()

    @contextmanager
    def ray_nodes(self, *addresses: str, cpus: int, gpus: int) -> Iterator[dict[str, str]]:
        """A cluster of Ray of a node for each loopback address; the block gets the environment that leads to it.

        Its token is its own, so that nobody else on the machine can use it.
        """
        head = f"{addresses[0]}:{free_port()}"
        around = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        has = [f"--num-cpus={cpus}", f"--num-gpus={gpus}", "--object-store-memory=200000000"]
        try:
            for address in addresses:
                first = ["--head", f"--port={head.rsplit(':')[-1]}", "--include-dashboard=false"]
                place = first if address == addresses[0] else [f"--address={head}"]
                self._ray_node([*place, f"--node-ip-address={address}", *has], around)
            yield around | {"RAY_ADDRESS": head}
        finally:
            self.end()
            shutil.rmtree(self.ray)  # or the next run would look for this cluster, whose address is left there
            self.ray.mkdir()

    def _ray_node(self, flags: list[str], around: dict[str, str], seconds: float = 60) -> None:
        log = self.folder / f"node-{uuid.uuid4().hex[:6]}.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *flags],
                env=self.environment(**around),
                cwd=self.folder,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + seconds * _PATIENCE
        while "Ray runtime started" not in log.read_text(errors="replace"):
            assert process.poll() is None and time.monotonic() < until, f"no node of Ray:\n{tail(log)}"
            time.sleep(0.3)

    def end(self) -> None:
        """End every process that was started, or that one of them left behind."""
        for _ in range(50):
            left = [child for child in psutil.Process().children() if child.pid not in self.strangers]
            if not left:
                return
            for child in left:
                end_tree(child)
        raise AssertionError(f"processes that do not end: {left}")

    def close(self) -> None:
        """End everything for good."""
        self.end()
        shutil.rmtree(self.ray, ignore_errors=True)


@dataclass
class Server:
    """A server of vLLM.

    Attributes:
        url: without a trailing slash.
        process: its first process.
        log: what it says.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, seconds: float = 300) -> Server:
        """Wait until it answers.

        Raises:
            AssertionError: it ended, or took longer; with the end of its log.
        """
        seconds *= _PATIENCE
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.process.poll() is None, f"the server ended:\n{tail(self.log)}"
            try:
                if httpx.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return self
            except httpx.HTTPError:
                time.sleep(0.5)
        raise AssertionError(f"the server did not answer within {seconds:g} s:\n{tail(self.log)}")

    def kill(self) -> None:
        """End all its processes at once."""
        with suppress(psutil.NoSuchProcess):
            end_tree(psutil.Process(self.process.pid))
        self.process.poll()


def end_tree(process: psutil.Process) -> None:
    """Kill a process and all that come from it."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)


def free_port() -> int:
    """A port that nobody has at present."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tail(log: Path, characters: int = 4000) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-characters:]
