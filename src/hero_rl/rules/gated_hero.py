"""HERO that trusts a reward model as far as it has shown that it ranks as the verifier does."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from hero_rl.rules.banded import Banded, HeroState, banded_reward
from hero_rl.rules.base import shaped_like
from hero_rl.rules.groups import Groups, normalise
from hero_rl.rules.ranking import group_auroc
from hero_rl.signals import Shaped, Signals

__all__ = ["GatedHero", "GatedState"]

# Mixed groups below which the AUROC is not known at all: no trust yet.
_FEWEST_GROUPS = 8.0

# Least variance of one group's AUROC: few groups may agree by chance, and their own variance would promise too much.
_LEAST_VARIANCE = 0.04


Share = Annotated[float, Field(ge=0, le=1)]


class GatedState(HeroState):
    """sigma_bar, the trust for the next batch, and what it rests on.

    Attributes:
        trust: c, 0 (the verifier alone) to 1.
        evidence: number of mixed groups seen, older batches counting less.
        auroc: mean AUROC of the score against the verdict over them, counted in the same way; 0.5 before the first.
        auroc_squared: mean of its square.
    """

    trust: Share = 0.0
    evidence: Annotated[float, Field(ge=0)] = 0.0
    auroc: Share = 0.5
    auroc_squared: Share = 0.25


class GatedHero(Banded):
    """HERO whose reward model has to earn its part, and loses it when it stops ranking as the verifier does.

    Mixed groups show in every batch whether the score puts correct above incorrect: their AUROC. With m its running
    mean, v its variance and n the number of groups behind it, `trust = clip(2 (m - sqrt(v / n)) - 1, 0, 1)`. The
    weight is `1 + trust * (w_u - 1)`. In a mixed group the bands are `trust * alpha` and `trust * beta` wide; in a
    uniform group, which only the reward model ranks, they are whole, and the normalised result is multiplied by the
    trust. A trust of 0 is the verifier alone, exactly. A batch is shaped with the trust that the batches before it
    have left. What is bounded by it, and what is not: docs/science/method.md.

    Attributes:
        memory: share of the evidence that survives a batch; 0.95 looks back over the last 20 or so.
    """

    type: Literal["gated_hero"] = "gated_hero"
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.95

    def init(self) -> GatedState:
        """State before the first batch: no evidence, no trust."""
        return GatedState()

    def update(self, signals: Signals, state: GatedState) -> tuple[Shaped, GatedState]:
        """Shape one batch with the trust so far, then move sigma_bar and the trust."""
        groups = Groups.of(signals.group)
        scorable = ~signals.verdict.isnan()
        sigma, known, batch_mean = self.spread_of(signals, groups)
        sigma_bar = batch_mean if state.sigma_bar is None else state.sigma_bar
        trust = state.trust
        weight = groups.spread(1 + trust * (self.weight_of(sigma, known, sigma_bar) - 1))
        auroc = group_auroc(signals.score, signals.verdict, groups)
        correct = groups.count(signals.verdict == 1)
        uniform = groups.spread((correct == 0) | (correct == groups.count(scorable)))
        # In a uniform group the trust comes after the normalisation: before it, a standard deviation would cancel it.
        narrow, full = (self._banded(signals, groups, width) for width in (trust, 1.0))
        told, ranked = (normalise(r_hat, groups, scorable, self.scale, self.eps) for r_hat in (narrow, full))
        advantage = weight * torch.where(uniform, trust * ranked, told)
        shaped = shaped_like(signals, weight * narrow, advantage, scorable, groups.spread(sigma), weight)
        return shaped, self._seen(auroc[~auroc.isnan()], state, self.moved(state.sigma_bar, batch_mean))

    def _banded(self, signals: Signals, groups: Groups, width: float) -> Float[Tensor, " B"]:
        """r_hat of Eq. 3 with bands `width` times as wide as the settings say."""
        return banded_reward(
            signals,
            groups,
            alpha=width * self.alpha,
            beta=width * self.beta,
            singleton=self.singleton,
            eps=self.eps,
        )

    def _seen(self, auroc: Float[Tensor, " M"], state: GatedState, sigma_bar: float | None) -> GatedState:
        """The state after a batch with M mixed groups of these AUROCs."""
        kept, count = self.memory * state.evidence, len(auroc)
        evidence = kept + count
        if count == 0:
            mean, squared = state.auroc, state.auroc_squared
        else:
            mean = (kept * state.auroc + auroc.sum().item()) / evidence
            squared = (kept * state.auroc_squared + auroc.square().sum().item()) / evidence
        return GatedState(
            sigma_bar=sigma_bar,
            trust=trust_of(mean, squared, evidence),
            evidence=evidence,
            auroc=min(mean, 1.0),  # rounding
            auroc_squared=min(squared, 1.0),
        )


def trust_of(auroc: float, auroc_squared: float, evidence: float) -> float:
    """Trust from the running mean of the AUROC, that of its square, and the number of groups behind them."""
    if evidence < _FEWEST_GROUPS:
        return 0.0
    variance = max(auroc_squared - auroc**2, _LEAST_VARIANCE)
    bound = auroc - (variance / evidence) ** 0.5
    return max(0.0, min(2 * bound - 1, 1.0))
