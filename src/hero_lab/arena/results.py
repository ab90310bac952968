"""Who won: accuracies and paired differences, with 95% intervals over seeds, or over prompts where seeds are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hero_lab.arena.evaluation import Kind, Measured, PromptAccuracy

if TYPE_CHECKING:
    from hero_lab.arena.demo import DemoResult

__all__ = [
    "FEW_SEEDS",
    "HARD_FIRST",
    "LABELS",
    "START",
    "Difference",
    "MethodRow",
    "covered",
    "difference",
    "differences",
    "estimate",
    "kinds",
    "rows",
]

START = "start"
"""What the policy before RL is called, in the place of a rule."""

FEW_SEEDS = 3
"""Below so many, an interval over seeds says nothing (with two it is 12.7 standard errors), and is over prompts."""

HARD_FIRST: tuple[Kind, Kind] = ("hard", "easy")

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
    """One line of the table, mean over the arm's seeds.

    Attributes:
        name: of the arm, or `start`.
        label: what it is called.
        sampled: accuracy by kind, at temperature 1.
        greedy: accuracy by kind.
        exact: by kind the share of samples that are as the set writes the answer; empty where that is not kept.
    """

    name: str
    label: str
    sampled: dict[Kind, Measured]
    greedy: dict[Kind, Measured]
    exact: dict[Kind, Measured]


@dataclass(frozen=True)
class Difference:
    """One arm's sampled accuracy less another's on the same prompts.

    Attributes:
        first: the arm in front.
        second: the arm it is compared with.
        kind: kind of prompt.
        gap: mean difference, and its interval.
        by_seed: mean difference of each seed that both have.
    """

    first: str
    second: str
    kind: Kind
    gap: Measured
    by_seed: list[float]

    @property
    def seeds(self) -> int:
        """Seeds that both arms have."""
        return len(self.by_seed)

    @property
    def seeds_won(self) -> int:
        """Seeds in which the first arm's mean is the higher one."""
        return sum(gap > 0 for gap in self.by_seed)


def kinds(result: DemoResult) -> list[Kind]:
    """Kinds that there are held-out prompts enough of for an interval, hard ones first."""
    return [kind for kind in HARD_FIRST if len(result.start[0][kind].sampled) > 1]


def rows(result: DemoResult) -> list[MethodRow]:
    """The table: the policy before RL, then each arm that is there."""
    table = [_row(START, "before RL", result.start, result.exact(START))]
    for name in result.settings.arms:
        seeds = [arm.accuracy for arm in result.arms if arm.name == name]
        table.append(_row(name, LABELS[name], seeds, result.exact(name)))
    return table


def differences(result: DemoResult) -> list[Difference]:
    """The first arm against each other one that shares a seed with it, hard prompts before easy ones."""
    first, *others = result.settings.arms
    found = [difference(result, first, other, kind) for kind in kinds(result) for other in others]
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
    return Difference(first, second, kind, estimate(gaps), [sum(gap) / len(gap) for gap in gaps])


def _row(
    name: str, label: str, seeds: list[dict[str, PromptAccuracy]], exact: list[dict[str, list[float]]]
) -> MethodRow:
    def mean(shares: dict[Kind, list[list[float]]]) -> dict[Kind, Measured]:
        return {kind: estimate(own) for kind, own in shares.items() if own and own[0]}

    return MethodRow(
        name,
        label,
        mean({kind: [seed[kind].sampled for seed in seeds] for kind in HARD_FIRST}),
        mean({kind: [seed[kind].greedy for seed in seeds] for kind in HARD_FIRST}),
        mean({kind: [seed[kind] for seed in exact] for kind in HARD_FIRST}),
    )


def covered(seeds: int, prompts: str, each: str) -> str:
    """What the intervals are over, and what they leave out.

    Args:
        seeds: how many there are.
        prompts: how many prompts, in words.
        each: what is a seed's own, in words.
    """
    if seeds >= FEW_SEEDS:
        return f"± is a 95% interval over {seeds} seeds, {each}, on {prompts}"
    many = "one seed" if seeds == 1 else f"mean of {seeds} seeds, {each}, too few for an interval over them"
    return f"± is a 95% interval over {prompts}; {many}, so luck in training is not covered"


def estimate(seeds: Sequence[Sequence[float]]) -> Measured:
    """Mean over seeds and prompts. Seeds are what varies between runs; of a few, only prompts can be judged by.

    Args:
        seeds: a value for each prompt, of each seed; all seeds have the same prompts in the same order.
    """
    values = torch.tensor(seeds, dtype=torch.float64)
    return Measured.of(values.mean(dim=0 if len(values) < FEW_SEEDS else 1))
