"""What both of the arena's trainings through TRL share: arguments fit for a small model on a CPU, and quiet."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from hero_rl.arena.settings import LanguageModelSettings, RewardModelSettings

__all__ = ["training_arguments"]


@contextmanager
def training_arguments(settings: LanguageModelSettings | RewardModelSettings) -> Iterator[dict[str, Any]]:
    """Arguments for a TRL trainer, to be built and run inside this context: no output, nothing left on disk.

    TRL turns bf16 and gradient checkpointing on by default; both only cost time here.
    """
    with TemporaryDirectory() as scratch, _quiet():
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
            # Worker processes would cost more than they save, and there is no device to pin memory for.
            "dataloader_num_workers": 0,
            "dataloader_pin_memory": False,
        }


@contextmanager
def _quiet() -> Iterator[None]:
    """Progress bars of datasets and transformers off, and back as they were."""
    import datasets
    from transformers.utils import logging as transformers_logging

    bars = datasets.are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # The old name of the setting works with every transformers this project supports.
            warnings.filterwarnings("ignore", "`gradient_checkpointing` is deprecated", FutureWarning)
            yield
    finally:
        if not bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            transformers_logging.enable_progress_bar()
