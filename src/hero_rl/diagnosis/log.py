"""The rollouts of a file as numbers: verdict, score, length and label of each, by group and batch.

B rollouts in S groups; a group never spans two batches. Texts are let go of, but for the most telling ones.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hero_rl.diagnosis.telling import TellingRollouts, Word, excerpt, plain
from hero_rl.rollouts import Rollout
from hero_rl.rules import Groups
from hero_rl.signals import Signals

__all__ = ["Collector", "RolloutLog"]

_REASONS = 40  # distinct ones that are counted by name
_NAME = 60  # characters of a reason


@dataclass(frozen=True)
class RolloutLog:
    """What is kept of every rollout.

    Attributes:
        verdict: (B,) float64: in [0, 1] or NaN.
        score: (B,) float64, NaN where missing.
        group: (B,) int64: 0 .. S-1, unique over the file.
        length: (B,) float64: characters of the completion.
        label: (B,) float64: known correctness; NaN where there is none.
        empty: (B,) whether the missing score is that of an empty completion.
        unverified: (B,) whether there is no verdict because no verifier applies.
        starts: first rollout of each batch.
        steps: optimiser step of each batch; None in files without.
        domain: of each rollout, by the column `domain`; None where a row names none, or all the same.
    """

    verdict: Float[Tensor, " B"]
    score: Float[Tensor, " B"]
    group: Int[Tensor, " B"]
    length: Float[Tensor, " B"]
    label: Float[Tensor, " B"]
    empty: Bool[Tensor, " B"]
    unverified: Bool[Tensor, " B"]
    starts: Sequence[int]
    steps: Sequence[int | None]
    domain: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.verdict)

    @cached_property
    def groups(self) -> Groups:
        """The partition into S groups."""
        return Groups.of(self.group)

    @cached_property
    def signals(self) -> Signals:
        """The whole file as one batch."""
        return self.part(slice(None))

    def part(self, rows: slice, domains: bool = False) -> Signals:
        """Some rollouts that lie side by side, as a rule reads them, with their domains if these are wanted."""
        return Signals(
            self.verdict[rows],
            self.score[rows],
            self.group[rows],
            domain=self.domain[rows] if domains and self.domain is not None else None,
            empty=self.empty[rows],
            unverified=self.unverified[rows],
        )

    def slices(self) -> Iterator[slice]:
        """Where each batch lies."""
        for start, stop in zip(self.starts, [*self.starts[1:], len(self)], strict=True):
            yield slice(start, stop)


class Collector:
    """Takes in a file's rollouts batch by batch.

    Attributes:
        reasons: (reason, verdict) -> how often; the verdict of an abstention is None, and 0.5 stands for any
            grade between 0 and 1.
        repeated: rollouts whose completion another of their group has word for word.
        telling: the rollouts on which verifier and reward model disagree most.
    """

    def __init__(self) -> None:
        self.reasons: Counter[tuple[str, float | None]] = Counter()
        self.repeated = 0
        self.telling = TellingRollouts()
        self._columns = {name: array("d") for name in ("verdict", "score", "length", "label")}
        self._group = array("q")
        self._unverified = array("b")
        self._domains: list[str | None] = []
        self._starts: list[int] = []
        self._steps: list[int | None] = []
        self._groups = 0

    def add(self, batch: Sequence[Rollout], words: Sequence[Word], labels: Sequence[float | None]) -> None:
        """Take in one batch.

        Args:
            batch: its rollouts.
            words: verdict, score, reason and answer of each.
            labels: known correctness of each; None where there is none.
        """
        self._starts.append(len(self._group))
        self._steps.append(batch[0].step)
        numbers: dict[Any, int] = {}
        said: Counter[tuple[int, str]] = Counter()
        for rollout, word, label in zip(batch, words, labels, strict=True):
            number = numbers.setdefault(rollout.group, self._groups + len(numbers))
            self._group.append(number)
            self._columns["verdict"].append(_float(word.verdict))
            self._columns["score"].append(_float(word.score))
            said[number, completion := plain(rollout.completion)] += 1
            self._columns["length"].append(float(len(completion)))
            self._columns["label"].append(_float(label))
            self._unverified.append(word.unverified)
            domain = rollout.extra.get("domain")
            self._domains.append(sys.intern(domain) if isinstance(domain, str) and domain else None)
            if word.reason is not None:
                self._count(word.reason, word.verdict)
        self._groups += len(numbers)
        self.repeated += sum(count for count in said.values() if count > 1)
        self.telling.add(batch, words)

    def _count(self, reason: str, verdict: float | None) -> None:
        verdict = 0.5 if verdict is not None and 0 < verdict < 1 else verdict
        key = (excerpt(reason, _NAME), verdict)
        full = len(self.reasons) >= _REASONS and key not in self.reasons
        self.reasons[("other", verdict) if full else key] += 1

    def log(self) -> RolloutLog:
        """What was taken in so far."""
        columns = {name: torch.from_numpy(np.array(column)) for name, column in self._columns.items()}
        group = torch.from_numpy(np.array(self._group, dtype=np.int64))
        empty = columns["score"] == -torch.inf
        columns["score"] = columns["score"].masked_fill(empty, torch.nan)
        more: dict[str, Any] = {"empty": empty, "unverified": torch.from_numpy(np.array(self._unverified, dtype=bool))}
        several = None not in self._domains and len(set(self._domains)) > 1
        more["domain"] = tuple(map(str, self._domains)) if several else None
        return RolloutLog(**columns, **more, group=group, starts=tuple(self._starts), steps=tuple(self._steps))


def _float(value: float | None) -> float:
    return float("nan") if value is None else value
