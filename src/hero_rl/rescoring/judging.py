"""Verdict and score of rollouts: those of the file, or fresh ones of a verifier and a reward model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from hero_rl.auditing import Auditor
from hero_rl.budget import FailureBudget
from hero_rl.errors import UnscorableError
from hero_rl.reward_models import RewardModel
from hero_rl.rollouts import Rollout
from hero_rl.rules import State
from hero_rl.scoring import Scored, Scorer, cut_off_in_thought, says_nothing
from hero_rl.signals import Signals
from hero_rl.verifiers import FAILURES, BatchVerifier, Reason, Request, Verdict, Verifier

__all__ = ["Judge", "Judged", "domain_of"]


class Judged(NamedTuple):
    """What is known of one rollout before the rule.

    Attributes:
        verdict: 1.0, 0.0 or None.
        score: the raw logit or None; minus infinity for an empty completion that has none, where others have one.
        reason: the verifier's; None where the file's verdict was kept, unless the file says that no verifier applies.
        answer: the final answer that the verifier extracted.
    """

    verdict: float | None
    score: float | None
    reason: str | None = None
    answer: str | None = None

    @property
    def unverified(self) -> bool:
        """Whether there is no verdict because no verifier applies."""
        return self.reason == Reason.NO_VERIFIER


class Judge:
    """Gives every rollout its verdict and its score.

    Attributes:
        verifier: judges anew; None keeps the file's verdicts.
        reward_model: scores anew; None keeps the file's scores.
        auditor: judges those that the rule draws; None where it draws none.
        max_missing: the share of rollouts that any of them may fail on; 1 for all.
    """

    def __init__(
        self,
        verifier: Verifier | BatchVerifier | None,
        reward_model: RewardModel | None,
        max_missing: float = 1.0,
        auditor: Auditor | None = None,
    ) -> None:
        self.verifier = verifier
        self.reward_model = reward_model
        self.auditor = auditor
        self.max_missing = max_missing
        self._budgets: dict[str, FailureBudget] = {}
        self._scorer = Scorer(verifier or _Silent(), reward_model)

    @property
    def idle(self) -> bool:
        """Whether everything is kept from the file."""
        return self.verifier is None and self.reward_model is None

    def judge(self, rollouts: Sequence[Rollout]) -> dict[str, Any]:
        """Judge some rollouts; returns `rows`, one `Judged` each, and the number of `truncated` conversations."""
        if self.idle:
            kept = zip(rollouts, _kept_scores(rollouts), strict=True)
            return {"rows": [_kept(rollout, score) for rollout, score in kept], "truncated": 0}
        scored = self._scorer.score(*_columns(rollouts))
        kept = zip(rollouts, _kept_scores(rollouts), strict=True)
        rows = [self._row(n, rollout, score, scored) for n, (rollout, score) in enumerate(kept)]
        return {"rows": rows, "truncated": int(scored.counters["reward_model/truncated"])}

    def audited(self, rollouts: Sequence[Rollout], signals: Signals, state: State) -> tuple[Signals, dict[str, float]]:
        """A batch's signals with the auditor's word on the rollouts that the rule draws of it, and its metrics.

        Raises:
            UnscorableError: it has failed on too many.
        """
        if self.auditor is None:
            return signals, {}
        drawn = self.auditor.drawn(signals, state)
        chosen = [rollout for rollout, one in zip(rollouts, drawn.tolist(), strict=True) if one]
        audit = self.auditor.verdicts(drawn, _columns(chosen))
        failed = int(audit[drawn].isnan().sum())
        self._refuse("auditor gave no verdict on", failed, len(chosen), self.auditor.verifier)
        return replace(signals, audit=audit.to(signals.verdict)), self.auditor.metrics(drawn, audit)

    def refuse_failures(self, rows: Sequence[Judged]) -> None:
        """Take in what came of some rollouts, before it is kept.

        Raises:
            UnscorableError: too many of these, or all so far, have no score or, as the verifier failed, no verdict.
        """
        if self.reward_model is not None:
            unscored = sum(row.score is None for row in rows)
            self._refuse("reward model gave no score to", unscored, len(rows), self.reward_model)
        if self.verifier is not None:
            reasons = [row.reason for row in rows if row.reason in FAILURES]
            told = self._scorer.first_crash(reasons)
            self._refuse("verifier failed on", len(reasons), len(rows), self.verifier, told)

    def _refuse(self, what: str, failed: int, asked: int, part: Any, told: str = "") -> None:
        budget = self._budgets.setdefault(what, FailureBudget(self.max_missing, _FEW))
        if budget.add(failed, asked) or budget.in_vain:
            counters = getattr(part, "counters", {})
            said = ", ".join(f"{name.replace('_', ' ')} {int(count)}" for name, count in counters.items() if count)
            raise UnscorableError(
                f"the {what} {failed} of {asked} rollouts, more than --max_missing {self.max_missing:g} allows"
                f"{f' ({said})' if said else ''}{told}"
            )

    def _row(self, n: int, rollout: Rollout, kept: float | None, scored: Scored) -> Judged:
        score = kept if self.reward_model is None else _or_none(scored.score[n].item())
        if self.verifier is None:
            return _kept(rollout, score)
        return Judged(_or_none(scored.verdict[n].item()), score, str(scored.reasons[n]), scored.answers[n])


def _kept(rollout: Rollout, score: float | None) -> Judged:
    """A rollout with the file's own verdict, or its word that no verifier applies."""
    said = rollout.extra.get("verdict_reason", rollout.extra.get("reason"))
    unverified = rollout.verdict is None and said == Reason.NO_VERIFIER
    return Judged(rollout.verdict, score, str(Reason.NO_VERIFIER) if unverified else None)


def domain_of(rollout: Rollout) -> str | None:
    """The name of a rollout's domain by its column `domain`; None without one."""
    domain = rollout.extra.get("domain")
    return domain if isinstance(domain, str) and domain else None


def _columns(rollouts: Sequence[Rollout]) -> tuple[Sequence[Any], ...]:
    """What `Scorer.score` takes, in its order."""
    return (
        [rollout.prompt for rollout in rollouts],
        [rollout.completion for rollout in rollouts],
        [rollout.reference or "" for rollout in rollouts],  # of an empty one, a verifier has no opinion
        [_began_in_thought(rollout) for rollout in rollouts],
        [rollout.extra for rollout in rollouts],
        [domain_of(rollout) or "" for rollout in rollouts],
    )


def _began_in_thought(rollout: Rollout) -> bool:
    """Whether a file says that a completion never left its thought: by a column of its own, or since it was cut off."""
    if isinstance(said := rollout.extra.get("in_thought"), bool):
        return said
    return cut_off_in_thought(rollout.completion, rollout.extra.get("finish_reason"))


_FEW = 128  # of fewer, a few that have nothing to score must not end the call


class _Silent:
    """Stands where there is nothing to verify and only scores are wanted."""

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        return [Verdict.of(Reason.REFERENCE_UNREADABLE)] * len(requests)


def _kept_scores(rollouts: Sequence[Rollout]) -> list[float | None]:
    """The file's scores as the scorer would give them; where there are none at all, there was no reward model."""
    if all(rollout.score is None for rollout in rollouts):
        return [None] * len(rollouts)
    return [
        -math.inf if rollout.score is None and says_nothing(rollout.completion) else rollout.score
        for rollout in rollouts
    ]


def _or_none(value: float) -> float | None:
    return None if value != value else value
