"""What a rule reads and what it returns: one flat batch of rollouts.

B is the number of rollouts in the batch. Rollouts of one prompt share a group id; ids may be any integers, in any
order, in groups of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Shaped", "Signals"]


@dataclass(frozen=True)
class Signals:
    """What is known of a batch of rollouts before any rule.

    Attributes:
        verdict: (B,) the verifier's word: 1 correct, 0 incorrect, between them partial credit, NaN abstained (an
            infrastructure failure or an unreadable reference; never the policy's doing).
        score: (B,) the reward model's raw logit, NaN where it is missing. Minus infinity may be given where there was
            nothing to score, as of an empty completion: the policy's doing. It becomes NaN here, and `empty` says why.
        group: (B,) integer id of the prompt.
        domain: B names, the domain of each rollout's prompt, for rules that trust a reward model by domain; None where
            all are of one.
        audit: (B,) a second, better verifier's word on the few rollouts that a rule chose for it, NaN on all
            others and where it failed; None where nobody was asked.
        empty: (B,) whether the missing score is the policy's doing; for rules, which put such a rollout last where
            they treat other missing scores as neutral.
        unverified: (B,) whether there is no verdict because no verifier applies, rather than because one failed; for
            rules that may rank such a group by its scores alone. False everywhere unless told.

    Raises:
        TypeError: an argument is not a tensor of the right kind.
        ValueError: shapes or devices differ, a verdict is neither in [0, 1] nor NaN, a score is plus infinity, or a
            group is of two domains, or a rollout that no verifier applies to has a verdict.
    """

    verdict: Float[Tensor, " B"]
    score: Float[Tensor, " B"]
    group: Int[Tensor, " B"]
    domain: tuple[str, ...] | None = None
    audit: Float[Tensor, " B"] | None = None
    empty: Bool[Tensor, " B"] = None  # pyright: ignore[reportAssignmentType]  (always one, once it is made)
    unverified: Bool[Tensor, " B"] = None  # pyright: ignore[reportAssignmentType]  (likewise)

    def __post_init__(self) -> None:
        self._check_kinds()
        self._tell_empty_ones()
        self._check_values()
        self._check_domains()

    def _check_kinds(self) -> None:
        for name in ("verdict", "score", "group", *(["audit"] if self.audit is not None else [])):
            value = getattr(self, name)
            if not isinstance(value, Tensor):
                raise TypeError(f"{name} must be a torch tensor, not {type(value).__name__}")
            if value.ndim != 1 or value.shape != self.verdict.shape:
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}; verdict, score and group must share one shape (B,)"
                )
            if value.device != self.verdict.device:
                raise ValueError(f"{name} is on {value.device}, verdict on {self.verdict.device}")
        for name in ("verdict", "score", "audit"):
            value = getattr(self, name)
            if value is not None and not value.is_floating_point():
                raise TypeError(f"{name} must be floating point, not {value.dtype}")
        if self.group.is_floating_point() or self.group.is_complex() or self.group.dtype == torch.bool:
            raise TypeError(f"group must hold integers, not {self.group.dtype}")

    def _tell_empty_ones(self) -> None:
        empty = self.score == -torch.inf
        if self.empty is not None:
            empty = empty | self.empty
        object.__setattr__(self, "empty", empty)
        object.__setattr__(self, "score", self.score.masked_fill(empty, torch.nan))

        if self.unverified is None:
            object.__setattr__(self, "unverified", torch.zeros_like(empty))

    def _check_values(self) -> None:
        both = self.unverified & ~self.verdict.isnan()
        if both.any():
            raise ValueError(f"verdict[{int(both.nonzero()[0])}] is given, and no verifier applies (unverified)")
        for name, words in (("verdict", self.verdict), ("audit", self.audit)):
            if words is None:
                continue
            wrong = ~(((words >= 0) & (words <= 1)) | words.isnan())
            if wrong.any():
                row = int(wrong.nonzero()[0])
                raise ValueError(f"{name}[{row}] is {words[row].item()}; it must lie in [0, 1] or be NaN (abstained)")
        if self.score.isinf().any():
            row = int(self.score.isinf().nonzero()[0])
            raise ValueError(f"score[{row}] is {self.score[row].item()}; a score is finite, or NaN where missing")

    def _check_domains(self) -> None:
        if self.domain is None:
            return
        if len(self.domain) != len(self):
            raise ValueError(f"domain has {len(self.domain)} names for {len(self)} rollouts")
        first: dict[int, str] = {}
        for group, name in zip(self.group.tolist(), self.domain, strict=True):
            if first.setdefault(group, name) != name:
                raise ValueError(f"group {group} is of two domains, {first[group]!r} and {name!r}")

    def __len__(self) -> int:
        return self.verdict.shape[0]


@dataclass(frozen=True)
class Shaped:
    """What a rule makes of a batch, row for row with its `Signals`.

    Attributes:
        reward: (B,) the shaped reward that is logged; NaN where the rollout is unscorable.
        advantage: (B,) what the policy gradient sees; 0 where the rollout is unscorable or its group says nothing.
        weight: (B,) the prompt's weight, the same for all rollouts of a group.
        sigma: (B,) standard deviation of the group's scores, the same for all rollouts of a group.
    """

    reward: Float[Tensor, " B"]
    advantage: Float[Tensor, " B"]
    weight: Float[Tensor, " B"]
    sigma: Float[Tensor, " B"]
