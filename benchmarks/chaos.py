"""Faults that a run meets in the world, tried on a real one.

    python benchmarks/chaos.py > docs/benchmarks/chaos.md

Left out: machines that go away in the middle of a distributed run, and file systems that lie about fsync.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "chaos"))

_PAGE = """# Faults and what is left of a run

A run of six epochs, {steps} steps, on models of two layers, with a checkpoint every other step and a log every third.
Survived: what came of it in the end equals the unbroken run in every row of metrics, every rollout, every weight, every
tensor of the optimizer and HERO's own state; where a fault is the user's to see, they were told in one sentence.

| fault | tried | survived | lost |
| --- | ---: | ---: | --- |
{rows}

The twenty kills hit one and the same run. Files of at most 2 to 120 kB stand for a full disk: they end in the middle of
a checkpoint. In {minutes:.0f} minutes on two cores, by `make chaos`.
"""


def main() -> None:
    from faults import TORN, Run, full_disks, kills, torn_files, two_writers

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), steps=8)
        outcomes = [*kills(run, 20), torn_files(run, list(TORN)), full_disks(run, 3), two_writers(run, 4)]
    rows = [
        f"| {each.fault} | {each.tried} | {each.survived} | {'; '.join(each.lost) or 'nothing'} |" for each in outcomes
    ]
    minutes = (time.monotonic() - start) / 60
    print(_PAGE.format(steps=run.last, rows="\n".join(rows), minutes=minutes), end="")


if __name__ == "__main__":
    main()
