"""The demo with a real model: whole pipelines, one a seed, their arms side by side, and who won.

result = run_words(WordsSettings(seeds=2), Path("runs/words"))
"""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console

from hero_lab.arena.arms import arm_folder, arm_rule, send_output_to
from hero_lab.arena.demo import REGIMES, Arm, DemoResult, Panel, check_rules
from hero_lab.arena.page import smooth
from hero_lab.arena.results import START, covered
from hero_lab.arena.watch import watch_arms
from hero_lab.arena.workers import worker_pool
from hero_lab.words.arms import Looked, measure, read_looked, run_arm
from hero_lab.words.settings import WordsSettings
from hero_lab.words.stages import Stages
from hero_rl.errors import HeroError
from hero_rl.files.whole import write_json

__all__ = ["WordsResult", "gather", "run_words"]

_ANSWERS = "answers-start"
_RIGHT, _SCORE = "rewards/verifier/mean", "rewards/reward_model/mean"
_GO_ON = "the same command without --gather goes on"


@dataclass(frozen=True)
class WordsResult(DemoResult):
    """The finished arms of a comparison with a real model.

    Attributes:
        missing: arms that are not finished, by rule and seed.
        aurocs: as in `Looked`, by rule and seed, where `start` is the policy before RL.
        exact: likewise.
    """

    missing: tuple[str, ...] = ()
    aurocs: dict[tuple[str, int], dict[str, list[float]]] = field(default_factory=dict)
    exact: dict[tuple[str, int], dict[str, list[float]]] = field(default_factory=dict)

    title: ClassVar[str] = "Word problems: who wins?"
    above: ClassVar[str] = "what verifier and reward model say of the rollouts of training, means of ten steps"
    panels: ClassVar[tuple[Panel, ...]] = (
        Panel(_RIGHT, "rollouts that the verifier calls right, %", 100),
        Panel(_SCORE, "mean score of the reward model", 1),
    )

    def course(self, arm: Arm) -> list[dict[str, Any]]:
        """Means of ten steps; the looks at development problems are too few for a curve."""
        means = {key: smooth([line.get(key, math.nan) for line in arm.steps]) for key in (_RIGHT, _SCORE)}
        return [
            {"step": line["step"]} | {key: values[at] for key, values in means.items()}
            for at, line in enumerate(arm.steps)
        ]

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
        HeroError: a stage or an arm failed; the message names its log.
    """
    began = time.monotonic()
    check_rules(settings.arms, settings.rule)
    folder.mkdir(parents=True, exist_ok=True)
    threads = max(1, torch.get_num_threads() // workers)
    pool = worker_pool(workers, kernels=1024, threads=threads)  # a large model in bfloat16: kernels are worth their MB
    try:
        _prepare(settings, folder, pool, console)
        running: dict[Path, Future[None]] = {}
        for seed, name, place in _arms(settings, folder):
            if read_looked(place, settings) is None:
                running[place] = pool.submit(run_arm, settings, seed, seed_folder(folder, seed), name, place)
        watch_arms(running, settings.arm.steps, console)
        for place, future in running.items():
            _raise_failure(future, place / "log.txt")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return gather(settings, folder, time.monotonic() - began)


def gather(settings: WordsSettings, folder: Path, seconds: float = 0.0) -> WordsResult:
    """The results that are there; nothing is trained.

    Raises:
        HeroError: a seed's policy has not been measured before RL, or no arm is finished.
    """
    starts, aurocs, exact = [], {}, {}
    for seed in _seeds(settings):
        start = _read_start(seed_folder(folder, seed), settings)
        if start is None:
            raise HeroError(f"{seed_folder(folder, seed)}: the policy before RL is not measured yet; {_GO_ON}")
        starts.append(start.accuracy)
        aurocs[START, seed], exact[START, seed] = start.aurocs, start.exact
    finished, missing = [], []
    for seed, name, place in _arms(settings, folder):
        looked = read_looked(place, settings)
        if looked is None:
            missing.append(f"{name} (seed {seed})")
        else:
            finished.append(Arm.read(name, seed, place, looked.accuracy, settings.arm.steps))
            aurocs[name, seed], exact[name, seed] = looked.aurocs, looked.exact
    if not finished:
        raise HeroError(f"{folder}: no arm is finished; {_GO_ON}")
    arms = [name for name in settings.arms if any(arm.name == name for arm in finished)]
    settings = settings.model_copy(update={"arms": arms})
    return WordsResult(settings, starts, finished, seconds, tuple(missing), aurocs, exact)


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
    logs = {seed: seed_folder(folder, seed) / "stages.txt" for seed in _seeds(settings)}
    for log in logs.values():
        log.unlink(missing_ok=True)  # what an earlier call said
    jobs = {seed: pool.submit(_prepare_seed, settings, seed, log.parent) for seed, log in logs.items()}
    said = dict.fromkeys(logs, 0)
    running = True
    while running:
        running = not all(job.done() for job in jobs.values())
        for seed, log in logs.items():
            lines = log.read_text().splitlines() if log.exists() else []
            if console is not None:
                for line in lines[said[seed] :]:
                    console.print(f"seed {seed}: {line}", highlight=False)
            said[seed] = len(lines)
        for seed, job in jobs.items():
            if job.done():
                _raise_failure(job, logs[seed].with_name("log.txt"))
        if running:
            time.sleep(0.5)


def _prepare_seed(settings: WordsSettings, seed: int, folder: Path) -> None:
    """All stages before RL of one seed, in this process; says in `stages.txt` which is under way."""
    folder.mkdir(parents=True, exist_ok=True)
    send_output_to(folder / "log.txt")
    log = folder / "stages.txt"

    def say(text: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%H:%M')} {text}\n")

    stages = Stages(settings, seed, folder, say)
    models = stages.prepare()
    if _read_start(folder, settings) is None:
        say("accuracy before RL")
        looked = measure(stages, models.policy, folder / _ANSWERS)
        write_json(folder / "start.json", {"looked": _looked(settings)} | looked.to_dict())
    say("ready")


def _looked(settings: WordsSettings) -> dict[str, Any]:
    return {name: getattr(settings.arm, name) for name in ("prompts", "samples", "split")}


def _read_start(folder: Path, settings: WordsSettings) -> Looked | None:
    try:
        start = json.loads((folder / "start.json").read_text())
    except (OSError, ValueError):
        return None
    if start["looked"] != _looked(settings) or "exact" not in start:
        return None
    return Looked.from_dict(start)


def _raise_failure(job: Future[None], log: Path) -> None:
    error = job.exception()
    if error is not None:
        raise HeroError(f"{log.parent}: {error}; its output is in {log}") from error


def _shown(name: str) -> str:
    """A name for people: of a file its name alone."""
    return {"smollm2": "SmolLM2-135M-Instruct"}.get(name, Path(name).name)
