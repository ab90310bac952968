"""Groups by what the verifier said of their rollouts."""

from __future__ import annotations

import torch

from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import Difficulty, GroupCounts, Starvation
from hero_rl.diagnosis.replay import Replay
from hero_rl.diagnosis.table import GroupTable
from hero_rl.diagnosis.wording import DASH

__all__ = ["by_difficulty", "counts", "starvation"]


def counts(table: GroupTable) -> GroupCounts:
    """Groups by kind."""
    return GroupCounts(
        total=table.groups.number,
        mixed=int(table.kinds.mixed.sum()),
        all_correct=int(table.kinds.all_correct.sum()),
        all_incorrect=int(table.kinds.all_incorrect.sum()),
        all_partial=int(table.kinds.all_partial.sum()),
        unjudged=int((~table.kinds.judged).sum()),
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
