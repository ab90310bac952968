"""What it saves to compute the common start of a batch's texts once, in a step of RL and in a prompt's prefill.

    python benchmarks/common_starts.py           # prints the table and writes docs/benchmarks/common_starts.md
    python benchmarks/common_starts.py --quick   # tiny, writes nothing

Two groups of eight rollouts; a Llama of SmolLM2-135M's shape with random weights. "each": the model as transformers
has it, every row whole, as TRL trains and generates. "once": the same model after `share_starts`. "Prefill" is the
forward pass over the prompts before the first token is drawn, "update" forward and backward over prompt and completion
without the head, which is the same for both. bfloat16 autocast over float32 weights, eager attention, one thread,
processor time; gradients are compared. "each" is always measured first. Prompts of a group are alike and not padded,
which is the best case.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from core import processor
from driver import seconds
from transformers import LlamaConfig, LlamaForCausalLM

from hero_rl.generation.common_starts import share_starts

GROUPS, SIZE = 2, 8
LENGTHS = [(80, 32), (80, 128), (320, 64)]
SHAPE: dict[str, Any] = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
}


def model(quick: bool) -> LlamaForCausalLM:
    """Of SmolLM2-135M's shape, or two of its layers."""
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=49152, num_hidden_layers=2 if quick else 30, **SHAPE, tie_word_embeddings=True)
    config._attn_implementation = "eager"
    return LlamaForCausalLM(config).train()


def measure(policy: LlamaForCausalLM, prompt: int, completion: int, repeats: int) -> dict[str, Any]:
    """Seconds of a prefill and of an update, and the update's gradient in the first and the last layer."""
    random = torch.Generator().manual_seed(0)
    prompts = torch.randint(1, 40_000, (GROUPS, prompt), generator=random).repeat_interleave(SIZE, 0)
    own = torch.randint(1, 40_000, (GROUPS * SIZE, completion), generator=random)
    texts = torch.cat([prompts, own], dim=1)
    weights = torch.randn(own.shape, generator=random)

    def prefill() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            policy.model(input_ids=prompts, attention_mask=torch.ones_like(prompts), use_cache=True)

    def update() -> None:
        policy.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            states = policy.model(input_ids=texts, attention_mask=torch.ones_like(texts), use_cache=False)
        (states.last_hidden_state[:, prompt:].mean(dim=-1) * weights).sum().backward()

    found = {"prefill": seconds(prefill, repeats), "update": seconds(update, repeats)}
    ends = (policy.model.layers[0], policy.model.layers[-1])
    gradient = [weight.grad.flatten() for layer in ends for weight in layer.parameters() if weight.grad is not None]
    return found | {"gradient": torch.cat(gradient)}


def main() -> None:
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    lengths = [(24, 8)] if quick else LENGTHS
    policy = model(quick)
    each = [measure(policy, *one, repeats=1 if quick else 3) for one in lengths]
    assert share_starts(policy)
    once = [measure(policy, *one, repeats=1 if quick else 3) for one in lengths]
    rows = []
    for (prompt, completion), whole, shared in zip(lengths, each, once, strict=True):
        apart = (shared["gradient"] - whole["gradient"]).norm() / whole["gradient"].norm()
        assert apart < 0.05, f"gradients are {apart:.1%} apart, more than bfloat16 explains"
        spared = (1 - 1 / SIZE) * prompt / (prompt + completion)
        pairs = [
            f"{whole[what]:.2f} | {shared[what]:.2f} | {whole[what] / shared[what]:.1f}x"
            for what in ("prefill", "update")
        ]
        rows.append(f"| {prompt} | {completion} | {spared:.0%} | {' | '.join(pairs)} |")
    text = (
        "| prompt, tokens | completion | spared in an update | prefill, each, s | once, s | faster | update, each, s | "
        "once, s | faster |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n" + "\n".join(rows) + "\n"
    )
    print(text)
    if not quick:
        Path(__file__).parents[1].joinpath("docs/benchmarks/common_starts.md").write_text(
            "# Common starts computed once\n\n"
            f"`python benchmarks/common_starts.py` on a CPU, {processor()}, one thread, processor time; a Llama of "
            f"SmolLM2-135M's shape, {GROUPS} groups of {SIZE} rollouts, bfloat16 autocast. *each* is the model as "
            "transformers has it, *once* the same after `share_starts`: the generator of `hero eval` calls it, and the "
            "arms of `hero demo --policy`, which train with it too. An update is forward and backward without the "
            "head. Attention spares more than tokens do, since starts attend to starts once.\n\n" + text
        )


if __name__ == "__main__":
    main()
