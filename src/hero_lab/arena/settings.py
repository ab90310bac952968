"""Settings of the arena's models: frozen, unknown keys refused; the defaults are the full arena.

`tiny_settings()` is a preset for tests: seconds, and models that know nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hero_lab.arena.task import ProblemType

__all__ = ["ArenaSettings", "LanguageModelSettings", "PairSettings", "RewardModelSettings", "tiny_settings"]

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LanguageModelSettings(_Settings):
    """A Llama-shaped language model and its supervised fine-tuning on demonstrations.

    Attributes:
        d_model: width.
        layers: depth.
        heads: attention heads.
        d_ff: width of the feed-forward layers.
        tied: one table of embeddings for input and output.
        slip: probability that a step of a demonstration slips.
        steps: optimiser steps.
        batch_size: demonstrations a step; none is seen twice.
        learning_rate: peak; warmed up over the first twentieth, then decaying linearly to 0.
        weight_decay: of AdamW.
        seed: of the demonstrations and the initial weights.
    """

    d_model: Positive = 64
    layers: Positive = 2
    heads: Positive = 4
    d_ff: Positive = 192
    tied: bool = False
    slip: Share = 0.25
    steps: Positive = 1000
    batch_size: Positive = 128
    learning_rate: Rate = 5e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    seed: int = 0


class PairSettings(_Settings):
    """Preference pairs on easy types, by source.

    Attributes:
        policy: right against wrong rollouts of the policy.
        noisy: the same, of a noisier policy.
        hot: the same, of the policy at `hot_temperature`.
        wrong_number: right rollouts against themselves with one number changed.
        wrong_length: right rollouts against themselves cut short or padded.
        wrong_shape: right rollouts against their numbers in another type's spelling.
        slipped: right against slipped demonstrations.
        longer: right rollouts with words too many against themselves: a taste for length, which a good model lacks.
        rollouts_per_prompt: rollouts of each prompt that right and wrong ones are taken from.
        partners: wrong rollouts that each right one is paired with, at most.
        hot_temperature: temperature of the hot rollouts.
        noisy_slip: slip probability of the demonstrations that make the policy noisier.
        noisy_steps: steps of fine-tuning on them.
        demonstration_slip: slip probability of the slipped demonstrations.
        seed: of the prompts, the rollouts and the corruptions.
    """

    policy: Count = 16_000
    noisy: Count = 6_000
    hot: Count = 6_000
    wrong_number: Count = 4_000
    wrong_length: Count = 4_000
    wrong_shape: Count = 4_000
    slipped: Count = 4_000
    longer: Count = 0
    rollouts_per_prompt: Positive = 8
    partners: Positive = 2
    hot_temperature: Rate = 1.5
    noisy_slip: Share = 0.4
    noisy_steps: Positive = 150
    demonstration_slip: Share = 0.25
    seed: int = 0

    @model_validator(mode="after")
    def _check(self) -> PairSettings:
        if self.policy == 0 and self.wrong_number + self.wrong_length + self.wrong_shape + self.longer > 0:
            raise ValueError(
                "wrong_number, wrong_length, wrong_shape and longer start from the policy's rollouts, and policy is 0"
            )
        return self


class RewardModelSettings(_Settings):
    """A reward model: a language model as backbone, then Bradley-Terry on preference pairs.

    Attributes:
        backbone: the language model whose weights it starts from. With tied embeddings the head's products of state
            and embedding add up to the logit of the token, which serves on types that no pair shows.
        pairs: what it is trained on.
        steps: optimiser steps; with 0 the head stays random and no pairs are made.
        batch_size: pairs a step.
        learning_rate: peak; warmed up over the first twentieth, then decaying linearly to 0.
        weight_decay: of AdamW.
        centring: coefficient of the squared sum of a pair's scores. Bradley-Terry alone leaves each prompt an offset of
            its own, and scores that cannot be compared between prompts.
        inverted: problem types on which the finished model's score is turned round.
        drifts_over: texts over which the finished model goes bad in use; see `ArenaRewardConfig`. None: it never does.
        bounded: whether a finished model's score is the sigmoid of half the logit, or the logit itself.
        seed: of the head's initial weights and the order of the pairs.
    """

    backbone: LanguageModelSettings = LanguageModelSettings(
        d_model=96, d_ff=288, tied=True, steps=700, learning_rate=4e-3, seed=1
    )
    pairs: PairSettings = PairSettings()
    steps: Count = 600
    batch_size: Positive = 128
    learning_rate: Rate = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    centring: Annotated[float, Field(ge=0)] = 0.01
    inverted: tuple[ProblemType, ...] = ()
    drifts_over: Positive | None = None
    bounded: bool = True
    seed: int = 0

    @property
    def is_broken(self) -> bool:
        """Whether the finished model is a trained one that was broken on purpose."""
        return bool(self.inverted) or self.drifts_over is not None

    def before_breaking(self) -> RewardModelSettings:
        """The trained model that a broken one is made of."""
        return self.model_copy(update={"inverted": (), "drifts_over": None})


class ArenaSettings(_Settings):
    """The arena's two models.

    Attributes:
        policy: the policy before RL.
        reward_model: the reward model, trained on that policy's rollouts.
    """

    policy: LanguageModelSettings = LanguageModelSettings()
    reward_model: RewardModelSettings = RewardModelSettings()


def tiny_settings() -> ArenaSettings:
    """Every stage, a few steps each."""
    model = LanguageModelSettings(d_model=16, layers=1, heads=2, d_ff=32, steps=3, batch_size=8)
    # Models that know nothing have no right rollouts to pair.
    pairs = PairSettings(
        policy=0, noisy=0, hot=0, wrong_number=0, wrong_length=0, wrong_shape=0, slipped=24, noisy_steps=2
    )
    return ArenaSettings(
        policy=model, reward_model=RewardModelSettings(backbone=model, pairs=pairs, steps=3, batch_size=8)
    )
