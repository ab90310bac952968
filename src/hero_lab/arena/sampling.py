"""Sampling completions of the arena's prompts, many at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["MAX_COMPLETION_TOKENS", "sample_completions"]

MAX_COMPLETION_TOKENS = 14
"""Tokens of the longest demonstration, the end of sequence included."""


def sample_completions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    samples: int = 1,
    temperature: float = 1.0,
    seed: int = 0,
    batch_size: int = 1024,
) -> list[list[str]]:
    """`samples` completions of each prompt, in the prompts' order; temperature 0 decodes greedily.

    The global random state is left as it was.
    """
    rows = [prompt for prompt in prompts for _ in range(samples)]
    completions: list[str] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(rows), batch_size):
            completions += _sample_batch(model, tokenizer, rows[start : start + batch_size], temperature)
    return [completions[start : start + samples] for start in range(0, len(completions), samples)]


@torch.inference_mode()
def _sample_batch(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[str], temperature: float
) -> list[str]:
    inputs = tokenizer(prompts, return_tensors="pt", padding=True)
    # Generation defaults cut the tail off the distribution; sampling here means sampling all of it.
    how = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
    ids = model.generate(  # pyright: ignore[reportCallIssue]
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        max_new_tokens=MAX_COMPLETION_TOKENS,
        pad_token_id=tokenizer.pad_token_id,
        **({"do_sample": False} | how),
    )
    return tokenizer.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
