"""Time and memory of the HERO rule against a per-group Python loop, from 4,096 to 4 million rollouts.

    python benchmarks/core.py            # measures, prints the table and writes docs/benchmarks/core.md
    python benchmarks/core.py --quick    # up to 65,536 rollouts, one repeat, writes nothing

Both compute the same advantages (checked here). The loop is what a reward script does: boolean masks are too slow, so
it sorts the rollouts by group once and then works group by group in NumPy. Every measurement runs in a process of its
own on one thread; memory is the peak resident set beyond what the inputs and imports already take.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

SIZES = [4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304]
GROUP = 8
REPEATS = 7


def inputs(size: int):
    import numpy as np

    random = np.random.default_rng(0)
    verdict = (random.random(size) < 0.3).astype(np.float32)
    verdict[random.random(size) < 0.01] = np.nan
    score = random.normal(0, 3, size).astype(np.float32)
    group = random.permutation(np.repeat(np.arange(size // GROUP), GROUP))
    return verdict, score, group


def vectorised(verdict, score, group):
    """Ours: `Hero.update` on tensors."""
    import torch

    from hero_rl import Hero, Signals

    rule = Hero()
    signals = Signals(torch.from_numpy(verdict), torch.from_numpy(score), torch.from_numpy(group))
    return rule.update(signals, rule.init())[0].advantage.numpy()


def loop(verdict, score, group, alpha=0.1, beta=0.1, w_min=0.4, w_max=3.0, k=6.0, eps=1e-6):
    """The alternative: one group after another."""
    import numpy as np

    order = np.argsort(group, kind="stable")
    edges = np.flatnonzero(np.diff(group[order])) + 1
    parts = np.split(order, edges)
    sigma = np.zeros(len(parts))
    known = np.zeros(len(parts), dtype=bool)
    for i, rows in enumerate(parts):
        present = score[rows][~np.isnan(verdict[rows]) & ~np.isnan(score[rows])].astype(np.float64)
        known[i] = len(present) >= 2
        sigma[i] = present.std() if known[i] else 0.0
    sigma_bar = sigma[known].mean()
    advantage = np.zeros(len(verdict))
    for i, rows in enumerate(parts):
        kept = rows[~np.isnan(verdict[rows])]
        if len(kept) < 2:
            continue
        reward = np.empty(len(kept))
        for word in (0.0, 1.0):
            mine = verdict[kept] == word
            if not mine.any():
                continue
            values = score[kept[mine]].astype(np.float64)
            z = (values - values.min()) / (values.max() - values.min() + eps)
            reward[mine] = 1 - beta + 2 * beta * z if word else -alpha + 2 * alpha * z
        weight = w_min + (w_max - w_min) / (1 + math.exp(-k * (sigma[i] - sigma_bar))) if known[i] else 1.0
        advantage[kept] = weight * (reward - reward.mean())
    return advantage


WAYS = {"hero_rl": vectorised, "loop": loop}


def resident(field: str) -> float:
    """This process's resident set now (VmRSS) or at its peak (VmHWM), in MiB; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(way: str, size: int, repeats: int) -> dict[str, float]:
    """One measurement in this process: seconds (median) and peak memory beyond the start, in MiB."""
    import torch

    torch.set_num_threads(1)
    columns = inputs(size)
    WAYS[way](*(c[:GROUP] for c in inputs(GROUP)))  # imports and first-call costs
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        advantage = WAYS[way](*columns)
        seconds.append(time.perf_counter() - start)
    mib = resident("VmHWM") - before
    return {"seconds": statistics.median(seconds), "mib": mib, "checksum": float(abs(advantage).sum())}


# Keeps freed memory in the process. By default glibc gives blocks over 32 MiB back after every operation.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


def in_own_process(way: str, size: int, repeats: int, **extra: str) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} | extra
    command = [sys.executable, __file__, "--measure", way, str(size), str(repeats)]
    return json.loads(subprocess.check_output(command, env=environment, text=True))


def table(quick: bool) -> str:
    rows = []
    for size in [s for s in SIZES if s <= 65_536] if quick else SIZES:
        ours = in_own_process("hero_rl", size, 1 if quick else REPEATS)
        theirs = in_own_process("loop", size, 1 if quick or size > 100_000 else 3)
        assert math.isclose(ours["checksum"], theirs["checksum"], rel_tol=1e-5), (ours, theirs)
        rows.append(
            f"| {size:,} | {1e3 * ours['seconds']:.1f} | {1e9 * ours['seconds'] / size:.0f} | {ours['mib']:.0f} "
            f"| {1e3 * theirs['seconds']:,.0f} | {theirs['mib']:.0f} | {theirs['seconds'] / ours['seconds']:.0f}x |"
        )
        print(rows[-1], file=sys.stderr)
    head = (
        "| rollouts | hero_rl ms | ns a rollout | hero_rl MiB | loop ms | loop MiB | ratio |\n"
        "|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    text = head + "\n".join(rows) + "\n"
    if not quick:
        kept = in_own_process("hero_rl", SIZES[-1], REPEATS, **KEEP_MEMORY)
        setting = " ".join(f"{name}={value}" for name, value in KEEP_MEMORY.items())
        text += (
            "\nOver a million rollouts every temporary exceeds 32 MiB, and glibc maps it anew each time. Told to "
            f"keep freed memory (`{setting}`), {SIZES[-1]:,} rollouts take {1e3 * kept['seconds']:.0f} ms, "
            f"{1e9 * kept['seconds'] / SIZES[-1]:.0f} ns each.\n"
        )
    return text


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    if "--measure" in sys.argv:
        way, size, repeats = sys.argv[-3:]
        print(json.dumps(measure(way, int(size), int(repeats))))
        return
    quick = "--quick" in sys.argv
    text = table(quick)
    print(text)
    if not quick:
        import torch

        Path(__file__).parents[1].joinpath("docs/benchmarks/core.md").write_text(
            "# The HERO rule against a per-group loop\n\n"
            f"`python benchmarks/core.py` on one thread of {processor()}; torch {torch.__version__}, Python "
            f"{platform.python_version()}. Groups of {GROUP} in random order, 1% abstentions; median of {REPEATS} runs "
            "(the loop: 3, and 1 above 100,000 rollouts). Memory is the peak beyond the inputs.\n\n" + text
        )


if __name__ == "__main__":
    main()
