"""Processor time of the driver's part of a HERO step: tensors, the rule, the metrics, against a loop over groups.

    python benchmarks/driver.py            # measures, prints the table and writes docs/benchmarks/driver.md
    python benchmarks/driver.py --quick    # the two smallest batches, one repeat, writes nothing

The driver is the process that holds a whole batch once verifier and reward model have answered: it makes `Signals` of
Python lists, as verdicts and scores arrive, calls `Hero.update` and then `batch_metrics`. The loop is the one of
benchmarks/core.py, which works group by group in NumPy and makes no metrics; both advantages are compared here. Every
measurement runs in a process of its own on one thread, in processor time of that process, so that a busy machine does
not count.

A second table is what a worker of `Supervised` does first: finding the answer in a
completion, and judging it where that is quick.
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
from collections.abc import Callable
from pathlib import Path

from core import loop, processor

SHAPES = [(512, 8), (4_096, 16), (8_192, 8), (32_768, 8)]  # prompts, rollouts of each
REPEATS = 9
PARTS = ["signals", "update", "metrics", "loop"]
CHARACTERS = [500, 4_000, 16_000, 64_000]


def columns(prompts: int, rollouts: int) -> tuple[list[float], list[float], list[int]]:
    """Verdicts, scores and prompt ids as lists: 30% right, 1% abstained, groups in random order."""
    import numpy as np

    random = np.random.default_rng(0)
    size = prompts * rollouts
    verdict = (random.random(size) < 0.3).astype(float)
    verdict[random.random(size) < 0.01] = np.nan
    group = random.permutation(np.repeat(np.arange(prompts), rollouts))
    return verdict.tolist(), random.normal(0, 3, size).tolist(), group.tolist()


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Processor time of one call, median of the repeats after one that does not count."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def measure(prompts: int, rollouts: int, repeats: int) -> dict[str, float]:
    """Seconds of each part, and the largest difference between the advantages of both ways."""
    import numpy as np
    import torch

    from hero_rl import Hero, Signals
    from hero_rl.monitoring.metrics import batch_metrics

    torch.set_num_threads(1)
    verdict, score, group = columns(prompts, rollouts)
    rule = Hero()

    def make_signals() -> Signals:
        return Signals(torch.tensor(verdict), torch.tensor(score), torch.tensor(group))

    signals = make_signals()
    shaped, _ = rule.update(signals, rule.init())
    arrays = np.array(verdict, "f4"), np.array(score, "f4"), np.array(group)
    return {
        "signals": seconds(make_signals, repeats),
        "update": seconds(lambda: rule.update(signals, rule.init()), repeats),
        "metrics": seconds(lambda: batch_metrics(signals, shaped), repeats),
        "loop": seconds(lambda: loop(*arrays), max(1, repeats // 3)),
        "difference": float(np.abs(loop(*arrays) - shaped.advantage.numpy()).max()),
    }


def answers(characters: int, repeats: int) -> float:
    """Seconds of `extract` and `judge_quickly` for one completion full of formulas, with a boxed number."""
    from hero_rl import MathVerifier

    verifier = MathVerifier()
    texts = []
    for i in range(64):
        steps = "".join(
            f"Step {i}.{j}: $x_{{{j}}} = {j} + \\frac{{1}}{{{i + 2}}}$, so we go on. " for j in range(2_000)
        )
        texts.append(steps[:characters] + f" The answer is $\\boxed{{{i}}}$.")

    def all_of_them() -> None:
        for i, text in enumerate(texts):
            verdict = verifier.judge_quickly(str(i), verifier.extract(text))
            assert verdict is not None and verdict.value == 1

    return seconds(all_of_them, repeats) / len(texts)


def in_own_process(prompts: int, rollouts: int, repeats: int) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--measure", str(prompts), str(rollouts), str(repeats)]
    return json.loads(subprocess.check_output(command, env=environment, text=True))


def table(quick: bool) -> str:
    rows = []
    for prompts, rollouts in SHAPES[:2] if quick else SHAPES:
        took = in_own_process(prompts, rollouts, 1 if quick else REPEATS)
        assert took["difference"] < 1e-4, took
        size, driver = prompts * rollouts, math.fsum(took[part] for part in PARTS[:3])
        parts = " | ".join(f"{1e3 * took[part]:,.1f}" for part in PARTS[:3])
        rows.append(
            f"| {prompts:,} x {rollouts} | {size:,} | {parts} | {1e3 * driver:,.1f} | {1e6 * driver / size:.2f} "
            f"| {1e3 * took['loop']:,.0f} | {took['loop'] / took['update']:.0f}x |"
        )
        print(rows[-1], file=sys.stderr)
    head = (
        "| prompts x n | rollouts | Signals ms | Hero.update ms | batch_metrics ms | driver ms | us a rollout "
        "| loop ms | loop / update |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    return head + "\n".join(rows) + "\n"


def table_of_answers(quick: bool) -> str:
    rows = []
    for characters in CHARACTERS[:1] if quick else CHARACTERS:
        took = answers(characters, 1 if quick else REPEATS)
        rows.append(f"| {characters:,} | {1e3 * took:.2f} | {65_536 * took:,.0f} |")
    head = "| characters | ms a completion | s for 65,536 |\n|---:|---:|---:|\n"
    return head + "\n".join(rows) + "\n"


def main() -> None:
    if "--measure" in sys.argv:
        prompts, rollouts, repeats = map(int, sys.argv[-3:])
        print(json.dumps(measure(prompts, rollouts, repeats)))
        return
    quick = "--quick" in sys.argv
    text, more = table(quick), table_of_answers(quick)
    print(text, more, sep="\n")
    if not quick:
        import torch

        Path(__file__).parents[1].joinpath("docs/benchmarks/driver.md").write_text(
            "# The driver's part of a step\n\n"
            f"`python benchmarks/driver.py`: processor time on one thread of {processor()}; torch {torch.__version__}, "
            f"Python {platform.python_version()}; load average {os.getloadavg()[0]:.1f} at the end. Groups in random "
            f"order, 1% abstentions; median of {REPEATS} repeats ({REPEATS // 3} of the loop). `Signals` are made of "
            "Python lists; `loop` is the rule of benchmarks/core.py group by group in NumPy, without `Signals` and "
            f"metrics.\n\n{text}\n## Finding an answer\n\n"
            "`MathVerifier.extract` and `judge_quickly` on completions full of formulas that end in a boxed number.\n\n"
            f"{more}"
        )


if __name__ == "__main__":
    main()
