"""Whether encoding a group's prompt once, and its completions on top of it, pays for a reward model.

    python benchmarks/shared_prompts.py           # prints the table and writes docs/benchmarks/shared_prompts.md
    python benchmarks/shared_prompts.py --quick   # tiny, writes nothing

Groups of eight rollouts share a prompt of 100 tokens. "once": the prompt's keys and values are computed in one forward
pass, repeated for the completions, and those are scored in another, padded to the longest of their group. "each": what
`LocalRewardModel` does, every conversation whole, sorted by length over all groups. One thread, processor time, the
same scores (checked). The bound is the share of tokens that need not be computed.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from core import processor
from reward_models import byte_tokenizer, classifier
from transformers import DynamicCache

from hero_rl.reward_models.batching import MicroBatches, padded
from hero_rl.reward_models.heads import Classifier

SIZE, PROMPT, BUDGET = 8, 100, 2048


def groups(count: int, median: int) -> list[tuple[list[int], list[list[int]]]]:
    """Prompts and their completions as tokens, lengths log-normal."""
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(math.log(median), 0.8, (count, SIZE))), 20, 2000).astype(int)
    return [
        (random.integers(2, 250, PROMPT).tolist(), [random.integers(2, 250, length).tolist() for length in row])
        for row in lengths
    ]


def each(head: Classifier, rollouts: list) -> torch.Tensor:
    """Every conversation whole."""
    whole = [prompt + completion for prompt, completions in rollouts for completion in completions]
    return MicroBatches(head, BUDGET).scores(whole)


@torch.inference_mode()
def once(head: Classifier, rollouts: list) -> torch.Tensor:
    """A group's prompt once, then its completions."""
    model, scores = head.model, []
    for prompt, completions in rollouts:
        cache = DynamicCache(config=model.config)
        model.base_model(input_ids=torch.tensor([prompt]), past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(completions))
        ids, mask = padded(completions, head.pad_id or 0, "right")  # masked, so that any will do
        whole = torch.cat([torch.ones(len(completions), len(prompt), dtype=torch.long), mask], dim=1)
        positions = (len(prompt) + torch.arange(ids.shape[1])).expand_as(ids)
        hidden = model.base_model(
            input_ids=ids, attention_mask=whole, position_ids=positions, past_key_values=cache, use_cache=True
        ).last_hidden_state
        last = mask.sum(dim=1) - 1
        scores.append(model.score(hidden[torch.arange(len(completions)), last]).squeeze(-1))
    return torch.cat(scores)


def measure(shape: str, count: int, median: int, repeats: int) -> str:
    """One row of the table."""
    head = Classifier(classifier(shape, "cpu"), byte_tokenizer())
    rollouts = groups(count, median)
    seconds, found = {}, {}
    for way in (each, once):
        way(head, rollouts[:1])
        times = []
        for _ in range(repeats):
            start = time.process_time()
            found[way] = way(head, rollouts)
            times.append(time.process_time() - start)
        seconds[way] = statistics.median(times)
    torch.testing.assert_close(found[each], found[once], atol=1e-4, rtol=0)
    own = sum(len(completion) for _, completions in rollouts for completion in completions)
    spared = (SIZE - 1) * PROMPT * count / (own + SIZE * PROMPT * count)
    gain = seconds[each] / seconds[once]
    return (
        f"| {own / count / SIZE:.0f} | {spared:.0%} | {1 / (1 - spared):.2f}x | {seconds[each]:.2f} | "
        f"{seconds[once]:.2f} | {gain:.2f}x |"
    )


def main() -> None:
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    rows = [
        measure("tiny" if quick else "6M", 2 if quick else 8, median, 1 if quick else 3) for median in (80, 200, 600)
    ]
    text = (
        "| mean completion, tokens | tokens spared | at best | each, s | once, s | once is faster by |\n"
        "|---:|---:|---:|---:|---:|---:|\n" + "\n".join(rows) + "\n"
    )
    print(text)
    if not quick:
        Path(__file__).parents[1].joinpath("docs/benchmarks/shared_prompts.md").write_text(
            "# A group's prompt encoded once\n\n"
            f"`python benchmarks/shared_prompts.py` on a CPU, {processor()}, float32, one thread, processor time; a "
            f"Qwen2 classifier of 6M parameters, groups of {SIZE}, prompts of {PROMPT} tokens. *At best* is what the "
            "tokens spared could give. It does not pay: keys and values are copied for each completion, attention "
            "needs a mask, which rules out the fast kernels, and batches cannot be sorted by length over groups. So "
            "`LocalRewardModel` encodes every conversation whole.\n\n" + text
        )


if __name__ == "__main__":
    main()
