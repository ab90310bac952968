"""Make a training step by TRL on the CPU faster; results differ in last bits.

config = TrainConfig(reward_model=JudgeOfGroups(path="runs/judge", device="cpu"), ...)
train(config, callbacks=[Shortcuts()])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import TrainerCallback
from trl.trainer import utils

from hero_rl.generation.common_starts import share_starts
from hero_rl.generation.in_process import contiguous_head
from hero_rl.reward_models import LocalRewardModel, LocalRewardModelConfig

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["JudgeOfGroups", "PlainHead", "Shortcuts"]

_TILED: Any = getattr(utils, "_ChunkedLogProbFunction", None)  # TRL's own, before anything is changed
_OUTPUTS = {"log_probs", "entropy", "is_top1"}


class Shortcuts(TrainerCallback):
    """For a training by TRL on the CPU, in a process of its own, where TRL stays changed."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Change this run's model, and TRL's head."""
        model = kwargs["model"]
        _score_completions_alone()
        contiguous_head(model)
        share_starts(model)
        if args.bf16:
            model.generate = _cast_once(model.generate)


class JudgeOfGroups(LocalRewardModelConfig):
    """A local reward model in which rollouts of one pass share their prompt.

    Completions are shorter than prompts here; where they are longer that does not pay
    (docs/benchmarks/shared_prompts.md).
    """

    def load(self) -> LocalRewardModel:
        """Load model and tokenizer, as `LocalRewardModelConfig` does."""
        judge = super().load()
        share_starts(judge.model)
        return judge


def _score_completions_alone() -> None:
    """Have TRL's fused head project only the positions that have a label, as it does on a GPU, and without tiles.

    Elsewhere TRL 1.16 takes every position of prompt and padding, which are most, through the whole vocabulary, for
    the sake of devices that compile for each shape (`add_fused_lm_head` in trl/trainer/utils.py). Other versions of
    TRL, which decide that otherwise, are left as they are.
    """
    if _TILED is not None and hasattr(utils, "_use_triton"):
        utils._use_triton = lambda device: True
        utils._ChunkedLogProbFunction = PlainHead


class PlainHead:
    """What the fused head of TRL 1.16 computes, from the logits of all positions at once.

    It projects tile by tile, so as not to hold the logits, and once more on the way back, with sums in float32. Here
    positions are few enough: 4 bytes x positions x vocabulary are kept for the way back, some 14 at the most at one
    time. Under autocast the weights' gradient is rounded as that of any layer is.
    """

    @staticmethod
    def apply(
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        temperature: float,
        tile: int,
        softcap: float | None,
        scale: float,
        outputs: tuple[str, ...],
    ) -> tuple[Tensor | None, ...]:
        """Log-probabilities, entropies, and whether a label is the likeliest token, each [positions] or None.

        Places 3 and 4 are None unless they are asked for: those, and logits that are capped, TRL's own head computes.
        """
        if softcap is not None or not _OUTPUTS.issuperset(outputs):
            return _TILED.apply(hidden, weight, bias, labels, temperature, tile, softcap, scale, outputs)
        kind = hidden.dtype  # the weights may be rounded, and the states not
        logits = functional.linear(hidden, weight.to(kind), None if bias is None else bias.to(kind)).float()
        factor = scale / temperature
        log_probs = (logits if factor == 1 else logits * factor).log_softmax(dim=-1)  # all that the way back keeps
        own = log_probs.gather(1, labels[:, None]).squeeze(1)
        entropy = checkpoint(_entropy, log_probs, use_reentrant=False) if "entropy" in outputs else None
        likeliest = log_probs.argmax(dim=-1) == labels if "is_top1" in outputs else None
        return own, entropy, None, None, likeliest


def _entropy(log_probs: Tensor) -> Tensor:
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def _cast_once(generate: Any) -> Any:
    """Have weights rounded to bfloat16 once a call and not once a token.

    Autocast keeps them until the outermost block is left. Weights do not change within a call, so none is ever stale.
    """

    def within_one_block(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return generate(*args, **kwargs)

    return within_one_block
