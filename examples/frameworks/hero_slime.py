"""HERO in slime: verdicts, scores and advantages of a whole rollout batch, in the hook that follows generation.

    PYTHONPATH=examples/frameworks python train.py ... --advantage-estimator grpo \
        --custom-reward-post-process-path hero_slime.post_process

Copy it and edit the two objects below. What it relies on in slime, and what it leaves out: docs/guides/frameworks.md.
"""

from functools import cache
from pathlib import Path
from typing import Any

from hero_rl import Hero, MathVerifier, Scorer, Supervised
from hero_rl.monitoring import MonitorState
from hero_rl.reward_models import RemoteRewardModelConfig
from hero_rl.rules import Rule, State
from hero_rl.trainers.state import STATE_FILE, read_state, write_state

RULE: Rule = Hero()


@cache
def scorer() -> Scorer:
    servers = RemoteRewardModelConfig(urls=["http://localhost:8000"], tokenizer="nvidia/AceMath-7B-RM")
    return Scorer(Supervised(MathVerifier()), servers.load())


@cache
def kept(load: str | None) -> dict[str, State]:
    """The state between batches, from the folder that the run resumes if a batch has left one there."""
    if load and (Path(load) / STATE_FILE).is_file():
        return {"state": read_state(load, RULE)[0]}
    return {"state": RULE.init()}


def post_process(args: Any, samples: list[Any]) -> tuple[list[float], list[float]]:
    """(rewards to log, advantages) of all samples of a rollout; slime gives the second to every token as it is."""
    prompts = [(sample.metadata or {}).get("messages", sample.prompt) for sample in samples]
    scored = scorer().score(prompts, [sample.response for sample in samples], [sample.label for sample in samples])
    signals = scored.signals([sample.group_index for sample in samples])
    shaped, state = RULE.update(signals, kept(args.load)["state"])
    kept(args.load)["state"] = state
    if args.save:
        write_state(args.save, RULE, state, MonitorState())
    return shaped.reward.nan_to_num().tolist(), shaped.advantage.tolist()
