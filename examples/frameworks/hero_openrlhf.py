"""HERO in OpenRLHF: an agent executor that waits for the other samples of its prompt and rewards them together.

    python -m openrlhf.cli.train_ppo_ray ... --train.agent_func_path examples/frameworks/hero_openrlhf.py \
        --algo.advantage.estimator dr_grpo

Copy it and edit the two `make_` methods. What it relies on in OpenRLHF and leaves out: docs/guides/frameworks.md.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from openrlhf.utils.agent import SingleTurnAgentExecutor  # pyright: ignore[reportMissingImports]

from hero_rl import Hero, MathVerifier, Scorer, Supervised
from hero_rl.reward_models import RemoteRewardModelConfig
from hero_rl.trainers.group_by_group import GroupByGroup, filled


@dataclass
class Group:
    """The samples of one prompt: how many still run, what the others said, and their rewards once all have ended."""

    running: int = 0
    texts: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    rewards: asyncio.Task | None = None


class AgentExecutor(SingleTurnAgentExecutor):
    """One of these lives in each vLLM engine; all samples of a prompt come to the same one."""

    def __init__(self) -> None:
        super().__init__()
        self.shaper, self.scorer = self.make_shaper(), self.make_scorer()
        self.groups: dict[tuple[str, str], Group] = {}

    def make_shaper(self) -> GroupByGroup:
        """The rule, and how many groups make a batch here."""
        return GroupByGroup(Hero(), groups_per_batch=64)  # prompts of a step / engines

    def make_scorer(self) -> Scorer:
        """Verifier and reward model."""
        servers = RemoteRewardModelConfig(urls=["http://localhost:8000"], tokenizer="nvidia/AceMath-7B-RM")
        return Scorer(Supervised(MathVerifier()), servers.load())

    async def execute(self, prompt: str, label: str, *, hf_tokenizer: Any, **request: Any) -> dict[str, Any]:
        """One sample and its reward. All samples of a prompt start before the first of them ends."""
        group = self.groups.setdefault((prompt, label), Group())
        group.running += 1
        try:
            output = await super().execute(prompt, label, hf_tokenizer=hf_tokenizer, **request)
            start, end = output["action_ranges"][-1]
            group.texts.append(hf_tokenizer.decode(output["observation_tokens"][start:end], skip_special_tokens=True))
            place = len(group.texts) - 1
        finally:
            group.running -= 1  # also where a sample failed: the others must not wait for it
            if not group.running:
                del self.groups[prompt, label]
                if group.texts:
                    group.rewards = asyncio.create_task(self.reward(prompt, label, group.texts))
                group.ended.set()
        await group.ended.wait()
        assert group.rewards is not None
        return {**output, **(await group.rewards)[place]}

    async def reward(self, prompt: str, label: str, texts: list[str]) -> list[dict[str, Any]]:
        """What OpenRLHF reads of each sample: `reward` makes the advantage, `scores` and `extra_logs` are logged."""
        scored = await asyncio.to_thread(self.scorer.score, [prompt] * len(texts), texts, [label] * len(texts))
        shaped = self.shaper.shape(scored.verdict.tolist(), scored.score.tolist())
        columns = zip(filled(shaped.reward), filled(scored.verdict), shaped.weight.tolist(), strict=True)
        return [{"reward": r, "scores": v, "extra_logs": {"weight": w}} for r, v, w in columns]
