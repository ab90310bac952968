"""Means over a study's seeds, and differences paired by seed: the same policy, prompts and luck on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hero_lab.arena.evaluation import Kind, Measured
from hero_lab.study.plan import PARTS
from hero_lab.study.qualities import Quality

if TYPE_CHECKING:
    import pandas

__all__ = ["Gap", "Selection", "gap_of", "mean_of"]


@dataclass(frozen=True)
class Selection:
    """Which cells of a table a figure is about."""

    rule: str
    regime: str = "hard"
    quality: str = "strong"
    blind_types: str = ""

    @classmethod
    def of(cls, rule: str, quality: Quality) -> Selection:
        """The cells of a rule with a reward model on hard prompts; the two-faced one has blind types of its own."""
        blind = PARTS["two-faced"][0].blind_types if quality == "two-faced" else ()
        return cls(rule, quality=quality, blind_types=" ".join(blind))

    def by_step(self, frame: pandas.DataFrame, measure: str, kind: str = "") -> pandas.DataFrame:
        """Values of a measure, a row a seed and a column a step, both in order."""
        chosen = frame[
            (frame["rule"] == self.rule)
            & (frame["regime"] == self.regime)
            & (frame["quality"] == self.quality)
            & (frame["blind_types"] == self.blind_types)
            & (frame["measure"] == measure)
            & (frame["kind"] == kind)
        ]
        return chosen.pivot(index="seed", columns="step", values="value")

    def values(self, frame: pandas.DataFrame, measure: str, kind: str = "", step: int | None = None) -> pandas.Series:
        """One value a seed, indexed by seed; at the last step unless one is named. Empty without cells."""
        import pandas

        table = self.by_step(frame, measure, kind)
        step = max(table.columns, default=None) if step is None else step
        return table[step].dropna() if step in table.columns else pandas.Series(dtype=float)


@dataclass(frozen=True)
class Gap:
    """A difference paired by seed.

    Attributes:
        estimate: mean, and half-width of its 95% t-interval.
        differences: one for each seed that both have.
        p: two-sided, of the paired t-test; 1 where it is not defined.
    """

    estimate: Measured
    differences: tuple[float, ...]
    p: float

    @property
    def won(self) -> int:
        """Seeds in which the first is ahead."""
        return sum(difference > 0 for difference in self.differences)

    @property
    def seeds(self) -> int:
        """Seeds that both have."""
        return len(self.differences)


def mean_of(frame: pandas.DataFrame, selection: Selection, measure: str, kind: Kind | str = "") -> Measured | None:
    """Mean over seeds with its 95% t-interval; None without cells."""
    import torch

    values = selection.values(frame, measure, kind)
    return Measured.of(torch.tensor(values.to_numpy())) if len(values) else None


def gap_of(
    frame: pandas.DataFrame, first: Selection, second: Selection, measure: str, kind: Kind | str = ""
) -> Gap | None:
    """The first less the second over the seeds that both have; None without two of them."""
    import torch
    from scipy.stats import ttest_rel

    ours, theirs = first.values(frame, measure, kind), second.values(frame, measure, kind)
    seeds = ours.index.intersection(theirs.index)
    if len(seeds) < 2:
        return None
    ours, theirs = ours.reindex(seeds).to_numpy(), theirs.reindex(seeds).to_numpy()
    differences = ours - theirs
    p = 1.0 if (differences == differences[0]).all() else float(ttest_rel(ours, theirs).pvalue)
    return Gap(Measured.of(torch.tensor(differences)), tuple(differences.tolist()), p)
