"""Tables of several machines as one: a seed is a pipeline only where it makes the same models.

    frame = join_tables([(path, read_table(path)), (other, read_table(other))])

Differences are paired by seed, for the sake of the same policy on both sides. But sums are taken in another order on
another processor, and a thousand steps of fine-tuning make another policy of that. So what is measured before RL is
compared: how often the policy is right on development prompts, easy and hard, and how well each reward model ranks its
rollouts. A seed that begins otherwise elsewhere becomes a pipeline with a number of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_rl.errors import DataError

if TYPE_CHECKING:
    import pandas

__all__ = ["STRIDE", "check_pipelines", "join_tables", "seeds_of"]

STRIDE = 1000
"""Seed 201 that begins otherwise on a second machine is pipeline 1201, on a third 2201."""

_OF_POLICY = ["seed", "measure", "kind"]
_OF_REWARD_MODEL = [*_OF_POLICY, "regime", "quality", "blind_types"]
_Start = dict[tuple[str, ...], float]
_Parts = Sequence[tuple[Path, "pandas.DataFrame"]]


def check_pipelines(frame: pandas.DataFrame, path: Path) -> None:
    """See that the cells of each seed began with one policy and one reward model of a kind.

    Raises:
        DataError: they did not: some were run on another machine; names the file, the seed and two cells.
    """
    for first, same in ((_policies(frame), _OF_POLICY), (_reward_models(frame), _OF_REWARD_MODEL)):
        for _, own in first.groupby(same, observed=True):
            if own["value"].nunique() > 1:
                low, high = own.loc[own["value"].idxmin()], own.loc[own["value"].idxmax()]
                raise DataError(
                    f"{path}: seed {low['seed']} begins with different models: {low['measure']} {low['kind']} is "
                    f"{low['value']:.4f} in {low['cell']} and {high['value']:.4f} in {high['cell']}, as of different "
                    "machines; `hero study bench` joins one table of each machine with --also"
                )


def join_tables(parts: _Parts) -> pandas.DataFrame:
    """One table of several, whose pipelines keep their numbers in the first.

    A pipeline whose number is not its seed has it in the names of its cells too. Cells without RL say nothing of how
    they began: they go with their seed.

    Args:
        parts: each with the file that it was read from.

    Raises:
        DataError: cells have other settings than the first, a seed has no cell that says how it began, or a cell is in
            two tables; names the file and the seed or the cell.
    """
    import pandas

    known: dict[int, _Start] = {}
    frames: list[pandas.DataFrame] = []
    cells: set[str] = set()
    for path, frame in parts:
        numbers, seeds = {}, seeds_of(frame)
        for number, start in _starts(frame, path).items():
            start["seed",] = seeds[number]  # others are no candidates
            numbers[number] = _number(number, start, known)
            known[numbers[number]] = known.get(numbers[number], {}) | start
        frame = frame.assign(seed=frame["seed"].map(numbers), cell=_renamed(frame, numbers, seeds))
        if twice := sorted(cells & set(frame["cell"])):
            raise DataError(f"{path}: {twice[0]} is in another of the tables too")
        cells |= set(frame["cell"])
        frames.append(frame)
    whole = pandas.concat(frames, ignore_index=True)
    _check_settings(whole, parts)
    return whole.astype({name: "category" for name in parts[0][1] if parts[0][1][name].dtype == "category"})


def seeds_of(frame: pandas.DataFrame) -> dict[int, int]:
    """The seed of each pipeline."""
    first = frame.drop_duplicates("seed")
    return {
        int(number): json.loads(config)["cell"]["seed"]
        for number, config in zip(first["seed"], first["config"], strict=True)
    }


def _policies(frame: pandas.DataFrame) -> pandas.DataFrame:
    return frame.loc[(frame["measure"] == "curve") & (frame["step"] == 0)]


def _reward_models(frame: pandas.DataFrame) -> pandas.DataFrame:
    return frame.loc[frame["measure"].astype(str).str.startswith("rank ") & (frame["step"] == 0)]


def _starts(frame: pandas.DataFrame, path: Path) -> dict[int, _Start]:
    """What was measured before RL, by pipeline and by what it is of."""
    starts: dict[int, _Start] = {int(number): {} for number in sorted(frame["seed"].unique())}
    for first, same in ((_policies(frame), _OF_POLICY), (_reward_models(frame), _OF_REWARD_MODEL)):
        for row in first[[*same, "value"]].itertuples(index=False, name=None):
            starts[int(row[0])][tuple(map(str, row[1:-1]))] = row[-1]
    for number, start in starts.items():
        if not any(measure == "curve" for measure, *_ in start):
            raise DataError(f"{path}: seed {number} has no learning curve, which tells its policy from another's")
    return starts


def _number(number: int, start: _Start, known: dict[int, _Start]) -> int:
    """The number of the pipeline that began likewise in all that both say; else its own, or a free one."""
    for other, begun in known.items():
        if all(begun.get(what, value) == value for what, value in start.items()):
            return other
    while number in known:
        number += STRIDE
    return number


def _renamed(frame: pandas.DataFrame, numbers: dict[int, int], seeds: dict[int, int]) -> pandas.Series:
    """Names of cells, with the pipeline's number where it is not the seed."""
    names = frame["cell"].astype(str).str.split("@").str[0]
    seed, number = frame["seed"].map(seeds), frame["seed"].map(numbers)
    return names.where(number == seed, names + "@" + number.astype(str))


def _check_settings(whole: pandas.DataFrame, parts: _Parts) -> None:
    """See that all cells train and fine-tune alike, and are asked the same prompts of a split.

    Raises:
        DataError: they are not; names a file, a cell of it and the setting.
    """
    wanted, asked = _settings(whole["config"].iloc[0])[0], {}
    for path, frame in parts:
        for cell, config in frame[["cell", "config"]].drop_duplicates().itertuples(index=False, name=None):
            own, (split, prompts) = _settings(config)
            differ = [name for name in wanted if own.get(name) != wanted[name]]
            if asked.setdefault(split, prompts) != prompts:
                differ.append("evaluation_seed")
            if differ:
                raise DataError(f"{path}: {cell} differs in {differ[0]} from {whole['cell'].iloc[0]}")


def _settings(config: str) -> tuple[dict[str, Any], tuple[str, int]]:
    """What all cells of a table share, of RL and of the policy before it; and which prompts the figures are of."""
    cell = json.loads(config)["cell"]
    arm, policy = dict(cell["arm"]), dict(cell["arena"]["policy"])
    del arm["regime"], policy["seed"]
    asked = arm.pop("split"), arm.pop("evaluation_seed")
    return arm | {f"policy.{name}": value for name, value in policy.items()}, asked
