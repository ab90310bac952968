"""Whether verl can hand a policy's weights to vLLM, or will wait for that for ever.

verl sends weights in buckets (verl/workers/rollout/vllm_rollout/bucketed_weight_transfer.py). Where a model's output
layer is its embedding, both names are sent, and vLLM from 0.29 on refuses a bucket with the second name and without the
first (vllm/model_executor/models/utils.py, `_check_skipped_aliases`). The embedding comes first and the output layer
last, so that all weights have to go into one bucket. vLLM's worker then has given up, and verl waits for its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.version import Version

from hero_rl.preflight.verl import NestedSettings, Objection

__all__ = ["transfer_objections"]

_BUCKET = "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes"
_USUAL_MEGABYTES = 2048
_MEGABYTE = 2**20
_REFUSING = Version("0.29")
_BYTES = {"fp32": 4, "float32": 4, "bf16": 2, "bfloat16": 2, "fp16": 2, "float16": 2}


def transfer_objections(config: Mapping[str, Any], *, offline: bool = False) -> Iterator[Objection]:
    """An objection if the weights of a policy with tied embeddings do not fit into one bucket.

    An error where the vLLM of this environment would refuse them, a warning where there is none to ask. The policy's
    configuration is read; where that cannot be had, nothing is said, and verl will say it.

    Args:
        config: verl's, as nested mappings; what it does not name is taken to be verl's default.
        offline: read it from a folder alone.
    """
    settings = NestedSettings(config)
    vllm = _vllm()
    path = settings.get("actor_rollout_ref.model.path")
    if settings.get("actor_rollout_ref.rollout.name") != "vllm" or (vllm and vllm < _REFUSING):
        return
    if not isinstance(path, str) or (offline and not Path(path).is_dir()):
        return
    dtype = settings.get("actor_rollout_ref.actor.fsdp_config.model_dtype", "fp32")
    numbers = _tied_numbers(path)
    given = settings.get(_BUCKET, _USUAL_MEGABYTES)
    needed = -(-numbers * _BYTES.get(str(dtype), 4) // _MEGABYTE)
    if not isinstance(given, int) or needed <= given:
        return
    which = f"vLLM {vllm}" if vllm else f"vLLM {_REFUSING} or later"
    yield Objection(
        "error" if vllm else "warning",
        _BUCKET,
        f"{given} MB hold less than the policy's {needed:,} MB of {dtype} weights, whose embeddings are tied: {which} "
        f"refuses such a transfer in parts, and verl then hangs for ever. Set it to {needed} or more (every GPU of the "
        f"rollout gives that much for a while), or use a vLLM before {_REFUSING}",
    )


def _vllm() -> Version | None:
    """The version of vLLM; None where it is not installed."""
    try:
        return Version(version("vllm"))
    except PackageNotFoundError:
        return None


@lru_cache(maxsize=4)
def _tied_numbers(path: str) -> int:
    """Numbers that are sent for a model with tied embeddings, the embedding twice.

    0 for another one, or one that cannot be had or would run code of its own, which no check of settings is for.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(path)
        if not getattr(config.get_text_config(), "tie_word_embeddings", False):
            return 0
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError):
        return 0
    return sum(weight.numel() for weight in model.state_dict().values())
