"""Processes that train one small model each, side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

__all__ = ["worker_pool"]


def worker_pool(workers: int, kernels: int = 0, threads: int = 1) -> ProcessPoolExecutor:
    """A pool of processes that end when this process does, however it ends.

    Args:
        workers: how many.
        kernels: that oneDNN keeps, each for one shape of input, where the environment does not say. They cost tens of
            MB a run, in processes of many runs; without them a backward pass in bfloat16 takes four times as long.
        threads: that torch uses in each. Small models lose time with more than one, and much of it on shared cores.
    """
    # Spawned, not forked: a fork of a process whose torch has threads may hang.
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (kernels, threads))


def _start(kernels: int, threads: int) -> None:
    # Ctrl-C reaches the workers too: the parent says so, and a traceback of each would bury its word.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(kernels))
    import torch

    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
