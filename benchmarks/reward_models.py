"""Tokens a second and memory of `LocalRewardModel` against TRL's reward call and against plain batches of 8.

    python benchmarks/reward_models.py          # prints the table and writes docs/benchmarks/reward_models.md
    python benchmarks/reward_models.py --quick    # a tiny model, few short conversations, writes nothing

TRL's way is what `GRPOTrainer._calculate_rewards` does with an `nn.Module`: all texts padded to the longest, one
forward pass. Plain batches are eight in the order they come in. All three get the same conversations, with lengths as
in reinforcement learning (log-normal, cut at both ends) and give the same scores (checked here). The weights are
random: what a forward pass costs does not depend on them.

Every measurement runs in a process of its own. On a CPU it has one thread, and its seconds are that thread's processor
time, in which other programs do not count. Memory is the peak beyond model and imports:
of the resident set on a CPU, of what PyTorch allocates on a GPU. Left out: rollouts longer than a model's limit, and
attention that needs packages beyond PyTorch.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import processor, resident

Conversations = list[list[dict[str, str]]]

# hidden size, layers, heads, heads of keys and values, inner size of the MLP; conversations, shortest, median and
# longest of them in tokens, repeats
SHAPES: dict[str, tuple[int, ...]] = {
    "tiny": (32, 2, 2, 1, 64, 16, 20, 40, 120, 1),
    "6M": (256, 6, 4, 2, 1024, 64, 50, 150, 1000, 3),
    "0.6B": (1024, 28, 16, 8, 3072, 64, 50, 800, 8000, 3),
    "7B": (3584, 28, 28, 4, 18944, 64, 50, 800, 8000, 3),
}
SIGMA = 0.8
TOLERANCE = {"cpu": 1e-4, "cuda": 0.2}  # float32, and bfloat16 of logits whose standard deviation is about one
PEAK_BF16 = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # dense, of NVIDIA's data sheets for the SXM cards
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<eos>{% endfor %}"


def byte_tokenizer():
    """One token a byte, so that lengths are exact."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, chat_template=TEMPLATE, pad_token="<pad>", eos_token="<eos>", padding_side="right"
    )


def classifier(shape: str, device: str):
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    hidden, layers, heads, kv_heads, inner = SHAPES[shape][:5]
    settings: dict[str, Any] = {"num_labels": 1, "pad_token_id": 0}
    config = Qwen2Config(
        vocab_size=512,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=inner,
        max_position_embeddings=16384,
        initializer_range=hidden**-0.5,  # so large that the scores of two texts are far apart
        **settings,
    )
    torch.manual_seed(0)
    torch.set_default_device(device)
    torch.set_default_dtype(torch.float32 if device == "cpu" else torch.bfloat16)
    model = Qwen2ForSequenceClassification(config).eval()
    torch.set_default_device("cpu")
    torch.set_default_dtype(torch.float32)
    return model


def rollouts(shape: str) -> Conversations:
    import numpy as np

    count, shortest, median, longest = SHAPES[shape][5:9]
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(math.log(median), SIGMA, count)), shortest, longest).astype(int)
    letters = np.array(list("abcdefghij 0123456789"))
    questions = ["".join(random.choice(letters, 10)) for _ in lengths]
    answers = ["".join(random.choice(letters, length)) for length in lengths]
    return [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in zip(questions, answers, strict=True)
    ]


def hero_rl(model: Any, tokenizer: Any) -> Callable[[Conversations], Any]:
    """Ours."""
    from hero_rl.reward_models import LocalRewardModel

    return LocalRewardModel(model, tokenizer).score


def trl(model: Any, tokenizer: Any, rows: int | None = None) -> Callable[[Conversations], Any]:
    """Lines of `GRPOTrainer._calculate_rewards` for an `nn.Module` (TRL 1.16), over so many rows at a time."""
    import torch
    from trl.data_utils import apply_chat_template

    def score(conversations: Conversations):
        texts = [apply_chat_template({"messages": messages}, tokenizer)["text"] for messages in conversations]
        parts = []
        for start in range(0, len(texts), rows or len(texts)):
            part = texts[start : start + (rows or len(texts))]
            inputs = tokenizer(
                text=part, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False
            ).to(model.device)
            with torch.inference_mode():
                parts.append(model(**inputs).logits[:, 0].float().cpu())
        return torch.cat(parts)

    return score


def batches_of_8(model: Any, tokenizer: Any) -> Callable[[Conversations], Any]:
    """Transformers in batches as they come."""
    return trl(model, tokenizer, rows=8)


WAYS = {"hero_rl": hero_rl, "trl": trl, "batches_of_8": batches_of_8}
NAMES = {"hero_rl": "hero_rl", "trl": "TRL's reward call", "batches_of_8": "batches of 8"}


def measure(way: str, shape: str, device: str) -> dict[str, Any]:
    """One measurement in this process: seconds (median), peak memory in MiB and scores; or that memory ran out."""
    import torch

    torch.set_num_threads(1)
    conversations = rollouts(shape)
    score = WAYS[way](classifier(shape, device), byte_tokenizer())
    score(conversations[:2])  # first-call costs
    before = _forget_peak(device)
    clock = time.perf_counter if device == "cuda" else time.process_time
    seconds = []
    try:
        for _ in range(SHAPES[shape][9]):
            start = clock()
            scores = score(conversations)
            seconds.append(clock() - start)
    except torch.OutOfMemoryError:
        return {"seconds": None}
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else resident("VmHWM")
    return {"seconds": statistics.median(seconds), "mib": peak - before, "scores": scores.tolist()}


def _forget_peak(device: str) -> float:
    """Memory in use, in MiB, from which the peak is counted from now on."""
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def in_own_process(way: str, shape: str, device: str) -> dict[str, Any]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, __file__, "--measure", way, shape, device]
    return json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])


def operations(shape: str, lengths: list[int]) -> float:
    """Floating-point operations of a forward pass over the real tokens, causal attention counted by half."""
    hidden, layers, heads, kv_heads, inner = SHAPES[shape][:5]
    head = hidden // heads
    weights = layers * (2 * hidden * hidden + 2 * hidden * kv_heads * head + 3 * hidden * inner)
    return 2 * weights * sum(lengths) + sum(2 * layers * hidden * length**2 for length in lengths)


def table(shapes: list[str], device: str, peak: float | None) -> str:
    head = "| model | way | tokens/s | share of the peak | peak MiB | seconds | ours is | largest difference |\n"
    lines = [head + "|---|---|---:|---:|---:|---:|---:|---:|"]
    for shape in shapes:
        tokenizer = byte_tokenizer()
        texts: list[Any] = [tokenizer.apply_chat_template(messages, tokenize=False) for messages in rollouts(shape)]
        lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
        found = {way: in_own_process(way, shape, device) for way in WAYS}
        ours = found["hero_rl"]
        assert statistics.stdev(ours["scores"]) > 2 * TOLERANCE[device], "too much alike to compare"
        for way, result in found.items():
            if result["seconds"] is None:
                lines.append(f"| {shape} | {NAMES[way]} | out of memory | | | | | |")
                continue
            off = max(abs(a - b) for a, b in zip(ours["scores"], result["scores"], strict=True))
            assert off <= TOLERANCE[device], (shape, way, off)
            share = f"{operations(shape, lengths) / result['seconds'] / peak:.0%}" if peak else "-"
            lines.append(
                f"| {shape} | {NAMES[way]} | {sum(lengths) / result['seconds']:,.0f} | {share} | {result['mib']:,.0f} "
                f"| {result['seconds']:.2f} | {result['seconds'] / ours['seconds']:.1f}x | {off:.0e} |"
            )
            print(lines[-1], file=sys.stderr)
    return "\n".join(lines) + "\n"


def about(shapes: list[str], machine: str, load: float) -> str:
    """What the table was measured on and over."""
    import torch
    import transformers

    said = []
    for shape in shapes:
        count, shortest, median, longest = SHAPES[shape][5:9]
        said.append(f"{shape}: {count} conversations of {shortest} to {longest:,} tokens, median about {median}")
    return (
        "# Reward models: tokens a second\n\n"
        f"`python benchmarks/reward_models.py` on {machine}; torch {torch.__version__}, transformers "
        f"{transformers.__version__}, Python {platform.python_version()}; load average {load:.1f} at the start. "
        "Qwen2 classifiers with random weights, one thread; log-normal lengths: "
        + "; ".join(said)
        + ". On a CPU the lengths are scaled down from the 50 to 8,000 tokens of a GPU run. Tokens are real ones, "
        "padding not counted; median of the repeats. Seconds on a CPU are processor time of that thread.\n\n"
    )


def main() -> None:
    if "--measure" in sys.argv:
        print(json.dumps(measure(*sys.argv[-3:])))
        return
    import torch

    quick, load = "--quick" in sys.argv, os.getloadavg()[0]
    gpu = torch.cuda.is_available() and not quick
    card = torch.cuda.get_device_name() if gpu else ""
    peak = next((operations for name, operations in PEAK_BF16.items() if name in card), None)
    shapes = ["tiny"] if quick else ["0.6B", "7B"] if gpu else ["6M"]
    text = table(shapes, "cuda" if gpu else "cpu", peak)
    print(text)
    if not quick:
        machine = f"one {card}, bfloat16" if gpu else f"a CPU, {processor()}, float32"
        Path(__file__).parents[1].joinpath("docs/benchmarks/reward_models.md").write_text(
            about(shapes, machine, load) + text
        )


if __name__ == "__main__":
    main()
