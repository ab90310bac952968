"""A rule for trainers that hand over one group at a time, in whatever order the groups end.

    >>> shaper = GroupByGroup(groups_per_batch=512)
    >>> shaped = shaper.shape(verdict=[1, 0, 0], score=[3.0, 1.0, 2.0])
    >>> shaped.advantage.sum().abs().item() < 1e-9
    True

A rule reads its state frozen for a batch. Where the trainer shows no batch, this counts groups: the state stays as it
is for `groups_per_batch` of them, then moves by all of them at once. Given a state to start from, what comes out is
what `Rule.update` gives for those groups together, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.monitoring import MonitorState
from hero_rl.rules import GatedHero, Rule
from hero_rl.signals import Shaped, Signals
from hero_rl.trainers.state import STATE_FILE, read_state, write_state

__all__ = ["GroupByGroup", "filled"]


class GroupByGroup:
    """Holds a rule's state between groups; for one thread of one process.

    Before the first state there is nothing to weigh a prompt against: under HERO the first `groups_per_batch` groups
    all get the weight `(w_min + w_max) / 2`, where a whole batch would have used its own mean.

    Attributes:
        rule: any combination rule whose result for a group depends on that group and the state alone, hence none
            with `scale="batch"`, nor `Gdpo`, `Gd2po` or `Saw`.
        groups_per_batch: groups that share one state.
        folder: where the state is kept (`hero_rl.trainers.state`), written whenever it moves and read at the start if
            it is there; None keeps it nowhere.
        state: the state that the next group is shaped with.
    """

    def __init__(self, rule: Rule = GatedHero(), *, groups_per_batch: int, folder: str | Path | None = None) -> None:  # noqa: B008 - frozen
        if groups_per_batch < 1:
            raise ValueError(f"groups_per_batch is {groups_per_batch}; it must be at least 1")
        if rule.type in ("gdpo", "gd2po", "saw") or rule.model_dump().get("scale") == "batch":
            raise ValueError(f"rule {rule.type!r} needs whole batches: its result for a group depends on the others")
        self.rule = rule
        self.groups_per_batch = groups_per_batch
        self.folder = folder
        self.state = rule.init()
        if folder is not None and (Path(folder) / STATE_FILE).is_file():
            self.state = read_state(folder, rule)[0]
        self._waiting: list[Signals] = []

    def shape(
        self, verdict: Sequence[float | None], score: Sequence[float | None], *, unverified: bool = False
    ) -> Shaped:
        """Shape one group of N rollouts, float64.

        Args:
            verdict: (N,) 1 correct, 0 incorrect, NaN or None abstained.
            score: (N,) raw reward-model scores, NaN or None where missing, minus infinity of an empty completion.
            unverified: whether no verifier applies to the group's prompt.

        Raises:
            ValueError: the two differ in length, a verdict is neither in [0, 1] nor NaN or a score is plus infinity.
        """
        signals = Signals(
            _column(verdict),
            _column(score),
            torch.zeros(len(verdict), dtype=torch.long),
            unverified=torch.full((len(verdict),), unverified),
        )
        shaped, _ = self.rule.update(signals, self.state)
        self._waiting.append(signals)
        if len(self._waiting) >= self.groups_per_batch:
            self.end_batch()
        return shaped

    def end_batch(self) -> None:
        """Move the state by the groups since it last moved; for a trainer that does show where a batch ends."""
        if not self._waiting:
            return
        batch = Signals(
            torch.cat([group.verdict for group in self._waiting]),
            torch.cat([group.score for group in self._waiting]),
            torch.cat([torch.full_like(group.group, i) for i, group in enumerate(self._waiting)]),
        )
        self._waiting = []
        self.state = self.rule.update(batch, self.state)[1]
        if self.folder is not None:
            write_state(self.folder, self.rule, self.state, MonitorState())


def filled(values: Float[Tensor, " N"]) -> list[float]:
    """One group's values with the mean of the others in the place of each NaN; zeros where all are NaN.

    For a trainer that subtracts the mean of the group's rewards itself and has no word for a missing one: given
    `filled(shaped.reward)`, an unscorable rollout gets advantage 0 and the others theirs, as if it were not there.
    """
    values = values.double()
    return values.where(~values.isnan(), values.nanmean().nan_to_num()).tolist()


def _column(values: Sequence[float | None]) -> Tensor:
    return torch.tensor([float("nan") if value is None else float(value) for value in values], dtype=torch.float64)
