"""A diagnosis by domain: what the verifier says and how the reward model ranks in each."""

from __future__ import annotations

import torch

from hero_rl.diagnosis.groups import counts
from hero_rl.diagnosis.intervals import interval_of_mean
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import DomainNumbers
from hero_rl.diagnosis.replay import gated, replay
from hero_rl.diagnosis.table import GroupTable
from hero_rl.rules import Hero

__all__ = ["domain_numbers"]


def domain_numbers(log: RolloutLog, table: GroupTable, rule: Hero) -> list[DomainNumbers]:
    """The numbers of each domain, in the order of their names; none where the file has not several."""
    if log.domain is None:
        return []
    trust = {name: evidence.trust for name, evidence in replay(log, gated(rule)).state.domains.items()}
    return [_one(name, log, table, trust.get(name, 0.0)) for name in sorted(set(log.domain))]


def _one(name: str, log: RolloutLog, table: GroupTable, trust: float) -> DomainNumbers:
    rows = torch.tensor([each == name for each in log.domain or ()])
    mine = table.groups.count(rows) > 0
    auroc = table.auroc[mine & ~table.auroc.isnan()]
    return DomainNumbers(
        name=name,
        rows=int(rows.sum()),
        groups=counts(table, mine),
        unverified=int((log.unverified & rows).sum()),
        verdict=log.verdict[rows].nanmean().item(),
        score=log.score[rows].nanmean().item(),
        auroc=interval_of_mean(auroc),
        mixed=len(auroc),
        trust=trust,
    )
