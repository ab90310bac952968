"""What a reward model is here: chat messages in, raw logits out, NaN for what could not be scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float
from torch import Tensor

__all__ = ["Conversation", "Message", "RewardModel", "Scores"]

Message: TypeAlias = Mapping[str, Any]
"""One chat message: at least `role` and `content`."""

Conversation: TypeAlias = Sequence[Message]
"""Chat messages in order; the last one is the assistant's, and it is what is scored."""

Scores: TypeAlias = Float[Tensor, " B"]
"""Raw logits, float32 on the CPU, in the order of the conversations; NaN for what could not be scored."""


@runtime_checkable
class RewardModel(Protocol):
    """Scores conversations."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows counted since the object was made, never falling.

        `missing`: rows that got NaN. `truncated`: rows scored in part because they were too long. `nonfinite`: those of
        the missing rows whose logit was NaN or infinite. A model may count more.
        """
        ...

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """Raw logits (B,) in input order, NaN for what could not be scored; B may be 0."""
        ...
