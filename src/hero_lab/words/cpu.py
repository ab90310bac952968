"""Three detours of a step on the CPU, taken out: nothing that is computed changes but last bits.

train(config, callbacks=[Shortcuts()])
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback
from trl.trainer import utils

from hero_rl.generation import dense_head

__all__ = ["Shortcuts"]


class Shortcuts(TrainerCallback):
    """For a training by TRL on the CPU, in bfloat16 under autocast."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Change this run's model, and TRL's head in this process."""
        _score_what_counts()
        model = kwargs["model"]
        dense_head(model)
        model.generate = _cast_once(model.generate)


def _score_what_counts() -> None:
    """Have TRL's fused head project only the positions that have a label, as it does on a GPU.

    Elsewhere it takes every position of prompt and padding, which are most, through a vocabulary of 49,152, for the
    sake of devices that compile for each shape (`add_fused_lm_head`, trl/trainer/utils.py).
    """
    utils._use_triton = lambda device: True


def _cast_once(generate: Any) -> Any:
    """Have weights rounded to bfloat16 once a call and not once a token: autocast keeps them while a block is open."""

    def within_one_block(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return generate(*args, **kwargs)

    return within_one_block
