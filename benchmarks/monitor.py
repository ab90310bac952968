"""How often the alarms come on where nothing is wrong, and where a reward model is hacked.

    python benchmarks/monitor.py                  # simulated runs: prints, and writes docs/benchmarks/monitor.md
    python benchmarks/monitor.py --runs runs/a runs/b      # and replays the rollouts that runs of the arena kept
    python benchmarks/monitor.py --quick                   # a few simulated runs, writes nothing

Simulated runs have 500 batches. Score, verdict rate and AUROC are noise around a course: none (a run that learns
nothing), a score and a verdict rate that rise and level off (a run that learns), and the same with noise that
remembers (AR(1), 0.5). The course of a hacked run is a score that rises while the AUROC falls by 0.15 and the verdict
rate stands still.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from hero_rl.monitoring import MonitorState, Observation, RunMonitor, observe
from hero_rl.monitoring.monitor import ALARMS
from hero_rl.rollouts import read_rollouts
from hero_rl.rules import Groups, group_auroc
from hero_rl.signals import Signals

BATCHES = 500
# rise of the score in its deviations, of the verdict rate, fall of the AUROC, memory of the noise
COURSES = {
    "nothing changes": (0.0, 0.0, 0.0, 0.0),
    "nothing changes, noise that remembers": (0.0, 0.0, 0.0, 0.5),
    "it learns": (4.0, 0.15, 0.0, 0.0),
    "it learns, noise that remembers": (4.0, 0.15, 0.0, 0.5),
    "it learns, and the ranking gets harder": (4.0, 0.15, 0.04, 0.0),
    "hacked": (4.0, 0.0, 0.15, 0.0),
}


def simulated(course: str, seed: int) -> Iterator[Observation]:
    """One run: noise as that of the arena's batches of 32 prompts."""
    rise, verdict, fall, memory = COURSES[course]
    random = np.random.default_rng(seed)
    noise = np.zeros((BATCHES, 3))
    for t in range(BATCHES):
        before = noise[t - 1] if t else np.zeros(3)
        noise[t] = memory * before + np.sqrt(1 - memory**2) * random.normal(size=3)
    for t in range(BATCHES):
        done = 1 - np.exp(-t / 100)
        mean = rise * done + noise[t, 0]
        rate = 0.1 + verdict * done + 0.025 * noise[t, 1]
        auroc = 0.87 - fall * done + 0.07 * noise[t, 2]
        yield Observation(mean, min(auroc, 1.0), rate, 0.0, mean - 8, mean + 8, mean - 16, mean + 16)


def replayed(folder: Path) -> Iterator[Observation]:
    """The batches of a run that `hero train` or the arena kept."""
    step, batch = None, []
    for rollout in read_rollouts(folder / "rollouts"):
        if batch and rollout.step != step:
            yield observed(batch)
            batch = []
        step = rollout.step
        batch.append(rollout)
    yield observed(batch)


def observed(batch: list) -> Observation:
    def column(name: str) -> torch.Tensor:
        return torch.tensor([np.nan if getattr(row, name) is None else getattr(row, name) for row in batch])

    numbers: dict = {}
    group = torch.tensor([numbers.setdefault(row.group, len(numbers)) for row in batch])
    signals = Signals(column("verdict"), column("score"), group)
    return observe(
        signals, group_auroc(signals.score, signals.verdict, Groups.of(group)).nanmean().item(), scored=False
    )


def first_alarms(run: Iterator[Observation]) -> dict[str, int]:
    """The batch at which each alarm first came on."""
    monitor, state, first = RunMonitor(), MonitorState(), {}
    for number, seen in enumerate(run, start=1):
        alarms, state = monitor.update(state, seen)
        for name in (name for name, on in alarms.items() if on):
            first.setdefault(name, number)
    return first


def row(name: str, found: list[dict[str, int]]) -> str:
    cells = []
    for alarm in ALARMS:
        at = sorted(first[alarm] for first in found if alarm in first)
        cells.append(f"{len(at)} of {len(found)}" + (f" (median batch {at[len(at) // 2]})" if at else ""))
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    arguments = sys.argv[1:]
    quick = "--quick" in arguments
    runs = [Path(name) for name in arguments[arguments.index("--runs") + 1 :]] if "--runs" in arguments else []
    head = f"| runs | {' | '.join(ALARMS)} |\n|---|{'---:|' * len(ALARMS)}\n"
    count = 3 if quick else 200
    lines = [row(course, [first_alarms(simulated(course, seed)) for seed in range(count)]) for course in COURSES]
    text = f"Simulated, {BATCHES} batches each; how many runs had the alarm on at all:\n\n{head}" + "\n".join(lines)
    if runs:
        kinds: dict[str, list[dict[str, int]]] = {}
        for run in runs:
            kinds.setdefault(run.name.split("-seed")[0].replace("_", " "), []).append(first_alarms(replayed(run)))
        lines = [row(kind, found) for kind, found in sorted(kinds.items())]
        text += f"\n\nReal runs of the arena, replayed from their rollouts:\n\n{head}" + "\n".join(lines)
    print(text)
    if not quick:
        about = (
            "# The alarms: how often they come on\n\n`python benchmarks/monitor.py --runs ...`. What each alarm means: "
            "`hero_rl/monitoring/monitor.py`. The settings are the usual ones.\n\n"
        )
        Path(__file__).parents[1].joinpath("docs/benchmarks/monitor.md").write_text(about + text + "\n")


if __name__ == "__main__":
    main()
