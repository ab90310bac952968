"""Tables of several machines as one: a seed is a pipeline only where it makes the same policy.

    frame = join_tables([(path, read_table(path)), (other, read_table(other))])

Differences are paired by seed, for the sake of the same policy on both sides. But sums are taken in another order on
another processor, and a thousand steps of fine-tuning make another policy of that. So what each cell's policy answered
before RL is compared, and a seed that begins otherwise elsewhere becomes a pipeline with a number of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_rl.errors import DataError

if TYPE_CHECKING:
    import pandas

__all__ = ["STRIDE", "check_pipelines", "join_tables"]

STRIDE = 1000
"""Seed 201 that begins otherwise on a second machine is pipeline 1201, on a third 2201."""

_Start = dict[tuple[str, str], float]


def check_pipelines(frame: pandas.DataFrame, path: Path) -> None:
    """See that the cells of each seed began with one policy.

    Raises:
        DataError: they did not: some were run on another machine; names the file, the seed and two cells.
    """
    first = _first_looks(frame)
    for _, own in first.groupby(["seed", "split", "kind"], observed=True):
        if own["value"].nunique() > 1:
            low, high = own.loc[own["value"].idxmin()], own.loc[own["value"].idxmax()]
            seed, kind, split = (low[name] for name in ("seed", "kind", "split"))
            right = " and ".join(f"{one['value']:.1%} in {one['cell']}" for one in (low, high))
            raise DataError(
                f"{path}: seed {seed} begins with different policies, right on {right} ({kind}, {split}): cells of "
                "different machines; give each machine's table by itself, with --also"
            )


def join_tables(parts: Sequence[tuple[Path, pandas.DataFrame]]) -> pandas.DataFrame:
    """One table of several, whose pipelines keep their numbers in the first.

    Args:
        parts: each with the file that it was read from.

    Raises:
        DataError: cells have other settings than the first, a seed's cells say nothing of how they began, or a cell is
            in two tables; names the file and the seed or the cell.
    """
    import pandas

    known: dict[int, _Start] = {}
    cells: set[tuple[int, str]] = set()
    frames = []
    for path, frame in parts:
        numbers = {}
        for seed, start in _starts(frame, path).items():
            numbers[seed] = _number(seed, start, known)
            known[numbers[seed]] = known.get(numbers[seed], {}) | start
        frame = frame.assign(seed=frame["seed"].map(numbers))
        own = set(frame[["seed", "cell"]].drop_duplicates().itertuples(index=False, name=None))
        if twice := sorted(cell for _, cell in own & cells):
            raise DataError(f"{path}: {twice[0]} is in another of the tables too")
        cells |= own
        frames.append(frame)
    whole = pandas.concat(frames, ignore_index=True)
    _check_settings(whole, parts)
    return whole.astype({name: "category" for name in frames[0] if frames[0][name].dtype == "category"})


def _check_settings(whole: pandas.DataFrame, parts: Sequence[tuple[Path, pandas.DataFrame]]) -> None:
    """See that all cells train and fine-tune alike, as the page says of the first of them.

    Raises:
        DataError: they do not; names a file and a cell of it.
    """
    wanted = _settings(whole["config"].iloc[0])
    for path, frame in parts:
        for cell, config in frame[["cell", "config"]].drop_duplicates().itertuples(index=False, name=None):
            if _settings(config) != wanted:
                raise DataError(f"{path}: {cell} has other settings of policy or training than {whole['cell'].iloc[0]}")


def _settings(config: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What all cells of a table share: of RL, and of the policy before it."""
    cell = json.loads(config)["cell"]
    arm, policy = cell["arm"], cell["arena"]["policy"]
    return (
        {name: value for name, value in arm.items() if name not in ("regime", "split", "evaluation_seed")},
        {name: value for name, value in policy.items() if name != "seed"},
    )


def _first_looks(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Rows of what policies answered before RL."""
    return frame.loc[(frame["measure"] == "curve") & (frame["step"] == 0)]


def _starts(frame: pandas.DataFrame, path: Path) -> dict[int, _Start]:
    starts: dict[int, _Start] = {int(seed): {} for seed in sorted(frame["seed"].unique())}
    first = _first_looks(frame)
    for seed, split, kind, value in zip(*(first[name] for name in ("seed", "split", "kind", "value")), strict=True):
        starts[int(seed)][split, kind] = value
    if silent := [seed for seed, start in starts.items() if not start]:
        raise DataError(f"{path}: seed {silent[0]} has no learning curve, which tells its policy from another's")
    return starts


def _number(seed: int, start: _Start, known: dict[int, _Start]) -> int:
    """The first number of this seed that is free, or that began likewise wherever both looked."""
    number = seed
    while number in known and any(known[number].get(where, value) != value for where, value in start.items()):
        number += STRIDE
    return number
