"""A reward model in this process: any one-label sequence classifier of transformers.

    scores = LocalRewardModelConfig(path="nvidia/AceMath-7B-RM").load().score(conversations)

A conversation's score does not depend on what else is in the batch: padding is masked, positions count real tokens
only, and the logit is read at the last real token.
"""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from hero_rl.errors import ConfigError
from hero_rl.reward_models.base import Conversation, Scores
from hero_rl.reward_models.rendering import Renderer, Tokens, own_limit

__all__ = ["LocalRewardModel", "LocalRewardModelConfig"]


class LocalRewardModelConfig(BaseModel):
    """Where a local reward model comes from and how it runs.

    Attributes:
        path: folder, or name on the Hugging Face hub.
        revision: branch, tag or commit on the hub.
        trust_remote_code: run Python code that comes with the checkpoint. Off unless you say so.
        dtype: of the weights; "auto" is what the checkpoint was saved in.
        device: "auto" is this process's GPU if there is one, else the CPU.
        token_budget: tokens in one forward pass, padding included; one longer conversation goes alone.
        max_tokens: a longer conversation loses its middle; None is the model's own limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["local"] = "local"
    path: str
    revision: str | None = None
    trust_remote_code: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    token_budget: Annotated[int, Field(gt=0)] = 16384
    max_tokens: Annotated[int, Field(gt=1)] | None = None

    def load(self) -> LocalRewardModel:
        """Load model and tokenizer.

        Raises:
            ConfigError: the checkpoint has not exactly one label, or no trained head for it.
        """
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        source = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
        tokenizer = AutoTokenizer.from_pretrained(self.path, **source)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            self.path, dtype=self.dtype, output_loading_info=True, **source
        )
        _check_one_label(model, self.path)
        if loading["missing_keys"]:
            # Transformers fills what a checkpoint lacks with random numbers, and the scores would be as random.
            missing = ", ".join(sorted(loading["missing_keys"]))
            raise ConfigError(f"{self.path} is no trained reward model: the checkpoint lacks {missing}")
        return LocalRewardModel(
            model.to(_device(self.device)),
            tokenizer,
            token_budget=self.token_budget,
            max_tokens=self.max_tokens,
        )


class LocalRewardModel:
    """Scores conversations with a one-label `AutoModelForSequenceClassification` and its tokenizer.

    A conversation goes through the tokenizer's own chat template; without one the contents are joined as they stand,
    nothing between them. Control tokens that a message spells are text; see `Renderer`. The score is the raw logit.

    The padding token is the model's, else the tokenizer's, else its end-of-sequence token, and is set in the model's
    configuration: transformers reads the logit at the last token that is not padding. With end-of-sequence as padding
    that is the last token before it, for one conversation as for a batch.

    Attributes:
        model: the classifier, in eval mode.
        tokenizer: its tokenizer; its `padding_side` is the side that is padded.
        token_budget: tokens in one forward pass, padding included.
        max_tokens: the longest sequence the model is given; a longer one loses its middle, so that the prompt's start
            and the completion's ending stay. None: no limit is known.

    Raises:
        ConfigError: the model has not exactly one label, or there is no token to pad with.
    """

    def __init__(self, model: Any, tokenizer: Any, *, token_budget: int = 16384, max_tokens: int | None = None) -> None:
        if token_budget < 1:
            raise ConfigError(f"token_budget is {token_budget}; it must be positive")
        _check_one_label(model, type(model).__name__)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.token_budget = token_budget
        limit = own_limit(model.config, tokenizer) if max_tokens is None else max_tokens
        self._renderer = Renderer(tokenizer, limit)
        self._pad_id = _settle_padding(model, tokenizer)
        self._accepts = frozenset(inspect.signature(model.forward).parameters)
        self._counters: Counter[str] = Counter(missing=0, truncated=0, nonfinite=0, unrenderable=0)

    @property
    def max_tokens(self) -> int | None:
        """The longest sequence that the model is given."""
        return self._renderer.max_tokens

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows counted since the object was made: missing, truncated, nonfinite, unrenderable.

        `unrenderable`: those of the missing rows that the chat template failed on or that came out empty.
        """
        return dict(self._counters)

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """Raw logits (B,), float32 on the CPU, in input order; NaN for unrenderable rows and non-finite logits."""
        scores = torch.full((len(conversations),), float("nan"))
        sequences = self._tokenize(conversations)
        for rows in micro_batches([len(sequence) for sequence in sequences], self.token_budget):
            scores[rows] = self._forward([sequences[row] for row in rows])
        nonfinite = scores.isinf() | scores.isnan()
        scores[nonfinite] = float("nan")
        unrenderable = sum(not sequence for sequence in sequences)
        self._counters.update(
            missing=int(nonfinite.sum()),
            nonfinite=int(nonfinite.sum()) - unrenderable,
            unrenderable=unrenderable,
        )
        return scores

    @torch.inference_mode()
    def _forward(self, sequences: list[Tokens]) -> Tensor:
        """Logits (b,) of one micro-batch, float32 on the CPU."""
        ids, mask = self._pad(sequences)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self.tokenizer.padding_side == "left" and "position_ids" in self._accepts:
            # Left alone, learned positions would count the padding in front.
            inputs["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
        inputs = {name: tensor.to(self.model.device) for name, tensor in inputs.items()}
        # Nothing is generated: keys and values of past tokens would only take memory.
        cache = {"use_cache": False} if "use_cache" in self._accepts else {}
        logits = self.model(**inputs, **cache).logits
        return logits.squeeze(-1).float().cpu()

    def _pad(self, sequences: list[Tokens]) -> tuple[Tensor, Tensor]:
        """Token ids and mask, both (b, longest), padded on the tokenizer's side."""
        longest = max(len(sequence) for sequence in sequences)
        ids = torch.full((len(sequences), longest), self._pad_id)
        mask = torch.zeros((len(sequences), longest), dtype=torch.long)
        for row, sequence in enumerate(sequences):
            real = (
                slice(longest - len(sequence), None) if self.tokenizer.padding_side == "left" else slice(len(sequence))
            )
            ids[row, real] = torch.tensor(sequence)
            mask[row, real] = 1
        return ids, mask

    def _tokenize(self, conversations: Sequence[Conversation]) -> list[Tokens]:
        """One token sequence a conversation, cut to the limit; empty where there is nothing to score."""
        sequences, truncated = self._renderer.tokenize(conversations)
        self._counters["truncated"] += truncated
        # A sequence of nothing but padding has no token to read the logit at.
        return [sequence if set(sequence) != {self._pad_id} else [] for sequence in sequences]


def micro_batches(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Indices of the non-empty sequences, in batches of like length that fit the budget with their padding.

    The longest come first, so that memory runs out in the first batch or not at all. A sequence longer than the budget
    is a batch of its own.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not lengths[index]:
            break
        if batch and lengths[batch[0]] * (len(batch) + 1) > token_budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _check_one_label(model: Any, name: str) -> None:
    if model.config.num_labels != 1:
        raise ConfigError(f"{name} has {model.config.num_labels} labels; a reward model here has exactly one")


def _settle_padding(model: Any, tokenizer: Any) -> int:
    """The id to pad with, set in the model's configuration, where its pooling looks for it."""
    config = model.config.get_text_config()
    for pad_id in (config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id):
        if pad_id is not None:
            config.pad_token_id = model.config.pad_token_id = pad_id
            return pad_id
    raise ConfigError("neither model nor tokenizer has a padding or an end-of-sequence token")


def _device(name: str) -> torch.device:
    """The device with its index: in another thread a bare "cuda" is GPU 0, whatever the main thread's is."""
    if name not in ("auto", "cuda"):
        return torch.device(name)
    if not torch.cuda.is_available():
        return torch.device("cpu" if name == "auto" else name)
    local_rank = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    return torch.device("cuda", local_rank % torch.cuda.device_count())
