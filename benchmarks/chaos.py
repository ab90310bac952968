"""Faults that a run and a service meet in the world, tried on real ones.

    python benchmarks/chaos.py FOLDER           # all parts; prints the page docs/benchmarks/chaos.md
    python benchmarks/chaos.py FOLDER kills     # one part, or some

What came of each part is kept in the folder and not tried again, so that a call that was stopped goes on; the page is
printed when all parts are there.

Left out: machines that go away in the middle of a distributed run, and file systems that lie about fsync.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / room) for room in ("chaos", "service")]

from faults import TORN, Outcome, Run, full_disks, kills, torn_files, two_writers  # noqa: E402
from service_faults import BODIES, HEADS, killed_workers, raw_requests, serving  # noqa: E402

_PAGE = """# Faults and what is left of a run

A run of six epochs, {steps} steps, on models of two layers, with a checkpoint every other step and a log every third.
Survived: what came of it in the end equals the unbroken run in every row of metrics, every rollout, every weight, every
tensor of the optimizer and HERO's own state; where a fault is the user's to see, they were told in one sentence.

| fault | tried | survived | lost |
| --- | ---: | ---: | --- |
{rows}

The twenty kills hit one and the same run. Files of at most 2 to 120 kB stand for a full disk: they end in the middle of
a checkpoint.

`hero serve` with the maths verifier. Survived: the bytes were answered as HTTP and the service's description have it,
or their connection ended, and a good request after them was judged right; of workers that were killed while four
clients asked, each client got its own answer.

| fault | tried | survived | lost |
| --- | ---: | ---: | --- |
{service_rows}

In {minutes:.0f} minutes on two cores, by `make chaos`.
"""
_STEPS = 8  # of an epoch


def _on_run(faults: Callable[[Run], list[Outcome]]) -> Callable[[], list[Outcome]]:
    def tried() -> list[Outcome]:
        with tempfile.TemporaryDirectory() as folder:
            return faults(Run(Path(folder), steps=_STEPS))

    return tried


def _on_service() -> list[Outcome]:
    with serving() as service:
        return [raw_requests(service, HEADS + BODIES), killed_workers(service, 50)]


_PARTS = {
    "kills": _on_run(lambda run: list(kills(run, 20))),
    "torn": _on_run(lambda run: [torn_files(run, list(TORN))]),
    "disks": _on_run(lambda run: [full_disks(run, 6)]),
    "writers": _on_run(lambda run: [two_writers(run, 4)]),
    "service": _on_service,
}


def main(folder: Path, *parts: str) -> None:
    folder.mkdir(exist_ok=True)
    for part in parts or _PARTS:
        if not (folder / f"{part}.json").exists():
            start = time.monotonic()
            outcomes = [dataclasses.asdict(outcome) for outcome in _PARTS[part]()]
            seconds = time.monotonic() - start
            (folder / f"{part}.json").write_text(json.dumps({"outcomes": outcomes, "seconds": seconds}))
    if all((folder / f"{part}.json").exists() for part in _PARTS):
        _print_page({part: json.loads((folder / f"{part}.json").read_text()) for part in _PARTS})


def _print_page(done: dict[str, Any]) -> None:
    rows = {
        part: [
            f"| {each['fault']} | {each['tried']} | {each['survived']} | {'; '.join(each['lost']) or 'nothing'} |"
            for each in said["outcomes"]
        ]
        for part, said in done.items()
    }
    service = rows.pop("service")
    minutes = sum(said["seconds"] for said in done.values()) / 60
    of_runs = "\n".join(row for part in rows.values() for row in part)
    print(
        _PAGE.format(steps=6 * _STEPS, rows=of_runs, service_rows="\n".join(service), minutes=minutes),
        end="",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
