"""Settings of the real-model pipeline: frozen, unknown keys refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_lab.words.backbone import SMOLLM2
from hero_lab.words.problems import GYM

__all__ = ["ColdStart", "RewardModelStage", "WordsArm", "WordsSettings", "quick_settings"]

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColdStart(_Settings):
    """Supervised fine-tuning on short worked solutions, by `hero sft`.

    Attributes:
        examples: demonstrations, at most.
        epochs: times that each is seen.
        batch_size: of a step.
        learning_rate: peak; falls linearly to 0.
    """

    examples: Positive = 2000
    epochs: Positive = 3
    batch_size: Positive = 16
    learning_rate: Rate = 2e-4


class RewardModelStage(_Settings):
    """A reward model from the cold-started policy's rollouts on easy problems, by `hero train-rm`.

    Attributes:
        problems: easy problems that rollouts are taken on, of those that RL may use.
        samples: rollouts of each at temperature 1.
        pairs_per_prompt: at most so many pairs of a correct and an incorrect one.
        batch_size: pairs a step.
        epochs: times that each pair is seen.
        learning_rate: peak; falls linearly to 0.
    """

    problems: Positive = 900
    samples: Positive = 8
    pairs_per_prompt: Positive = 6
    batch_size: Positive = 8
    epochs: Positive = 1
    learning_rate: Rate = 5e-5


class WordsArm(_Settings):
    """What all arms share.

    Attributes:
        regime: which problems are trained on: `easy` judged by the maths verifier, `hard` by exact match with the
            reference as the set writes it.
        steps: optimiser steps.
        prompts_per_step: groups of one step.
        num_generations: rollouts of a group.
        max_completion_length: tokens of a rollout.
        micro_batch: rollouts of one backward pass at the most, of parts as large as one another; TRL mixes groups
            before it cuts, and what is in one pass shares its prompts.
        learning_rate: constant.
        curve_every: steps between two looks at development problems.
        curve_prompts: development problems of each kind for such a look.
        prompts: held-out problems of each kind for the final figures.
        samples: completions of each at temperature 1; the greedy one comes on top.
        save_every: steps between two checkpoints.
        split: which problems the final figures are taken on; `report` is kept for those that are published.
        trl: further arguments of TRL's `GRPOConfig`.
    """

    regime: Literal["easy", "hard"] = "hard"
    steps: Positive = 100
    prompts_per_step: Positive = 6
    num_generations: Annotated[int, Field(ge=2)] = 8
    max_completion_length: Positive = 48
    micro_batch: Positive = 64
    learning_rate: Rate = 4e-6
    curve_every: Positive = 10
    curve_prompts: Positive = 40
    prompts: Annotated[int, Field(ge=2)] = 200
    samples: Positive = 4
    save_every: Positive = 5
    split: Literal["development", "report"] = "development"
    trl: dict[str, Any] = {}


class WordsSettings(_Settings):
    """One comparison with a real model.

    Attributes:
        model: `smollm2`, a folder or a Hub id.
        problems: `reasoning-gym`, a file, or the id of a dataset at the Hub.
        problems_name: configuration of a Hub dataset.
        problems_split: split of a Hub dataset.
        arms: rules, by type.
        seeds: whole pipelines: cold start, reward model and RL, each of its own seed.
        first_seed: the first of them.
        rule: settings for every arm whose rule has them.
        cold_start: the policy before RL.
        reward_model: trained on that policy's rollouts.
        arm: what all arms share.
    """

    model: str = SMOLLM2
    problems: str = GYM
    problems_name: str | None = None
    problems_split: str = "train"
    arms: list[str] = ["hero", "verifier_only", "reward_model_only", "weighted_sum", "gated_hero"]
    seeds: Positive = 1
    first_seed: int = 1
    rule: dict[str, Any] = {}
    cold_start: ColdStart = ColdStart()
    reward_model: RewardModelStage = RewardModelStage()
    arm: WordsArm = WordsArm()


def quick_settings() -> WordsSettings:
    """Every stage on two cores in some six minutes: too short to tell the arms apart."""
    return WordsSettings(
        arms=["hero", "verifier_only"],
        cold_start=ColdStart(examples=480, epochs=1),
        reward_model=RewardModelStage(problems=40),
        arm=WordsArm(steps=4, prompts_per_step=4, curve_every=2, curve_prompts=8, prompts=16, samples=2, save_every=4),
    )
