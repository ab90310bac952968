"""How far a reward model can be trusted: a lower bound of its AUROC from what batches have shown, by domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from hero_rl.rules.base import State

__all__ = ["FEWEST", "Evidence", "trust_of"]

FEWEST = 8.0
"""Observations below which the AUROC is not known at all: no trust yet."""

# Least variance of one observation: few may agree by chance, and their own variance would promise too much.
_LEAST_VARIANCE = 0.04

_FORGOTTEN = 0.01  # observations

Share = Annotated[float, Field(ge=0, le=1)]


class Evidence(State):
    """What the observations so far say, each an AUROC between 0 and 1; those of older batches count less.

    Attributes:
        trust: c, 0 (the verifier alone) to 1, for the next batch.
        evidence: number of observations.
        auroc: their mean; 0.5 before the first.
        auroc_squared: mean of their squares.
    """

    trust: Share = 0.0
    evidence: Annotated[float, Field(ge=0)] = 0.0
    auroc: Share = 0.5
    auroc_squared: Share = 0.25

    def after(self, auroc: Float[Tensor, " M"], memory: float) -> Evidence:
        """The evidence after a batch with M observations, of which `memory` is the share of older ones that is kept."""
        kept, count = memory * self.evidence, len(auroc)
        evidence = kept + count
        mean, squared = self.auroc, self.auroc_squared
        if count:
            mean = (kept * mean + auroc.sum().item()) / evidence
            squared = (kept * squared + auroc.square().sum().item()) / evidence
        trust = trust_of(mean, squared, evidence)
        mean, squared = min(mean, 1.0), min(squared, 1.0)  # rounding
        return Evidence(trust=trust, evidence=evidence, auroc=mean, auroc_squared=squared)

    def filled_up(self, others: Iterable[Evidence]) -> Evidence:
        """This domain's evidence with as many of the others' observations as it lacks of `FEWEST`.

        So a new domain begins with what the others have shown, and stands by itself once it can. The trust is that of
        the mixture; the evidence that is remembered stays the domain's own.
        """
        lacking = FEWEST - self.evidence
        known = [other for other in others if other.evidence > 0]
        there = sum(other.evidence for other in known)
        if lacking <= 0 or there == 0:
            return self
        lent = min(lacking, there)
        total = self.evidence + lent

        def mixed(name: str) -> float:
            theirs = sum(other.evidence * getattr(other, name) for other in known) / there
            return (self.evidence * getattr(self, name) + lent * theirs) / total

        return self.model_copy(update={"trust": trust_of(mixed("auroc"), mixed("auroc_squared"), total)})


def trust_of(auroc: float, auroc_squared: float, evidence: float) -> float:
    """Trust from the running mean of the AUROC, that of its square, and the number of observations behind them."""
    if evidence < FEWEST:
        return 0.0
    variance = max(auroc_squared - auroc**2, _LEAST_VARIANCE)
    bound = auroc - (variance / evidence) ** 0.5
    return max(0.0, min(2 * bound - 1, 1.0))


def by_domain(
    before: Mapping[str, Evidence], auroc: Float[Tensor, " M"], domains: Sequence[str], memory: float
) -> dict[str, Evidence]:
    """Each domain's own evidence after a batch: M observations and the domain of each.

    The evidence of domains that a batch does not have fades as that of the others; what has faded is forgotten.
    """
    rows: dict[str, list[int]] = {name: [] for name in before}
    for row, name in enumerate(domains):
        rows.setdefault(name, []).append(row)
    after = {
        name: before.get(name, Evidence()).after(auroc[torch.tensor(chosen, dtype=torch.long)], memory)
        for name, chosen in sorted(rows.items())
    }
    return {name: evidence for name, evidence in after.items() if evidence.evidence > _FORGOTTEN}
