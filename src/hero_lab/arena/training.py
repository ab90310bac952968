"""What both of the arena's trainings through TRL share: arguments fit for a small model on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from hero_lab.arena.settings import LanguageModelSettings, RewardModelSettings

__all__ = ["run_silently", "training_arguments"]


@contextmanager
def training_arguments(settings: LanguageModelSettings | RewardModelSettings) -> Iterator[dict[str, Any]]:
    """Arguments for a TRL trainer, to be built and run inside this context, after which nothing is left on disk.

    TRL turns bf16 and gradient checkpointing on by default; both only cost time here.
    """
    with TemporaryDirectory() as scratch:
        yield {
            "output_dir": scratch,
            "max_steps": settings.steps,
            "per_device_train_batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "weight_decay": settings.weight_decay,
            "warmup_steps": settings.steps // 20,
            "lr_scheduler_type": "linear",
            "max_grad_norm": 1.0,
            "seed": settings.seed,
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": False,
            # Nothing is too long; looking for it would cost one pass over the data.
            "max_length": None,
            "save_strategy": "no",
            "logging_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            # Worker processes would cost more than they save, and there is no device to pin memory for.
            "dataloader_num_workers": 0,
            "dataloader_pin_memory": False,
        }


def run_silently(trainer: Any) -> None:
    """Train without the summary that transformers prints at the end."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.train()
