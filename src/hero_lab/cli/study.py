"""`hero study`: the arena's grid of rules, regimes and reward models, and its tables."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from hero_rl.cli.arguments import parse
from hero_rl.errors import ConfigError, DataError, HeroError
from hero_rl.extras import require

__all__ = ["run"]

_EPILOG = """
Each cell is a whole pipeline: its own policy, reward model, prompts and RL, through the trainer of `hero train`. A cell
that has its result is not run again, so a study that was stopped goes on with the same command. The whole study takes
hours: 1 to 2 minutes a cell on one core. Results go into one parquet file, OUT/study.parquet, with the configuration
of every cell; `report` makes a page of tables and figures of it.

parts: main, quality, ablations, two-faced, domains, bench, papers (rules of other papers), headroom

examples:
  hero study run --parts main --seeds 5 --first_seed 200 --final
  hero study run --tiny --parts main --seeds 2
  hero study report runs/study/study.parquet --out docs/science
  hero study run --parts bench --seeds 3 --first_seed 200 --final --out runs/bench
  hero study bench runs/bench/study.parquet --out docs/science
  hero study bench docs/science/bench.parquet --also runs/elsewhere/study.parquet --out runs/page
  hero study run --parts headroom --seeds 3 --first_seed 200 --final --out runs/headroom
  hero study headroom runs/headroom/study.parquet --out docs/science
  hero study run --parts domains --seeds 3 --first_seed 200 --final --out runs/domains
  hero study domains runs/domains/study.parquet --out docs/science
  hero study alarms docs/science/bench.parquet
  hero study words runs/words/words.parquet --out docs/science
  hero study words seed1.parquet --also seed2.parquet --out docs/science
"""


@dataclass
class _Arguments:
    """Rules x regimes x reward models x seeds in the arena: run them, and report."""

    what: Annotated[Literal["run", "report", "bench", "headroom", "domains", "alarms", "words"], tyro.conf.Positional]
    """Run cells, make a page of a study's table (the study's own, the bench's, that of policies with headroom, that of
    trust by domain, or that of hero demo --policy), or print what its alarms are worth."""

    table: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="TABLE")] = None
    """For all but run: the parquet file."""

    also: tuple[Path, ...] = ()
    """For words and bench: tables of other cells, made elsewhere by the same settings; one table and one page are made
    of all. A seed of the bench that begins with other models elsewhere becomes a pipeline of its own, 1201 for 201;
    seeds of words must follow one another."""

    parts: tuple[str, ...] = ("main", "quality", "ablations", "two-faced")
    """Which parts to run."""

    seeds: int = 5
    """Seeds of the largest parts; a part has no more than its own number."""

    first_seed: int = 0
    """The first of them."""

    final: bool = False
    """Take the figures on the prompts that are kept for the end, in place of those that choices are made on."""

    steps: int | None = None
    """Optimiser steps of each cell; 200, or 3 with --tiny."""

    out: Path | None = None
    """Folder for cells and table, runs/study (runs/study-tiny with --tiny); for report, of the page."""

    notes: Path | None = None
    """For a page: a Markdown file that is put before the tables."""

    cache: Path | None = None
    """Folder that keeps the models; ~/.cache/hero-rl/arena unless told otherwise."""

    workers: int = 2
    """Processes side by side, each on one thread."""

    tiny: bool = False
    """Models and cells of a few steps that learn nothing: does everything work?"""

    json: bool = False
    """Print what was written as JSON and show no progress."""


def run(argv: list[str]) -> int:
    """Parse the arguments and do it."""
    arguments, rest = parse(_Arguments, argv, "study", _EPILOG)
    if rest:
        raise ConfigError(f"{rest[0]}: unknown argument; see hero study --help")
    if arguments.also and arguments.what not in ("words", "bench"):
        raise ConfigError("--also is for hero study words and hero study bench")
    if arguments.what == "alarms":
        return _print_alarms(arguments)
    written = _run(arguments) if arguments.what == "run" else _report(arguments)
    if arguments.json:
        print(json.dumps({name: str(path) for name, path in written.items()}))
    else:
        print("\n".join(f"{name:<8} {path}" for name, path in written.items()))
    return 0


def _print_alarms(arguments: _Arguments) -> int:
    from hero_lab.study.alarms import alarm_table, watched
    from hero_lab.study.table import read_table

    runs = watched(read_table(_table_of(arguments)))
    print(json.dumps([vars(run) for run in runs]) if arguments.json else alarm_table(runs))
    return 0


def _table_of(arguments: _Arguments) -> Path:
    if arguments.table is None:
        words = arguments.what == "words"
        made = "hero demo --policy writes runs/words/words" if words else "hero study run writes runs/study/study"
        raise ConfigError(f"{arguments.what}: which table? {made}.parquet")
    return arguments.table


def _report(arguments: _Arguments) -> dict[str, Path]:
    table = _table_of(arguments)
    from hero_lab.study.bench import write_bench, write_headroom
    from hero_lab.study.domains import write_domains
    from hero_lab.study.page import write_page
    from hero_lab.words.report import write_words
    from hero_rl.files.whole import replacing

    notes = _text(arguments.notes) if arguments.notes else ""
    out = arguments.out or table.parent
    read, join, keep = _ways(arguments.what)
    pages: dict[str, Any] = {
        "report": write_page,
        "bench": write_bench,
        "headroom": write_headroom,
        "domains": write_domains,
        "words": write_words,
    }
    name = "study" if arguments.what == "report" else arguments.what
    beside = out / f"{name}.parquet"  # the page says that it is there
    if arguments.also and beside.resolve() in {path.resolve() for path in (table, *arguments.also)}:
        raise ConfigError(f"--out: {beside} is one of the tables; give another folder")
    found = read(table)
    if arguments.also:
        found = join([(table, found), *((path, read(path)) for path in arguments.also)])
    out.mkdir(parents=True, exist_ok=True)
    page, *figures = pages[arguments.what](found, out, notes)
    if arguments.also:
        keep(found, beside)
    elif beside.resolve() != table.resolve():
        with replacing(beside) as file:
            file.write(table.read_bytes())
    return {"page": page} | {f"figure {number}": path for number, path in enumerate(figures, start=1)}


def _ways(what: str) -> tuple[Any, Any, Any]:
    """How a table of this kind is read, joined with others, and written."""
    from hero_lab.study.pipelines import join_tables
    from hero_lab.study.table import read_table, write_frame
    from hero_lab.words.table import joined, read_words_table, write_words_table

    if what == "words":
        return read_words_table, joined, write_words_table
    return read_table, join_tables, write_frame


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from None


def _run(arguments: _Arguments) -> dict[str, Path]:
    require("trl", "pandas", "pyarrow")  # needed once the models are made
    from rich.console import Console

    from hero_lab.arena.arms import ArmSettings
    from hero_lab.study import StudySettings, gather, run_study
    from hero_lab.study.table import write_table

    arm: dict[str, Any] = {"split": "report" if arguments.final else "development"}
    arm |= {"evaluation_seed": 1} if arguments.final else {}  # seed 0 drew those of docs/science/arena.md
    if arguments.tiny:
        arm |= {"steps": 3, "prompts_per_step": 4, "curve_every": 1, "curve_prompts": 4, "prompts": 4, "samples": 2}
    if arguments.steps is not None:
        arm["steps"] = arguments.steps
    settings = StudySettings(
        parts=arguments.parts,
        first_seed=arguments.first_seed,
        seeds=arguments.seeds,
        arm=ArmSettings(**arm),
        workers=arguments.workers,
        tiny=arguments.tiny,
    )
    out = arguments.out or Path("runs/study-tiny" if arguments.tiny else "runs/study")
    table = out / "study.parquet"
    try:
        run_study(
            settings, out / "cells", cache=arguments.cache, console=None if arguments.json else Console(stderr=True)
        )
    except (KeyboardInterrupt, HeroError):
        finished = gather(settings, out / "cells")
        if finished:
            write_table(finished, table)
        done = f"{len(finished)} finished cells are in {table}" if finished else "no cell is finished"
        print(f"\n{done}; the same command goes on", file=sys.stderr)
        raise
    write_table(gather(settings, out / "cells"), table)
    return {"table": table, "cells": out / "cells"}
