"""Gated HERO that learns from a few audits how far the reward model can be trusted where the verifier cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from hero_rl.rules.banded import unverified_groups
from hero_rl.rules.evidence import Evidence, by_domain
from hero_rl.rules.gated_hero import GatedHero, GatedState, domain_names, trust_of_groups, uniform_groups
from hero_rl.rules.groups import Groups
from hero_rl.rules.ranking import group_auroc
from hero_rl.signals import Shaped, Signals

__all__ = ["AuditedHero", "AuditedState", "audited_pairs"]


class AuditedState(GatedState):
    """What gated HERO remembers of mixed groups, and what the audits have shown of uniform ones.

    Attributes:
        audit: evidence of all audits; an observation is a pair of rollouts that the auditor tells apart: 1 where the
            score puts the right one first, 0 where it puts it last, 1/2 where it is level.
        audit_domains: the same by domain, where the signals name domains.
        batches: number of batches shaped; the draw of the next follows from it.
    """

    audit: Evidence = Evidence()
    audit_domains: dict[str, Evidence] = Field(default_factory=dict)
    batches: int = 0


class AuditedHero(GatedHero):
    """HERO whose reward model has to earn its part in uniform groups there, and not where the verifier can tell.

    Before a batch is shaped, `draw` names two rollouts of each of a few uniform groups, at random and without a look at
    their scores. An auditor, a better and dearer verifier, judges them: `Signals.audit`. Where it tells the two apart,
    the pair says whether the reward model ranks them rightly. Uniform groups get the trust of the audits, mixed groups
    that of the verifier, by the same lower bound and the same memory; by domain where the signals name domains. In
    uniform groups no domain vouches for another: until a domain has eight audited pairs of its own its trust is 0.
    Where no verifier applies nothing is audited, and the other domains vouch.

    An audit that failed (NaN) is no evidence. An auditor that errs at random draws the mean towards 1/2, so that it can
    lower the trust and not raise it: docs/science/method.md.

    Attributes:
        audits: uniform groups that are audited a batch; two rollouts are judged in each.
        correct: whether an audited rollout's verdict is also replaced by the auditor's, which makes a mixed group of a
            uniform one where the two differ. The other rollouts of the group keep the verifier's word, so a group with
            several right answers then raises one of them alone: off by default.
    """

    type: Literal["audited_hero"] = "audited_hero"  # pyright: ignore[reportIncompatibleVariableOverride]
    audits: Annotated[int, Field(ge=1)] = 8
    correct: bool = False

    def init(self) -> AuditedState:
        """State before the first batch: no evidence, no trust."""
        return AuditedState()

    def draw(self, signals: Signals, state: AuditedState) -> Int[Tensor, " A"]:
        """Rows of the rollouts to audit: two of each of `audits` uniform groups, or of all if there are fewer.

        The draw depends on the groups, on which verdicts and scores are there, and on the number of batches so far: it
        is the same on every rank and after a resumption.
        """
        groups = Groups.of(signals.group)
        present = ~signals.verdict.isnan() & ~signals.score.isnan()
        fit = uniform_groups(signals, groups) & (groups.count(present) >= 2)
        generator = torch.Generator().manual_seed(state.batches)
        luck = torch.rand(groups.number, generator=generator, dtype=torch.float64).to(fit.device)
        drawn = luck.where(fit, -1).argsort(descending=True)[: min(self.audits, int(fit.sum()))]
        # All rollouts in one order, by group and within it by a random number: the first two of a group are drawn.
        luck = torch.rand(len(signals), generator=generator, dtype=torch.float64).to(fit.device)
        order = luck.where(present, -1).argsort(descending=True)
        order = order[groups.index[order].argsort(stable=True)]
        sizes = groups.count(torch.ones_like(present)).long()
        starts = sizes.cumsum(0) - sizes
        return order[torch.stack([starts[drawn], starts[drawn] + 1], dim=1).flatten()].sort().values

    def update(self, signals: Signals, state: AuditedState) -> tuple[Shaped, AuditedState]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Shape one batch with the trusts so far, then move sigma_bar and the trusts."""
        groups = Groups.of(signals.group)
        told = trust_of_groups(signals, groups, state, state.domains)
        ranked = _audited_trust(signals, groups, state)
        # An auditor has nothing to tell there: all that the audits have shown elsewhere speaks for such a domain.
        lent = trust_of_groups(signals, groups, state.audit, state.audit_domains)
        ranked = torch.where(unverified_groups(signals, groups), lent, ranked)
        seen, domains = self.learned(signals, groups, state)
        audit, audit_domains = self._audited(signals, groups, state)
        shaped, sigma_bar = self.shaped_with(self._corrected(signals), groups, told, ranked, state.sigma_bar)
        after = AuditedState(
            sigma_bar=sigma_bar,
            domains=domains,
            audit=audit,
            audit_domains=audit_domains,
            batches=state.batches + 1,
            **seen.model_dump(),
        )
        return shaped, after

    def _corrected(self, signals: Signals) -> Signals:
        if not self.correct or signals.audit is None:
            return signals
        verdict = torch.where(signals.audit.isnan(), signals.verdict, signals.audit.to(signals.verdict))
        return replace(signals, verdict=verdict, audit=None)

    def _audited(self, signals: Signals, groups: Groups, state: AuditedState) -> tuple[Evidence, dict[str, Evidence]]:
        """The evidence of the audits after a batch, over all and by domain."""
        pairs, index = audited_pairs(signals, groups)
        domains = dict(state.audit_domains)
        if signals.domain is not None:
            names = domain_names(signals.domain, groups)
            domains = by_domain(domains, pairs, [names[i] for i in index.tolist()], self.memory)
        return state.audit.after(pairs, self.memory), domains


def audited_pairs(signals: Signals, groups: Groups) -> tuple[Float[Tensor, " P"], Int[Tensor, " P"]]:
    """Of each audited uniform group whose auditor tells rollouts apart, whether the score ranks them rightly.

    Returns:
        (P,) 1, 0 or, where scores are level, 1/2 (of more than two rollouts the AUROC); and (P,) the group of each.
    """
    if signals.audit is None:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.long)
    audit = signals.audit.where(groups.spread(uniform_groups(signals, groups)), torch.nan)
    auroc = group_auroc(signals.score, audit, groups)
    told = ~auroc.isnan()
    return auroc[told], told.nonzero().flatten()


def _audited_trust(signals: Signals, groups: Groups, state: AuditedState) -> Float[Tensor, " S"]:
    """The trust of the audits in each group: its domain's own, without domains that of all."""
    if signals.domain is None:
        return trust_of_groups(signals, groups, state.audit, {})
    own = [state.audit_domains.get(name, Evidence()).trust for name in domain_names(signals.domain, groups)]
    return torch.tensor(own, dtype=torch.float64, device=signals.verdict.device)
