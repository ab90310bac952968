"""From verl's rows to a batch of rollouts.

A row of verl's v1 trainer has the key `{uid}_{session}_{index}`: `uid` is the prompt, a session is one rollout of it,
and an agent may give several outputs in a session, of which the last is judged. Rows come in any order, since verl
balances their lengths over ranks, and some are no rollouts: it fills a batch up with copies of the first one
(`verl/trainer/ppo/padding_utils.py`), verdict and score included.

B is the number of rows, S that of sessions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hero_rl.errors import ConfigError
from hero_rl.rollouts.formats.verl import is_padding, parts_of
from hero_rl.signals import Signals
from hero_rl.verifiers import Reason

__all__ = ["Sessions", "sessions_of"]


@dataclass(frozen=True)
class Sessions:
    """The rollouts of a batch.

    Attributes:
        signals: of the S sessions, in float64.
        of_row: (B,) the session of each row, -1 for a row that is padding.
        last_row: (S,) the row of each session's last output.
        facts: what the reward manager said of each session.
    """

    signals: Signals
    of_row: Int[Tensor, " B"]
    last_row: Int[Tensor, " S"]
    facts: list[Mapping[str, Any]]

    def spread(self, values: Float[Tensor, " S"]) -> Float[Tensor, " B"]:
        """Hand each row its session's value, and 0 to padding."""
        return values[self.of_row.clamp(min=0)].where(self.of_row >= 0, 0)


def sessions_of(
    keys: Sequence[str], tags: Sequence[Mapping[str, Any]], extra_fields: Sequence[Mapping[str, Any]]
) -> Sessions:
    """Read the rollouts out of a batch's rows.

    Args:
        keys: of the B rows.
        tags: `is_padding` marks those that are no rollouts.
        extra_fields: of the rows; `reward_extra_info` is what the reward manager said.

    Raises:
        ConfigError: a rollout has no verdict and score, or the reward manager met what can never work.
    """
    numbers: dict[tuple[str, str], int] = {}  # (uid, session) -> the session's place
    of_row: list[int] = []
    last: dict[int, tuple[int, int]] = {}  # the session's place -> its highest index and the row of that
    for row, (key, tag) in enumerate(zip(keys, tags, strict=True)):
        uid, session, index = _parts(key)
        if tag.get("is_padding", False) or is_padding(uid):
            of_row.append(-1)
            continue
        number = numbers.setdefault((uid, session), len(numbers))
        of_row.append(number)
        last[number] = max(last.get(number, (-1, -1)), (index, row))
    if not numbers:
        raise ConfigError("the batch holds no rollouts: every one of them failed, see the agent loop workers' logs")
    last_row = [last[number][1] for number in range(len(numbers))]
    facts = [_facts(keys[row], extra_fields[row]) for row in last_row]
    signals = _signals([uid for uid, _ in numbers], facts)
    return Sessions(signals, torch.tensor(of_row), torch.tensor(last_row), facts)


def _parts(key: str) -> tuple[str, str, int]:
    parts = parts_of(key)
    if parts is None:
        raise ConfigError(f"a row's key is {key!r}, and not a prompt's uid, a session and an index")
    return parts


def _facts(key: str, extra_fields: Mapping[str, Any]) -> Mapping[str, Any]:
    facts = extra_fields.get("reward_extra_info", {})
    if facts.get("error"):
        raise ConfigError(f"rollout {key} could not be scored, and no later one can be: {facts['error']}")
    if "verdict" not in facts or "score" not in facts:
        raise ConfigError(
            f"rollout {key} carries no verdict and score: it was not scored by HeroRewardManager (an agent loop that "
            "sets reward_score itself keeps verl from asking it)"
        )
    return facts


def _signals(prompts: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> Signals:
    numbers = {uid: number for number, uid in enumerate(dict.fromkeys(prompts))}
    domain = tuple(str(one.get("domain", "")) for one in facts)
    return Signals(
        verdict=torch.tensor([_number(one["verdict"]) for one in facts], dtype=torch.float64),
        score=torch.tensor([_number(one["score"]) for one in facts], dtype=torch.float64),
        group=torch.tensor([numbers[uid] for uid in prompts]),
        domain=domain if any(domain) else None,
        unverified=torch.tensor([one.get("reason") == Reason.NO_VERIFIER for one in facts]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
