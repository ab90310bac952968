"""Where a model puts its score, and how the sequences have to lie for it: one class for each kind of model.

A score never depends on what else is in the batch: padding is masked or comes after all that is read, positions count
real tokens only, and sequences in one row do not see each other.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.errors import ConfigError
from hero_rl.reward_models.batching import packed, padded
from hero_rl.reward_models.rendering import Tokens

__all__ = ["Classifier", "Head", "NextToken", "OwnCode", "settle_padding"]

_ATTENTION_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


class Head:
    """Runs a model over sequences and reads one number of each.

    Attributes:
        model: a model of transformers, in eval mode.
        pad_id: the token to pad with; None takes one that ends no sequence, so that the last token is read.
        side: "left" or "right", where padding goes.
        masks: whether the model needs to be told what is padding.
        packs: whether sequences lie end to end in one row instead.
    """

    masks = True
    packs = False

    def __init__(self, model: Any, pad_id: int | None, side: str) -> None:
        self.model = model.eval()
        self.pad_id = pad_id
        self.side = side
        self._accepts = frozenset(inspect.signature(model.forward).parameters)

    @torch.inference_mode()
    def __call__(self, sequences: Sequence[Tokens]) -> Float[Tensor, " b"]:
        """Raw logits (b,) of b sequences, none empty; float32 on the CPU."""
        # Nothing is generated: keys and values of past tokens would only take memory.
        cache = {"use_cache": False} if "use_cache" in self._accepts else {}
        if self.packs:
            scores = self._read_packed(sequences, packed(sequences, self.model.device) | cache)
        else:
            scores = self._read_padded(sequences, self._padded(sequences) | cache)
        return scores.float().cpu()

    def _padded(self, sequences: Sequence[Tokens]) -> dict[str, Any]:
        ids, mask = padded(sequences, self._padding(sequences), self.side)
        inputs = {"input_ids": ids}
        if self.masks:
            inputs["attention_mask"] = mask
        if self.side == "left" and "position_ids" in self._accepts:
            # Left alone, learned positions would count the padding in front.
            inputs["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return {name: tensor.to(self.model.device) for name, tensor in inputs.items()}

    def _padding(self, sequences: Sequence[Tokens]) -> int:
        if self.pad_id is not None:
            return self.pad_id
        ends = {sequence[-1] for sequence in sequences}
        free = next(token for token in range(len(ends) + 1) if token not in ends)
        _set_padding(self.model, free)
        return free

    def _read_padded(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        raise NotImplementedError

    def _read_packed(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        raise NotImplementedError


class Classifier(Head):
    """A one-label `...ForSequenceClassification`, whose logit is that of the last token that is not padding.

    A model whose configuration names no padding reads the last token, whatever it is, end-of-sequence too.

    Where every layer attends to earlier tokens only, padding comes last and needs no mask, without which attention has
    faster kernels. Of other models it is tried out on which side padding leaves a score alone: encoders read the first
    token, some decoders the last.

    Raises:
        ConfigError: the model has not exactly one label.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        check_one_label(model.config.num_labels, type(model).__name__)
        causal = _is_causal(model)
        super().__init__(model, _own_padding(model), "right")
        self.masks = not causal
        if not causal:
            self._try_sides(tokenizer)
        self.packs = causal and _has_variable_lengths(model) and _pools_last(model)

    def _try_sides(self, tokenizer: Any) -> None:
        text, longer = (tokenizer("a b " * times)["input_ids"] for times in (1, 4))
        alone = self([text]).item()
        off = {}
        for self.side in ("right", "left"):
            off[self.side] = abs(self([text, longer])[0].item() - alone)
        self.side = min(off, key=lambda side: off[side])
        if not off[self.side] <= 0.05 * max(1.0, abs(alone)):
            raise ConfigError(f"{type(self.model).__name__}: its scores depend on padding, on either side: {off}")

    def _read_padded(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        return self.model(**inputs).logits.squeeze(-1)

    def _read_packed(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        # The model's own pooling reads one token a row; its parts are called one by one instead.
        hidden = self.model.base_model(**inputs).last_hidden_state[0]
        last = torch.tensor(_last(sequences, self.pad_id), device=hidden.device)
        return self.model.score(hidden[last]).squeeze(-1)


class OwnCode(Head):
    """A model of a checkpoint's own code: its output is one logit a sequence, or one a token.

    Qwen2.5-Math-RM gives one a sequence, which its code reads at the token before the first padding: hence padding on
    the right. Of one a token, the last real one's is the score.

    Raises:
        ConfigError: the output is neither, or there is no token to pad with.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, settle_padding(model, tokenizer), "right")
        word = tokenizer("a", add_special_tokens=False)["input_ids"]
        self([word, word * 3])  # says early what would fail late

    def _read_padded(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        output = self.model(**inputs)
        logits = output[0] if getattr(output, "logits", None) is None else output.logits
        rows, longest = inputs["input_ids"].shape
        if logits.shape in ((rows,), (rows, 1)):
            return logits.reshape(rows)
        if logits.shape in ((rows, longest), (rows, longest, 1)):
            last = [len(sequence) - 1 for sequence in sequences]
            return logits.reshape(rows, longest)[torch.arange(rows), last]
        raise ConfigError(
            f"{type(self.model).__name__} gives logits of shape {tuple(logits.shape)} for {rows} sequences of {longest}"
            " tokens; a reward model here gives one a sequence or one a token"
        )


class NextToken(Head):
    """A causal language model: the logit of one next token less that of another.

    Attributes:
        yes: id of the one.
        no: id of the other.

    Raises:
        ConfigError: there is no token to pad with.
    """

    def __init__(self, model: Any, tokenizer: Any, yes: int, no: int) -> None:
        # On the left, so that the last token is at the same place in each row.
        super().__init__(model, settle_padding(model, tokenizer), "left")
        self.yes = yes
        self.no = no
        self.packs = _is_causal(model) and _has_variable_lengths(model) and "logits_to_keep" in self._accepts

    def _read_padded(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        # Logits of all tokens over a whole vocabulary would take more memory than all else.
        keep = {"logits_to_keep": 1} if "logits_to_keep" in self._accepts else {}
        return self._difference(self.model(**inputs, **keep).logits[:, -1])

    def _read_packed(self, sequences: Sequence[Tokens], inputs: dict[str, Any]) -> Tensor:
        last = (inputs["cu_seq_lens_q"][1:] - 1).long()
        return self._difference(self.model(**inputs, logits_to_keep=last).logits[0])

    def _difference(self, logits: Tensor) -> Tensor:
        return logits[:, self.yes].float() - logits[:, self.no].float()


def settle_padding(model: Any, tokenizer: Any) -> int:
    """The id to pad with, set in the model's configuration, where its pooling looks for it.

    Raises:
        ConfigError: there is none.
    """
    config = model.config.get_text_config()
    # A checkpoint's own configuration may lack what it never needed.
    for pad_id in (getattr(config, "pad_token_id", None), tokenizer.pad_token_id, tokenizer.eos_token_id):
        if pad_id is not None:
            _set_padding(model, pad_id)
            return pad_id
    raise ConfigError("neither model nor tokenizer has a padding or an end-of-sequence token")


def _own_padding(model: Any) -> int | None:
    """The padding that the model's configuration names, for the whole model where it is one part's alone."""
    pad_id = getattr(model.config.get_text_config(), "pad_token_id", None)
    if pad_id is not None:
        _set_padding(model, pad_id)
    return pad_id


def _set_padding(model: Any, pad_id: int) -> None:
    model.config.get_text_config().pad_token_id = model.config.pad_token_id = pad_id


def check_one_label(labels: int, name: str) -> None:
    """Refuse a model with more outputs than one.

    Raises:
        ConfigError: labels is not 1.
    """
    if labels != 1:
        raise ConfigError(f"{name} has {labels} labels; a reward model here has exactly one")


def _last(sequences: Sequence[Tokens], pad_id: int | None) -> list[int]:
    """Where, in one row of all of them, each sequence has its last token that is not padding, as pooling has it."""
    places, start = [], 0
    for sequence in sequences:
        places.append(start + max(at for at, token in enumerate(sequence) if token != pad_id))
        start += len(sequence)
    return places


def _is_causal(model: Any) -> bool:
    """Whether every layer's attention is known to look back only, and nothing else carries over between tokens."""
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    flags = [module.is_causal for module in model.modules() if hasattr(module, "is_causal")]
    stateful = getattr(model, "_is_stateful", False) or not kinds <= _ATTENTION_LAYERS
    return bool(flags) and all(flags) and not stateful


def _has_variable_lengths(model: Any) -> bool:
    """Whether attention takes sequences end to end; others would mask a square as long as all of them together."""
    name = str(model.config._attn_implementation)
    return "flash_att" in name or "flash-att" in name  # "flash_attention_2", "kernels-community/vllm-flash-attn3"


def _pools_last(model: Any) -> bool:
    """Whether the logit is `score` of the base model's last hidden state, as in most of transformers."""
    from transformers.modeling_layers import GenericForSequenceClassification

    return type(model).forward is GenericForSequenceClassification.forward
