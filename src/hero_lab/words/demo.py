"""The demo with a real model: whole pipelines, one a seed, their arms side by side, and who won.

result = run_words(WordsSettings(seeds=2), Path("runs/words"))
"""

from __future__ import annotations

import json
import math
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console

from hero_lab.arena.arms import arm_folder, arm_rule, send_output_to
from hero_lab.arena.demo import REGIMES, Arm, DemoResult, Panel, check_rules
from hero_lab.arena.evaluation import PromptAccuracy
from hero_lab.arena.page import smooth
from hero_lab.arena.results import START, covered
from hero_lab.arena.watch import watch_arms, watch_stages
from hero_lab.arena.workers import worker_pool
from hero_lab.words.arms import agrees, answers_of, asked_digest, is_finished, run_arm
from hero_lab.words.looks import Asked, Looked, answer, group_aurocs, held_out, judged
from hero_lab.words.nearness import near
from hero_lab.words.settings import WordsSettings
from hero_lab.words.stages import Stages, check_problems, problems_of, trained_on
from hero_rl.errors import HeroError
from hero_rl.files.stages import read_json
from hero_rl.files.whole import write_json

__all__ = ["WordsResult", "gather", "run_words"]

_ANSWERS = "answers-start"
_STAGES = "stages.jsonl"
_SPAN = 10
_RIGHT, _SCORE = "rewards/verifier/mean", "rewards/reward_model/mean"
_GO_ON = "the same command without --gather goes on"


@dataclass(frozen=True)
class WordsResult(DemoResult):
    """The finished arms of a comparison with a real model.

    Attributes:
        missing: arms that are not finished, by rule and seed.
        shares: by rule and seed, where `start` is the policy before RL, and by measure and kind: `exact` and `bare` as
            in `Looked`; of `start` also `near`, for each held-out problem 1 where a demonstration is near it, else 0.
        aurocs: as `group_aurocs` has them, by rule and seed.
    """

    missing: tuple[str, ...] = ()
    shares: dict[tuple[str, int], dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    aurocs: dict[tuple[str, int], list[tuple[int, float]]] = field(default_factory=dict)

    title: ClassVar[str] = "Word problems: who wins?"
    above: ClassVar[str] = "what verifier and reward model say of the rollouts of training, means of ten steps"
    panels: ClassVar[tuple[Panel, ...]] = (
        Panel(_RIGHT, "rollouts that the verifier calls right, %", 100),
        Panel(_SCORE, "mean score of the reward model", 1),
    )

    def course(self, arm: Arm) -> list[dict[str, Any]]:
        """Means of ten steps; the looks at development problems are too few for a curve."""
        means = {key: smooth([line.get(key, math.nan) for line in arm.steps], _SPAN) for key in (_RIGHT, _SCORE)}
        begin = _SPAN - 1 if len(arm.steps) >= 2 * _SPAN else 0  # the mean of one step stands out from those of ten
        return [
            {"step": line["step"]} | {key: values[at] for key, values in means.items()}
            for at, line in enumerate(arm.steps)
            if at >= begin
        ]

    @property
    def starts(self) -> dict[int, dict[str, PromptAccuracy]]:
        """Accuracy before RL, by seed."""
        return dict(zip(_seeds(self.settings), self.start, strict=True))

    @property
    def introduction(self) -> str:
        """What was done, for the head of a page."""
        settings = self.settings
        return (
            f"{_shown(settings.model)} on word problems ({_shown(settings.problems)}): a cold start on short worked "
            f"solutions, then {settings.arm.steps} steps of RL through TRL on {REGIMES[settings.arm.regime]} under "
            "different combinations of a rule verifier and a reward model, which was trained on the policy's own "
            "rollouts. Everything but the rule is the same."
        )

    @property
    def caveat(self) -> str:
        """What the intervals do not cover, and what is not there yet."""
        problems = f"at most {self.settings.arm.prompts} problems of each kind"
        said = covered(self.settings.seeds, problems, "each with a cold start and a reward model of its own")
        return f"{said}; not finished: {', '.join(self.missing)}" if self.missing else said


def run_words(
    settings: WordsSettings, folder: Path, *, workers: int = 1, console: Console | None = None
) -> WordsResult:
    """Make what is not there yet, stage by stage, and gather the results.

    Args:
        settings: what to compare.
        folder: where everything is kept; the same call goes on with what lies there, to the step.
        workers: seeds, then arms, that run at the same time; they share the cores.
        console: where progress is shown; none shows nothing.

    Raises:
        ConfigError: a setting is wrong, or the folder was made with others.
        DataError: there are too few problems of some sort.
        HeroError: a stage or an arm failed; the message names its log.
    """
    began = time.monotonic()
    check_rules(settings.arms, settings.rule)
    problems = problems_of(settings)
    check_problems(trained_on(problems, settings), settings)
    asked = asked_digest(problems, settings)
    folder.mkdir(parents=True, exist_ok=True)
    with _pool(min(workers, settings.seeds)) as pool:
        _prepare(settings, folder, pool, console)
    with _pool(workers) as pool:
        running: dict[Path, Future[None]] = {}
        for seed, name, place in _arms(settings, folder):
            if not is_finished(place, settings, asked):
                running[place] = pool.submit(run_arm, settings, seed, seed_folder(folder, seed), name, place)
        watch_arms(running, settings.arm.steps, console)
        for place, future in running.items():
            _raise_failure(future, place / "log.txt")
    return gather(settings, folder, time.monotonic() - began)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the cores. When the block is left they have ended, and their memory is free."""
    threads = max(1, torch.get_num_threads() // workers)
    pool = worker_pool(workers, kernels=1024, threads=threads)  # a large model in bfloat16: kernels are worth their MB
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        # What still runs may be hours from its end, and is gone on with by the next call.
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    pool.shutdown()


def gather(settings: WordsSettings, folder: Path, seconds: float = 0.0) -> WordsResult:
    """The results that are there, by the oracle of this version; nothing is trained.

    Raises:
        HeroError: a seed's policy has not been measured before RL, or no arm is finished.
    """
    problems = problems_of(settings)
    asked, digest = held_out(problems, settings.arm), asked_digest(problems, settings)
    looked: dict[tuple[str, int], Looked] = {}
    near_to: dict[tuple[str, int], dict[str, dict[str, list[float]]]] = {}
    for seed in _seeds(settings):
        own = seed_folder(folder, seed)
        if not _is_measured(own, settings, digest):
            raise HeroError(f"{own}: the policy before RL is not measured yet; {_GO_ON}")
        looked[START, seed] = judged(asked, own / _ANSWERS, settings.arm.samples)
        near_to[START, seed] = {"near": _near(asked, own)}
    starts = [one.accuracy for one in looked.values()]
    arms, missing, aurocs = [], [], {}
    for seed, name, place in _arms(settings, folder):
        if not is_finished(place, settings, digest):
            missing.append(f"{name} (seed {seed})")
            continue
        looked[name, seed] = judged(asked, answers_of(place, settings), settings.arm.samples)
        aurocs[name, seed] = group_aurocs(place, problems, settings.arm.steps)
        arms.append(Arm.read(name, seed, place, looked[name, seed].accuracy, settings.arm.steps))
    if not arms:
        raise HeroError(f"{folder}: no arm is finished; {_GO_ON}")
    names = [name for name in settings.arms if any(arm.name == name for arm in arms)]
    shares = {key: {"exact": one.exact, "bare": one.bare} | near_to.get(key, {}) for key, one in looked.items()}
    settings = settings.model_copy(update={"arms": names})
    return WordsResult(settings, starts, arms, seconds, tuple(missing), shares, aurocs)


def _near(asked: Asked, seed: Path) -> dict[str, list[float]]:
    """Which held-out problems are near a demonstration of that seed's cold start."""
    shown = [json.loads(line)["prompt"] for line in (seed / "data" / "demonstrations.jsonl").read_text().splitlines()]
    return {
        kind: [float(is_near) for is_near in near([problem.question for problem in own], shown)]
        for kind, own in asked.items()
    }


def seed_folder(folder: Path, seed: int) -> Path:
    """Where a seed's pipeline lies."""
    return folder / f"seed{seed}"


def _seeds(settings: WordsSettings) -> range:
    return range(settings.first_seed, settings.first_seed + settings.seeds)


def _arms(settings: WordsSettings, folder: Path) -> list[tuple[int, str, Path]]:
    """(seed, rule, folder) of every arm; what only says how long or how well it is looked at is no part of its name."""
    looks = {"steps", "curve_every", "curve_prompts", "prompts", "samples", "save_every", "split"}
    made_of = settings.arm.model_copy(update={name: type(settings.arm).model_fields[name].default for name in looks})
    return [
        (seed, name, arm_folder(seed_folder(folder, seed) / "arms", name, seed, arm_rule(name, settings.rule), made_of))
        for seed in _seeds(settings)
        for name in settings.arms
    ]


def _prepare(settings: WordsSettings, folder: Path, pool: ProcessPoolExecutor, console: Console | None) -> None:
    """The models of every seed, and how good they are before RL."""
    running: dict[Path, Future[None]] = {}
    for seed in _seeds(settings):
        stages = seed_folder(folder, seed) / _STAGES
        stages.unlink(missing_ok=True)  # what an earlier call said
        running[stages] = pool.submit(_prepare_seed, settings, seed, stages.parent)
    watch_stages(running, console)
    for stages, job in running.items():
        if job.done():  # the others are not waited for when one has failed
            _raise_failure(job, stages.with_name("log.txt"))


def _prepare_seed(settings: WordsSettings, seed: int, folder: Path) -> None:
    """All stages before RL of one seed, in this process; says in `stages.jsonl` which is under way."""
    folder.mkdir(parents=True, exist_ok=True)
    send_output_to(folder / "log.txt")

    def say(text: str, **progress: str | int) -> None:
        with (folder / _STAGES).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time.strftime("%H:%M"), "text": text} | progress) + "\n")

    stages = Stages(settings, seed, folder, say)
    models = stages.prepare()
    digest = asked_digest(stages.problems, settings)
    if not _is_measured(folder, settings, digest):
        asked = held_out(stages.problems, settings.arm)
        answers = sum(map(len, asked.values())) * (settings.arm.samples + 1)
        say("accuracy before RL", answers=f"{_ANSWERS}-*/rollouts/*", total=answers)
        answer(stages, models.policy, folder / _ANSWERS, asked)
        write_json(folder / "start.json", {"looked": _looked(settings, digest)})
    say("ready")


def _looked(settings: WordsSettings, asked: str) -> dict[str, Any]:
    """What a policy's accuracy before RL hangs on."""
    looks = {name: getattr(settings.arm, name) for name in ("prompts", "samples", "split", "max_completion_length")}
    made_by = settings.model_dump(mode="json", include={"model", "cold_start", "reward_model"})
    return looks | made_by | {"asked": asked}


def _is_measured(folder: Path, settings: WordsSettings, asked: str) -> bool:
    """Whether the policy before RL has answered these problems; a record of an earlier version says less."""
    start = read_json(folder / "start.json")
    return bool(start) and agrees(start["looked"], _looked(settings, asked))


def _raise_failure(job: Future[None], log: Path) -> None:
    error = job.exception()
    if error is not None:
        raise HeroError(f"{log.parent}: {error}; its output is in {log}") from error


def _shown(name: str) -> str:
    """A name for people: of a file its name alone."""
    return {"smollm2": "SmolLM2-135M-Instruct"}.get(name, Path(name).name)
