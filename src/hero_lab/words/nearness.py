"""Which word problems are near others: both have a run of the same words, whatever numbers stand in it.

near(problems, others)  # [False, True, ...]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hero_rl.problems.decontamination import words

__all__ = ["RUN", "near"]

RUN = 13
"""Words of such a run, numbers counted as one word each."""

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")


def near(questions: Sequence[str], others: Iterable[str]) -> list[bool]:
    """Of each question whether it shares a run of words with one of the others."""
    known = {run for other in others for run in _runs(other)}
    return [not known.isdisjoint(_runs(question)) for question in questions]


def _runs(question: str) -> set[str]:
    """All runs of a question; one of fewer words is a run by itself."""
    found = words(_NUMBER.sub("0", question))
    return {" ".join(found[start : start + RUN]) for start in range(max(1, len(found) - RUN + 1))}
