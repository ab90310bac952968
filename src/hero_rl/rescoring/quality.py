"""How good a verifier is on labelled pairs: recall, precision and false-positive rate, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hero_rl.verifiers.base import Verdict

__all__ = ["Quality", "Share", "measure_quality"]


@dataclass(frozen=True)
class Share:
    """A share of a count, with its 95% Wilson score interval; shares of nothing are None.

    Attributes:
        hits: the part.
        total: the whole.
    """

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """Hits over total."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval (Wilson, 1927), which holds up where a share is 0 or 1."""
        if not self.total:
            return None
        from scipy.stats import binomtest

        found = binomtest(self.hits, self.total).proportion_ci(confidence_level=0.95, method="wilson")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Quality:
    """What a verifier made of labelled pairs; an abstention accepts nothing.

    Attributes:
        recall: right answers that were accepted.
        precision: accepted answers that were right.
        false_positive_rate: wrong answers that were accepted.
        abstained: pairs without an opinion.
    """

    recall: Share
    precision: Share
    false_positive_rate: Share
    abstained: Share


def measure_quality(verdicts: Sequence[Verdict], labels: Sequence[bool]) -> Quality:
    """Compare verdicts with labels, pair by pair.

    Raises:
        ValueError: not as many labels as verdicts.
    """
    accepted = [verdict.value == 1 for verdict in verdicts]
    right = sum(accepts and label for accepts, label in zip(accepted, labels, strict=True))
    positives = sum(labels)
    return Quality(
        recall=Share(right, positives),
        precision=Share(right, sum(accepted)),
        false_positive_rate=Share(sum(accepted) - right, len(labels) - positives),
        abstained=Share(sum(verdict.abstained for verdict in verdicts), len(verdicts)),
    )
