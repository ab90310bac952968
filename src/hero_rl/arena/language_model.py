"""Llama-shaped language models and their supervised fine-tuning on demonstrations, through TRL's `SFTTrainer`."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from hero_rl.arena.demonstrations import demonstrate
from hero_rl.arena.settings import LanguageModelSettings
from hero_rl.arena.task import sample_problems, types_of
from hero_rl.arena.tokenizer import EOS, MAX_TOKENS, build_tokenizer

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["build_language_model", "demonstration_dataset", "fine_tune", "train_language_model", "training_arguments"]


def train_language_model(settings: LanguageModelSettings, folder: Path) -> None:
    """Train a language model from scratch and save it with its tokenizer."""
    tokenizer = build_tokenizer()
    model = build_language_model(settings, tokenizer)
    fine_tune(model, tokenizer, settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_language_model(settings: LanguageModelSettings, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A model with random weights in float32."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.d_model,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.d_ff,
        max_position_embeddings=MAX_TOKENS,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        dtype="float32",
    )
    set_seed(settings.seed)
    return LlamaForCausalLM(config)


def fine_tune(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, settings: LanguageModelSettings) -> None:
    """Train the model in place on fresh demonstrations of every type, with the loss on the completions only."""
    from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportPrivateImportUsage]

    with TemporaryDirectory() as scratch:
        config = SFTConfig(
            **training_arguments(settings, scratch),
            weight_decay=0.0,
            completion_only_loss=True,
            packing=False,
        )
        dataset = demonstration_dataset(tokenizer, settings)
        SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer).train()
    model.eval()


def training_arguments(settings: Any, scratch: str) -> dict[str, Any]:
    """Trainer arguments for a small model on a CPU.

    TRL turns bf16 and gradient checkpointing on by default; both cost time here, and bf16 the small gradients too.
    """
    return {
        "output_dir": scratch,
        "max_steps": settings.steps,
        "per_device_train_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.steps // 20,
        "lr_scheduler_type": "linear",
        "max_grad_norm": 1.0,
        "seed": settings.seed,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_length": MAX_TOKENS,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        # The batches are tiny: worker processes cost more than they save, and there is nothing to pin them for.
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
    }


def demonstration_dataset(tokenizer: PreTrainedTokenizerFast, settings: LanguageModelSettings) -> Dataset:
    """As many tokenised demonstrations as the training will see: `input_ids` and `completion_mask`.

    Tokenised here in one call; the trainer would take them one by one.
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
            "completion_mask": [[0] * len(prompt) + [1] * len(completion) for prompt, completion in pairs],
        }
    )
