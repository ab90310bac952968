"""Asking a second, better verifier about the few rollouts that a rule draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from pydantic import BaseModel, model_validator
from torch import Tensor

from hero_rl.errors import ConfigError
from hero_rl.rules import AuditedHero, Rule, State, check_grades
from hero_rl.scoring import Scorer, Turns
from hero_rl.signals import Signals
from hero_rl.verifiers import BatchVerifier, Verifier

__all__ = ["Auditor", "FittingRule", "auditor_for", "refuse_unfit_auditor"]


class Auditor:
    """The rule that draws, and the verifier that is asked."""

    def __init__(self, rule: AuditedHero, verifier: Verifier | BatchVerifier, judged_turns: Turns = "last") -> None:
        self._rule, self._scorer = rule, Scorer(verifier, judged_turns=judged_turns)
        self.verifier = self._scorer.verifier

    def drawn(self, signals: Signals, state: State) -> Bool[Tensor, " B"]:
        """Which rollouts of the whole batch are to be judged; the same on every rank."""
        assert isinstance(state, type(self._rule.init()))
        rows = self._rule.draw(signals, state)
        return torch.zeros(len(signals), dtype=torch.bool).index_fill(0, rows.cpu(), True)

    def verdicts(self, drawn: Bool[Tensor, " b"], asked: Sequence[Sequence[Any] | None]) -> Float[Tensor, " b"]:
        """The auditor's verdicts on those drawn of a part of the batch; NaN on the others and where it failed.

        Args:
            drawn: (b,) which of the part's rollouts are to be judged.
            asked: what `Scorer.score` takes, in its order, of the drawn rollouts alone.
        """
        verdict = torch.full((len(drawn),), torch.nan)
        if drawn.any():
            columns: list[Any] = list(asked)
            verdict[drawn] = self._scorer.score(*columns).verdict
        return verdict

    def metrics(self, drawn: Bool[Tensor, " B"], audit: Float[Tensor, " B"]) -> dict[str, float]:
        """How many rollouts were judged, and of how many the judgement failed."""
        calls = int(drawn.sum())
        return {"hero/audit_calls": float(calls), "hero/audit_failed": float(calls - int((~audit.isnan()).sum()))}


def auditor_for(rule: Rule, verifier: Verifier | BatchVerifier | None, judged_turns: Turns = "last") -> Auditor | None:
    """The auditor of a rule that draws, which reads the turns that the verifier reads; None for one that does not.

    Raises:
        ConfigError: as `refuse_unfit_auditor`.
    """
    refuse_unfit_auditor(rule, verifier)
    return Auditor(rule, verifier, judged_turns) if isinstance(rule, AuditedHero) and verifier is not None else None


def refuse_unfit_auditor(rule: Rule, auditor: object | None) -> None:
    """Refuse a rule that draws without an auditor, or an auditor, set up or running, that no rule asks.

    Raises:
        ConfigError: one of them is without the other.
    """
    draws = isinstance(rule, AuditedHero)
    if draws and auditor is None:
        raise ConfigError(f"the rule {rule.type!r} needs an auditor; without one it trusts no uniform group")
    if auditor is not None and not draws:
        raise ConfigError(f"an auditor has no effect under the rule {rule.type!r}: only `audited_hero` asks one")


class FittingRule(BaseModel):
    """Beside a model's own base: its `rule`, `verifier` and `auditor` must fit each other.

    Raises:
        ConfigError: as `refuse_unfit_auditor`.
        ValidationError: as `check_grades`.
    """

    @model_validator(mode="after")
    def _check_rule(self) -> Any:
        of_it: Any = self
        refuse_unfit_auditor(of_it.rule, of_it.auditor)
        check_grades(of_it.rule, of_it.verifier)
        return self
