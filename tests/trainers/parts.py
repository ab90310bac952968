"""Verifiers, reward models and trainers small enough to train in a test, and honest: the real TRL on real models."""

import math
from collections import Counter
from dataclasses import dataclass, field

import torch
from datasets import Dataset

from hero_rl.reward_models import Conversation
from hero_rl.trainers.trl import HeroGRPOConfig, HeroGRPOTrainer
from hero_rl.verifiers import Reason, Verdict


def parity(text: str) -> float:
    """A verdict that every completion has and that random text splits about evenly."""
    return float(sum(text.encode()) % 2)


def loudness(text: str) -> float:
    """A score that differs from completion to completion."""
    return sum(text.encode()) % 97 / 10


@dataclass
class ParityVerifier:
    """Correct when the bytes of the completion sum to an odd number; abstains on one completion in `abstain`."""

    abstain: int = 0

    def verify(self, reference: str, completion: str) -> Verdict:
        if self.abstain and sum(completion.encode()) % self.abstain == 0:
            return Verdict.of(Reason.TIMED_OUT)
        return Verdict.of(Reason.MATCHED_EXACTLY if parity(completion) else Reason.MISMATCH, answer=completion[:3])


@dataclass
class LoudnessModel:
    """Scores by the bytes of the completion; has no score for one completion in `missing`."""

    missing: int = 0
    counters: Counter = field(default_factory=Counter)

    def score(self, conversations: list[Conversation]) -> torch.Tensor:
        texts = [c[-1]["content"] for c in conversations]
        lost = [self.missing and sum(t.encode()) % self.missing == 0 for t in texts]
        self.counters["missing"] += sum(map(bool, lost))
        return torch.tensor([math.nan if n else loudness(t) for t, n in zip(texts, lost, strict=True)])


def prompts(number: int, start: int = 0) -> Dataset:
    return Dataset.from_list(
        [{"prompt": f"{n} plus {n} is", "answer": str(2 * n)} for n in range(start, start + number)]
    )


def config(kind=HeroGRPOConfig, **changes):
    settings = {
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 8,
        "max_steps": 3,
        "learning_rate": 1e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
        "log_completions": True,
        "num_completions_to_print": 0,
        "seed": 7,
    }
    return kind(**(settings | changes))


def trainer(policy, output_dir, rule, *, kind=HeroGRPOTrainer, rows=6, verifier=None, reward_model=None, **changes):
    extra = {name: changes.pop(name) for name in ("eval_dataset", "peft_config", "callbacks") if name in changes}
    return kind(
        model=str(policy),
        verifier=verifier or ParityVerifier(),
        reward_model=reward_model or LoudnessModel(),
        rule=rule,
        args=config(kind._config_class, output_dir=str(output_dir), **changes),
        train_dataset=prompts(rows),
        **extra,
    )


def completions_at(output_dir, step):
    import pandas

    return pandas.read_parquet(f"{output_dir}/completions/completions_{step:05d}.parquet")
