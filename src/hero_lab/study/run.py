"""Running a study: models before the cells that need them, two processes side by side, and nothing done twice.

    run_study(StudySettings(parts=("main",), seeds=5), Path("runs/study"))

A cell that has its result is not run again, also after a kill; what was running then starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hero_lab.arena.arms import ArmSettings
from hero_lab.arena.pipeline import default_cache, policy_folder, prepare_policy, prepare_reward_model
from hero_lab.arena.workers import worker_pool
from hero_lab.study.cell import read_cell, run_cell
from hero_lab.study.plan import PARTS, Cell, cells_of
from hero_lab.study.qualities import tiny_arena
from hero_rl.errors import ConfigError, HeroError
from hero_rl.files.lock import only_writer

__all__ = ["StudySettings", "gather", "run_study"]


class StudySettings(BaseModel):
    """What a study runs.

    Attributes:
        parts: names of its parts.
        first_seed: the first seed.
        seeds: seeds of the largest parts.
        arm: what all cells share but the regime.
        workers: processes side by side, one thread each.
        tiny: models of a few steps that know nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[str, ...] = ("main", "quality", "ablations", "two-faced")
    first_seed: int = 0
    seeds: Annotated[int, Field(ge=1)] = 5
    arm: ArmSettings = ArmSettings()
    workers: Annotated[int, Field(ge=1)] = 2
    tiny: bool = False


@dataclass(frozen=True)
class _Job:
    """A piece of work for a process: a model or a cell.

    Attributes:
        name: of its own; others name it as what they need.
        function: what the process calls, and its arguments.
        needs: names of the jobs that come before it.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    needs: tuple[str, ...] = ()


def run_study(
    settings: StudySettings, folder: Path, *, cache: Path | None = None, console: Console | None = None
) -> None:
    """Run every cell that has no result.

    Args:
        settings: which cells.
        folder: where their folders go.
        cache: where models are kept between runs.
        console: where progress is shown; none shows nothing.

    Raises:
        ConfigError: there is no such part, or none is named, or another process is writing into the folder.
        HeroError: cells failed, all others that could be are finished; the message names each with its log.
    """
    cells = _cells(settings)
    missing = [cell for cell in cells if read_cell(folder / cell.id) is None]
    # Another study would take the cells that run here for stopped ones.
    with only_writer(folder), _progress(console, len(cells), len(cells) - len(missing)) as done:
        _run(_jobs(missing, folder, cache or default_cache()), settings.workers, done)


def gather(settings: StudySettings, folder: Path) -> list[dict[str, Any]]:
    """The results of a study's finished cells."""
    results = (read_cell(folder / cell.id) for cell in _cells(settings))
    return [result for result in results if result is not None]


def _cells(settings: StudySettings) -> list[Cell]:
    if not settings.parts:
        raise ConfigError(f"no part is named; some of: {', '.join(PARTS)}")
    for part in settings.parts:
        if part not in PARTS:
            raise ConfigError(f"no part {part!r}; one of: {', '.join(PARTS)}")
    if len({repr(part.policy) for name in settings.parts for part in PARTS[name]}) > 1:
        raise ConfigError("parts: those with policies of their own (headroom) need a run and a table of their own")
    cells = cells_of(settings.parts, first_seed=settings.first_seed, seeds=settings.seeds, arm=settings.arm)
    if not settings.tiny:
        return cells
    return [cell.model_copy(update={"arena": tiny_arena(cell.quality, cell.seed)}) for cell in cells]


def _jobs(cells: list[Cell], folder: Path, cache: Path) -> list[_Job]:
    """Models and cells in the cells' order, each model once."""
    jobs: dict[str, _Job] = {}
    for cell in cells:
        policy, backbone = cell.arena.policy, cell.arena.reward_model.backbone
        names = [model.model_dump_json() for model in (policy, backbone)]
        for name, model in zip(names, (policy, backbone), strict=True):
            jobs.setdefault(name, _Job(name, prepare_policy, (cache, model)))
        settings = cell.arena.reward_model
        trained = settings.before_breaking()
        reward_model = names[0] + trained.model_dump_json()
        arguments = (cache, policy_folder(cache, policy), trained)
        jobs.setdefault(reward_model, _Job(reward_model, prepare_reward_model, arguments, tuple(names)))
        jobs[cell.id] = _Job(cell.id, run_cell, (cell, folder / cell.id, cache), (reward_model,))
    return list(jobs.values())


def _run(jobs: list[_Job], workers: int, done: Callable[[str], None]) -> None:
    """Run the jobs, `workers` at a time, always the first of those whose needs are met. A failure stops no other."""
    pool = worker_pool(workers)
    waiting = {job.name: job for job in jobs}
    running: dict[Future[Any], _Job] = {}
    failed: dict[str, str] = {}
    try:
        while waiting or running:
            unmet = {*waiting, *failed, *(job.name for job in running.values())}
            ready = [job for job in waiting.values() if not unmet.intersection(job.needs)]
            for job in ready[: workers - len(running)]:
                running[pool.submit(job.function, *job.arguments)] = waiting.pop(job.name)
            if not running:
                break  # what is left needs what has failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                if (error := future.exception()) is not None:
                    failed[job.name] = _failure(job, error)
                    if isinstance(error, BrokenExecutor):  # a process died, and took the others' pool with it
                        raise HeroError(failed[job.name])
                elif job.function is run_cell:
                    done(job.name)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if failed:
        raise HeroError("\n".join(failed.values()))


def _failure(job: _Job, error: BaseException) -> str:
    """Which job failed, why, and where its output is."""
    log = job.arguments[1] / "log.txt" if job.function is run_cell else None
    said = f"{job.name if log else job.function.__name__}: {error}"
    return f"{said}; its output is in {log}" if log is not None and log.is_file() else said


@contextmanager
def _progress(console: Console | None, total: int, finished: int) -> Iterator[Callable[[str], None]]:
    """A bar over the cells with the time left; a line a cell where the output is no terminal."""
    if console is None:
        yield lambda name: None
    elif console.is_terminal:
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(TextColumn("{task.description}"), *columns, console=console, speed_estimate_period=3600) as bar:
            task = bar.add_task("cells", total=total, completed=finished)
            yield lambda name: bar.advance(task)
    else:
        began, count = time.monotonic(), 0

        def say(name: str) -> None:
            nonlocal count
            count += 1
            left = (time.monotonic() - began) / count * (total - finished - count)
            console.print(f"{finished + count}/{total} {name}, {left / 60:.0f} min left", highlight=False)

        yield say
