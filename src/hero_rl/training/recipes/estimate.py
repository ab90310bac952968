"""Memory and time of a recipe for one GPU, by arithmetic: nothing of it was measured on a GPU.

print(estimate(compose("one-gpu/qwen3-0.6b/gsm8k/gated-hero")))

Memory is the sum of what may be there at once, each part at its largest; what CUDA takes for itself, and the reward
model's activations, are left out. Time is that of the steps; loading, sending weights to vLLM and, on several GPUs,
exchanging gradients are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hero_rl.training.recipes.compose import Recipe

__all__ = ["Estimate", "estimate"]

# Memory, in bytes.
_TRAINED = 18  # a parameter: in float32 weight, gradient and AdamW's two moments, and the bfloat16 copy of autocast
_FROZEN = 2  # a parameter in bfloat16
_BUCKET = 4  # a trained parameter: its gradient on the way to the other GPUs
_LOGIT = 8  # it and its gradient in float32, as if all of a backward pass were held; TRL 1.16 takes them in parts
_LAYER_INPUT = 4  # a token, layer and unit of width: what gradient checkpointing keeps
_LAYER = 81  # a token and unit of width: the one layer that is computed again; counted on a CPU, 53 to 81 by model

# Time.
_GENERATION = 3000  # tokens a second that vLLM writes
_PEAK = {24: 165e12, 80: 312e12}  # bfloat16 operations a second of a card: RTX 4090, A100
_SHARE = 1 / 3  # of that peak that is reached
_PROMPT, _LONGEST_PROMPT = 150, 300  # tokens: on average, and of a step, to which TRL pads
# Operations a parameter and token. Three forward passes of 2: the loss, checkpointing's, and the one by which TRL
# corrects for vLLM. A backward pass of 4, or of 2 where only an adapter is trained.
_FULL, _LORA = 10, 8

_NUMBERS = (
    "max_steps",
    "max_completion_length",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "vllm_max_model_length",
    "vllm_gpu_memory_utilization",
)
_REWARD_MODELS = {"Skywork/Skywork-Reward-V2-Qwen3-0.6B": 596_050_944}  # parameters


@dataclass(frozen=True)
class _Policy:
    parameters: int
    layers: int
    width: int
    vocabulary: int
    adapter: int
    """Parameters of a LoRA of rank 1 on every linear layer."""


_POLICIES = {
    "HuggingFaceTB/SmolLM2-360M-Instruct": _Policy(361_821_120, 32, 960, 49_152, 542_720),
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": _Policy(1_711_376_384, 24, 2048, 49_152, 1_130_496),
    "Qwen/Qwen3-0.6B": _Policy(596_049_920, 28, 1024, 151_936, 630_784),
    "Qwen/Qwen3-1.7B": _Policy(1_720_574_976, 28, 2048, 151_936, 1_089_536),
}


@dataclass(frozen=True)
class Estimate:
    """What a run takes of each of its GPUs.

    Attributes:
        card: GiB that the GPU has.
        memory: part -> GiB.
        step: part -> seconds of a step.
        steps: how many.
    """

    card: int
    memory: dict[str, float]
    step: dict[str, float]
    steps: int

    @property
    def minutes(self) -> float:
        """Of all steps."""
        return sum(self.step.values()) * self.steps / 60

    def __str__(self) -> str:
        memory = ", ".join(f"{what} {size:.1f}" for what, size in self.memory.items() if size)
        step = ", ".join(f"{what} {seconds:.1f}" for what, seconds in self.step.items() if seconds)
        return (
            f"memory: {sum(self.memory.values()):.1f} of {self.card} GiB ({memory})\n"
            f"time: {sum(self.step.values()):.0f} s a step ({step}), {self.steps} steps in {self.minutes:.0f} minutes"
        )


def estimate(recipe: Recipe, settings: Mapping[str, Any] | None = None, gpus: int = 1) -> Estimate | None:
    """What a recipe for one GPU takes.

    Args:
        recipe: which.
        settings: in the place of its own, whole.
        gpus: so many of them, each with whole models and a step's work of its own.

    Returns:
        The estimate; None where the recipe is not for one GPU, or its settings have models that are not known here, no
        vLLM, or leave a number to TRL.
    """
    if recipe.card is None:
        return None
    settings = settings or recipe.settings
    policy, trl = _POLICIES.get(settings["model"]["path"]), settings["trl"]
    judge = (settings.get("reward_model") or {}).get("path")
    known = judge in (None, *_REWARD_MODELS) and all((trl[name] or 0) > 0 for name in _NUMBERS)
    if policy is None or not known or not trl["use_vllm"]:
        return None
    parameters = _REWARD_MODELS[judge] if judge else 0
    rank = (settings.get("peft") or {}).get("r")
    memory = {
        "weights and AdamW": _weights(policy, rank, gpus),
        "vLLM": trl["vllm_gpu_memory_utilization"] * recipe.card * 2**30,
        "reward model": parameters * _FROZEN,
        **_one_pass(policy, trl),
    }
    return Estimate(
        card=recipe.card,
        memory={part: size / 2**30 for part, size in memory.items()},
        step=_step(policy, trl, parameters, _FULL if rank is None else _LORA, _PEAK[recipe.card] * _SHARE),
        steps=trl["max_steps"],
    )


def _weights(policy: _Policy, rank: int | None, gpus: int) -> float:
    trained = policy.parameters if rank is None else policy.adapter * rank
    frozen = 0 if rank is None else policy.parameters
    return trained * (_TRAINED + (_BUCKET if gpus > 1 else 0)) + frozen * _FROZEN


def _one_pass(policy: _Policy, trl: Mapping[str, Any]) -> dict[str, float]:
    """Bytes of one backward pass, of the longest texts."""
    rows = trl["per_device_train_batch_size"]
    kept = policy.width * (policy.layers * _LAYER_INPUT + _LAYER)
    return {
        "logits": rows * trl["max_completion_length"] * policy.vocabulary * _LOGIT,
        "activations": rows * trl["vllm_max_model_length"] * kept,
    }


def _step(
    policy: _Policy, trl: Mapping[str, Any], judge: int, operations: int, operations_a_second: float
) -> dict[str, float]:
    """Seconds of a step on one GPU: completions half as long as they may be, and padded to the longest."""
    rows, limit = trl["per_device_train_batch_size"] * trl["gradient_accumulation_steps"], trl["max_completion_length"]
    trained, read = rows * (_LONGEST_PROMPT + limit), rows * (_PROMPT + limit / 2)
    return {
        "completions": rows * limit / 2 / _GENERATION,
        "reward model": 2 * judge * read / operations_a_second,
        "policy": operations * policy.parameters * trained / operations_a_second,
    }
