"""The plain one-call form of the core: columns in, shaped columns out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hero_rl.rules.base import Rule
from hero_rl.rules.hero import Hero
from hero_rl.signals import Shaped, Signals

__all__ = ["shape"]

Column = Sequence[Any] | np.ndarray | Tensor


def shape(
    verdict: Column,
    score: Column,
    group: Column,
    rule: Rule = Hero(),  # noqa: B008 - frozen
    *,
    domain: Sequence[str] | None = None,
    unverified: Sequence[bool] | None = None,
) -> Shaped:
    """Shape one batch under a rule from a fresh state.

    Args:
        verdict: (B,) 1 or True correct, 0 or False incorrect, between them partial credit, NaN or None abstained.
        score: (B,) raw reward-model scores, NaN or None where missing, minus infinity where the completion is empty.
        group: (B,) prompt ids, integers or strings.
        rule: any combination rule.
        domain: (B,) names, for rules that trust a reward model by domain.
        unverified: (B,) whether no verifier applies to the rollout, for rules with `without_reference="rank"`.

    Returns:
        Tensors of shape (B,): float64, or the scores' dtype if they are a floating-point tensor.

    Raises:
        TypeError, ValueError: the message names the argument.
    """
    scores = _floats("score", score)
    signals = Signals(
        verdict=_floats("verdict", verdict).to(scores.device),
        score=scores,
        group=_ids(group).to(scores.device),
        domain=None if domain is None else tuple(domain),
        unverified=None if unverified is None else torch.tensor(list(unverified)).to(scores.device),  # pyright: ignore
    )
    return rule.update(signals, rule.init())[0]


def _floats(name: str, column: Column) -> Tensor:
    if isinstance(column, Tensor):
        return column if column.is_floating_point() else column.double()
    try:
        return torch.from_numpy(np.array(column, dtype=np.float64))  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers: {error}") from None


def _ids(column: Column) -> Tensor:
    if isinstance(column, Tensor):
        return column
    values = np.asarray(column)
    if values.size == 0 or values.dtype.kind in "iu":
        return torch.from_numpy(values.astype(np.int64))
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.dtype.kind not in "US":
        raise TypeError(f"group must hold integers or strings, not {values.dtype}")
    return torch.from_numpy(np.unique(values, return_inverse=True)[1])
