"""Training the reward model: a language model as backbone, then Bradley-Terry through TRL's `RewardTrainer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from hero_rl.arena.language_model import fine_tune
from hero_rl.arena.preferences import Pair, build_pairs
from hero_rl.arena.reward_model import ArenaRewardConfig, ArenaRewardModel
from hero_rl.arena.settings import LanguageModelSettings, RewardModelSettings
from hero_rl.arena.task import PROMPT_END
from hero_rl.arena.training import run_silently, training_arguments

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["fit_bradley_terry", "make_noisy", "pair_dataset", "reward_model_from", "train_reward_model"]


def train_reward_model(policy: Path, backbone: Path, settings: RewardModelSettings, folder: Path) -> None:
    """Train a reward model on a policy's rollouts and save it with the policy's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(policy)
    rollout_model = LlamaForCausalLM.from_pretrained(policy)
    pairs = build_pairs(rollout_model, make_noisy(policy, tokenizer, settings), tokenizer, settings.pairs)
    model = reward_model_from(backbone, tokenizer, settings)
    fit_bradley_terry(model, tokenizer, pairs, settings)
    model.config.bounded = settings.bounded
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_noisy(policy: Path, tokenizer: PreTrainedTokenizerFast, settings: RewardModelSettings) -> LlamaForCausalLM:
    """The policy after some more fine-tuning on demonstrations that slip more often."""
    noisy = LlamaForCausalLM.from_pretrained(policy)
    pairs = settings.pairs
    noise = LanguageModelSettings(
        slip=pairs.noisy_slip, steps=pairs.noisy_steps, batch_size=settings.batch_size, seed=pairs.seed
    )
    fine_tune(noisy, tokenizer, noise)
    return noisy


def reward_model_from(
    backbone: Path, tokenizer: PreTrainedTokenizerFast, settings: RewardModelSettings
) -> ArenaRewardModel:
    """A reward model with a language model's weights and a new head."""
    language_model = LlamaForCausalLM.from_pretrained(backbone)
    shape = language_model.config.to_dict()
    # What is a language model's own; two labels would come with the names of theirs.
    for name in ("architectures", "model_type", "transformers_version", "id2label", "label2id"):
        shape.pop(name, None)
    shape |= {"num_labels": 1, "prompt_end_token_id": tokenizer.convert_tokens_to_ids(PROMPT_END)}
    set_seed(settings.seed)
    model = ArenaRewardModel(ArenaRewardConfig(**shape))
    model.model.load_state_dict(language_model.model.state_dict())
    return model


def fit_bradley_terry(
    model: ArenaRewardModel,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[Pair],
    settings: RewardModelSettings,
) -> None:
    """Train the model in place to score the chosen above the rejected."""
    from trl import RewardConfig, RewardTrainer

    with training_arguments(settings) as arguments:
        config = RewardConfig(**arguments, center_rewards_coefficient=settings.centring)
        dataset = pair_dataset(tokenizer, pairs)
        run_silently(RewardTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer))
    model.eval()


def pair_dataset(tokenizer: PreTrainedTokenizerFast, pairs: Sequence[Pair]) -> Dataset:
    """Tokenised pairs, `chosen_ids` and `rejected_ids`, without an end of sequence: the model imagines it."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            f"{side}_ids": tokenizer([f"{pair.problem.prompt} {getattr(pair, side)}" for pair in pairs])["input_ids"]
            for side in ("chosen", "rejected")
        }
    )
