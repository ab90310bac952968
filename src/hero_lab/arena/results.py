"""Who won: accuracies and paired differences, with 95% intervals over seeds (with one seed, over prompts)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hero_lab.arena.evaluation import KINDS, Kind, Measured, PromptAccuracy

if TYPE_CHECKING:
    from hero_lab.arena.demo import DemoResult

__all__ = ["LABELS", "START", "Difference", "MethodRow", "difference", "differences", "rows"]

START = "start"
"""What the policy before RL is called, in the place of a rule."""

LABELS = {
    "hero": "HERO",
    "gated_hero": "gated HERO",
    "audited_hero": "audited HERO",
    "verifier_only": "verifier only",
    "reward_model_only": "RM only",
    "weighted_sum": "weighted sum",
    "gdpo": "GDPO",
}
"""How the arms are called where people read."""


@dataclass(frozen=True)
class MethodRow:
    """One line of the table: accuracies by kind, sampled at temperature 1 and greedy, mean over the arm's seeds."""

    name: str
    label: str
    sampled: dict[Kind, Measured]
    greedy: dict[Kind, Measured]


@dataclass(frozen=True)
class Difference:
    """One arm's sampled accuracy less another's on the same prompts.

    Attributes:
        first: the arm in front.
        second: the arm it is compared with.
        kind: kind of prompt.
        gap: mean difference, and its interval.
        seeds_won: seeds in which the first arm's mean is the higher one.
        seeds: number of seeds.
    """

    first: str
    second: str
    kind: Kind
    gap: Measured
    seeds_won: int
    seeds: int


def rows(result: DemoResult) -> list[MethodRow]:
    """The table: the policy before RL, then each arm that is there."""
    table = [_row(START, "before RL", result.start)]
    for name in result.settings.arms:
        table.append(_row(name, LABELS[name], [arm.accuracy for arm in result.arms if arm.name == name]))
    return table


def differences(result: DemoResult) -> list[Difference]:
    """The first arm against each other one that shares a seed with it, hard prompts before easy ones."""
    first, *others = result.settings.arms
    found = [difference(result, first, other, kind) for kind in ("hard", "easy") for other in others]
    return [one for one in found if one]


def difference(result: DemoResult, first: str, second: str, kind: Kind) -> Difference | None:
    """One arm against another, over the seeds that both have; None without one."""

    def values(name: str) -> dict[int, list[float]]:
        return {arm.seed: arm.accuracy[kind].sampled for arm in result.arms if arm.name == name}

    ours, theirs = values(first), values(second)
    both = sorted(ours.keys() & theirs.keys())  # a comparison that is under way has arms of some seeds only
    if not both:
        return None
    gaps = [[a - b for a, b in zip(ours[seed], theirs[seed], strict=True)] for seed in both]
    return Difference(first, second, kind, _estimate(gaps), sum(sum(gap) > 0 for gap in gaps), len(gaps))


def _row(name: str, label: str, seeds: list[dict[str, PromptAccuracy]]) -> MethodRow:
    def mean(field: str) -> dict[Kind, Measured]:
        return {kind: _estimate([getattr(seed[kind], field) for seed in seeds]) for kind in KINDS}

    return MethodRow(name, label, mean("sampled"), mean("greedy"))


def _estimate(seeds: list[list[float]]) -> Measured:
    """Mean over seeds and prompts. Seeds are what varies between runs; with a single one, prompts are all there is."""
    values = torch.tensor(seeds, dtype=torch.float64)
    return Measured.of(values[0] if len(values) == 1 else values.mean(dim=1))
