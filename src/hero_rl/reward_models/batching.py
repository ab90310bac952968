"""Token sequences in micro-batches: how many go together, how they lie, and what to do when memory runs out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hero_rl.background import in_steps, step
from hero_rl.reward_models.rendering import Tokens

__all__ = ["MicroBatches", "fitting", "packed", "padded"]

_logger = logging.getLogger(__name__)

# torch.OutOfMemoryError is CUDA's; the CPU's allocator says it in words, others on Linux than elsewhere.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


class MicroBatches:
    """Scores sequences in batches of like length that fit a budget of tokens, in smaller ones where memory is short.

    When a batch runs out of memory, the budget falls to half of what the batch took, for good: the next call would run
    out at the same place. A sequence that does not fit alone has no score.

    Attributes:
        forward: the scores (b,) of b sequences.
        token_budget: tokens in one forward pass; one longer sequence goes alone.
        pads: whether padding counts as tokens, being computed like any.
        counters: `out_of_memory`, forward passes that failed; `unfit`, sequences that failed alone.
    """

    def __init__(self, forward: Callable[[list[Tokens]], Tensor], token_budget: int, *, pads: bool = True) -> None:
        self.forward = forward
        self.token_budget = token_budget
        self.pads = pads
        self.counters: Counter[str] = Counter(out_of_memory=0, unfit=0)
        self._logged = False

    def scores(self, sequences: Sequence[Tokens]) -> Float[Tensor, " B"]:
        """Scores (B,), float32 on the CPU, in input order; NaN for what is empty or does not fit alone."""
        scores = torch.full((len(sequences),), float("nan"))
        with in_steps():
            for rows, part in self._batches(sequences):
                scores[rows] = part
        return scores

    def _batches(self, sequences: Sequence[Tokens]) -> Iterator[tuple[list[int], Tensor]]:
        # The longest come first, so that memory runs out in the first batch or not at all.
        lengths = [len(sequence) for sequence in sequences]
        order = sorted((row for row, length in enumerate(lengths) if length), key=lambda row: -lengths[row])
        start = 0
        while start < len(order):
            count = fitting((lengths[row] for row in islice(order, start, None)), self.token_budget, pads=self.pads)
            rows = order[start : start + count]
            part = self._attempt([sequences[row] for row in rows])
            if part is None and count > 1:
                self._lower([lengths[row] for row in rows])
                continue
            if part is None:
                self.counters["unfit"] += 1
            else:
                yield rows, part
            start += count

    def _attempt(self, sequences: list[Tokens]) -> Tensor | None:
        """The scores, or None where memory ran out."""
        try:
            with step():
                return self.forward(sequences)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            self._log_once(error)
        # Not above: until the exception is gone, its traceback keeps the tensors of the failed pass.
        self.counters["out_of_memory"] += 1
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _lower(self, lengths: list[int]) -> None:
        took = lengths[0] * len(lengths) if self.pads else sum(lengths)
        self.token_budget = took // 2

    def _log_once(self, error: BaseException) -> None:
        if not self._logged:
            _logger.warning(
                "the reward model ran out of memory with a budget of %d tokens, which is now halved, as often as it"
                " takes (logged once, counted always): %s",
                self.token_budget,
                str(error),  # who keeps the record is not to keep the exception
            )
        self._logged = True


def fitting(lengths: Iterable[int], token_budget: int, *, pads: bool = True) -> int:
    """How many of the first sequences fit the budget: at least one, if there is one.

    Args:
        lengths: tokens of each, falling; read only as far as they fit.
        token_budget: tokens that fit.
        pads: whether each takes as much as the longest.
    """
    total = longest = count = 0
    for count, length in enumerate(lengths):
        longest = longest or length
        total += longest if pads else length
        if count and total > token_budget:
            return count
    return count + bool(longest)


def padded(sequences: Sequence[Tokens], pad_id: int, side: str) -> tuple[Int[Tensor, "b L"], Int[Tensor, "b L"]]:
    """Token ids and mask, both (b, longest); the mask is 1 at real tokens.

    Args:
        sequences: token ids, none empty.
        pad_id: what fills the rest.
        side: "left" or "right", where the rest is.
    """
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), pad_id)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        real = slice(longest - len(sequence), None) if side == "left" else slice(len(sequence))
        ids[row, real] = torch.tensor(sequence)
        mask[row, real] = 1
    return ids, mask


def packed(sequences: Sequence[Tokens], device: torch.device) -> dict[str, Tensor | int]:
    """What a model of transformers takes for sequences that lie in one row, end to end, without padding.

    Positions restart with each sequence, by which attention without variable lengths tells them apart; attention with
    them goes by the cumulative lengths.

    Args:
        sequences: token ids, none empty.
        device: where the tensors go.
    """
    lengths = [len(sequence) for sequence in sequences]
    ends = torch.tensor([0, *lengths]).cumsum(dim=0)
    bounds = ends.to(device, torch.int32)
    return {
        "input_ids": torch.tensor([[token for sequence in sequences for token in sequence]]).to(device),
        "position_ids": torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0).to(device),
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)
