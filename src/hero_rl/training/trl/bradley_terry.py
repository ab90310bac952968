"""Bradley-Terry through TRL's `RewardTrainer`: preference pairs as a reward model reads them, and the trainer.

Pairs are tokenised as `LocalRewardModel` tokenises what it scores, so that what was trained is what is asked later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback
from transformers.trainer_callback import ProgressCallback
from trl import RewardConfig, RewardTrainer

from hero_rl.reward_models.rendering import Renderer
from hero_rl.training.rows.pairs import PreferencePair

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["ACCURACY", "PairTrainer", "tokenised"]

ACCURACY = "eval_pairwise_accuracy"
"""Metric: share of the held-out pairs whose chosen side scores higher."""


class PairTrainer(RewardTrainer):
    """TRL's trainer over tokenised pairs, quiet, with the held-out accuracy over pairs.

    TRL's own accuracy is a mean over batches, of which the last is short.

    Args:
        model: a one-label sequence classifier.
        tokenizer: its tokenizer.
        arguments: TRL's.
        train: what `tokenised` makes of the pairs to train on.
        held_out: of those to evaluate on; None for no evaluation.
        callbacks: of transformers.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        arguments: RewardConfig,
        train: Dataset,
        held_out: Dataset | None = None,
        callbacks: Sequence[Any] = (),
    ) -> None:
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )
        for noisy in (PrinterCallback, ProgressCallback):
            self.remove_callback(noisy)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No card: of a model from a folder, TRL's says that it was made from None."""

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate, with `ACCURACY` among the metrics."""
        self._right: list[torch.Tensor] = []
        return super().evaluate(*args, **kwargs)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """TRL's loss; in evaluation the pairs that are ranked right are kept."""
        outputs: Any
        right: Any
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if not model.training:
            chosen, rejected = outputs.logits.detach().squeeze(-1).chunk(2)
            right = self.accelerator.gather_for_metrics(chosen > rejected)
            self._right.append(right)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with `ACCURACY` where an evaluation is logged."""
        if "eval_loss" in logs:
            logs[ACCURACY] = torch.cat(self._right).float().mean().item()
        super().log(logs, start_time)


def tokenised(pairs: Sequence[PreferencePair], renderer: Renderer) -> tuple[Dataset, dict[str, int]]:
    """Token ids of both sides, `chosen_ids` and `rejected_ids`, without pairs that have nothing to tell apart.

    Returns:
        The rows, and counts: conversations that were cut (`truncated`), pairs of which a side has no tokens
        (`unrenderable`) and pairs whose sides are the same tokens (`alike_tokens`).
    """
    from datasets import Dataset

    chosen, cut_chosen = renderer.tokenize([pair.chosen for pair in pairs])
    rejected, cut_rejected = renderer.tokenize([pair.rejected for pair in pairs])
    rows, counts = [], {"truncated": cut_chosen + cut_rejected, "unrenderable": 0, "alike_tokens": 0}
    for better, worse in zip(chosen, rejected, strict=True):
        if not better or not worse:
            counts["unrenderable"] += 1
        elif better == worse:
            counts["alike_tokens"] += 1
        else:
            rows.append({"chosen_ids": better, "rejected_ids": worse})
    return Dataset.from_list(rows), counts
