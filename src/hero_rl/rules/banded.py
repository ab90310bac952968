"""What HERO and its gated form share: the bands of Eq. 3, the prompt weight of Eq. 4 and 5, and their settings."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from hero_rl.rules.base import Eps, Settings, State, score_spread, shaped_like
from hero_rl.rules.groups import Groups, Scale, normalise
from hero_rl.rules.strata import Strata
from hero_rl.signals import Shaped, Signals

__all__ = ["Banded", "HeroState", "banded_reward", "places"]

Band = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class HeroState(State):
    """sigma_bar: running mean of sigma_u over groups, in the reward model's units; None before the first batch."""

    sigma_bar: Annotated[float, Field(ge=0)] | None = None


class Banded(Settings):
    """Settings of the bands and of the prompt weight.

    Attributes:
        alpha: half-width of the band of incorrect rollouts, [-alpha, alpha]; with verdicts between 0 and 1, what part
            of the way to the next higher verdict of the group a band may take.
        beta: half-width of the band of correct rollouts, [1 - beta, 1 + beta], and the same downwards.
            `alpha + beta < 1` keeps every rollout above those of its group with a lower verdict.
        w_min: weight of a prompt whose scores hardly differ (appendix A.1; the main text has 0.5).
        w_max: weight of a prompt whose scores differ most (appendix A.1; the main text has 2.0).
        k: steepness of the sigmoid between them (appendix A.1; the main text has 5).
        sigma: `raw` is the paper's `k * (sigma_u - sigma_bar)`, in the reward model's units; `relative` is
            `k * (sigma_u / sigma_bar - 1)`, free of units.
        singleton: where a stratum without spread sits in its band: `floor` is what Eq. 3 gives, `middle` is neutral.
        scale: divisor of the centred reward: none, the group's or the batch's sample standard deviation.
        momentum: share of the old sigma_bar that survives a batch.
        eps: keeps Eq. 3's and `scale`'s divisions finite.
        without_reference: what becomes of prompts that no verifier applies to, having no reference or a domain without
            a verifier. `leave_out` teaches nothing by them; `rank` ranks their rollouts by the score alone, within
            alpha, or alpha times the trust where the rule has one.
    """

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
    without_reference: Literal["leave_out", "rank"] = "leave_out"

    @model_validator(mode="after")
    def _check(self) -> Banded:
        if self.alpha + self.beta >= 1:
            raise ValueError(
                f"alpha + beta must be below 1, or an incorrect rollout can outrank a correct one "
                f"(alpha {self.alpha} + beta {self.beta} = {self.alpha + self.beta})"
            )
        if self.w_min > self.w_max:
            raise ValueError(f"w_min {self.w_min} is above w_max {self.w_max}")
        return self

    def spread_of(
        self, signals: Signals, groups: Groups
    ) -> tuple[Float[Tensor, " S"], Bool[Tensor, " S"], float | None]:
        """sigma_u of each group, which groups have one, and their mean over the batch (None where no group has one)."""
        score = signals.score.double()
        sigma, known = score_spread(score, groups, ~signals.verdict.isnan() & ~score.isnan())
        return sigma, known, sigma[known].mean().item() if known.any() else None

    def weight_of(
        self, sigma: Float[Tensor, " S"], known: Bool[Tensor, " S"], sigma_bar: float | None
    ) -> Float[Tensor, " S"]:
        """Eq. 4 for each group; 1 for a group without evidence."""
        if sigma_bar is None:
            return torch.ones_like(sigma)
        if self.sigma == "raw":
            excess = sigma - sigma_bar
        else:
            # By a subnormal sigma_bar the quotient is infinite, and k = 0 times that is no number.
            most = torch.finfo(sigma.dtype).max
            excess = (sigma / sigma_bar).clamp(max=most) - 1 if sigma_bar > 0 else torch.zeros_like(sigma)
        weight = self.w_min + (self.w_max - self.w_min) * torch.sigmoid(self.k * excess)
        return weight.where(known, 1)

    def with_unverified(
        self,
        signals: Signals,
        groups: Groups,
        shaped: Shaped,
        trust: Float[Tensor, " S"],
        sigma_bar: float | None,
    ) -> Shaped:
        """The batch with its unverified groups ranked, if they are to be; nothing else in it moves by a bit.

        Their reward lies around 0, and their advantage is centred and never divided: alpha bounds it at every scale.

        Args:
            signals: the batch.
            groups: its groups.
            shaped: what the verdicts make of it; a rollout without one is unscorable in it.
            trust: (S,) how far the reward model is trusted in each group.
            sigma_bar: what the weights of the batch are measured against.
        """
        if self.without_reference != "rank":
            return shaped
        whole = groups.spread(unverified_groups(signals, groups))
        if not whole.any():
            return shaped
        rows = whole & (~signals.score.isnan() | signals.empty)
        alone = Signals(torch.where(rows, 0.0, torch.nan), signals.score.double(), signals.group, empty=signals.empty)
        sigma, known, _ = self.spread_of(alone, groups)
        weight = groups.spread(1 + trust * (self.weight_of(sigma, known, sigma_bar) - 1))
        r_hat = banded_reward(alone, groups, alpha=self.alpha, beta=self.beta, singleton=self.singleton, eps=self.eps)
        reward = groups.spread(trust) * weight * r_hat
        centred = normalise(r_hat, groups, rows, "none", self.eps)
        ranked = shaped_like(
            signals, reward, groups.spread(trust) * weight * centred, rows, groups.spread(sigma), weight
        )
        return Shaped(*(getattr(ranked, name).where(whole, getattr(shaped, name)) for name in _SHAPED))

    def moved(self, sigma_bar: float | None, batch_mean: float | None) -> float | None:
        """sigma_bar after a batch: an exponential mean, whose first value is the first batch's own."""
        if batch_mean is None or sigma_bar is None:
            return batch_mean if sigma_bar is None else sigma_bar
        return self.momentum * sigma_bar + (1 - self.momentum) * batch_mean


_SHAPED = tuple(each.name for each in fields(Shaped))


def unverified_groups(signals: Signals, groups: Groups) -> Bool[Tensor, " S"]:
    """Groups to none of whose rollouts a verifier applies.

    Where one applies to some of a group the data contradicts itself, and the others stay unscorable.
    """
    return groups.count(~signals.unverified) == 0


def banded_reward(
    signals: Signals,
    groups: Groups,
    *,
    alpha: float | Float[Tensor, " B"],
    beta: float | Float[Tensor, " B"],
    singleton: Literal["floor", "middle"],
    eps: float,
) -> Float[Tensor, " B"]:
    """r_hat of Eq. 3, in float64: the score's place within its stratum, in the band around its verdict.

    A stratum is what has one verdict in one group; for verdicts of 0 and 1 this is Eq. 3 to the bit. `alpha` and `beta`
    are of the batch, or each rollout's own.

    A rollout whose score is missing sits in the middle of its band; at its bottom where that is the policy's doing. The
    value of an unscorable rollout is 0 and means nothing.
    """
    verdict = signals.verdict.double()
    strata = Strata.of(verdict, groups)
    half = _half_widths(verdict, strata, alpha, beta)
    z = places(signals, strata, singleton, eps)
    return (verdict - half + 2 * half * z).where(~verdict.isnan(), 0)


def places(signals: Signals, strata: Strata, singleton: Literal["floor", "middle"], eps: float) -> Float[Tensor, " B"]:
    """The z of Eq. 3: each score's place in its stratum, 0 lowest and 1 highest."""
    score, parts = signals.score.double(), strata.parts
    present = ~signals.verdict.isnan() & ~score.isnan()
    low, high = parts.spread(parts.min(score, present)), parts.spread(parts.max(score, present))
    z = ((score - low) / (high - low + eps)).where(high > low, 0.0 if singleton == "floor" else 0.5)
    return z.where(present, 0.5).masked_fill(signals.empty, 0.0)


def _half_widths(
    verdict: Float[Tensor, " B"],
    strata: Strata,
    alpha: float | Float[Tensor, " B"],
    beta: float | Float[Tensor, " B"],
) -> Float[Tensor, " B"]:
    """Half-width of the band around each rollout's verdict.

    `alpha` of the way up to the next verdict of the group and `beta` of the way down to the one below, whichever is
    less; so two neighbours a distance d apart take at most (alpha + beta) d of it. A group of one verdict has the width
    between alpha and beta that belongs to it.
    """
    half = (1 - verdict) * alpha + verdict * beta
    for share, gap in ((alpha, strata.above), (beta, strata.below)):
        gap = strata.parts.spread(gap)
        half = torch.minimum(half, share * gap).where(gap.isfinite(), half)
    return half
