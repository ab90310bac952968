"""What the reward manager says of each rollout beside its reward, and what the trainer makes of it.

verl carries a rollout's facts as `extra_fields["reward_extra_info"]`: one flat dict, the same names in every one.

    verdict, score    the signals; NaN where there is none, minus infinity as the score of an empty completion
    reason, answer    the verifier's
    domain            the row's `data_source`
    error             why no rollout can be scored as things are set; empty where all is well
    verifier/..., reward_model/...
                      counters of the batch that the rollout was scored in, on one rollout of it, 0 on the others
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.scoring import Scored
from hero_rl.signals import Shaped
from hero_rl.trainers.verl.sessions import Sessions

__all__ = ["columns_of", "counted", "described", "facts_of", "failed", "for_validation"]

Facts = dict[str, Any]

_COLUMNS = ("verdict", "rm_score", "reason", "answer", "shaped_reward", "advantage", "weight", "sigma", "audit")
_MEASURED = ("reward", "verdict", "score")  # of what verl takes the mean over, in validation


def facts_of(scored: Scored, domains: Sequence[str] | None = None) -> list[Facts]:
    """The facts of each rollout of a batch that was scored, with the domain that each is of."""
    domains = [""] * len(scored.reasons) if domains is None else domains
    facts: list[Facts] = []
    for row, (verdict, score) in enumerate(zip(scored.verdict.tolist(), scored.score.tolist(), strict=True)):
        said = {"reason": str(scored.reasons[row]), "answer": scored.answers[row], "error": "", "domain": domains[row]}
        counters = scored.counters if row == 0 else dict.fromkeys(scored.counters, 0.0)
        facts.append({"verdict": verdict, "score": score, **said, **counters})
    return facts


def failed(error: Exception, number: int) -> list[Facts]:
    """The facts of a batch that could not be scored, nor any later one."""
    text = f"{type(error).__name__}: {error}"
    facts = {"verdict": math.nan, "score": math.nan, "reason": "crashed", "answer": None, "error": text, "domain": ""}
    return [dict(facts) for _ in range(number)]


def counted(facts: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The counters over a batch's rollouts; seconds too are summed, over workers that ran side by side."""
    names = sorted({name for one in facts for name in one if name.startswith(("verifier/", "reward_model/"))})
    return {name: float(sum(one.get(name, 0.0) for one in facts)) for name in names}


def described(keys: Sequence[str], sessions: Sessions, shaped: Shaped) -> dict[str, Facts]:
    """The columns that verl's dump of a batch gets, by its rows' keys; padding has none."""
    made = {name: getattr(shaped, name).tolist() for name in ("advantage", "weight", "sigma")}
    made["shaped_reward"] = shaped.reward.tolist()  # verl's dumps have a column `reward` of their own
    if sessions.signals.audit is not None:
        made["audit"] = sessions.signals.audit.tolist()
    rows = {}
    for key, session in zip(keys, sessions.of_row.tolist(), strict=True):
        if session < 0:
            continue
        facts = sessions.facts[session]
        values = {"verdict": facts["verdict"], "rm_score": facts["score"]}
        values |= {name: column[session] for name, column in made.items()}
        rows[key] = {name: _null_for_nan(value) for name, value in values.items()}
        rows[key] |= {"reason": facts.get("reason"), "answer": facts.get("answer")}
    return rows


def columns_of(keys: Sequence[str], rows: Mapping[str, Facts]) -> dict[str, list[Any]]:
    """The columns of rows in the order of their keys; none at all if no row is known."""
    there = {name for key in keys for name in rows.get(key, {})}
    return {name: [rows.get(key, {}).get(name) for key in keys] for name in _COLUMNS if name in there}


def for_validation(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns that verl measures, without the abstentions, which it would otherwise count into every mean.

    Raises:
        ConfigError: the reward manager met what can never work.
    """
    errors = [error for error in columns.get("error", []) if error]
    if errors:
        raise ConfigError(f"validation could not be scored: {errors[0]}")
    kept = {name: columns[name] for name in _MEASURED if name in columns}
    return {name: list(map(_null_for_nan, values)) for name, values in kept.items()}


def _null_for_nan(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
