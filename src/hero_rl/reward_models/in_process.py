"""What reward models in this process have in common: settings, loading, and the way from conversations to scores."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from hero_rl.background import in_steps
from hero_rl.errors import ConfigError
from hero_rl.foreign import loading
from hero_rl.reward_models.base import Conversation, Scores
from hero_rl.reward_models.batching import MicroBatches
from hero_rl.reward_models.heads import Head
from hero_rl.reward_models.rendering import Renderer, Tokens

__all__ = ["InProcessConfig", "InProcessRewardModel", "check_checkpoint"]

# A GPU needs many tokens to be busy; on a CPU they would leave its caches (docs/benchmarks/reward_models.md).
_GPU_BUDGET = 16384
_CPU_BUDGET = 2048


class InProcessConfig(BaseModel):
    """Where a model comes from and how it runs.

    Attributes:
        path: folder, or name on the Hugging Face hub.
        revision: branch, tag or commit on the hub.
        trust_remote_code: run Python code that comes with the checkpoint. Off unless you say so.
        dtype: of the weights; "auto" is what the checkpoint was saved in, which is bfloat16 for most.
        device: "auto" is this process's GPU if there is one, else the CPU.
        attention: "auto" is transformers' choice; else the name of an implementation, such as "sdpa". With
            "flash_attention_2", "flash_attention_3" or flash attention of the `kernels` library, sequences are scored
            without padding.
        token_budget: tokens in one forward pass, padding included; one longer conversation goes alone. None is 16,384
            on a GPU and 2,048 on a CPU. Halved for good where memory runs out.
        max_tokens: a longer conversation loses its middle; None is the model's own limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    revision: str | None = None
    trust_remote_code: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    attention: Annotated[str, Field(min_length=1)] = "auto"
    token_budget: Annotated[int, Field(gt=0)] | None = None
    max_tokens: Annotated[int, Field(gt=1)] | None = None

    def _load(self, auto_class: Any) -> tuple[Any, Any]:
        """Model, on its device, and tokenizer."""
        from transformers import AutoTokenizer

        device = _device(self.device)
        source = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
        check_checkpoint(self.path)
        with loading(f"path: no tokenizer can be loaded from {self.path}"):
            tokenizer = AutoTokenizer.from_pretrained(self.path, **source)
        if not tokenizer("yes, 1", add_special_tokens=False)["input_ids"]:
            raise ConfigError(f"path: {self.path} has no tokenizer; save it into the model's folder")
        attention = {} if self.attention == "auto" else {"attn_implementation": self.attention}
        with loading(f"path: no model can be loaded from {self.path}"):
            try:
                model, found = auto_class.from_pretrained(
                    self.path, dtype=self.dtype, output_loading_info=True, **source, **attention
                )
            except (ImportError, ValueError) as error:
                if not attention:
                    raise
                raise ConfigError(f"attention: {self.path} does not load with {self.attention}: {error}") from error
        if "flash" in self.attention and model.dtype == torch.float32:
            raise ConfigError(f"attention: {self.attention} needs dtype bfloat16 or float16; the weights are float32")
        if found["missing_keys"]:
            # Transformers fills what a checkpoint lacks with random numbers, and the scores would be as random.
            missing = ", ".join(sorted(found["missing_keys"]))
            raise ConfigError(f"{self.path} is no trained reward model: the checkpoint lacks {missing}")
        return model.to(device), tokenizer


def check_checkpoint(path: str) -> None:
    """Refuse a folder that is none or holds no model.

    Raises:
        ConfigError: the message says where one lies, if it is in the folder's `model`.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        if path.startswith(("/", ".", "~")) or folder.exists():
            raise ConfigError(f"path: {path}: no such folder")
        return
    if not (folder / "config.json").is_file():
        inside = folder / "model"
        hint = f"; did you mean {inside}?" if (inside / "config.json").is_file() else ""
        raise ConfigError(f"path: {path} holds no model: it has no config.json{hint}")


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
        those that did not fit in memory, each alone. `out_of_memory` counts no rows but forward passes that failed.
        """
        return dict(self._counters) | dict(self._micro_batches.counters)

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


def _device(name: str) -> torch.device:
    """The device with its index: in another thread a bare "cuda" is GPU 0, whatever the main thread's is.

    Raises:
        ConfigError: there is no such device here.
    """
    if name not in ("auto", "cuda") or not torch.cuda.is_available():
        try:
            return torch.empty(0, device="cpu" if name == "auto" else name).device
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"device: {name!r} is not to be had here: {error}") from None
    local_rank = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    return torch.device("cuda", local_rank % torch.cuda.device_count())
