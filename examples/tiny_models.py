"""Write a tiny random policy and a tiny random reward model, to try a configuration without downloading anything.

    python examples/tiny_models.py runs/tiny

Both are Qwen3-shaped, with a byte-level tokenizer and a chat template. They are untrained: a run on them shows that
every part of it works, not that it learns. Left out on purpose: a trained vocabulary, sensible initialisation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def byte_tokenizer(chat_template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """A tokenizer with one token a byte and five special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL[2:],
        chat_template=chat_template,
        padding_side="left",
    )


def tiny_config(**changes: Any) -> Qwen3Config:
    """A Qwen3 of two layers and 32 dimensions."""
    settings = {
        "vocab_size": 264,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
    }
    return Qwen3Config(**(settings | changes))


def write(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write `policy` and `reward_model` into a folder; returns both paths."""
    torch.manual_seed(seed)
    tokenizer = byte_tokenizer()
    written = []
    for name, model in (
        ("policy", Qwen3ForCausalLM(tiny_config())),
        ("reward_model", Qwen3ForSequenceClassification(tiny_config(num_labels=1))),
    ):
        path = folder / name
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        written.append(path)
    return written[0], written[1]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(*write(Path(sys.argv[1])), sep="\n")
