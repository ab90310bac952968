"""What every combination rule is: a frozen setting with an `init` and an `update`, state passed through.

A rule is a pure function of `(signals, state)`. The rule object holds its settings and nothing else; it is a pydantic
model, so that it is its own configuration block, tells a typo from a field and goes into a run's record as it is.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Protocol

import torch
from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from hero_rl.rules.groups import Groups
from hero_rl.signals import Shaped, Signals

__all__ = ["Rule", "State", "only_plain", "score_spread", "with_lowest"]

Eps = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class State(BaseModel):
    """What a rule remembers from batch to batch; JSON keeps it bit for bit. This one remembers nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rule(Protocol):
    """Turns signals into rewards and advantages (the shape of an optax transformation).

    Attributes:
        type: name of the rule in a configuration.
        needs_score: whether the rule says nothing of its own without a reward model.
        takes_graded: whether it has a meaning for verdicts between 0 and 1. One that has none calls `only_plain` first.
    """

    needs_score: ClassVar[bool]
    takes_graded: ClassVar[bool]

    @property
    def type(self) -> str:
        """Name of the rule in a configuration."""
        ...

    def model_dump(self) -> dict[str, Any]:
        """Settings as plain data."""
        ...

    def init(self) -> State:
        """State before the first batch."""
        ...

    def update(self, signals: Signals, state: Any) -> tuple[Shaped, State]:
        """Shape one batch; `state` is read as it stands and its successor is returned, never changed in place."""
        ...


class Settings(BaseModel):
    """Base of the rules' settings: frozen, unknown keys refused, keyword arguments only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    needs_score: ClassVar[bool] = True
    takes_graded: ClassVar[bool] = True

    def init(self) -> State:
        """State before the first batch: nothing to remember."""
        return State()


def only_plain(rule: Rule, signals: Signals) -> None:
    """Refuse a batch with verdicts between 0 and 1, for a rule that they mean nothing to.

    Raises:
        ValueError: there is one; the message names the rule.
    """
    between = (signals.verdict > 0) & (signals.verdict < 1)
    if between.any():
        row = int(between.nonzero()[0])
        raise ValueError(
            f"rule {rule.type!r} takes verdicts of 0 and 1 alone; verdict[{row}] is {signals.verdict[row].item():g}. "
            "hero, gated_hero, verifier_only and weighted_sum take partial credit"
        )


def score_spread(
    score: Float[Tensor, " B"], groups: Groups, present: Bool[Tensor, " B"]
) -> tuple[Float[Tensor, " S"], Bool[Tensor, " S"]]:
    """sigma_u of Eq. 5: population standard deviation of each group's present scores, and which groups have one.

    A group with fewer than two present scores has sigma 0 and is not counted as evidence. A group of equal scores
    has exactly 0.
    """
    known = groups.count(present) >= 2
    constant = groups.max(score, present) == groups.min(score, present)
    return groups.std(score, present, correction=0).where(known & ~constant, 0), known


def with_lowest(
    score: Float[Tensor, " B"], groups: Groups, present: Bool[Tensor, " B"], empty: Bool[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """The scores, with its group's lowest present one where a completion is empty; NaN in a group without any."""
    lowest = groups.spread(groups.min(score, present))
    return torch.where(empty & lowest.isfinite(), lowest, score)


def shaped_like(
    signals: Signals,
    reward: Float[Tensor, " B"],
    advantage: Float[Tensor, " B"],
    scorable: Bool[Tensor, " B"],
    sigma: Float[Tensor, " B"],
    weight: Float[Tensor, " B"] | None = None,
) -> Shaped:
    """Pack float64 results in the scores' dtype, with NaN as the reward of what could not be scored."""
    dtype = signals.score.dtype
    weight = torch.ones_like(reward) if weight is None else weight
    return Shaped(
        reward=reward.where(scorable, torch.nan).to(dtype),
        advantage=advantage.to(dtype),
        weight=weight.to(dtype),
        sigma=sigma.to(dtype),
    )
