"""Keeping the libraries' own bars and notices out of a terminal that shows ours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Progress bars of datasets and transformers off, and back as they were; no deprecations that TRL causes itself."""
    import datasets
    from transformers.utils import logging as transformers_logging

    bars = datasets.are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # TRL calls gradient checkpointing by the name that every transformers it supports knows.
            warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
            yield
    finally:
        if not bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            transformers_logging.enable_progress_bar()
