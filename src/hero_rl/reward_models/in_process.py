"""What reward models in this process have in common: settings, loading, and the way from conversations to scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from hero_rl.background import in_steps
from hero_rl.checkpoints import Checkpoint
from hero_rl.errors import ConfigError
from hero_rl.reward_models.base import Conversation, Scores
from hero_rl.reward_models.batching import MicroBatches
from hero_rl.reward_models.heads import Head
from hero_rl.reward_models.rendering import OtherParts, Renderer, Tokens

__all__ = ["InProcessConfig", "InProcessRewardModel"]

# A GPU needs many tokens to be busy; on a CPU they would leave its caches (docs/benchmarks/reward_models.md).
_GPU_BUDGET = 16384
_CPU_BUDGET = 2048


class InProcessConfig(Checkpoint):
    """Where a model comes from and how it runs.

    Attributes:
        attention: "auto" is transformers' choice; else the name of an implementation, such as "sdpa". With
            "flash_attention_2", "flash_attention_3" or flash attention of the `kernels` library, sequences are scored
            without padding.
        token_budget: tokens in one forward pass, padding included; one longer conversation goes alone. None is 16,384
            on a GPU and 2,048 on a CPU. Halved for good where memory runs out.
        max_tokens: a longer conversation loses its middle; None is the model's own limit.
        other_parts: a conversation with a part that is no text, an image say, has no score ("refuse"), or that of its
            text, and the parts are counted ("leave_out").
    """

    token_budget: Annotated[int, Field(gt=0)] | None = None
    max_tokens: Annotated[int, Field(gt=1)] | None = None
    other_parts: OtherParts = "refuse"


class InProcessRewardModel:
    """Renders conversations, and scores the tokens in micro-batches.

    Attributes:
        tokenizer: the model's tokenizer.

    Raises:
        ConfigError: token_budget is not positive.
    """

    def __init__(self, head: Head, renderer: Renderer, token_budget: int | None) -> None:
        if token_budget is None:
            token_budget = _CPU_BUDGET if head.model.device.type == "cpu" else _GPU_BUDGET
        if token_budget < 1:
            raise ConfigError(f"token_budget is {token_budget}; it must be positive")
        self.tokenizer = renderer.tokenizer
        self._head = head
        self._renderer = renderer
        self._micro_batches = MicroBatches(head, token_budget, pads=not head.packs)
        self._counters: Counter[str] = Counter(missing=0, truncated=0, nonfinite=0, unrenderable=0)

    @property
    def model(self) -> Any:
        """The model, in eval mode."""
        return self._head.model

    @property
    def max_tokens(self) -> int | None:
        """The longest sequence that the model is given."""
        return self._renderer.max_tokens

    @property
    def token_budget(self) -> int:
        """Tokens in one forward pass, padding included; lower than set where memory ran out."""
        return self._micro_batches.token_budget

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows counted since the object was made: missing, truncated, nonfinite, unrenderable, unfit, out_of_memory.

        `unrenderable`: those of the missing rows that the chat template failed on or that came out empty. `unfit`:
        those that did not fit in memory, each alone. `out_of_memory` counts no rows but forward passes that failed,
        `parts_left_out` parts of messages that are no text.
        """
        left_out = {"parts_left_out": self._renderer.left_out}
        return dict(self._counters) | dict(self._micro_batches.counters) | left_out

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """Scores (B,), float32 on the CPU, in input order; NaN where there is none, by a reason that is counted."""
        unfit_before = self._micro_batches.counters["unfit"]
        with in_steps():
            sequences = self._tokenize(conversations)
        scores = self._micro_batches.scores(sequences)
        missing = ~scores.isfinite()
        scores[missing] = float("nan")
        unrenderable = sum(not sequence for sequence in sequences)
        unfit = self._micro_batches.counters["unfit"] - unfit_before
        self._counters.update(
            missing=int(missing.sum()),
            nonfinite=int(missing.sum()) - unrenderable - unfit,
            unrenderable=unrenderable,
        )
        return scores

    def _tokenize(self, conversations: Sequence[Conversation]) -> list[Tokens]:
        """One token sequence a conversation, cut to the limit; empty where there is nothing to score."""
        sequences, truncated = self._renderer.tokenize(conversations)
        self._counters["truncated"] += truncated
        # A sequence of nothing but padding has no token to read the logit at.
        return [sequence if set(sequence) != {self._head.pad_id} else [] for sequence in sequences]
