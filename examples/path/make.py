"""Write the arena's problems as files and a small base model as a checkpoint: where docs/guides/path.md starts from.

    python examples/path/make.py runs/path

`problems.jsonl` to train on, `easy.jsonl` and `hard.jsonl` to evaluate on (prompt and answer in each row), and `base`,
a Llama-shaped model with its tokenizer as `from_pretrained` reads it, trained for half a minute: it solves one easy
problem in six. Left out on purpose: a chat template, and everything else that would need a larger model.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from hero_lab.arena import LanguageModelSettings
from hero_lab.arena.answers import write_reference
from hero_lab.arena.language_model import train_language_model
from hero_lab.arena.task import Exercise, Regime, Split, sample_problems, types_of
from hero_rl.training.quiet import quiet_libraries

BASE = LanguageModelSettings(slip=0.1, steps=400, batch_size=64, learning_rate=6e-3)
FILES: dict[str, tuple[Regime, Split, int]] = {
    "problems": ("mixed", "train", 1200),
    "easy": ("easy", "test", 100),
    "hard": ("hard", "test", 100),
}


def write_problems(path: Path, regime: Regime, split: Split, count: int) -> None:
    """Write so many different problems, each with a right answer in one spelling."""
    rng = random.Random(f"path {path.stem}")
    problems: dict[Exercise, None] = {}
    for problem in sample_problems(rng, types_of(regime), split):
        problems[problem] = None
        if len(problems) == count:
            break
    rows = [
        {"id": f"{path.stem}-{n}", "prompt": problem.prompt, "answer": write_reference(rng, problem)}
        for n, problem in enumerate(problems)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make(folder: Path) -> list[Path]:
    """Write problems and base model into a folder; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (regime, split, count) in FILES.items():
        paths.append(folder / f"{name}.jsonl")
        write_problems(paths[-1], regime, split, count)
    with quiet_libraries():
        train_language_model(BASE, folder / "base")
    return [*paths, folder / "base"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(*make(Path(sys.argv[1])), sep="\n")
