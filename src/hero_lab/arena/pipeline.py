"""From settings to files: the arena's models, made once and kept, and its prompts.

    settings = ArenaSettings()
    models = prepare(settings=settings)
    write_prompts("prompts.jsonl", regime="hard", split="train", count=6400, seed=0)

A model's folder is named after a hash of everything that it was made from, so other settings never find it and the same
settings never make it twice. It appears under its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hero_lab.arena.answers import write_reference
from hero_lab.arena.settings import ArenaSettings, LanguageModelSettings, RewardModelSettings
from hero_lab.arena.task import ProblemType, Regime, Split, sample_problems, types_of
from hero_lab.arena.workers import worker_pool
from hero_rl.files.whole import replacing

__all__ = [
    "MODELS_VERSION",
    "ArenaModels",
    "default_cache",
    "policy_folder",
    "prepare",
    "prepare_policy",
    "prepare_reward_model",
    "write_prompts",
]

MODELS_VERSION = 2
"""Goes up when the task, the texts or the trainings change, so that older folders are not taken for new ones."""


@dataclass(frozen=True)
class ArenaModels:
    """Folders of the arena's two models, each with its tokenizer."""

    policy: Path
    reward_model: Path


def default_cache() -> Path:
    """Where models are kept unless told otherwise."""
    return Path.home() / ".cache" / "hero-rl" / "arena"


def prepare(
    cache_dir: Path | None = None,
    settings: ArenaSettings | None = None,
    report: Callable[[str], None] = lambda stage: None,
) -> ArenaModels:
    """Both models, made if they are not there: policy and backbone side by side, in one thread each.

    Args:
        cache_dir: where they are kept.
        settings: how they are made.
        report: told of each stage as it begins.
    """
    settings = settings or ArenaSettings()
    cache = cache_dir or default_cache()
    with worker_pool(2) as pool:
        report("1/2 fine-tuning the policy and the reward model's backbone")
        backbone = pool.submit(prepare_policy, cache, settings.reward_model.backbone)
        policy = pool.submit(prepare_policy, cache, settings.policy).result()
        backbone.result()
        report("2/2 training the reward model on the policy's rollouts")
        reward_model = pool.submit(prepare_reward_model, cache, policy, settings.reward_model).result()
    return ArenaModels(policy, reward_model)


def policy_folder(cache_dir: Path, settings: LanguageModelSettings) -> Path:
    """Where `prepare_policy` keeps the model of these settings, made or not."""
    return _folder(cache_dir, "policy", settings.model_dump())[0]


def prepare_policy(cache_dir: Path, settings: LanguageModelSettings | None = None) -> Path:
    """Folder of a fine-tuned language model: the policy before RL, or a reward model's backbone."""
    from hero_lab.arena.language_model import train_language_model

    settings = settings or LanguageModelSettings()
    return _kept(cache_dir, "policy", settings.model_dump(), lambda folder: train_language_model(settings, folder))


def prepare_reward_model(cache_dir: Path, policy: Path, settings: RewardModelSettings | None = None) -> Path:
    """Folder of a reward model trained on rollouts of the policy in folder `policy`, which this module prepared."""
    from hero_lab.arena.reward_training import break_reward_model, train_reward_model

    settings = settings or RewardModelSettings()
    recipe = {"policy": policy.name, **settings.model_dump(exclude_none=True)}
    if settings.is_broken:
        trained = prepare_reward_model(cache_dir, policy, settings.before_breaking())
        return _kept(cache_dir, "reward-model", recipe, lambda folder: break_reward_model(trained, settings, folder))
    backbone = prepare_policy(cache_dir, settings.backbone)
    return _kept(
        cache_dir, "reward-model", recipe, lambda folder: train_reward_model(policy, backbone, settings, folder)
    )


def write_prompts(
    path: str | Path,
    regime: Regime,
    split: Split,
    count: int,
    seed: int = 0,
    blind_types: Sequence[ProblemType] = (),
) -> None:
    """Write `count` JSON lines, all or none, with `prompt`, `answer` (a reference in one spelling) and `type`.

    References of `blind_types`, hard ones, are always in a spelling that the policy never writes.
    """
    rng = random.Random(f"prompts {regime} {split} {seed}")
    with replacing(Path(path)) as file:
        for problem in islice(sample_problems(rng, types_of(regime), split), count):
            answer = write_reference(rng, problem, foreign=1.0 if problem.type in blind_types else 0.3)
            row = {"prompt": problem.prompt, "answer": answer, "type": problem.type}
            file.write(json.dumps(row).encode() + b"\n")


def _kept(cache_dir: Path, what: str, recipe: dict[str, Any], make: Callable[[Path], None]) -> Path:
    """The folder for a recipe; `make` fills it if it is not there yet."""
    folder, text = _folder(cache_dir, what, recipe)
    if folder.is_dir():
        return folder
    from hero_rl.training.quiet import quiet_libraries

    folder.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the rename stays within one file system and happens whole or not at all.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with quiet_libraries():
            make(unfinished)
        (unfinished / "recipe.json").write_text(text + "\n", encoding="utf-8")
        unfinished.chmod(0o755)
        _rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _folder(cache_dir: Path, what: str, recipe: dict[str, Any]) -> tuple[Path, str]:
    """A recipe's folder, and the recipe as text, of whose hash the folder is named."""
    text = json.dumps({"version": MODELS_VERSION, "what": what, **recipe}, sort_keys=True)
    return Path(cache_dir).expanduser() / f"{what}-{hashlib.sha256(text.encode()).hexdigest()[:16]}", text


def _rename(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)
    except OSError:
        # Another process finished the same recipe first; its folder is as good.
        if not folder.is_dir():
            raise
