"""Write the table of estimates into docs/guides/recipes.md: memory and time of every recipe for one GPU.

python docs/make_estimates.py
"""

from __future__ import annotations

from pathlib import Path

from hero_rl.training.recipes import compose, names
from hero_rl.training.recipes.estimate import Estimate, estimate

PAGE = Path(__file__).parent / "guides" / "recipes.md"
MEMORY = "memory, GiB: weights and AdamW + vLLM + reward model + logits + activations"
STEP = "a step, s: completions + reward model + policy"
HEAD = f"| recipe | card, GiB | {MEMORY} | {STEP} | the run, minutes |\n|---|---:|---|---|---:|\n"


def row(name: str, taken: Estimate) -> str:
    """One recipe."""
    memory, step = (" + ".join(f"{part:.1f}" for part in parts.values()) for parts in (taken.memory, taken.step))
    together = f"{memory} = {sum(taken.memory.values()):.1f}"
    return f"| `{name}` | {taken.card} | {together} | {step} = {sum(taken.step.values()):.1f} | {taken.minutes:.0f} |\n"


def table() -> str:
    """A row for each model and data, under a rule that asks the reward model."""
    rows = []
    for name in names():
        recipe, _, rule = name.rpartition("/")
        taken = estimate(compose(name)) if rule == "gated-hero" else None
        if taken is not None:
            rows.append(row(recipe, taken))
    return HEAD + "".join(rows)


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(HEAD)
    PAGE.write_text(before + table() + rest[rest.index("\n\n") + 1 :])
