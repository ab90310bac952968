"""Texts of a batch that begin alike, such as the samples of one prompt, go through a model as one as far as they do.

    with starts_shared(model):
        model.generate(...)  # as before, with fewer tokens to compute

A causal model gives a token the same state whatever comes after it. So the start is computed once for all rows that
have it, and its keys and values are handed to each of them, gradients included. Results differ in last bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["best_start", "share_starts", "starts_shared"]

# Decoders that were tried: every layer keeps all keys and values, and nothing but tokens, mask and places goes in.
_KNOWN = {"llama", "mistral", "qwen2", "qwen3"}
_NOTHING: dict[str, Any] = dict.fromkeys(
    ("input_ids", "attention_mask", "position_ids", "past_key_values", "use_cache")
)
_BY_LENGTH = {"dynamic", "longrope"}  # how a place is encoded depends on the longest text of a pass
_LEAST_SPARED = 0.1  # of the tokens: a second pass has costs of its own


def share_starts(model: Any) -> bool:
    """Have a causal decoder of transformers compute common starts once, in training, generation and scoring.

    A pass that asks for more than last states, in which rows would drop different states by chance, which computes
    states again on the way back, or which several processes take part in, is left whole; so is one with little in
    common.

    Args:
        model: a language model or a classifier, which is changed: it keeps doing so until
            `del model.base_model.forward`. A pass holds keys and values of all its tokens meanwhile.

    Returns:
        Whether it does now: Llama, Mistral, Qwen2 and Qwen3 can, where no layer has a sliding window and places are
        not encoded by the length of a text.
    """
    from transformers import DynamicCache

    body = model.base_model
    if _is_shared(body):
        return True
    config = body.config
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if (
        config.model_type not in _KNOWN
        or not type(body).__module__.startswith("transformers.models.")
        or "forward" in vars(body)  # somebody else has changed it
        or not hasattr(body, "layers")  # a wrapper, which gives more than states
        or rope.get("rope_type") in _BY_LENGTH
        or not _keeps_all(DynamicCache(config=config))
    ):
        return False
    body.forward = partial(_forward, body)  # which, unlike a method, can be pickled under another name
    return True


@contextmanager
def starts_shared(model: Any) -> Iterator[None]:
    """The same for a while; a model that did so before goes on."""
    before = _is_shared(model.base_model)
    shared = share_starts(model)
    try:
        yield
    finally:
        if shared and not before:
            del model.base_model.forward


def best_start(tokens: Tensor) -> tuple[int, Tensor, Tensor]:
    """Where to cut texts so that the fewest tokens are left, if equal starts count once.

    Args:
        tokens: [rows, length], at least one row and two tokens, whole numbers of at least 0, on any device.

    Returns:
        The start's length, at least 1 and less than that of the texts; a row for each different start, [starts]; and
        the number of each row's start, [rows]. Both lie on the CPU.
    """
    rows, length = tokens.shape
    start = torch.zeros(rows, dtype=torch.long)
    best, left, length_of_best = start, rows * length + 1, 1
    for at, column in enumerate(tokens[:, :-1].cpu().long().T, 1):
        # Rows have the same number where all their tokens so far are the same.
        start = torch.unique(start * (int(column.max()) + 1) + column, return_inverse=True)[1]
        starts = int(start.max()) + 1
        cost = starts * at + rows * (length - at)
        if cost < left:
            best, left, length_of_best = start, cost, at
        if starts == rows:
            break  # from here on nothing is shared
    first = torch.full((int(best.max()) + 1,), rows).scatter_reduce(0, best, torch.arange(rows), "amin")
    return length_of_best, first, best


def _is_shared(body: Any) -> bool:
    return getattr(vars(body).get("forward"), "func", None) is _forward


def _forward(body: Any, *unnamed: Any, **given: Any) -> Any:
    """A body's pass in two: the different starts, then what follows in every row."""
    whole = MethodType(type(body).forward, body)
    if len(unnamed) == 1 and "input_ids" not in given:  # as classifiers call it
        given, unnamed = {"input_ids": unnamed[0]} | given, ()
    given = _NOTHING | given
    if unnamed or not _asks_little(given) or not _is_plain(body) or _in_company():
        return whole(*unnamed, **{name: value for name, value in given.items() if value is not None})
    ids, mask, places = (given[name] for name in ("input_ids", "attention_mask", "position_ids"))
    read = ids + 1 if mask is None else (ids + 1) * (mask != 0)  # a padded place is like no token
    length, first, start = best_start(read)
    tokens = len(first) * length + len(ids) * (ids.shape[1] - length)
    if tokens > (1 - _LEAST_SPARED) * ids.numel():
        return whole(**given)
    if places is not None:
        given["position_ids"] = places = places.expand(len(ids), -1)
        if not torch.equal(places[first][start, :length], places[:, :length]):
            return whole(**given)
    return _in_two(whole, given, length, first, start)


def _in_two(whole: Any, given: dict[str, Any], length: int, first: Tensor, start: Tensor) -> Any:
    from transformers import DynamicCache

    ids, mask, places, cache = (
        given[name] for name in ("input_ids", "attention_mask", "position_ids", "past_key_values")
    )
    cache = DynamicCache(config=whole.__self__.config) if cache is None else cache
    now = {"past_key_values": cache, "use_cache": True}
    begin, rest = (None, None) if places is None else (places[first, :length], places[:, length:])
    seen = None if mask is None else mask[first, :length]
    begun = whole(input_ids=ids[first, :length], attention_mask=seen, position_ids=begin, **now)
    cache.batch_select_indices(start)
    made = whole(input_ids=ids[:, length:], attention_mask=mask, position_ids=rest, **now)
    states = torch.cat([begun.last_hidden_state[start], made.last_hidden_state], dim=1)
    wanted = whole.__self__.config.use_cache if given["use_cache"] is None else given["use_cache"]
    return type(made)(last_hidden_state=states, past_key_values=cache if wanted else None)


def _asks_little(given: dict[str, Any]) -> bool:
    """Whether a pass begins some texts, and asks for nothing but their last states."""
    further = {name: value for name, value in given.items() if name not in _NOTHING}
    if further.pop("return_dict", None) is False or further.pop("is_causal", None) is False:  # on if nothing is said
        return False
    further.pop("cache_position", None)  # before 5.4; of a text that begins it counts the tokens, as a body does itself
    if any(value is not None and value is not False for value in further.values()):
        return False
    ids, mask, places, cache = (
        given[name] for name in ("input_ids", "attention_mask", "position_ids", "past_key_values")
    )
    tables = [one for one in (ids, mask, places) if one is not None]
    if ids is None or not all(isinstance(one, torch.Tensor) and one.dim() == 2 for one in tables):
        return False
    if min(ids.shape) < 2 or (mask is not None and mask.shape != ids.shape):
        return False
    if mask is None and places is not None:
        return False  # places that begin anew would part texts that lie in one row, but not beside a cache
    return cache is None or (_keeps_all(cache) and cache.get_seq_length() == 0)


def _keeps_all(cache: Any) -> bool:
    """Whether every layer keeps the keys and values of all tokens."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _is_plain(body: Any) -> bool:
    """Whether a model gives last states alone, and the same in every row.

    One that trains may keep no keys and values, to compute states again, or drop some of them by chance.
    """
    config = body.config
    if any(getattr(config, name, False) for name in ("output_hidden_states", "output_attentions")):
        return False
    if not getattr(config, "return_dict", True) or getattr(config, "is_causal", None) is False:
        return False
    if not body.training:
        return True
    return not (getattr(config, "attention_dropout", 0) or 0) and not any(
        getattr(module, "gradient_checkpointing", False) or (isinstance(module, torch.nn.Dropout) and module.p > 0)
        for module in body.modules()
    )


def _in_company() -> bool:
    """Whether a compiler reads this, or other processes compute the same pass, which all of them must cut alike."""
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.compiler.is_compiling() or (several and torch.distributed.get_world_size() > 1)
