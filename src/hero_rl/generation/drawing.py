"""Drawing tokens with random numbers of each row's own, so that a row's company changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor

__all__ = ["SeededDraw"]


class SeededDraw(LogitsProcessor):
    """Draws the next token of each row and leaves it the only one possible, for a generation that takes the likeliest.

    Args:
        seeds: one a row.
        steps: draws of a row at most.
        temperature: above 0.
        top_p: tokens outside the smallest set of likeliest ones with this much probability are not drawn.
    """

    def __init__(self, seeds: Sequence[int], steps: int, temperature: float, top_p: float) -> None:
        # On the CPU, since the same seed gives other numbers on other devices.
        rows = [torch.rand(steps, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds]
        self._draws = torch.stack(rows)
        self._temperature = temperature
        self._top_p = top_p
        self._step = 0

    def __call__(self, input_ids: Int[Tensor, "B T"], scores: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
        """Logits that are 0 for the token drawn and minus infinity for all others."""
        draw = self._draws[:, self._step, None].to(scores.device)
        self._step += 1
        token = _drawn(scores, draw, self._temperature, self._top_p)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)


def _drawn(
    scores: Float[Tensor, "B V"], draw: Float[Tensor, "B 1"], temperature: float, top_p: float
) -> Int[Tensor, "B 1"]:
    """Tokens by the inverse of the cumulative distribution.

    Below a `top_p` of 1 tokens stand in the order of their likelihood. At 1 they stand in the order of the vocabulary,
    which is large and need not be sorted then.
    """
    probability = torch.softmax(scores.double() / temperature, dim=-1)
    if top_p >= 1:
        cumulative = probability.cumsum(dim=-1)
        # A draw is at most 1 - 2^-53, and that times the sum is rounded to less than the sum: a token is always left.
        return torch.searchsorted(cumulative, draw * cumulative[:, -1:], right=True)
    probability, order = probability.sort(dim=-1, descending=True, stable=True)
    cumulative = probability.cumsum(dim=-1)
    kept = (cumulative - probability < top_p).sum(dim=-1, keepdim=True)  # the likeliest token is always one of them
    mass = cumulative.gather(1, kept - 1)
    place = torch.searchsorted(cumulative, draw * mass, right=True)
    return order.gather(1, place.minimum(kept - 1))
