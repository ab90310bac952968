"""A plugin with which vLLM's weights can be replaced on a CPU; vLLM loads it in each of its processes."""

from __future__ import annotations

import torch


def weights_stay() -> None:
    """Let every linear layer compute with its own weight, as vLLM does where neither of its fast kernels is there.

    vLLM on a CPU otherwise packs a copy of the weight for its kernels and drops the original, so that weights which a
    trainer sends have nowhere to go. vLLM's layers look the function up in its module when they have loaded.
    """
    from vllm.model_executor.layers import utils

    def dispatch(layer: torch.nn.Module, remove_weight: bool) -> None:
        layer.cpu_linear = torch.nn.functional.linear  # pyright: ignore[reportAttributeAccessIssue]

    utils.dispatch_cpu_unquantized_gemm = dispatch
