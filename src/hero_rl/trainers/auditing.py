"""Asking a second, better verifier about the few rollouts that a rule draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.errors import ConfigError
from hero_rl.rules import AuditedHero, Rule, State
from hero_rl.scoring import Scorer
from hero_rl.signals import Signals
from hero_rl.verifiers import BatchVerifier, Verifier

__all__ = ["Auditor", "auditor_for"]


class Auditor:
    """The rule that draws, and the verifier that is asked."""

    def __init__(self, rule: AuditedHero, verifier: Verifier | BatchVerifier) -> None:
        self._rule, self._scorer = rule, Scorer(verifier)
        self.verifier = self._scorer.verifier

    def drawn(self, signals: Signals, state: State) -> Bool[Tensor, " B"]:
        """Which rollouts of the whole batch are to be judged; the same on every rank."""
        assert isinstance(state, type(self._rule.init()))
        rows = self._rule.draw(signals, state)
        return torch.zeros(len(signals), dtype=torch.bool).index_fill(0, rows.cpu(), True)

    def verdicts(
        self,
        drawn: Bool[Tensor, " b"],
        prompts: Sequence[Any],
        completions: Sequence[Any],
        references: Sequence[Any],
        in_thought: Sequence[bool] | None = None,
        columns: Sequence[Mapping[str, Any]] | None = None,
        domains: Sequence[str] | None = None,
    ) -> Float[Tensor, " b"]:
        """The auditor's verdicts on those drawn of a part of the batch; NaN on the others and where it failed."""
        rows: list[int] = drawn.nonzero().flatten().tolist()
        verdict = torch.full((len(drawn),), torch.nan)
        if rows:
            given = (prompts, completions, references, in_thought, columns, domains)
            asked: list[Any] = [None if column is None else [column[row] for row in rows] for column in given]
            verdict[rows] = self._scorer.score(*asked).verdict
        return verdict

    def metrics(self, drawn: Bool[Tensor, " B"], audit: Float[Tensor, " B"]) -> dict[str, float]:
        """How many rollouts were judged, and of how many the judgement failed."""
        calls = int(drawn.sum())
        return {"hero/audit_calls": float(calls), "hero/audit_failed": float(calls - int((~audit.isnan()).sum()))}


def auditor_for(rule: Rule, verifier: Verifier | BatchVerifier | None) -> Auditor | None:
    """The auditor of a rule that draws; None for one that does not.

    Raises:
        ConfigError: the rule draws and there is no auditor, or the other way round.
    """
    if isinstance(rule, AuditedHero):
        if verifier is None:
            raise ConfigError(f"the rule {rule.type!r} needs an auditor; without one it trusts no uniform group")
        return Auditor(rule, verifier)
    if verifier is not None:
        raise ConfigError(f"an auditor has no effect under the rule {rule.type!r}: only `audited_hero` asks one")
    return None
