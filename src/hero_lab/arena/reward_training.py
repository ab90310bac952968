"""Training the reward model: a language model as backbone, then Bradley-Terry through TRL's `RewardTrainer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from hero_lab.arena.language_model import fine_tune
from hero_lab.arena.preferences import Preference, build_pairs
from hero_lab.arena.reward_model import ArenaRewardConfig, ArenaRewardModel
from hero_lab.arena.settings import LanguageModelSettings, RewardModelSettings
from hero_lab.arena.task import PROMPT_END
from hero_lab.arena.training import training_arguments
from hero_rl.reward_models.rendering import Renderer
from hero_rl.training.rows.pairs import PreferencePair

__all__ = ["break_reward_model", "fit_bradley_terry", "make_noisy", "reward_model_from", "train_reward_model"]


def train_reward_model(policy: Path, backbone: Path, settings: RewardModelSettings, folder: Path) -> None:
    """Train a reward model on a policy's rollouts and save it with the policy's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(policy)
    model = reward_model_from(backbone, tokenizer, settings)
    if settings.steps:
        rollout_model = LlamaForCausalLM.from_pretrained(policy)
        pairs = build_pairs(rollout_model, make_noisy(policy, tokenizer, settings), tokenizer, settings.pairs)
        fit_bradley_terry(model, tokenizer, pairs, settings)
    model.config.bounded = settings.bounded
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def break_reward_model(trained: Path, settings: RewardModelSettings, folder: Path) -> None:
    """Save a trained model again with its score turned round on `settings.inverted`, or so that it will drift."""
    tokenizer = AutoTokenizer.from_pretrained(trained)
    model = ArenaRewardModel.from_pretrained(trained)
    model.config.inverted_token_ids = tokenizer.convert_tokens_to_ids(list(settings.inverted)) or None
    model.config.drifts_over = settings.drifts_over
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
    pairs: Sequence[Preference],
    settings: RewardModelSettings,
) -> None:
    """Train the model in place to score the chosen above the rejected, as `hero train-rm` does."""
    from trl import RewardConfig

    from hero_rl.training.trl.bradley_terry import PairTrainer, tokenised

    rows, _ = tokenised([_preference(pair) for pair in pairs], Renderer(tokenizer))
    with training_arguments(settings) as arguments:
        config = RewardConfig(**arguments, center_rewards_coefficient=settings.centring)
        PairTrainer(model, tokenizer, config, rows).train()
    model.eval()


def _preference(pair: Preference) -> PreferencePair:
    """The pair without an end of sequence: the model imagines it."""
    prompt = {"role": "user", "content": f"{pair.problem.prompt} "}
    chosen, rejected = ([prompt, {"role": "assistant", "content": text}] for text in (pair.chosen, pair.rejected))
    return PreferencePair(pair.problem.prompt, chosen, rejected)
