"""HERO in prime-rl: an algorithm in the place of its GRPO, over the verdicts and scores in the environment's metrics.

prime-rl has no hook for this: its algorithms are a closed set, named in its own code. So this takes one line in a
checkout, at the end of `src/prime_rl/orchestrator/algo/__init__.py`, with this folder on PYTHONPATH; then run `type =
"grpo"`:

    from hero_prime_rl import HeroAlgorithm; ALGORITHM_CLASSES["grpo"] = HeroAlgorithm

What it relies on in prime-rl, and what it leaves out: docs/guides/frameworks.md.
"""

from functools import cache
from typing import Any

from prime_rl.orchestrator.algo.base import iter_trainable_traces  # pyright: ignore[reportMissingImports]
from prime_rl.orchestrator.algo.grpo import GRPOAlgorithm  # pyright: ignore[reportMissingImports]
from prime_rl.orchestrator.algo.routing import assign_advantages  # pyright: ignore[reportMissingImports]

from hero_rl import Hero
from hero_rl.trainers.group_by_group import GroupByGroup


@cache
def shaper() -> GroupByGroup:
    return GroupByGroup(Hero(), groups_per_batch=64, folder="outputs/hero")


class HeroAlgorithm(GRPOAlgorithm):
    """GRPO whose advantages are HERO's, the prompt's weight in them; `length_penalty` has no effect."""

    async def score_group(self, episodes: list[Any]) -> None:
        """One advantage a trace, which prime-rl gives to each token that the policy sampled."""
        traces = [trace for _, trace in iter_trainable_traces(episodes)]
        verdict = [trace.metrics.get("verdict") for trace in traces]
        score = [trace.metrics.get("score") for trace in traces]
        for trace, advantage in zip(traces, shaper().shape(verdict, score).advantage.tolist(), strict=True):
            assign_advantages(trace, advantage)
