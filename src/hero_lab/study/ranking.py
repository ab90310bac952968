"""How well a reward model ranks, against the oracle: where the verifier tells rollouts apart, and where it does not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from hero_lab.arena.answers import ANSWER_MARKER, is_correct, write_reference
from hero_lab.arena.evaluation import held_out_problems
from hero_lab.arena.sampling import sample_completions
from hero_lab.arena.task import Exercise, ProblemType, Regime
from hero_rl.rules import Groups, group_auroc
from hero_rl.verifiers import ExactVerifier

__all__ = ["Ranks", "rank"]

_SAMPLES = 8


@dataclass(frozen=True)
class Ranks:
    """AUROC of a reward model within groups, each a mean over groups, NaN where there is none of the kind.

    Attributes:
        verifier_mixed: against the verifier, in mixed groups: what a training run can see.
        mixed: against the oracle, in groups that are mixed for the verifier.
        uniform: against the oracle, in groups that are uniform for the verifier and mixed for the oracle.
        share_uniform: share of the groups that are uniform for the verifier.
    """

    verifier_mixed: float
    mixed: float
    uniform: float
    share_uniform: float

    def to_dict(self) -> dict[str, float]:
        """Plain data."""
        return asdict(self)


def rank(
    reward_model: Path,
    policy: Path,
    regime: Regime,
    blind_types: Sequence[ProblemType] = (),
    prompts: int = 300,
    seed: int = 0,
) -> Ranks:
    """Sample a saved policy on development prompts of a regime and rank its rollouts with a saved reward model."""
    tokenizer = AutoTokenizer.from_pretrained(policy)
    model = AutoModelForCausalLM.from_pretrained(policy).eval()
    problems = _problems(regime, prompts, seed)
    texts = [problem.prompt for problem in problems]
    rollouts = sample_completions(model, tokenizer, texts, samples=_SAMPLES, seed=seed)
    score = _scores(reward_model, tokenizer, texts, rollouts)
    groups = Groups(torch.arange(len(problems)).repeat_interleave(_SAMPLES), len(problems))
    pairs = list(zip(problems, rollouts, strict=True))
    truth = _flat([[float(is_correct(problem, text)) for text in group] for problem, group in pairs])
    verdict = _verdicts(problems, rollouts, blind_types, seed)
    correct = groups.count(verdict == 1)
    mixed = (correct > 0) & (correct < _SAMPLES)
    against_oracle = group_auroc(score, truth, groups)
    return Ranks(
        verifier_mixed=group_auroc(score, verdict, groups).nanmean().item(),
        mixed=_mean(against_oracle, mixed),
        uniform=_mean(against_oracle, ~mixed),
        share_uniform=(~mixed).double().mean().item(),
    )


def _problems(regime: Regime, prompts: int, seed: int) -> list[Exercise]:
    if regime != "mixed":
        return held_out_problems(regime, "development", prompts, seed)
    return [problem for kind in ("easy", "hard") for problem in held_out_problems(kind, "development", prompts, seed)]


def _scores(
    reward_model: Path, tokenizer: PreTrainedTokenizerBase, texts: list[str], rollouts: list[list[str]]
) -> Float[Tensor, " B"]:
    from hero_lab.arena.reward_model import ArenaRewardModel
    from hero_rl.reward_models import LocalRewardModel

    scorer = LocalRewardModel(ArenaRewardModel.from_pretrained(reward_model), tokenizer)
    return scorer.score(
        [
            [{"role": "user", "content": text}, {"role": "assistant", "content": rollout}]
            for text, group in zip(texts, rollouts, strict=True)
            for rollout in group
        ]
    )


def _verdicts(
    problems: list[Exercise], rollouts: list[list[str]], blind_types: Sequence[ProblemType], seed: int
) -> Float[Tensor, " B"]:
    rng = random.Random(f"references {seed}")
    verifier = ExactVerifier(marker=ANSWER_MARKER)
    rows = []
    for problem, group in zip(problems, rollouts, strict=True):
        reference = write_reference(rng, problem, foreign=1.0 if problem.type in blind_types else 0.3)
        rows.append([verifier.verify(reference, text).value for text in group])
    return _flat(rows)


def _flat(rows: list[list[float]]) -> Float[Tensor, " B"]:
    return torch.tensor(rows, dtype=torch.float64).flatten()


def _mean(values: Float[Tensor, " S"], where: Bool[Tensor, " S"]) -> float:
    return values[where].nanmean().item()
