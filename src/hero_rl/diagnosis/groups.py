"""Groups by what the verifier said of their rollouts."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import Difficulty, GroupCounts, Starvation
from hero_rl.diagnosis.replay import Replay
from hero_rl.diagnosis.table import GroupTable
from hero_rl.diagnosis.wording import DASH

__all__ = ["by_difficulty", "counts", "starvation"]


def counts(table: GroupTable, some: Bool[Tensor, " S"] | None = None) -> GroupCounts:
    """Groups, or some of them, by kind."""
    kinds = table.kinds
    some = torch.ones_like(kinds.mixed) if some is None else some
    return GroupCounts(
        total=int(some.sum()),
        mixed=int((kinds.mixed & some).sum()),
        all_correct=int((kinds.all_correct & some).sum()),
        all_incorrect=int((kinds.all_incorrect & some).sum()),
        all_partial=int((kinds.all_partial & some).sum()),
        unjudged=int((~kinds.judged & some).sum()),
    )


# Pass rates: the two ends by themselves, quarters between them.
_RANGES = (
    ("0%", 0.0),
    (f"1{DASH}25%", 0.25),
    (f"26{DASH}50%", 0.5),
    (f"51{DASH}75%", 0.75),
    (f"76{DASH}99%", 1.0),
    ("100%", 1.0),
)


def by_difficulty(log: RolloutLog, table: GroupTable, base: Replay) -> list[Difficulty]:
    """Groups by pass rate, the hardest first; `base` is the replay whose |advantage| is shared out."""
    rate = table.rate
    everyone = torch.ones_like(log.verdict, dtype=torch.bool)
    mass = table.groups.sum(base.advantage.abs(), everyone)
    has_score = ~log.score.isnan()
    totals, numbers = table.groups.sum(log.score, has_score), table.groups.count(has_score)
    rows, low = [], -1.0
    for name, high in _RANGES:
        inside = table.kinds.judged & ((rate == 1) if name == "100%" else (rate > low) & (rate <= high) & (rate < 1))
        low = high
        rows.append(
            Difficulty(
                name=name,
                groups=int(inside.sum()),
                sigma=table.sigma[inside].nanmean().item(),
                score=(totals[inside].sum() / numbers[inside].sum()).item(),
                auroc=table.auroc[inside].nanmean().item(),
                mass=(mass[inside].sum() / mass.sum()).item(),
            )
        )
    return rows


def starvation(table: GroupTable, base: Replay) -> Starvation:
    """Which uniform groups get a gradient under the base rule, and why the others do not."""
    mass = table.groups.sum(base.advantage.abs(), torch.ones_like(base.advantage, dtype=torch.bool))
    lost = table.kinds.uniform & (mass == 0)
    return Starvation(
        starved=int(table.kinds.uniform.sum()),
        rescued=int((table.kinds.uniform & (mass > 0)).sum()),
        few_scores=int((lost & (table.scored < 2)).sum()),
        tied=int((lost & (table.scored >= 2) & (table.spread == 0)).sum()),
        mass=(mass[table.kinds.uniform].sum() / mass.sum()).item(),
    )
