"""HERO: stratified normalisation and variance-aware weighting (Tao et al., arXiv 2510.07242, Eq. 3-5)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from hero_rl.rules.base import Eps, Settings, State, score_spread, shaped_like
from hero_rl.rules.groups import Groups, Scale, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Hero", "HeroState", "banded_reward"]

Band = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class HeroState(State):
    """sigma_bar: running mean of sigma_u over groups, in the reward model's units; None before the first batch."""

    sigma_bar: float | None = None


class Hero(Settings):
    """The verifier gates, the reward model ranks inside the gate, prompts that tell more weigh more.

    `advantage = w_u * normalise(r_hat)`, `reward = w_u * r_hat`. The weight multiplies the advantage after
    normalisation, so that dividing by a standard deviation cannot cancel it; with `scale="none"` this is the paper's
    Eq. 5 under mean-only centring.

    Attributes:
        alpha: half-width of the band of incorrect rollouts, [-alpha, alpha].
        beta: half-width of the band of correct rollouts, [1 - beta, 1 + beta]. `alpha + beta < 1` keeps every correct
            rollout above every incorrect one.
        w_min: weight of a prompt whose scores hardly differ (appendix A.1; the main text has 0.5).
        w_max: weight of a prompt whose scores differ most (appendix A.1; the main text has 2.0).
        k: steepness of the sigmoid between them (appendix A.1; the main text has 5).
        sigma: `raw` is the paper's `k * (sigma_u - sigma_bar)`, in the reward model's units; `relative` is
            `k * (sigma_u / sigma_bar - 1)`, free of units.
        singleton: where a stratum without spread sits in its band: `floor` is what Eq. 3 gives, `middle` is neutral.
        scale: divisor of the centred reward: none, the group's or the batch's sample standard deviation.
        momentum: share of the old sigma_bar that survives a batch.
        eps: keeps Eq. 3's and `scale`'s divisions finite.
    """

    type: Literal["hero"] = "hero"
    alpha: Band = 0.1
    beta: Band = 0.1
    w_min: Annotated[float, Field(ge=0)] = 0.4
    w_max: Annotated[float, Field(gt=0)] = 3.0
    k: Annotated[float, Field(ge=0)] = 6.0
    sigma: Literal["raw", "relative"] = "raw"
    singleton: Literal["floor", "middle"] = "floor"
    scale: Scale = "none"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    eps: Eps = 1e-6

    @model_validator(mode="after")
    def _check(self) -> Hero:
        if self.alpha + self.beta >= 1:
            raise ValueError(
                f"alpha + beta must be below 1, or an incorrect rollout can outrank a correct one "
                f"(alpha {self.alpha} + beta {self.beta} = {self.alpha + self.beta})"
            )
        if self.w_min > self.w_max:
            raise ValueError(f"w_min {self.w_min} is above w_max {self.w_max}")
        return self

    def init(self) -> HeroState:
        """State before the first batch: no sigma_bar yet."""
        return HeroState()

    def update(self, signals: Signals, state: HeroState) -> tuple[Shaped, HeroState]:
        """Shape one batch and move sigma_bar.

        sigma_bar is read frozen for the whole batch, so that the result depends neither on the order of the rollouts
        nor on how they are sharded; the first batch uses, and stores, its own mean.
        """
        groups = Groups.of(signals.group)
        scorable = ~signals.verdict.isnan()
        score = signals.score.double()
        sigma, known = score_spread(score, groups, scorable & ~score.isnan())
        batch_mean = sigma[known].mean().item() if known.any() else None
        sigma_bar = batch_mean if state.sigma_bar is None else state.sigma_bar
        weight = groups.spread(self._weight(sigma, known, sigma_bar))
        r_hat = banded_reward(signals, groups, alpha=self.alpha, beta=self.beta, singleton=self.singleton, eps=self.eps)
        advantage = weight * normalise(r_hat, groups, scorable, self.scale, self.eps)
        shaped = shaped_like(signals, weight * r_hat, advantage, scorable, groups.spread(sigma), weight)
        return shaped, self._move(state, batch_mean)

    def _weight(
        self, sigma: Float[Tensor, " S"], known: Bool[Tensor, " S"], sigma_bar: float | None
    ) -> Float[Tensor, " S"]:
        """Eq. 4 for each group; 1 for a group without evidence."""
        if sigma_bar is None:
            return torch.ones_like(sigma)
        if self.sigma == "raw":
            excess = sigma - sigma_bar
        else:
            excess = sigma / sigma_bar - 1 if sigma_bar > 0 else torch.zeros_like(sigma)
        weight = self.w_min + (self.w_max - self.w_min) * torch.sigmoid(self.k * excess)
        return weight.where(known, 1)

    def _move(self, state: HeroState, batch_mean: float | None) -> HeroState:
        if batch_mean is None:
            return state
        if state.sigma_bar is None:
            return HeroState(sigma_bar=batch_mean)
        return HeroState(sigma_bar=self.momentum * state.sigma_bar + (1 - self.momentum) * batch_mean)


def banded_reward(
    signals: Signals,
    groups: Groups,
    *,
    alpha: float,
    beta: float,
    singleton: Literal["floor", "middle"],
    eps: float,
) -> Float[Tensor, " B"]:
    """r_hat of Eq. 3, in float64: the score's place within its stratum, in the band of its verdict.

    A rollout whose score is missing sits in the middle of its band. The value of an unscorable rollout is 0 and means
    nothing.
    """
    score = signals.score.double()
    correct = signals.verdict == 1
    present = ~signals.verdict.isnan() & ~score.isnan()
    strata = groups.split(correct)
    low = strata.spread(strata.min(score, present))
    high = strata.spread(strata.max(score, present))
    z = ((score - low) / (high - low + eps)).where(high > low, 0.0 if singleton == "floor" else 0.5)
    z = z.where(present, 0.5)
    banded = torch.where(correct, 1 - beta + 2 * beta * z, -alpha + 2 * alpha * z)
    return banded.where(~signals.verdict.isnan(), 0)
