"""Llama-shaped language models and their supervised fine-tuning on demonstrations, through TRL's `SFTTrainer`."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from hero_lab.arena.demonstrations import demonstrate
from hero_lab.arena.settings import LanguageModelSettings
from hero_lab.arena.task import sample_problems, types_of
from hero_lab.arena.tokenizer import EOS, MAX_TOKENS, build_tokenizer
from hero_lab.arena.training import run_silently, training_arguments

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["build_language_model", "demonstration_dataset", "fine_tune", "train_language_model"]

# A label that the loss passes over.
_IGNORED = -100


def train_language_model(settings: LanguageModelSettings, folder: Path) -> None:
    """Train a language model from scratch and save it with its tokenizer."""
    tokenizer = build_tokenizer()
    model = build_language_model(settings, tokenizer)
    fine_tune(model, tokenizer, settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_language_model(settings: LanguageModelSettings, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A model with random weights in float32."""
    pad: Any = tokenizer.pad_token_id
    eos: Any = tokenizer.eos_token_id
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.d_model,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.d_ff,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=settings.tied,
        pad_token_id=pad,
        eos_token_id=eos,
        bos_token_id=None,
        dtype="float32",
    )
    set_seed(settings.seed)
    return LlamaForCausalLM(config)


def fine_tune(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, settings: LanguageModelSettings) -> None:
    """Train the model in place on fresh demonstrations of every type, with the loss on the completions only."""
    from trl import SFTConfig, SFTTrainer

    with training_arguments(settings) as arguments:
        config = SFTConfig(**arguments, packing=False)
        dataset = demonstration_dataset(tokenizer, settings)
        run_silently(SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer))
    model.eval()


def demonstration_dataset(tokenizer: PreTrainedTokenizerFast, settings: LanguageModelSettings) -> Dataset:
    """As many tokenised demonstrations as the training will see: `input_ids`, and `labels` that leave out the prompt.

    Tokenised here in one call, which takes a fraction of the trainer's one by one.
    """
    from datasets import Dataset

    rng = random.Random(f"demonstrations {settings.seed} {settings.slip}")
    count = settings.steps * settings.batch_size
    problems = list(islice(sample_problems(rng, types_of("mixed"), "train"), count))
    prompts = tokenizer([problem.prompt for problem in problems])["input_ids"]
    texts = [f"{demonstrate(rng, problem, settings.slip)} {EOS}" for problem in problems]
    completions = tokenizer(texts)["input_ids"]
    pairs = list(zip(prompts, completions, strict=True))
    return Dataset.from_dict(
        {
            "input_ids": [prompt + completion for prompt, completion in pairs],
            "labels": [[_IGNORED] * len(prompt) + completion for prompt, completion in pairs],
        }
    )
