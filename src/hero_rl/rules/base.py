"""What every combination rule is: a frozen setting with an `init` and an `update`, state passed through.

A rule is a pure function of `(signals, state)`. The rule object holds its settings and nothing else; it is a pydantic
model, so that it is its own configuration block, tells a typo from a field and goes into a run's record as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import torch
from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from hero_rl.rules.groups import Groups
from hero_rl.signals import Shaped, Signals

__all__ = [
    "Batch",
    "Rule",
    "State",
    "check_grades",
    "check_rule",
    "only_plain",
    "ranks_unverified",
    "score_spread",
    "with_lowest",
]

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


def check_grades(rule: Rule, verifier: Any) -> None:
    """Refuse a verifier that says it gives partial credit (`gives_grades`) under a rule that takes none.

    Raises:
        ValueError: names both.
    """
    if getattr(verifier, "gives_grades", False) and not rule.takes_graded:
        kind = getattr(verifier, "type", type(verifier).__name__)
        raise ValueError(
            f"the verifier {kind!r} gives partial credit, and the rule {rule.type!r} takes verdicts of 0 and 1 alone. "
            "hero, gated_hero, verifier_only and weighted_sum take it; or set `partial` of the verifier to false"
        )


def check_rule(rule: Any) -> None:
    """Make sure that an object of any class is a rule: its marks, its first state, and a batch of nothing.

    Raises:
        TypeError: it lacks something; says what.
    """
    for name in ("needs_score", "takes_graded"):
        if not isinstance(getattr(rule, name, None), bool):
            raise TypeError(f"a rule says by the class attribute {name}, True or False, what it is; this one does not")
    state = rule.init()
    if not isinstance(state, BaseModel):
        raise TypeError(f"init() must return a pydantic model, which goes into checkpoints, not {type(state).__name__}")
    nothing = torch.zeros(2)
    answer = rule.update(Signals(nothing, nothing, torch.zeros(2, dtype=torch.long)), state)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], Shaped)):
        raise TypeError("update(signals, state) must return (Shaped, the next state)")
    if not isinstance(answer[1], type(state)):
        raise TypeError(f"update must return a state of the same kind, {type(state).__name__}")


def ranks_unverified(rule: Rule | None) -> bool:
    """Whether a rule ranks prompts that no verifier applies to: its setting says so, or it never asks for a verdict."""
    return getattr(rule, "type", "") == "reward_model_only" or getattr(rule, "without_reference", "leave_out") == "rank"


def earns_trust(rule: Rule | None) -> bool:
    """Whether a rule trusts a reward model no further than verdicts bear it out."""
    return bool(getattr(rule, "earns_trust", False))


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


@dataclass(frozen=True)
class Batch:
    """What most rules read of a batch, in float64; B rollouts in S groups.

    Attributes:
        groups: the partition.
        verdict: (B,) NaN where the verifier abstained.
        score: (B,) NaN where it is missing.
        empty: (B,) whether that is the policy's doing.
        scorable: (B,) whether there is a verdict.
        present: (B,) whether there is a score as well.
        sigma: (B,) sigma_u of Eq. 5 of each rollout's group.
    """

    groups: Groups
    verdict: Float[Tensor, " B"]
    score: Float[Tensor, " B"]
    empty: Bool[Tensor, " B"]
    scorable: Bool[Tensor, " B"]
    present: Bool[Tensor, " B"]
    sigma: Float[Tensor, " B"]

    @classmethod
    def of(cls, signals: Signals) -> Batch:
        """Read the signals; no verdict and no score is filled in."""
        groups = Groups.of(signals.group)
        verdict, score = signals.verdict.double(), signals.score.double()
        scorable = ~verdict.isnan()
        present = scorable & ~score.isnan()
        sigma, _ = score_spread(score, groups, present)
        return cls(groups, verdict, score, signals.empty, scorable, present, groups.spread(sigma))

    def lowest_for_empty(self) -> tuple[Float[Tensor, " B"], Bool[Tensor, " B"]]:
        """The scores with an empty completion's made its group's lowest, and which scorable rollouts then have one."""
        score = with_lowest(self.score, self.groups, self.present, self.empty)
        return score, self.scorable & ~score.isnan()

    def filled(self, score: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Scores on any scale, the group's mean in the place of a missing one and its lowest in that of an empty one.

        0 in a group without any.
        """
        mean = score.where(self.present, self.groups.spread(self.groups.mean(score, self.present)))
        lowest = with_lowest(score, self.groups, self.present, self.empty).nan_to_num()
        return torch.where(self.empty, lowest, mean)


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
