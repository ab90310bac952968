"""Live progress of the demo in the terminal; a plain line now and then where the output is no terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hero_rl.training.trl.progress import columns

__all__ = ["watch_arms", "watch_models"]

_SHOWN = (
    ("rewards/verifier/mean", "verdict"),
    ("rewards/reward_model/mean", "score"),
    ("hero/frac_groups_mixed", "mixed"),
    ("hero/frac_groups_rescued", "rescued"),
)


@contextmanager
def watch_models(console: Console | None) -> Iterator[Callable[[str], None]]:
    """Say which stage of the models is under way, and for how long; hands out what is to be told of each stage."""
    if console is None:
        yield lambda stage: None
        return
    began = time.monotonic()
    console.print("the models first: four to five minutes on two cores, seconds once they are kept", highlight=False)
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=None)
            yield lambda stage: progress.update(task, description=stage)
    else:
        yield lambda stage: console.print(stage, highlight=False)
    console.print(f"models ready after {time.monotonic() - began:.0f} s", highlight=False)


def watch_arms(running: dict[Path, Future[None]], steps: int, console: Console | None, seconds: float = 15.0) -> None:
    """Show each arm's step and signals until all have ended, well or not."""
    if console is None:
        wait(running.values())
        return
    progress = Progress(
        *columns("{task.description}"),
        console=console,
        expand=True,
        transient=True,
        disable=not console.is_terminal,
    )
    # All rows before the first frame: a display that grows leaves its first lines behind.
    tasks = {
        folder: progress.add_task(_short(folder), total=steps, signals="waiting", start=False) for folder in running
    }
    with progress:
        pending, printed = set(running.values()), time.monotonic()
        said: dict[Path, int] = {}
        while pending:
            _, pending = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
            lines = {folder: _last_line(folder / "metrics.jsonl") for folder in running}
            for folder, line in lines.items():
                if line:
                    progress.start_task(tasks[folder])
                    progress.update(tasks[folder], completed=line["step"], signals=_signals(line))
            if not console.is_terminal and time.monotonic() - printed > seconds:
                printed = time.monotonic()
                new = {
                    folder: line
                    for folder, line in lines.items()
                    if line and line["step"] != said.get(folder) and not running[folder].done()
                }
                _print_plainly(console, new, steps)
                said |= {folder: line["step"] for folder, line in new.items()}


def _print_plainly(console: Console, lines: dict[Path, dict[str, Any]], steps: int) -> None:
    for folder, line in lines.items():
        text = f"{_short(folder):<26} step {line['step']:>3}/{steps}  {_signals(line)}"
        console.print(text, highlight=False, soft_wrap=True)


def _short(folder: Path) -> str:
    """The arm's name and seed without the mark of its settings."""
    return folder.name.rpartition("-")[0]


def _signals(line: dict[str, Any]) -> str:
    shown = [(name, line.get(key)) for key, name in _SHOWN]
    return "  ".join(f"{name} {value:.2f}" for name, value in shown if value is not None)


def _last_line(path: Path) -> dict[str, Any]:
    """The newest complete line with signals; empty while there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode(errors="ignore").split("\n")[:-1]
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "rewards/verifier/mean" in row:
            return row
    return {}
