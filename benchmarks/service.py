"""The service under a load that is held while its verifier's workers are killed, and every answer checked.

    python benchmarks/service.py            # five minutes at 64 clients; writes docs/benchmarks/service.md
    python benchmarks/service.py --quick    # ten seconds at 8 clients, writes nothing

Each client is a thread with one connection that asks again as soon as it is answered: eight rollouts of one prompt, of
which it knows what verdict, answer and advantage each must get. The numbers in them are drawn anew each time, so that
no answer fits another request. One rollout of eight is a formula that goes to a worker process; the others are decided
at once. Every few seconds a worker is killed with SIGKILL. Clients and server share the machine, so what the clients
take is missing from the throughput.

Before that: rollouts for a reward model in this process, merged into one batch where they wait, and one by one.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from core import processor

ROLLOUTS = 8
SECONDS_BETWEEN_KILLS = 4.0
HERO = [sys.executable, "-c", "import sys; from hero_rl.cli import main; sys.exit(main())", "serve"]


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service as a process, and its address."""
    command = [*HERO, "--port", "0", "--json", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


class Client(threading.Thread):
    """Asks until it is told to stop.

    Attributes:
        seconds: of each request.
        said: statuses, and what was wrong with answers.
        abstained: rollouts that a killed worker took with it.
    """

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.said: Counter[str] = Counter()
        self.abstained = 0
        self._random = random.Random(number)
        self._url = url
        self._stop_event = stop

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=120, trust_env=False) as client:
            while not self._stop_event.is_set():
                body, answers = self._request()
                start = time.perf_counter()
                try:
                    reply = client.post("/v1/shape", json=body)
                except httpx.HTTPError as error:
                    self.said[type(error).__name__] += 1
                    continue
                self.seconds.append(time.perf_counter() - start)
                self.said[str(reply.status_code)] += 1
                if reply.status_code == 200:
                    self._check(reply.json(), answers)

    def _request(self) -> tuple[dict[str, Any], list[tuple[float, str]]]:
        number = self._random.randrange(10**9)
        a, b = self._random.randrange(2, 10**4), self._random.randrange(2, 10**4)
        formula = rf"x^2+{a + b}x+{a * b}"
        rows = [(1.0, f"{number}")] * 3 + [(0.0, f"{number + n}") for n in range(1, 5)]
        group = f"{number}"
        rollouts = [_rollout(group, answer, f"{number}") for _, answer in rows]
        rows.append((1.0, rf"(x+{a})(x+{b})"))
        rollouts.append(_rollout(group, rows[-1][1], formula))
        return {"rollouts": rollouts}, rows

    def _check(self, reply: dict[str, Any], expected: list[tuple[float, str]]) -> None:
        rows = reply["rollouts"]
        if [row["answer"] for row in rows] != [answer for _, answer in expected]:
            self.said["wrong answers"] += 1
            return
        pairs = zip(rows, expected, strict=True)
        known = [None if row["verdict"] is None else verdict for row, (verdict, _) in pairs]
        self.abstained += known.count(None)
        if [row["verdict"] for row in rows] != known or any(verdict is None for verdict in known[:-1]):
            self.said["wrong verdicts"] += 1
        elif any(abs(row["advantage"] - right) > 1e-9 for row, right in zip(rows, _advantages(known), strict=True)):
            self.said["wrong advantages"] += 1


def _rollout(group: str, answer: str, reference: str) -> dict[str, str]:
    return {"group": group, "prompt": group, "completion": rf"It is \boxed{{{answer}}}", "reference": reference}


def _advantages(verdicts: list[float | None]) -> list[float]:
    """Of HERO without scores: middles of the bands, less their mean."""
    known = [verdict for verdict in verdicts if verdict is not None]
    mean = sum(known) / len(known)
    return [0.0 if verdict is None else verdict - mean for verdict in verdicts]


def kill_now_and_then(pid: int, stop: threading.Event, killed: list[int]) -> None:
    """Kill the oldest of the verifier's workers every few seconds."""
    while not stop.wait(SECONDS_BETWEEN_KILLS):
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
        workers = [int(word) for word in listed.split()]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(min(workers), signal.SIGKILL)
                killed.append(min(workers))


def held(clients: int, seconds: float, *arguments: str, kill: bool) -> dict[str, Any]:
    """What clients met in so many seconds."""
    with serving(*arguments) as (process, url):
        stop, killed = threading.Event(), []
        asking = [Client(number, url, stop) for number in range(clients)]
        killer = threading.Thread(target=kill_now_and_then, args=(process.pid, stop, killed))
        start = time.perf_counter()
        for thread in [*asking, *([killer] if kill else [])]:
            thread.start()
        time.sleep(seconds)
        stop.set()
        for thread in asking:
            thread.join()
        took = time.perf_counter() - start
        page = httpx.get(f"{url}/metrics", trust_env=False).text
        memory = _memory(process.pid)
    answered = sorted(second for client in asking for second in client.seconds)
    return {
        "requests": len(answered),
        "a second": len(answered) / took,
        "p50": 1e3 * answered[len(answered) // 2],
        "p99": 1e3 * answered[int(0.99 * len(answered))],
        "longest": 1e3 * answered[-1],
        "said": sum((client.said for client in asking), Counter()),
        "abstained": sum(client.abstained for client in asking),
        "killed": len(killed),
        "MiB": memory,
        "counted": {line.split()[0]: float(line.split()[-1]) for line in page.splitlines() if line[:1] != "#"},
    }


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def merging(quick: bool) -> str:
    """Requests a second with a small reward model, merged and one by one."""
    sys.path.append(str(Path(__file__).parents[1] / "examples"))
    from tiny_models import write  # pyright: ignore[reportMissingImports]

    lines = ["| clients | requests merged | requests/s | p50 ms | p99 ms |", "|---:|---|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as folder:
        path = str(write(Path(folder))[1])
        for clients in (1, 16):
            for merged in (256, 1):
                found = held_in_python(clients, 2 if quick else 15, path, merged)
                lines.append(
                    f"| {clients} | {'yes' if merged > 1 else 'no'} | {found['a second']:.0f} | {found['p50']:.0f} "
                    f"| {found['p99']:.0f} |"
                )
    return "\n".join(lines) + "\n"


def held_in_python(clients: int, seconds: float, path: str, merged: int) -> dict[str, float]:
    """Jobs of one rollout through a batcher with a local reward model, without HTTP, which costs both the same."""
    import torch

    from hero_rl.reward_models import LocalRewardModelConfig
    from hero_rl.scoring import Scorer
    from hero_rl.service.batcher import Batcher, Texts
    from hero_rl.verifiers import ExactVerifier

    torch.set_num_threads(1)
    batcher = Batcher(Scorer(ExactVerifier(), LocalRewardModelConfig(path=path).load()), 1, merged)
    taken: list[float] = []
    end = time.perf_counter() + seconds

    def ask() -> None:
        while (start := time.perf_counter()) < end:
            batcher.submit([Texts("2 + 2 =", "It is four, so the answer is 4.", "4")]).result()
            taken.append(time.perf_counter() - start)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close(5)
    taken.sort()
    return {
        "a second": len(taken) / seconds,
        "p50": 1e3 * taken[len(taken) // 2],
        "p99": 1e3 * taken[int(0.99 * len(taken))],
    }


def report(found: dict[str, Any], clients: int, seconds: float, load: float, merged: str) -> str:
    import fastapi
    import uvicorn

    said = found["said"]
    others = {name: count for name, count in said.items() if name != "200"}
    counted = found["counted"]
    versions = f"FastAPI {fastapi.__version__}, uvicorn {uvicorn.__version__}, Python {platform.python_version()}"
    rows = ROLLOUTS * found["requests"]
    return (
        "# The service under load\n\n"
        f"`python benchmarks/service.py`: {clients} clients for {seconds:.0f} s, each with one connection and one "
        f"request of {ROLLOUTS} rollouts to `/v1/shape` at a time; clients and service on the same {os.cpu_count()} "
        f"cores of {processor()}, which other programs used too: load average before the start {load:.1f}. Every "
        f"{SECONDS_BETWEEN_KILLS:.0f} s a worker of the verifier was killed. {versions}.\n\n"
        "| requests | requests/s | rollouts/s | p50 ms | p99 ms | longest ms | service's MiB |\n"
        "|---:|---:|---:|---:|---:|---:|---:|\n"
        f"| {found['requests']:,} | {found['a second']:.0f} | {ROLLOUTS * found['a second']:,.0f} | {found['p50']:.0f} "
        f"| {found['p99']:.0f} | {found['longest']:,.0f} | {found['MiB']:.0f} |\n\n"
        f"Answers other than 200, lost, mixed up or wrong: {others or 'none'}. {found['killed']} workers killed, "
        f"{counted['hero_verifier_respawns_total']:.0f} replaced, {counted['hero_verifier_judged_total']:,.0f} checks "
        f"made in workers; {found['abstained']} of {rows:,} rollouts got null, none a wrong verdict.\n\n"
        "## Merging requests that wait\n\n"
        "One rollout a request, a reward model of two layers on the CPU in one thread, without HTTP:\n\n" + merged
    )


def main() -> None:
    quick = "--quick" in sys.argv
    clients, seconds = (8, 10.0) if quick else (64, 300.0)
    load = os.getloadavg()[0]
    merged = merging(quick)
    found = held(clients, seconds, kill=True)
    text = report(found, clients, seconds, load, merged)
    print(text)
    if not quick:
        Path(__file__).parents[1].joinpath("docs/benchmarks/service.md").write_text(text)


if __name__ == "__main__":
    main()
