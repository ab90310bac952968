"""One arm with a real model: RL under one rule through the code of `hero train`, and what the policy became.

An arm's folder is that of any run, plus `curve.jsonl` (accuracy by the oracle on development problems while it trains),
`answers-<split>-<steps>-*` (its responses to the held-out problems) and `result.json`, which says what they were made
with. The number of steps is no part of its name: a longer run goes on where a shorter one ended.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hero_lab.arena.arms import arm_rule, send_output_to
from hero_lab.arena.evaluation import KINDS
from hero_lab.words.cpu import JudgeOfGroups
from hero_lab.words.looks import answer, held_out
from hero_lab.words.oracle import ByValue, by_value
from hero_lab.words.problems import MARKER, WordProblem, chosen
from hero_lab.words.settings import WordsSettings
from hero_lab.words.stages import CPU, Models, Stages, resumable
from hero_rl.errors import ConfigError
from hero_rl.files.stages import read_json
from hero_rl.files.whole import write_json
from hero_rl.rules import AuditedHero
from hero_rl.trainers.checkpoints import newest_whole
from hero_rl.training.configs.policy import DataConfig, ModelConfig, TrainConfig
from hero_rl.verifiers import AnyVerifier, ExactVerifier, MathVerifier

__all__ = ["answers_of", "arm_config", "check_length", "digests", "is_by", "is_finished", "run_arm"]

_OF_ANY_LENGTH = ("constant", "constant_with_warmup")  # schedules that do not hang on the number of steps


class WordsTrainConfig(TrainConfig):
    """A training run on word problems, where the oracle can be the auditor."""

    auditor: ByValue | None = None  # pyright: ignore[reportIncompatibleVariableOverride]


def arm_config(stages: Stages, models: Models, name: str, folder: Path) -> TrainConfig:
    """The configuration of one arm, as `hero train` would read it. The arms of a seed differ in `rule` alone."""
    arm, seed = stages.settings.arm, stages.seed
    rows = _prompts(stages.problems, stages.settings)
    random.Random(seed).shuffle(rows)
    verifier: AnyVerifier = MathVerifier() if arm.regime == "easy" else ExactVerifier(marker=MARKER)
    rule = arm_rule(name, stages.settings.rule)
    batch = arm.prompts_per_step * arm.num_generations
    part = _largest_part(batch, arm.micro_batch)
    return WordsTrainConfig(
        output_dir=str(folder),
        seed=seed,
        # PyTorch's fused attention is the slower one on a CPU, at texts as short as these.
        model=ModelConfig(path=str(models.policy), attn_implementation="eager"),
        data=DataConfig(train=str(stages.file(f"prompts-{arm.regime}", rows))),
        verifier=verifier,
        reward_model=JudgeOfGroups(path=str(models.reward_model), device="cpu"),
        rule=rule,
        auditor=ByValue() if isinstance(rule, AuditedHero) else None,
        trl=CPU
        | {
            "max_steps": arm.steps,
            "per_device_train_batch_size": part,
            "gradient_accumulation_steps": batch // part,
            "num_generations": arm.num_generations,
            "max_completion_length": arm.max_completion_length,
            "learning_rate": arm.learning_rate,
            "lr_scheduler_type": "constant",
            "adam_beta2": 0.99,
            "loss_type": "dr_grpo",
            "save_steps": arm.save_every,
        }
        | arm.trl,
    )


def _prompts(problems: Sequence[WordProblem], settings: WordsSettings) -> list[dict[str, str]]:
    """The rows that RL is on."""
    regime = settings.arm.regime
    own = chosen(problems, "train", regime)
    return [{"prompt": p.question, "answer": p.answer if regime == "easy" else p.reference} for p in own]


def _largest_part(batch: int, most: int) -> int:
    """Of equal parts that a batch can be cut into, the largest that is no larger than that."""
    return max(part for part in range(1, min(batch, most) + 1) if batch % part == 0)


def run_arm(settings: WordsSettings, seed: int, folder: Path, name: str, place: Path) -> None:
    """Train and evaluate one arm in this process, its output in `log.txt`; goes on with what is there.

    Args:
        settings: of the whole.
        seed: of its pipeline.
        folder: of that pipeline, whose models are made.
        name: of the rule.
        place: of the arm.
    """
    from hero_lab.words.cpu import Shortcuts
    from hero_rl.training.trl.policy import train

    place.mkdir(parents=True, exist_ok=True)
    send_output_to(place / "log.txt")
    stages = Stages(settings, seed, folder)
    config = arm_config(stages, stages.models, name, place)
    callbacks = [Shortcuts(), _curve(place / "curve.jsonl", stages)]
    model = resumable(train, config, callbacks=callbacks)
    answer(stages, model, answers_of(place, settings), held_out(stages.problems, settings.arm))
    write_json(
        place / "result.json",
        {
            "settings": settings.model_dump(mode="json"),
            "config": config.model_dump(mode="json"),
            **digests(stages.problems, settings),
        },
    )


def answers_of(place: Path, settings: WordsSettings) -> Path:
    """Where an arm's responses to the held-out problems lie, without what `looks` puts behind the name."""
    return place / f"answers-{settings.arm.split}-{settings.arm.steps}"


def digests(problems: Sequence[WordProblem], settings: WordsSettings) -> dict[str, str]:
    """Tells problems from others, in whatever file they lie: those that are held out, and those that RL is on.

    Args:
        problems: as `trained_on` leaves them.
        settings: which of them are asked, and trained on.
    """
    asked = held_out(problems, settings.arm)
    held = [[problem.question, problem.reference] for own in asked.values() for problem in own]
    told = {"asked": held, "prompts": _prompts(problems, settings)}
    return {name: hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] for name, rows in told.items()}


def check_length(place: Path, settings: WordsSettings) -> None:
    """Refuse a run that lies there and is no beginning of the one that is asked for.

    Raises:
        ConfigError: it is longer, or was shorter and its learning rate followed its length.
    """
    newest = newest_whole(place)
    if newest is None:
        return
    arm, state = settings.arm, json.loads((newest / "trainer_state.json").read_text())
    if state["global_step"] > arm.steps:
        raise ConfigError(f"--steps: {arm.steps}, and {newest} is of a longer run; give more steps, or another --out")
    schedule = arm.trl.get("lr_scheduler_type", _OF_ANY_LENGTH[0])
    if schedule not in _OF_ANY_LENGTH and state["max_steps"] != arm.steps:
        raise ConfigError(
            f"--steps: {arm.steps}, and {place} was begun as a run of {state['max_steps']}, which its learning rate "
            f"({schedule}) hangs on; give as many steps, or another --out"
        )


def is_by(result: Mapping[str, Any], settings: WordsSettings, told: Mapping[str, str]) -> bool:
    """Whether a finished arm was made and asked as is wanted now. Its rule's settings its folder's name tells.

    Args:
        result: of the arm.
        settings: of the whole.
        told: as `digests` has it.
    """
    now = settings.model_dump(mode="json")
    made_alike = all(result["settings"][name] == now[name] for name in ("model", "cold_start", "reward_model", "arm"))
    return made_alike and all(result.get(name) == digest for name, digest in told.items())


def is_finished(place: Path, settings: WordsSettings, told: Mapping[str, str]) -> bool:
    """Whether an arm's responses are there, as `is_by` has it."""
    result = read_json(place / "result.json")
    return bool(result) and is_by(result, settings, told)


def _curve(path: Path, stages: Stages) -> Any:
    """A callback that has the policy answer development problems now and then, greedily, and at the start.

    A kind of which there are none has no place in its lines.
    """
    from transformers import TrainerCallback

    from hero_rl.training.records import keep_until

    arm = stages.settings.arm
    known = {kind: chosen(stages.problems, "development", kind)[: arm.curve_prompts] for kind in KINDS}
    asked = {kind: problems for kind, problems in known.items() if problems}

    class Curve(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if not keep_until(path, state.global_step):
                self._look(state.global_step, kwargs)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step % arm.curve_every == 0 or state.global_step == state.max_steps:
                self._look(state.global_step, kwargs)

        def _look(self, step: int, kwargs: dict[str, Any]) -> None:
            row: dict[str, float] = {"step": step}
            for kind, problems in asked.items():
                row[kind] = _greedy_accuracy(kwargs["model"], kwargs["processing_class"], problems, stages)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    return Curve()


def _greedy_accuracy(model: Any, tokenizer: Any, problems: list[WordProblem], stages: Stages) -> float:
    """Share of right greedy answers of a model that is being trained, which is left as it was."""
    from hero_rl.generation import GenerationRequest, Sampling, TransformersGenerator

    training, generation = model.training, model.generation_config
    sampling = Sampling(temperature=0.0, max_tokens=stages.settings.arm.max_completion_length)
    try:
        generator = TransformersGenerator(model, tokenizer, sampling, "policy", batch_size=64)
        requests = [GenerationRequest(str(at), problem.question, 0) for at, problem in enumerate(problems)]
        texts = {made.key: made.text or "" for made in generator.generate(requests)}
    finally:
        model.generation_config = generation
        model.train(training)
    return sum(by_value(p.answer, texts[str(at)]) for at, p in enumerate(problems)) / len(problems)
