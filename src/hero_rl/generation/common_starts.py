"""Texts of a batch that begin alike, such as the samples of one prompt, go through a model as one as far as they do.

    share_starts(model)  # generate, forward and backward as before, with fewer tokens to compute

A causal model gives a token the same state whatever comes after it. So the start is computed once for all rows that
have it, and its keys and values are handed to each of them, gradients included. Results differ in last bits.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["best_start", "share_starts"]

_WORTH = 0.9
_NAMES = {"input_ids", "attention_mask", "position_ids", "past_key_values", "use_cache"}
_SWITCHED_OFF = (None, False)


def share_starts(model: Any) -> bool:
    """Have a model of transformers compute common starts once, in training as in generation.

    Args:
        model: causal language model; nothing changes where this was called before.

    Returns:
        Whether it does now. A model whose layers keep something else than all keys and values (sliding windows, linear
        attention) cannot.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    body = model.base_model
    if hasattr(body.forward, "whole"):
        return True
    if body is model or not inspect.signature(body.forward).parameters.keys() >= _NAMES:
        return False
    layers = DynamicCache(config=body.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return False
    body.forward = _sharing(body, body.forward)
    return True


def best_start(tokens: Tensor) -> tuple[int, Tensor, Tensor]:
    """Where to cut texts so that the fewest tokens are left, if equal starts count once.

    Args:
        tokens: [rows, length], whole numbers of at least 0.

    Returns:
        The start's length, at least 1 and less than that of the texts; a row for each different start, [starts]; and
        the number of each row's start, [rows].
    """
    rows, length = tokens.shape
    start = torch.zeros(rows, dtype=torch.long)
    best, left, length_of_best = start, rows * length + 1, 1
    for at, column in enumerate(tokens[:, :-1].cpu().long().T, 1):
        # Rows have the same number where all their tokens so far are the same.
        start = torch.unique(start * (int(column.max()) + 1) + column, return_inverse=True)[1]
        cost = (int(start.max()) + 1) * at + rows * (length - at)
        if cost < left:
            best, left, length_of_best = start, cost, at
    first = torch.full((int(best.max()) + 1,), rows).scatter_reduce(0, best, torch.arange(rows), "amin")
    return length_of_best, first.to(tokens.device), best.to(tokens.device)


def _sharing(body: Any, whole: Any) -> Any:
    """A forward pass in two: the different starts, then what follows in every row."""
    from transformers import DynamicCache

    @functools.wraps(whole)
    def forward(input_ids: Any = None, attention_mask: Any = None, **how: Any) -> Any:
        cache = how.get("past_key_values")
        if _other_in_training(body) or not _a_batch(input_ids, attention_mask, cache, how):
            return whole(input_ids=input_ids, attention_mask=attention_mask, **how)
        # A padded place is like no token.
        length, first, start = best_start((input_ids + 1) * (attention_mask != 0))
        rows, columns = input_ids.shape
        if len(first) * length + rows * (columns - length) > _WORTH * rows * columns:
            return whole(input_ids=input_ids, attention_mask=attention_mask, **how)
        if cache is None:
            how["past_key_values"] = DynamicCache(config=body.config)
        return _in_two(whole, input_ids, attention_mask, how, (length, first, start))

    forward.whole = whole  # type: ignore[attr-defined]
    return forward


def _in_two(whole: Any, ids: Tensor, mask: Tensor, how: dict[str, Any], cut: tuple[int, Tensor, Tensor]) -> Any:
    length, first, start = cut
    cache, wanted, places = how["past_key_values"], how.get("use_cache"), how.get("position_ids")
    how = how | {"use_cache": True}
    if places is not None:
        places = places.expand(len(ids), -1)
        how["position_ids"] = places[first, :length]
    begun = whole(input_ids=ids[first, :length], attention_mask=mask[first, :length], **how)
    cache.batch_select_indices(start)
    if places is not None:
        how["position_ids"] = places[:, length:]
    made = whole(input_ids=ids[:, length:], attention_mask=mask, **how)
    made.last_hidden_state = torch.cat([begun.last_hidden_state[start], made.last_hidden_state], dim=1)
    if wanted is False:
        made.past_key_values = None
    return made


def _a_batch(ids: Any, mask: Any, cache: Any, how: dict[str, Any]) -> bool:
    """Whether this is the beginning of some texts, with nothing asked of it but the last states."""
    return (
        ids is not None
        and ids.dim() == 2
        and min(ids.shape) > 1
        and mask is not None
        and mask.shape == ids.shape
        and (cache is None or cache.get_seq_length() == 0)
        and all(value in _SWITCHED_OFF for name, value in how.items() if name.startswith("output_"))
        and how.get("inputs_embeds") is None
        and (how.get("position_ids") is None or how["position_ids"].dim() == 2)
    )


def _other_in_training(body: Any) -> bool:
    """Whether a model that trains keeps no keys and values, to compute states again, or drops some by chance."""
    if not body.training:
        return False
    again = any(getattr(module, "gradient_checkpointing", False) for module in body.modules())
    return again or getattr(body.config, "attention_dropout", 0) > 0
