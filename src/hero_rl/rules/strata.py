"""Groups by what the verifier said of their rollouts: the one definition of mixed, uniform, correct and stratum.

A verdict is any number from 0 (incorrect) to 1 (correct). Two rollouts of one group are of one stratum if their
verdicts are equal; one is correct if its verdict is 1, and incorrect if it is 0. An abstention is of no stratum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hero_rl.rules.groups import Groups

__all__ = ["Kinds", "Strata"]


@dataclass(frozen=True)
class Kinds:
    """S groups by the lowest and the highest verdict in them.

    Attributes:
        lowest: (S,) least verdict, +inf without one.
        highest: (S,) greatest verdict, -inf without one.
    """

    lowest: Float[Tensor, " S"]
    highest: Float[Tensor, " S"]

    @classmethod
    def of(cls, verdict: Float[Tensor, " B"], groups: Groups) -> Kinds:
        """What the verdicts, NaN where the verifier abstained, make of each group."""
        there = ~verdict.isnan()
        return cls(groups.min(verdict, there), groups.max(verdict, there))

    @property
    def judged(self) -> Bool[Tensor, " S"]:
        """Groups with a verdict."""
        return self.lowest <= self.highest

    @property
    def mixed(self) -> Bool[Tensor, " S"]:
        """Groups whose verdicts differ: the verifier tells their rollouts apart."""
        return self.lowest < self.highest

    @property
    def uniform(self) -> Bool[Tensor, " S"]:
        """Judged groups of one stratum: starved under the verifier alone."""
        return self.lowest == self.highest

    @property
    def all_correct(self) -> Bool[Tensor, " S"]:
        """Uniform groups of verdict 1."""
        return self.lowest == 1

    @property
    def all_incorrect(self) -> Bool[Tensor, " S"]:
        """Uniform groups of verdict 0."""
        return self.highest == 0

    @property
    def all_partial(self) -> Bool[Tensor, " S"]:
        """Uniform groups of a verdict between 0 and 1."""
        return self.uniform & (self.lowest > 0) & (self.highest < 1)


@dataclass(frozen=True)
class Strata:
    """A batch by group and verdict; T strata, ascending by group and within it by verdict.

    The abstentions of a group are one more stratum, the last, which is nobody's neighbour.

    Attributes:
        parts: the partition of the B rollouts into strata.
        group: (T,) the group of each.
        verdict: (T,) the verdict of each, in float64; +inf for abstentions.
        below: (T,) how far the next lower verdict of the group lies; +inf where there is none.
        above: (T,) how far the next higher one lies; +inf where there is none.
    """

    parts: Groups
    group: Int[Tensor, " T"]
    verdict: Float[Tensor, " T"]
    below: Float[Tensor, " T"]
    above: Float[Tensor, " T"]

    @classmethod
    def of(cls, verdict: Float[Tensor, " B"], groups: Groups) -> Strata:
        """Sort a batch into its strata."""
        value = verdict.double().nan_to_num(nan=torch.inf)
        order = value.argsort(stable=True)
        order = order[groups.index[order].argsort(stable=True)]
        value, group = value[order], groups.index[order]
        first = torch.ones_like(group, dtype=torch.bool)
        first[1:] = (value[1:] != value[:-1]) | (group[1:] != group[:-1])
        index = torch.empty_like(group)
        index[order] = first.cumsum(0) - 1
        value, group = value[first], group[first]
        gap = (value[1:] - value[:-1]).where(group[1:] == group[:-1], torch.inf)
        end = value.new_full((min(len(value), 1),), torch.inf)
        return cls(Groups(index, len(value)), group, value, torch.cat([end, gap]), torch.cat([gap, end]))

    @property
    def level(self) -> Int[Tensor, " B"]:
        """(B,) how many lower verdicts the group of each rollout has."""
        first = torch.searchsorted(self.group, self.group)
        return (torch.arange(self.parts.number, device=first.device) - first)[self.parts.index]
