"""Write problems of three domains, demonstrations of their form, and two tiny models: docs/guides/mixed_data.md.

    python examples/mixed/make.py runs/mixed

The demonstrations show how an answer looks and not what is right, so that there is something left to learn.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tiny_models import write

from hero_rl.files.whole import write_jsonl
from hero_rl.problems import GeneratedProblems, generated_rows

LETTERS = "acdeinorstu"


def sums() -> Iterator[dict[str, Any]]:
    """Sums of Reasoning Gym with their whole entries as references."""
    small = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    for row in generated_rows(GeneratedProblems(generators={"chain_sum": small}, size=24)):
        question = row["answer"]["metadata"]["expression"]
        yield row | {"prompt": f"{question} =", "domain": "sums"}


def formats() -> Iterator[dict[str, Any]]:
    """Constraints of IFEval: no comma, and enough of a letter."""
    for letter in LETTERS:
        frequency = {"letter": letter, "let_frequency": 4, "let_relation": "at least"}
        names = ["punctuation:no_comma", "keywords:letter_frequency"]
        answer = {"instruction_id_list": names, "kwargs": [{}, frequency]}
        yield {"prompt": f"Letters, many {letter}:", "answer": answer, "domain": "format"}


def chats() -> Iterator[dict[str, Any]]:
    """Prompts that nothing but a reward model can judge."""
    for thing in ("rain", "tea", "snow", "cats", "ants", "dust", "iron", "sand", "reed", "coal", "oats"):
        yield {"prompt": f"Say what you like of {thing}.", "answer": None, "domain": "chat"}


def demonstrations(rows: list[dict[str, Any]], number: int = 600, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Answers of the right form: any number for a sum, any letters for all else."""
    draw = random.Random(seed)
    for _ in range(number):
        row = draw.choice(rows)
        letters = "".join(draw.choice(LETTERS + " ,") for _ in range(12))
        said = f"<answer>{draw.randint(0, 18)}</answer>" if row["domain"] == "sums" else letters
        yield {"prompt": row["prompt"], "completion": said}


def main(folder: Path) -> None:
    """Write everything."""
    kept = ("prompt", "answer", "domain")
    rows = [{name: row[name] for name in kept} for row in (*sums(), *formats(), *chats())]
    write(folder / "tiny")
    write_jsonl(folder / "problems.jsonl", rows)
    write_jsonl(folder / "demonstrations.jsonl", demonstrations(rows))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
