"""HERO: stratified normalisation and variance-aware weighting (Tao et al., arXiv 2510.07242, Eq. 3-5)."""

from __future__ import annotations

from typing import Literal

import torch

from hero_rl.rules.banded import Banded, HeroState, banded_reward
from hero_rl.rules.base import shaped_like
from hero_rl.rules.groups import Groups, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Hero"]


class Hero(Banded):
    """The verifier gates, the reward model ranks inside the gate, prompts that tell more weigh more.

    `advantage = w_u * normalise(r_hat)`, `reward = w_u * r_hat`. The weight multiplies the advantage after
    normalisation, so that dividing by a standard deviation cannot cancel it; with `scale="none"` this is the paper's
    Eq. 5 under mean-only centring.
    """

    type: Literal["hero"] = "hero"

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
        sigma, known, batch_mean = self.spread_of(signals, groups)
        sigma_bar = batch_mean if state.sigma_bar is None else state.sigma_bar
        weight = groups.spread(self.weight_of(sigma, known, sigma_bar))
        r_hat = banded_reward(signals, groups, alpha=self.alpha, beta=self.beta, singleton=self.singleton, eps=self.eps)
        advantage = weight * normalise(r_hat, groups, scorable, self.scale, self.eps)
        shaped = shaped_like(signals, weight * r_hat, advantage, scorable, groups.spread(sigma), weight)
        shaped = self.with_unverified(signals, groups, shaped, torch.ones_like(sigma), sigma_bar)
        return shaped, HeroState(sigma_bar=self.moved(state.sigma_bar, batch_mean))
