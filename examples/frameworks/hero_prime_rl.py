"""HERO in prime-rl: a custom advantage function over the verdicts and scores that the environment put in its metrics.

    [orchestrator.algo]
    type = "custom"
    import_path = "hero_prime_rl.advantages"
    kwargs = { groups_per_batch = 64, folder = "outputs/hero" }

What it relies on in prime-rl, and what it leaves out: docs/guides/frameworks.md.
"""

from functools import cache
from typing import Any

from hero_rl import Hero
from hero_rl.trainers.group_by_group import GroupByGroup


@cache
def shaper(groups_per_batch: int, folder: str | None, **rule: Any) -> GroupByGroup:
    return GroupByGroup(Hero(**rule), groups_per_batch=groups_per_batch, folder=folder)


def advantages(group: list[Any], groups_per_batch: int, folder: str | None = None, **rule: Any) -> list[float]:
    """One advantage a rollout, the prompt's weight in it; prime-rl spreads each over the rollout's own tokens."""
    verdict = [rollout.metrics.get("verdict") for rollout in group]
    score = [rollout.metrics.get("score") for rollout in group]
    return shaper(groups_per_batch, folder, **rule).shape(verdict, score).advantage.tolist()
