"""How good a policy or a reward model is, by the oracle, on held-out prompts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hero_lab.arena.answers import is_correct
from hero_lab.arena.sampling import sample_completions
from hero_lab.arena.task import Exercise, Split, sample_problems, types_of
from hero_rl.rules import Groups, group_auroc

__all__ = [
    "KINDS",
    "Kind",
    "Measured",
    "PromptAccuracy",
    "RankingQuality",
    "evaluate",
    "evaluate_reward_model",
    "held_out_problems",
    "prompt_accuracy",
]

Kind = Literal["easy", "hard"]
KINDS: tuple[Kind, ...] = ("easy", "hard")


@dataclass(frozen=True)
class Measured:
    """A mean over prompts with the half-width of its 95% t-interval; prompts are the independent units."""

    mean: float
    half_width: float

    @classmethod
    def of(cls, per_prompt: Float[Tensor, " P"]) -> Measured:
        """Mean from one value a prompt; with fewer than two the half-width is infinite."""
        from scipy.stats import t

        count = len(per_prompt)
        if count < 2:
            return cls(per_prompt.mean().item(), float("inf"))
        error = per_prompt.std().item() / count**0.5
        return cls(per_prompt.mean().item(), float(t.ppf(0.975, count - 1)) * error)


@dataclass(frozen=True)
class PromptAccuracy:
    """Accuracy of a policy on each prompt of one kind, so that runs can be compared prompt by prompt.

    Attributes:
        sampled: share of right completions at temperature 1, a value a prompt.
        greedy: 1 or 0, whether the greedy completion is right, a value a prompt.
    """

    sampled: list[float]
    greedy: list[float]

    def estimates(self) -> dict[str, dict[str, float]]:
        """Mean and half-width of the 95% interval over prompts, of both, as plain data."""
        return {name: asdict(Measured.of(torch.tensor(values))) for name, values in self.to_dict().items()}

    def to_dict(self) -> dict[str, list[float]]:
        """Plain data."""
        return {"sampled": self.sampled, "greedy": self.greedy}

    @classmethod
    def from_dict(cls, values: dict[str, list[float]]) -> PromptAccuracy:
        """The opposite of `to_dict`."""
        return cls(**values)


@dataclass(frozen=True)
class RankingQuality:
    """AUROC of a reward model on one kind of prompt: over all rollouts, and the mean over mixed groups."""

    pooled: float
    mixed: Measured


def held_out_problems(kind: Kind, split: Split, count: int, seed: int = 0) -> list[Exercise]:
    """`count` different problems of a kind from a split."""
    rng = random.Random(f"evaluation {kind} {split} {seed}")
    drawn: dict[Exercise, None] = {}
    for problem in sample_problems(rng, types_of(kind), split):
        drawn[problem] = None
        if len(drawn) == count:
            break
    return list(drawn)


def evaluate(
    model_path: str | Path, *, split: Split = "test", prompts: int = 400, samples: int = 8, seed: int = 0
) -> dict[Kind, PromptAccuracy]:
    """Accuracy of a saved policy by the oracle, on `prompts` held-out prompts of each kind."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(model_path).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    results: dict[Kind, PromptAccuracy] = {}
    for kind in KINDS:
        problems = held_out_problems(kind, split, prompts, seed)
        sampled, greedy = (
            prompt_accuracy(model, tokenizer, problems, samples=count, temperature=temperature, seed=seed)
            for count, temperature in ((samples, 1.0), (1, 0.0))
        )
        results[kind] = PromptAccuracy(sampled.tolist(), greedy.tolist())
    return results


def prompt_accuracy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Exercise],
    *,
    samples: int,
    temperature: float,
    seed: int,
) -> Float[Tensor, " P"]:
    """Share of right completions of each problem, by the oracle; temperature 0 decodes greedily."""
    texts = [problem.prompt for problem in problems]
    rollouts = sample_completions(model, tokenizer, texts, samples=samples, temperature=temperature, seed=seed)
    return _truth(problems, rollouts).mean(dim=1)


def evaluate_reward_model(
    reward_model_path: str | Path,
    policy_path: str | Path,
    *,
    split: Split = "development",
    prompts: int = 400,
    samples: int = 8,
    seed: int = 0,
) -> dict[Kind, RankingQuality]:
    """How well a saved reward model ranks a saved policy's rollouts, against the oracle."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hero_lab.arena.reward_model import ArenaRewardModel
    from hero_rl.reward_models import LocalRewardModel

    tokenizer = AutoTokenizer.from_pretrained(policy_path)
    reward_model = LocalRewardModel(ArenaRewardModel.from_pretrained(reward_model_path), tokenizer)
    policy = AutoModelForCausalLM.from_pretrained(policy_path).eval()
    results: dict[Kind, RankingQuality] = {}
    for kind in KINDS:
        problems = held_out_problems(kind, split, prompts, seed)
        texts = [problem.prompt for problem in problems]
        rollouts = sample_completions(policy, tokenizer, texts, samples=samples, seed=seed)
        score = reward_model.score(
            [
                [{"role": "user", "content": text}, {"role": "assistant", "content": rollout}]
                for text, group in zip(texts, rollouts, strict=True)
                for rollout in group
            ]
        )
        results[kind] = _ranking(score, _truth(problems, rollouts))
    return results


def _truth(problems: Sequence[Exercise], rollouts: Sequence[Sequence[str]]) -> Float[Tensor, "P S"]:
    rows = zip(problems, rollouts, strict=True)
    return torch.tensor([[float(is_correct(problem, rollout)) for rollout in group] for problem, group in rows])


def _ranking(score: Float[Tensor, " B"], truth: Float[Tensor, "P S"]) -> RankingQuality:
    def auroc(group: Tensor) -> Tensor:
        return group_auroc(score, truth.flatten(), Groups.of(group))

    prompts, samples = truth.shape
    mixed = auroc(torch.arange(prompts).repeat_interleave(samples))
    pooled = auroc(torch.zeros(prompts * samples, dtype=torch.long))
    return RankingQuality(pooled.item(), Measured.of(mixed[~mixed.isnan()].float()))
