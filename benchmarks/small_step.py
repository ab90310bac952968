"""What a small step of RL is measured on: SmolLM2-135M as policy and as reward model, and problems in words."""

from __future__ import annotations

import json
from pathlib import Path


def write_models(name: str, folder: Path) -> dict[str, Path]:
    """Folders of a policy and of a reward model with its weights."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from hero_lab.words.backbone import write_backbone

    models = {"policy": folder / "policy", "reward_model": folder / "reward_model"}
    write_backbone(name, models["policy"])
    classifier = AutoModelForSequenceClassification.from_pretrained(models["policy"], num_labels=1)
    classifier.save_pretrained(models["reward_model"])
    AutoTokenizer.from_pretrained(models["policy"]).save_pretrained(models["reward_model"])
    return models


def write_problems(path: Path) -> Path:
    rows = [
        {
            "prompt": f"Tom has {n} boxes of {n % 7 + 2} apples. He eats {n // 3} of all his apples and buys {2 * n} "
            "more at the market. How many apples has he now? Think step by step.",
            "answer": str(n * (n % 7 + 2) - n // 3 + 2 * n),
        }
        for n in range(3, 131)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
