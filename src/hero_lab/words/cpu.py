"""Make a training step by TRL on the CPU faster; results differ in last bits.

train(config, callbacks=[Shortcuts()])
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback
from trl.trainer import utils

from hero_rl.generation.common_starts import share_starts
from hero_rl.generation.in_process import contiguous_head

__all__ = ["Shortcuts"]


class Shortcuts(TrainerCallback):
    """For a training by TRL on the CPU, in a process of its own, whose fused head stays changed."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Change this run's model, and TRL's head in this process."""
        model = kwargs["model"]
        _score_completions_alone()
        contiguous_head(model)
        share_starts(model)
        if args.bf16:
            model.generate = _cast_once(model.generate)


def _score_completions_alone() -> None:
    """Have TRL's fused head project only the positions that have a label, as it does on a GPU.

    Elsewhere it takes every position of prompt and padding, which are most, through the whole vocabulary, for the sake
    of devices that compile for each shape (`add_fused_lm_head` in trl/trainer/utils.py, TRL 1.16). A TRL without that
    head has nothing to change.
    """
    if hasattr(utils, "_use_triton"):
        utils._use_triton = lambda device: True


def _cast_once(generate: Any) -> Any:
    """Have weights rounded to bfloat16 once a call and not once a token.

    Autocast keeps them until the outermost block is left. Weights do not change within a call, so none is ever stale.
    """

    def within_one_block(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return generate(*args, **kwargs)

    return within_one_block
