"""verl's advantage estimator `hero`: a rule's advantages, spread over tokens.

verl gives an estimator rewards and group names and nothing else (`verl/trainer/ppo/ray_trainer.py`,
`compute_advantage`). The signals come from `HeroSyncTrainer` in a context variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor
from verl.trainer.ppo.core_algos import register_adv_est

from hero_rl.errors import ConfigError
from hero_rl.rules import Groups, Rule, State
from hero_rl.signals import Shaped
from hero_rl.trainers.verl.sessions import Sessions

__all__ = ["NAME", "Handover", "handed_over", "hero_advantage"]

NAME = "hero"
"""Of the estimator in `algorithm.adv_estimator`."""


@dataclass
class Handover:
    """One batch on its way through verl.

    Attributes:
        rule: combines the signals.
        state: before the batch.
        sessions: the batch.
        shaped: what the rule made of it, once the estimator ran.
        after: the state after the batch, once the estimator ran.
    """

    rule: Rule
    state: State
    sessions: Sessions
    shaped: Shaped | None = None
    after: State | None = None


_handed: ContextVar[Handover | None] = ContextVar("hero_rl_handover", default=None)


@contextmanager
def handed_over(batch: Handover) -> Iterator[None]:
    """Let the estimator see a batch while the block runs."""
    token = _handed.set(batch)
    try:
        yield
    finally:
        _handed.reset(token)


@register_adv_est(NAME)
def hero_advantage(
    token_level_rewards: Float[Tensor, "B T"],
    response_mask: Float[Tensor, "B T"],
    config: Any = None,
    **_: Any,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """Advantages (B, T) and returns, which are the same: each row's advantage on its response tokens.

    All outputs of a session get the session's advantage, padding gets 0. The penalty that `use_kl_in_reward` puts into
    the rewards is added as GRPO has it: centred within its group.

    Raises:
        ConfigError: the trainer is none of hero-rl's.
    """
    batch = _handed.get()
    if batch is None:
        raise ConfigError("algorithm.adv_estimator=hero gets its signals from trainer.v1.trainer_mode=hero_*")
    batch.shaped, batch.after = batch.rule.update(batch.sessions.signals, batch.state)
    advantage = batch.shaped.advantage
    if config is not None and config.get("use_kl_in_reward", False):
        advantage = advantage + _centred_penalty(token_level_rewards, batch.sessions, batch.shaped)
    rows = batch.sessions.spread(advantage).to(token_level_rewards)
    tokens = rows.unsqueeze(-1) * response_mask
    return tokens, tokens


def _centred_penalty(rewards: Float[Tensor, "B T"], sessions: Sessions, shaped: Shaped) -> Float[Tensor, " S"]:
    """What the rewards hold beside the verdict, less its group's mean; 0 for what could not be scored."""
    scorable = ~shaped.reward.isnan()
    # An abstention makes the reward of a row's last token NaN.
    whole = rewards.double().nan_to_num(nan=0.0).sum(dim=-1)[sessions.last_row]
    penalty = whole - sessions.signals.verdict.nan_to_num(nan=0.0)
    groups = Groups.of(sessions.signals.group)
    return (penalty - groups.spread(groups.mean(penalty, scorable))).where(scorable, 0)
