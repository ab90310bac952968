"""HERO in Tinker cookbook: a group builder whose group reward is HERO's, weighed by the prompt.

    from hero_tinker import HeroGroupBuilder  # in the dataset, in the place of ProblemGroupBuilder

Copy it and edit the two objects below. What it relies on in the cookbook and leaves out: docs/guides/frameworks.md.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any

from tinker_cookbook.renderers import get_text_content  # pyright: ignore[reportMissingImports]
from tinker_cookbook.rl.problem_env import ProblemGroupBuilder  # pyright: ignore[reportMissingImports]

from hero_rl import Hero, MathVerifier, Scorer, Supervised
from hero_rl.reward_models import RemoteRewardModelConfig
from hero_rl.trainers.group_by_group import GroupByGroup, filled


@cache
def shaper() -> GroupByGroup:
    return GroupByGroup(Hero(), groups_per_batch=128, folder="runs/tinker")


@cache
def scorer() -> Scorer:
    servers = RemoteRewardModelConfig(urls=["http://localhost:8000"], tokenizer="nvidia/AceMath-7B-RM")
    return Scorer(Supervised(MathVerifier()), servers.load())


class HeroGroupBuilder(ProblemGroupBuilder):
    """A group of `ProblemEnv`; HERO's reward replaces what their steps gave (correctness and format)."""

    async def compute_group_rewards(
        self, trajectory_group: list[Any], env_group: Sequence[Any]
    ) -> list[tuple[float, dict[str, float | int]]]:
        """(reward less its steps' own, metrics) of each trajectory; the trainer adds those and centres the sum."""
        said = [
            get_text_content(env.renderer.parse_response(trajectory.transitions[-1].ac.tokens)[0])
            for trajectory, env in zip(trajectory_group, env_group, strict=True)
        ]
        asked = [[*env.convo_prefix, {"role": "user", "content": env.get_question()}] for env in env_group]
        scored = await asyncio.to_thread(scorer().score, asked, said, [env.get_reference_answer() for env in env_group])
        shaped = shaper().shape(scored.verdict.tolist(), scored.score.tolist())
        steps = [sum(transition.reward for transition in trajectory.transitions) for trajectory in trajectory_group]
        columns = zip(filled(shaped.reward), steps, filled(scored.verdict), shaped.weight.tolist(), strict=True)
        return [(r - given, {"hero/verdict": v, "hero/weight": w}) for r, given, v, w in columns]
