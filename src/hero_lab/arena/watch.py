"""Live progress of a demo in the terminal; a plain line now and then where the output is no terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hero_rl.training.trl.progress import columns

__all__ = ["watch_arms", "watch_models", "watch_stages"]

_VERDICT = "rewards/verifier/mean"
_SHOWN = (
    (_VERDICT, "verdict"),
    ("rewards/reward_model/mean", "score"),
    ("hero/frac_groups_mixed", "mixed"),
    ("hero/frac_groups_rescued", "rescued"),
)
_SPEED_OVER = 3600.0  # seconds: a step may take a minute, and the time left is told from two at least


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
    """Show each arm's step and signals until all have ended, well or not.

    Args:
        running: arms by their folder.
        steps: of each.
        console: where to; none shows nothing.
        seconds: between two plain lines of an arm.
    """
    if console is None:
        wait(running.values())
        return
    before = {folder: _last_line(folder, _VERDICT) for folder in running}
    with _Bars(console, {folder: _short(folder) for folder in running}, seconds) as bars:
        for folder, line in before.items():
            bars.begin(folder, line.get("step", 0), steps, "waiting")
        pending = set(running.values())
        while pending:
            _, pending = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
            for folder, job in running.items():
                if job.done() and job.exception():
                    bars.stop(folder, "failed, see its log.txt")
                    continue
                line = _last_line(folder, _VERDICT)
                measured = line.get("step", 0) >= steps and job.running()
                if measured or line != before[folder]:  # else it waits, or loads
                    bars.move(folder, line["step"], steps, "measuring" if measured else _signals(line))
            bars.speak()


def watch_stages(running: dict[Path, Future[None]], console: Console | None, seconds: float = 60.0) -> None:
    """Show which stage each job is in and how far it is, until all have ended or one has failed.

    Args:
        running: jobs by the file that they say their stages in, a JSON object a line: `time` and `text` say which it
            is. With `run` and `epochs` it is a training in that folder; with `answers` and `total` so many responses
            come, a line each, into the files of that pattern. Both are places beside the file.
        console: where to; none shows nothing.
        seconds: between two plain lines of a job.
    """
    if console is None:
        wait(running.values(), return_when=FIRST_EXCEPTION)
        return
    said = dict.fromkeys(running, 0)
    with _Bars(console, {file: file.parent.name for file in running}, seconds) as bars:
        pending = set(running.values())
        while pending and not any(job.done() and job.exception() for job in running.values()):
            _, pending = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
            for file in running:
                stages = _complete_lines(file)
                for stage in stages[said[file] :]:
                    console.print(f"{file.parent.name}: {stage['time']} {stage['text']}", highlight=False)
                    bars.begin(file, *_how_far(file.parent, stage), stage["text"])
                if stages:
                    bars.move(file, *_how_far(file.parent, stages[-1]), stages[-1]["text"])
                said[file] = len(stages)
            bars.speak()


class _Bars:
    """A bar for each job, with the time left; where the output is no terminal, now and then a line of those that moved.

    Args:
        console: where to.
        labels: what each job is called.
        seconds: between two plain lines of a job.
    """

    def __init__(self, console: Console, labels: Mapping[Path, str], seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._progress = Progress(
            *columns("{task.description}"),
            console=console,
            speed_estimate_period=_SPEED_OVER,
            expand=True,
            transient=True,
            disable=not console.is_terminal,
        )
        # All rows before the first frame: a display that grows leaves its first lines behind.
        for label in labels.values():
            self._progress.add_task(label, total=None, signals="", start=False)
        self._tasks = dict(zip(labels, self._progress.tasks, strict=True))
        self._said: dict[Path, tuple[float, str]] = {}
        self._spoke = time.monotonic()

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def begin(self, job: Path, done: int, total: int | None, signals: str) -> None:
        """Set a bar to what is there already, which says nothing of its speed."""
        task = self._tasks[job]
        task.total = total  # `reset` leaves the one before where there is none
        self._progress.reset(task.id, start=False, completed=done, signals=signals)

    def move(self, job: Path, done: int, total: int | None, signals: str) -> None:
        """Show how far a job is."""
        task = self._tasks[job]
        self._progress.start_task(task.id)
        self._progress.update(task.id, completed=done, total=total, signals=signals)

    def stop(self, job: Path, why: str) -> None:
        """Say of a job that it is over before its end."""
        task = self._tasks[job]
        self._progress.stop_task(task.id)
        self._progress.update(task.id, signals=why)

    def speak(self) -> None:
        """Print the plain lines when it is time."""
        if self._console.is_terminal or time.monotonic() - self._spoke < self._seconds:
            return
        self._spoke = time.monotonic()
        for job, task in self._tasks.items():
            now = task.completed, task.fields["signals"]
            if task.started and task.total and self._said.get(job) != now:
                self._said[job] = now
                left = f"left {timedelta(seconds=round(task.time_remaining))}  " if task.time_remaining else ""
                text = f"{task.description:<26} {task.completed:>3}/{task.total}  {left}{task.fields['signals']}"
                self._console.print(text, highlight=False, soft_wrap=True)


def _how_far(folder: Path, stage: Mapping[str, Any]) -> tuple[int, int | None]:
    """What is done of a stage, and of how much; None where that cannot be told yet."""
    if "answers" in stage:
        found = sum(map(_count_of_lines, folder.glob(stage["answers"])))
        return min(found, stage["total"]), stage["total"]  # as they are finished, they are there twice for a moment
    line = _last_line(folder / stage["run"], "epoch") if "run" in stage else {}
    return (line["step"], round(line["step"] * stage["epochs"] / line["epoch"])) if line else (0, None)


def _count_of_lines(file: Path) -> int:
    try:
        return file.read_bytes().count(b"\n")
    except FileNotFoundError:  # it has another name since
        return 0


def _complete_lines(file: Path) -> list[dict[str, Any]]:
    """What a file says that is being written; nothing while it is not there."""
    lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def _short(folder: Path) -> str:
    """The arm's name and seed without the mark of its settings."""
    return folder.name.rpartition("-")[0]


def _signals(line: dict[str, Any]) -> str:
    shown = [(name, line.get(key)) for key, name in _SHOWN]
    return "  ".join(f"{name} {value:.2f}" for name, value in shown if value is not None)


def _last_line(run: Path, key: str) -> dict[str, Any]:
    """The newest complete line of a run's metrics that has such a one; empty while there is none."""
    try:
        with (run / "metrics.jsonl").open("rb") as file:
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
        if key in row:
            return row
    return {}
