"""From a real model's weights to a cold-started policy and its reward model, each stage in a folder of its seed.

    models = Stages(settings, seed=1, folder=Path("runs/words/seed1")).prepare()

Every stage is one of the house's verbs in this process: `hero sft`, `hero eval` for the rollouts, `hero train-rm`. A
stage that is finished is taken as it is, one that was stopped goes on from its newest checkpoint, and one that was made
with other settings is refused.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from hero_lab.words.backbone import weights_of, write_backbone
from hero_lab.words.nearness import near
from hero_lab.words.problems import GYM, WordProblem, chosen, completion, read_word_problems
from hero_lab.words.settings import ColdStart, RewardModelStage, WordsSettings
from hero_rl.errors import DataError
from hero_rl.files.stages import open_folder, sha256, stage
from hero_rl.files.whole import write_jsonl

__all__ = ["CPU", "Models", "Stages", "check_problems", "problems_of", "resumable", "trained_on"]

CPU: dict[str, Any] = {
    "use_cpu": True,
    # float32 weights under bfloat16 autocast: twice as fast as float32 alone, and small updates are not lost.
    "bf16": True,
    "gradient_checkpointing": False,
    "dataloader_pin_memory": False,
    "save_strategy": "steps",
    "save_total_limit": 1,
}
"""TRL's arguments that every training here shares."""


@dataclass(frozen=True)
class Models:
    """Folders of a seed's two models."""

    policy: Path
    reward_model: Path


_HELD_OUT = ("development", "report")
_OTHER = "give the same, or another --out"


class Say(Protocol):
    """Is told of a stage as it begins: what it is, and where `watch_stages` can see how far it is."""

    def __call__(self, text: str, **progress: str | int) -> object: ...


def problems_of(settings: WordsSettings, say: Callable[[str], object] = lambda text: None) -> list[WordProblem]:
    """The problems that all seeds share; says and raises as `read_word_problems`."""
    return read_word_problems(settings.problems, settings.problems_name, settings.problems_split, say=say)


def trained_on(problems: Sequence[WordProblem], settings: WordsSettings) -> list[WordProblem]:
    """Without the problems for demonstrations and for RL that are near a held-out one.

    Generated problems are near each other all, since they are made of few templates.
    """
    if settings.problems == GYM:
        return list(problems)
    kept_back = [problem.question for problem in problems if problem.split in _HELD_OUT]
    too_near = near([problem.question for problem in problems], kept_back)
    return [one for one, is_near in zip(problems, too_near, strict=True) if one.split in _HELD_OUT or not is_near]


def check_problems(problems: Sequence[WordProblem], settings: WordsSettings) -> None:
    """Refuse problems of which a stage or an arm will have too few, before hours go into the others.

    Raises:
        DataError: names the source and what it lacks.
    """
    arm = settings.arm
    held_out, rl = (len(chosen(problems, split, arm.regime)) for split in (arm.split, "train"))
    needs = [
        ("with a calculation, to show how", len(_worked(problems)), 1),
        ("easy to verify, for the reward model", len(chosen(problems, "train", "easy")), 1),
        (f"{arm.regime} to verify, for a step of RL", rl, arm.prompts_per_step),
        (f"{arm.regime} to verify, held out", held_out, 2),
    ]
    lacking = [f"{need} {what} (there are {there})" for what, there, need in needs if there < need]
    if lacking:
        raise DataError(
            f"{settings.problems}: too few problems; needed are at least {', '.join(lacking)}. A bare number is easy "
            "to verify and one with a unit, as 11 (plums), hard; --regime says which RL is on"
        )


def _worked(problems: Sequence[WordProblem]) -> list[WordProblem]:
    """Those that demonstrations can be made of."""
    return [problem for problem in chosen(problems, "cold") if problem.working]


class Stages:
    """The stages before RL of one seed.

    Args:
        settings: of the whole.
        seed: of this pipeline.
        folder: of this pipeline.
        say: told of each stage as it begins.
    """

    def __init__(
        self, settings: WordsSettings, seed: int, folder: Path, say: Say = lambda text, **progress: None
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.folder = folder
        self.say = say
        self.problems = trained_on(problems_of(settings), settings)
        open_folder(folder)

    def prepare(self) -> Models:
        """All of them, in their order."""
        policy = self.cold_start()
        return Models(policy, self.reward_model(policy))

    @property
    def models(self) -> Models:
        """Where the models lie once they are made."""
        return Models(self.folder / "cold_start" / "model", self.folder / "reward_model" / "model")

    def backbone(self) -> Path:
        """The model as it comes, beside the seeds, which share it."""
        place, name = self.folder.parent / "backbone", self.settings.model

        def make() -> None:
            unfinished = place.with_name(".backbone")
            shutil.rmtree(unfinished, ignore_errors=True)
            write_backbone(name, unfinished)
            unfinished.rename(place)

        self.say("the model as it comes")
        with FileLock(place.with_name(".backbone.lock")):  # seeds side by side begin with it
            stage(place, {"model": name, "weights": weights_of(name)}, False, make, _OTHER)
        return place

    def cold_start(self) -> Path:
        """The policy before RL."""
        from hero_lab.words.cpu import Shortcuts
        from hero_rl.training.configs.policy import ModelConfig
        from hero_rl.training.configs.sft import DemonstrationConfig, SftConfig
        from hero_rl.training.trl.sft import train_sft

        own = self.settings.cold_start
        shown = self._ordered(_worked(self.problems))[: own.examples]
        rows = ({"prompt": p.question, "completion": completion(p)} for p in shown)
        backbone = self.backbone()
        self.say(f"cold start: {len(shown)} demonstrations", run="cold_start", epochs=own.epochs)
        config = SftConfig(
            output_dir=str(self.folder / "cold_start"),
            model=ModelConfig(path=str(backbone)),
            data=DemonstrationConfig(train=str(self.file("demonstrations", rows))),
            seed=self.seed,
            trl=passes(own) | {"max_length": 256},
        )
        return resumable(train_sft, config, callbacks=[Shortcuts()])

    def reward_model(self, policy: Path) -> Path:
        """The reward model: the policy's own body, trained on its rollouts on easy problems."""
        from hero_rl.training.configs.reward import RewardDataConfig, RewardTrainConfig, StartConfig
        from hero_rl.training.trl.reward import train_reward_model

        own = self.settings.reward_model
        easy = self._ordered(chosen(self.problems, "train", "easy"))[: own.problems]
        self.say(
            f"rollouts for the reward model: {len(easy)} problems x {own.samples}",
            answers="rollouts/rollouts/*",
            total=len(easy) * own.samples,
        )
        self.answers(policy, self.folder / "rollouts", {"reward": easy}, "train", samples=own.samples, temperature=1.0)
        self.say("reward model", run="reward_model", epochs=own.epochs)
        config = RewardTrainConfig(
            output_dir=str(self.folder / "reward_model"),
            model=StartConfig(path=str(policy)),
            data=RewardDataConfig(
                rollouts=str(self.folder / "rollouts" / "rollouts" / "reward.jsonl"),
                pairs_per_prompt=own.pairs_per_prompt,
                eval_fraction=0.1,
                max_tokens=256,
            ),
            seed=self.seed,
            trl=passes(own) | {"eval_strategy": "no"},
        )
        return resumable(train_reward_model, config).model

    def answers(
        self,
        policy: Path,
        folder: Path,
        problems: dict[str, list[WordProblem]],
        split: str,
        *,
        samples: int,
        temperature: float,
    ) -> dict[str, Any]:
        """Have a policy answer problems of a split, as `hero eval` does.

        Responses and the maths verifier's verdicts are kept. It calls a value wrong whose unit it cannot read, so that
        accuracies are not by these but by `by_value`.
        """
        from hero_rl.evaluation import Benchmark, EvalConfig, evaluate
        from hero_rl.generation import Sampling, TransformersGeneratorConfig

        arm = self.settings.arm
        files = {
            kind: self.file(
                f"asked-{kind}-{split}-{len(asked)}", ({"question": p.question, "answer": p.answer} for p in asked)
            )
            for kind, asked in problems.items()
        }
        config = EvalConfig(
            benchmarks={kind: Benchmark(dataset=str(file)) for kind, file in files.items()},
            # Half of the time of float32; the rollouts of training are drawn from weights that are rounded likewise.
            generator=TransformersGeneratorConfig(path=str(policy), dtype="bfloat16", batch_size=64, device="cpu"),
            sampling=Sampling(
                temperature=temperature,
                top_p=1.0,
                max_tokens=arm.max_completion_length,
                samples=samples,
                seed=self.seed,
            ),
        )
        return evaluate(config, folder)

    def file(self, name: str, rows: Iterable[dict[str, Any]]) -> Path:
        """A file of rows under the seed's folder; a file of other rows is refused."""
        path = self.folder / "data" / f"{name}.jsonl"
        open_folder(path.parent)
        rows = list(rows)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")  # arms side by side make the same file
        write_jsonl(fresh, rows)
        head = {"rows": sha256(fresh)}
        try:
            stage(path, head, False, lambda: fresh.rename(path), _OTHER)
        finally:
            fresh.unlink(missing_ok=True)
        return path

    def _ordered(self, problems: list[WordProblem]) -> list[WordProblem]:
        """In this seed's order."""
        return random.Random(self.seed).sample(problems, len(problems))


def passes(own: ColdStart | RewardModelStage) -> dict[str, Any]:
    """TRL's settings of a stage of supervised training; a checkpoint every 20 steps, the newest is kept."""
    return CPU | {
        "num_train_epochs": own.epochs,
        "per_device_train_batch_size": own.batch_size,
        "learning_rate": own.learning_rate,
        "warmup_steps": 5,
        "save_steps": 20,
    }


def resumable(train: Callable[..., Any], config: Any, **how: Any) -> Any:
    """Begin a run of the house, or go on with the one that lies in its folder."""
    begun = (Path(config.output_dir) / "config.yaml").is_file()
    return train(config, resume=begun, progress=False, **how)
