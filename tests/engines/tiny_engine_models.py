"""A policy that answers with a digit or two, a policy that judges, and a reward model, in shapes that vLLM's CPU takes.

Attention of vLLM on a CPU wants heads of 32 dimensions or more, and verl asks a Qwen's tokenizer for tokens that the
byte tokenizer lacks: so all are small Llamas. A policy here is a bigram with a little noise from its layers: random
weights would only ever write bytes, and no group would hold a right answer.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from tiny_models import byte_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

Chain = dict[str, dict[str, float]]
"""What follows a token, with its probability."""

END, ASSISTANT = "<|end|>", "<|assistant|>"

ANSWERS: Chain = {
    ASSISTANT: {"4": 0.4, "7": 0.3, "1": 0.3},
    "4": {END: 0.9, "0": 0.1},
    "7": {END: 0.6, "1": 0.4},
    "1": {END: 0.5, "0": 0.5},
    "0": {END: 0.8, "7": 0.2},
}
"""Of a policy: 4 is its usual answer, 7, 1, 40, 71, 10 are others; none has three digits that are all 9."""

VERDICTS: Chain = {ASSISTANT: {"T": 1.0}, "T": {"r": 1.0}, "r": {"u": 1.0}, "u": {"e": 1.0}, "e": {END: 1.0}}
"""Of a judge: it says True."""

_SHAPE = {
    "hidden_size": 320,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 10,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
_SURE = 14.0  # logits: what is not in the chain has together about 0.02% of the probability


def write_policy(folder: Path, chain: Chain, **changes: object) -> Path:
    """Write a policy that writes by a chain, and its tokenizer."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    vocabulary = len(tokenizer)
    model = LlamaForCausalLM(
        LlamaConfig(**(_SHAPE | {"vocab_size": vocabulary, "architectures": ["LlamaForCausalLM"]} | changes))
    )
    with torch.no_grad():
        # A token's dimension holds sqrt(width) after the last norm, give or take what the layers add.
        width = model.config.hidden_size
        model.model.embed_tokens.weight[:, :vocabulary].add_(torch.eye(vocabulary))
        for token, following in chain.items():
            for follower, probability in following.items():
                row, column = (tokenizer.convert_tokens_to_ids(one) for one in (follower, token))
                model.lm_head.weight[row, column] = (_SURE + math.log(probability)) / math.sqrt(width)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_reward_model(folder: Path) -> Path:
    """Write a random reward model whose scores of different texts are a few logits apart, and its tokenizer."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(1)
    settings = _SHAPE | {"vocab_size": len(tokenizer), "hidden_size": 64, "num_attention_heads": 2, "num_labels": 1}
    model = LlamaForSequenceClassification(LlamaConfig(**settings, initializer_range=0.15))
    with torch.no_grad():
        model.score.weight.normal_(0, 0.6)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
