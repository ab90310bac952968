"""A study's results as one tidy table: a row is one number of one cell, and the cell's whole configuration is with it.

write_table(results, Path("study.parquet"))
frame = read_table(Path("study.parquet"))
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_lab.arena.evaluation import Kind, held_out_problems
from hero_lab.arena.task import ProblemType, Split, types_of
from hero_lab.study.pipelines import check_pipelines
from hero_rl.errors import DataError
from hero_rl.files.whole import replacing

if TYPE_CHECKING:
    import pandas

__all__ = ["COLUMNS", "read_table", "rows_of", "write_frame", "write_table"]

COLUMNS = (
    *("cell", "rule", "regime", "quality", "blind_types", "seed", "split", "measure", "kind", "step", "value"),
    *("seconds", "config"),
)
"""Columns of the table; `kind` is easy, hard, one of their types of problems, or empty.

`config` is JSON: `cell`, `train` (the resolved configuration of its training run) and `environment` (the versions that
it ran under); the latter two are null for the policy before RL.
"""

_RESOLVED = ("train", "environment")

_WINDOW = 10  # steps that one row of a followed metric stands for


def rows_of(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A finished cell's numbers: accuracies, AUROCs before and after, the oracle's curve, means of followed metrics."""
    cell = result["cell"]
    steps = cell["arm"]["steps"] if cell["rule"] else 0
    head = {
        "cell": result["id"],
        "rule": cell["name"],
        "regime": cell["arm"]["regime"],
        "quality": cell["quality"],
        "blind_types": " ".join(cell["blind_types"]),
        "seed": cell["seed"],
        "split": cell["arm"]["split"],
        "seconds": result["seconds"],
        "config": json.dumps({"cell": cell} | {name: result.get(name) for name in _RESOLVED}, sort_keys=True),
    }
    for measure, kind, step, value in _numbers(result, steps):
        if value is not None and not math.isnan(value):
            yield head | {"measure": measure, "kind": kind, "step": step, "value": value}


def _numbers(result: dict[str, Any], steps: int) -> Iterator[tuple[str, str, int, float]]:
    arm = result["cell"]["arm"]
    for kind, accuracy in result["accuracy"].items():
        asked = _types_asked(kind, arm["split"], arm["prompts"], arm["evaluation_seed"])
        for measure, values in accuracy.items():
            yield measure, kind, steps, sum(values) / len(values)
            for type_ in types_of(kind):
                mine = [value for asked_type, value in zip(asked, values, strict=True) if asked_type == type_]
                if mine:
                    yield measure, type_, steps, sum(mine) / len(mine)
    for when, ranks in result.get("ranks", {}).items():
        for name, value in ranks.items():
            yield f"rank {name}", "", steps if when == "after" else 0, value
    for line in result.get("curve", []):
        for kind in ("easy", "hard"):
            yield "curve", kind, line["step"], line[kind]
    followed = result.get("steps", [])
    for start in range(0, len(followed), _WINDOW):
        window = followed[start : start + _WINDOW]
        for name in sorted({name for line in window for name in line} - {"step"}):
            values = [line[name] for line in window if not math.isnan(line.get(name, math.nan))]
            if values:
                yield name, "", window[-1]["step"], sum(values) / len(values)


@cache
def _types_asked(kind: Kind, split: Split, prompts: int, seed: int) -> tuple[ProblemType, ...]:
    """The type of each held-out problem, in the order of a cell's accuracies."""
    return tuple(problem.type for problem in held_out_problems(kind, split, prompts, seed))


def write_table(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the results of finished cells as parquet, whole or not at all."""
    rows = [row for result in results for row in rows_of(result)]
    _write({name: [row[name] for row in rows] for name in COLUMNS}, path)


def write_frame(frame: pandas.DataFrame, path: Path) -> None:
    """The same for a table that was read."""
    _write({name: frame[name].tolist() for name in COLUMNS}, path)


def _write(columns: dict[str, list[Any]], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    with replacing(path) as file:
        pyarrow.parquet.write_table(pyarrow.table(columns), file, compression="zstd")


def read_table(path: Path) -> pandas.DataFrame:
    """Read a study's table.

    Raises:
        DataError: the file is missing, is no parquet file, or lacks a column, or a seed's cells did not begin with the
            same models; names the file.
    """
    import pandas
    import pyarrow

    try:
        frame = pandas.read_parquet(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"{path}: {error}") from None
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise DataError(f"{path}: no column {', '.join(map(repr, missing))}; a table that hero study wrote is expected")
    check_pipelines(frame, path)
    texts = [name for name in COLUMNS if name not in ("seed", "step", "value", "seconds")]
    return frame.astype(dict.fromkeys(texts, "category"))  # a page makes thousands of selections
