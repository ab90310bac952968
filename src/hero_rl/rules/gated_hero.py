"""HERO that trusts a reward model as far as it has shown that it ranks as the verifier does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from hero_rl.rules.banded import Banded, HeroState, banded_reward
from hero_rl.rules.base import shaped_like
from hero_rl.rules.evidence import Evidence, by_domain
from hero_rl.rules.groups import Groups, normalise
from hero_rl.rules.ranking import group_auroc
from hero_rl.rules.strata import Kinds
from hero_rl.signals import Shaped, Signals

__all__ = ["GatedHero", "GatedState"]


class GatedState(HeroState, Evidence):
    """sigma_bar, the trust for the next batch, and what it rests on: the AUROC of each mixed group seen.

    Attributes:
        domains: each domain's own evidence and the trust that it has, where the signals name domains.
    """

    domains: dict[str, Evidence] = Field(default_factory=dict)


class GatedHero(Banded):
    """HERO whose reward model has to earn its part, and loses it when it stops ranking as the verifier does.

    Mixed groups show in every batch whether the score puts correct above incorrect: their AUROC. With m its running
    mean, v its variance and n the number of groups behind it, `trust = clip(2 (m - sqrt(v / n)) - 1, 0, 1)`. The
    weight is `1 + trust * (w_u - 1)`. In a mixed group the bands are `trust * alpha` and `trust * beta` wide; in a
    uniform group, which only the reward model ranks, they are whole, and the normalised result is multiplied by the
    trust. A trust of 0 is the verifier alone, exactly. A batch is shaped with the trust that the batches before it
    have left. Where the signals name domains, each has a trust of its own: a reward model that ranks maths well may not
    rank code. What is bounded by it, and what is not: docs/science/method.md.

    Attributes:
        w_min: weight of a prompt whose scores hardly differ (the paper: 0.4). With both at 1 every prompt weighs the
            same, since the weight earned nothing where it was tried (docs/guides/choosing.md).
        w_max: weight of a prompt whose scores differ most (the paper: 3).
        memory: share of the evidence that survives a batch; 0.95 looks back over the last 20 or so.
    """

    earns_trust: ClassVar[bool] = True

    type: Literal["gated_hero"] = "gated_hero"
    w_min: Annotated[float, Field(ge=0)] = 1.0
    w_max: Annotated[float, Field(gt=0)] = 1.0
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.95

    def init(self) -> GatedState:
        """State before the first batch: no evidence, no trust."""
        return GatedState()

    def update(self, signals: Signals, state: GatedState) -> tuple[Shaped, GatedState]:
        """Shape one batch with the trust so far, then move sigma_bar and the trust."""
        groups = Groups.of(signals.group)
        trust = trust_of_groups(signals, groups, state, state.domains)
        shaped, sigma_bar = self.shaped_with(signals, groups, trust, trust, state.sigma_bar)
        seen, domains = self.learned(signals, groups, state)
        return shaped, GatedState(sigma_bar=sigma_bar, domains=domains, **seen.model_dump())

    def shaped_with(
        self,
        signals: Signals,
        groups: Groups,
        told_trust: Float[Tensor, " S"],
        ranked_trust: Float[Tensor, " S"],
        sigma_bar: float | None,
    ) -> tuple[Shaped, float | None]:
        """The batch under a trust for each group, and sigma_bar after it.

        Args:
            signals: the batch.
            groups: its groups.
            told_trust: (S,) the trust that holds where a group is mixed: the verifier tells its rollouts apart.
            ranked_trust: (S,) the trust that holds where it is uniform, or no verifier applies: only the reward model
                ranks it.
            sigma_bar: as the batches before have left it.
        """
        scorable = ~signals.verdict.isnan()
        sigma, known, batch_mean = self.spread_of(signals, groups)
        uniform = uniform_groups(signals, groups)
        trust = torch.where(uniform, ranked_trust, told_trust)
        frozen = batch_mean if sigma_bar is None else sigma_bar
        weigh = self.weight_of(sigma, known, frozen)
        weight = groups.spread(1 + trust * (weigh - 1))
        # In a uniform group the trust comes after the normalisation: before it, a standard deviation would cancel it.
        whole = torch.ones_like(trust)
        narrow, full = (self._banded(signals, groups, groups.spread(width)) for width in (trust, whole))
        told, ranked = (normalise(r_hat, groups, scorable, self.scale, self.eps) for r_hat in (narrow, full))
        advantage = weight * torch.where(groups.spread(uniform), groups.spread(trust) * ranked, told)
        shaped = shaped_like(signals, weight * narrow, advantage, scorable, groups.spread(sigma), weight)
        shaped = self.with_unverified(signals, groups, shaped, trust, frozen)
        return shaped, self.moved(sigma_bar, batch_mean)

    def _banded(self, signals: Signals, groups: Groups, width: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """r_hat of Eq. 3 with bands `width` times as wide as the settings say."""
        return banded_reward(
            signals,
            groups,
            alpha=width * self.alpha,
            beta=width * self.beta,
            singleton=self.singleton,
            eps=self.eps,
        )

    def learned(self, signals: Signals, groups: Groups, state: GatedState) -> tuple[Evidence, dict[str, Evidence]]:
        """The evidence after a batch, over all and by domain: one AUROC a mixed group."""
        auroc = group_auroc(signals.score, signals.verdict, groups)
        mixed = ~auroc.isnan()
        domains = dict(state.domains)
        if signals.domain is not None:
            names = domain_names(signals.domain, groups)
            told = [name for name, known in zip(names, mixed.tolist(), strict=True) if known]
            domains = by_domain(domains, auroc[mixed], told, self.memory)
        return state.after(auroc[mixed], self.memory), domains


def uniform_groups(signals: Signals, groups: Groups) -> Bool[Tensor, " S"]:
    """Groups in which the verifier tells no rollouts apart: uniform ones, and those without a verdict."""
    return ~Kinds.of(signals.verdict, groups).mixed


def domain_names(domain: tuple[str, ...], groups: Groups) -> list[str]:
    """The domain of each of S groups."""
    names = [""] * groups.number
    for index, name in zip(groups.index.tolist(), domain, strict=True):
        names[index] = name
    return names


def trust_of_groups(
    signals: Signals, groups: Groups, whole: Evidence, domains: Mapping[str, Evidence]
) -> Float[Tensor, " S"]:
    """The trust that holds in each group: its domain's, filled up by the others; without domains that of the whole."""
    if signals.domain is None:
        return torch.full((groups.number,), whole.trust, dtype=torch.float64, device=signals.verdict.device)
    names = domain_names(signals.domain, groups)
    trust = {}
    for name in set(names):
        others = [evidence for other, evidence in domains.items() if other != name]
        trust[name] = domains.get(name, Evidence()).filled_up(others).trust
    return torch.tensor([trust[name] for name in names], dtype=torch.float64, device=signals.verdict.device)
