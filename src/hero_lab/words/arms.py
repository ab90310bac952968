"""One arm with a real model: RL under one rule through the code of `hero train`, and what the policy became.

An arm's folder is that of any run, plus `curve.jsonl` (accuracy by the oracle on development problems while it trains),
`answers-<steps>-*` (its responses to the held-out problems) and `result.json`. The number of steps is no part of its
name: a longer run goes on where a shorter one ended.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hero_lab.arena.arms import arm_rule, send_output_to
from hero_lab.arena.evaluation import KINDS, PromptAccuracy
from hero_lab.words.cpu import JudgeOfGroups
from hero_lab.words.oracle import by_value
from hero_lab.words.problems import MARKER, WordProblem, chosen
from hero_lab.words.settings import WordsSettings
from hero_lab.words.stages import CPU, Models, Stages, resumable
from hero_rl.files.whole import write_json, write_whole
from hero_rl.reward_models import LocalRewardModel
from hero_rl.rules import AuditedHero, Groups, group_auroc
from hero_rl.scoring import says_nothing
from hero_rl.training.configs.policy import DataConfig, ModelConfig, TrainConfig
from hero_rl.verifiers import AnyVerifier, ExactVerifier, MathVerifier

__all__ = ["Looked", "arm_config", "measure", "read_looked", "run_arm"]


def arm_config(stages: Stages, models: Models, name: str, folder: Path) -> TrainConfig:
    """The configuration of one arm, as `hero train` would read it. The arms of a seed differ in `rule` alone."""
    arm, seed = stages.settings.arm, stages.seed
    own = chosen(stages.problems, "train", arm.regime)
    rows = [{"prompt": p.question, "answer": p.answer if arm.regime == "easy" else p.reference} for p in own]
    random.Random(seed).shuffle(rows)
    verifier: AnyVerifier = MathVerifier() if arm.regime == "easy" else ExactVerifier(marker=MARKER)
    rule = arm_rule(name, stages.settings.rule)
    batch = arm.prompts_per_step * arm.num_generations
    return TrainConfig(
        output_dir=str(folder),
        seed=seed,
        # PyTorch's fused attention is the slower one on a CPU, at texts as short as these.
        model=ModelConfig(path=str(models.policy), attn_implementation="eager"),
        data=DataConfig(train=str(stages.file(f"prompts-{arm.regime}", rows))),
        verifier=verifier,
        reward_model=JudgeOfGroups(path=str(models.reward_model), device="cpu"),
        rule=rule,
        auditor=MathVerifier() if isinstance(rule, AuditedHero) else None,  # which takes most right forms
        trl=CPU
        | {
            "max_steps": arm.steps,
            "per_device_train_batch_size": min(arm.micro_batch, batch),
            "gradient_accumulation_steps": max(1, batch // arm.micro_batch),
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
    looked = measure(stages, model, place / f"answers-{settings.arm.steps}")
    write_json(
        place / "result.json",
        {
            "settings": settings.model_dump(mode="json"),
            "config": config.model_dump(mode="json"),
        }
        | looked.to_dict(),
    )


@dataclass(frozen=True)
class Looked:
    """What held-out problems say of a policy, by their kind.

    Attributes:
        accuracy: by the oracle.
        aurocs: of the seed's reward model over the sampled responses, against the oracle: one for each problem that
            has right and wrong ones.
        exact: for each problem the share of its sampled responses that give the answer as the set writes it.
    """

    accuracy: dict[str, PromptAccuracy]
    aurocs: dict[str, list[float]]
    exact: dict[str, list[float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        accuracy = {kind: own.to_dict() for kind, own in self.accuracy.items()}
        return {"accuracy": accuracy, "aurocs": self.aurocs, "exact": self.exact}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Looked:
        """The opposite of `to_dict`, whatever else is there."""
        accuracy = {kind: PromptAccuracy.from_dict(own) for kind, own in values["accuracy"].items()}
        return cls(accuracy, values["aurocs"], values["exact"])


def measure(stages: Stages, policy: Path, place: Path) -> Looked:
    """Have a policy answer held-out problems; its responses are kept in `place-sampled` and `place-greedy`.

    All arms and seeds are asked the same problems, by their length, since a batch is padded to its longest prompt.
    """
    arm = stages.settings.arm
    held = {kind: chosen(stages.problems, arm.split, kind)[: arm.prompts] for kind in KINDS}
    asked = {kind: sorted(problems, key=lambda problem: len(problem.question)) for kind, problems in held.items()}
    said: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for how, samples, temperature in (("sampled", arm.samples, 1.0), ("greedy", 1, 0.0)):
        folder = place.with_name(f"{place.name}-{how}")
        stages.answers(policy, folder, asked, samples=samples, temperature=temperature)
        said[how] = {kind: _judged(folder / "rollouts" / f"{kind}.jsonl", asked[kind]) for kind in KINDS}
    accuracy = {
        kind: PromptAccuracy(**{how: _shares(rows[kind], "by_value") for how, rows in said.items()}) for kind in KINDS
    }
    exact = {kind: _shares(said["sampled"][kind], "exact") for kind in KINDS}
    model = JudgeOfGroups(path=str(stages.models.reward_model), device="cpu").load()
    aurocs = {kind: _aurocs(model, said["sampled"][kind]) for kind in KINDS}
    return Looked(accuracy, aurocs, exact)


def _judged(file: Path, problems: list[WordProblem]) -> list[dict[str, Any]]:
    """Responses with two verdicts more: `by_value` is the oracle's, `exact` that of an exact match."""
    asked = {problem.question: problem for problem in problems}
    verifier = ExactVerifier(marker=MARKER)
    rows = _rows(file)
    for row in rows:
        problem = asked[row["prompt"]]
        row["by_value"] = by_value(problem.answer, row["completion"])
        row["exact"] = verifier.verify(problem.reference, row["completion"]).value
    return rows


def _shares(rows: list[dict[str, Any]], verdict: str) -> list[float]:
    """For each problem, in their order, the share of its responses that are right."""
    of: dict[str, list[float]] = {}
    for row in rows:
        of.setdefault(row["group"], []).append(row[verdict])
    return [sum(own) / len(own) for own in of.values()]


def _aurocs(model: LocalRewardModel, rows: list[dict[str, Any]]) -> list[float]:
    """AUROC of the scores against the oracle's verdicts, for each problem with right and wrong responses."""
    score = model.score([_conversation(row) for row in rows])
    score[[says_nothing(row["completion"]) for row in rows]] = -math.inf  # as in training
    number = {group: at for at, group in enumerate(dict.fromkeys(row["group"] for row in rows))}
    groups = Groups.of(torch.tensor([number[row["group"]] for row in rows]))
    found = group_auroc(score, torch.tensor([row["by_value"] for row in rows]), groups)
    return found[~found.isnan()].tolist()


def _conversation(row: dict[str, Any]) -> list[dict[str, str]]:
    return [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_looked(place: Path, settings: WordsSettings) -> Looked | None:
    """What was made of an arm that is finished by these settings; None where there is none."""
    try:
        result = json.loads((place / "result.json").read_text())
    except (OSError, ValueError):
        return None
    if result["settings"]["arm"] != settings.arm.model_dump(mode="json") or "exact" not in result:
        return None  # of other settings, or of a version that looked at less
    return Looked.from_dict(result)


def _curve(path: Path, stages: Stages) -> Any:
    """A callback that has the policy answer development problems now and then, greedily, and at the start."""
    from transformers import TrainerCallback

    arm = stages.settings.arm
    asked = {kind: chosen(stages.problems, "development", kind)[: arm.curve_prompts] for kind in KINDS}

    class Curve(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            known = path.read_text().splitlines() if path.exists() else []
            kept = [line for line in known if json.loads(line)["step"] <= state.global_step]
            write_whole(path, "".join(line + "\n" for line in kept))
            if not kept:
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
