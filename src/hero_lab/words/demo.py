"""The demo with a real model: whole pipelines, one a seed, their arms side by side, and who won.

result = run_words(WordsSettings(seeds=2), Path("runs/words"))
"""

from __future__ import annotations

import json
import math
import multiprocessing
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console

from hero_lab.arena.arms import arm_folder, arm_rule, send_output_to
from hero_lab.arena.demo import REGIMES, Arm, DemoResult, Panel, check_rules, raise_failures
from hero_lab.arena.evaluation import PromptAccuracy
from hero_lab.arena.page import smooth
from hero_lab.arena.results import START, covered
from hero_lab.arena.watch import watch_arms, watch_stages
from hero_lab.arena.workers import worker_pool
from hero_lab.words.arms import answers_of, check_length, digests, is_finished, run_arm
from hero_lab.words.looks import Asked, Looked, answer, group_aurocs, held_out, judged
from hero_lab.words.nearness import near
from hero_lab.words.settings import WordsSettings
from hero_lab.words.stages import Stages, check_problems, problems_of, trained_on
from hero_rl.errors import HeroError
from hero_rl.files.stages import made_of, read_json
from hero_rl.files.whole import write_json

__all__ = ["WordsResult", "gather", "run_words"]

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
        made_of: `weights` of the model as it comes, and `asked` of the held-out problems and `prompts` of RL, a digest
            of each; seeds are of one comparison where all are the same.
    """

    missing: tuple[str, ...] = ()
    shares: dict[tuple[str, int], dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    aurocs: dict[tuple[str, int], list[tuple[int, float]]] = field(default_factory=dict)
    made_of: dict[str, str] = field(default_factory=dict)

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

    def exact(self, name: str) -> list[dict[str, list[float]]]:
        """Of each seed that a rule has, what matches the set's answer exactly."""
        return [own["exact"] for (rule, _), own in sorted(self.shares.items()) if rule == name and "exact" in own]

    def details(self) -> dict[str, Any]:
        """What a script reads beside accuracies."""
        return {"missing": self.missing, "intervals": self.caveat, "made_of": self.made_of}

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
    say = (lambda text: None) if console is None else partial(console.print, highlight=False)
    problems = trained_on(problems_of(settings, say), settings)
    check_problems(problems, settings)
    told = digests(problems, settings)
    left = [one for one in _arms(settings, folder) if not is_finished(one[2], settings, told)]
    for _, _, place in left:
        check_length(place, settings)
    folder.mkdir(parents=True, exist_ok=True)
    with _pool(min(workers, settings.seeds)) as pool:
        _prepare(settings, folder, pool, console)
    with _pool(workers) as pool:
        running: dict[Path, Future[None]] = {}
        for seed, name, place in left:
            running[place] = pool.submit(run_arm, settings, seed, seed_folder(folder, seed), name, place)
        watch_arms(running, settings.arm.steps, console)
        raise_failures(running)
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

    Of seeds, those up to the first that has not been measured before RL; the arms of the others are said to be missing.

    Raises:
        HeroError: the first seed's policy has not been measured before RL, or no arm is finished.
    """
    problems = trained_on(problems_of(settings), settings)
    asked, told = held_out(problems, settings.arm), digests(problems, settings)
    measured = list(takewhile(lambda seed: _is_measured(seed_folder(folder, seed), settings, told), _seeds(settings)))
    if not measured:
        first = seed_folder(folder, settings.first_seed)
        raise HeroError(f"{first}: the policy before RL is not measured yet; {_GO_ON}")
    looked: dict[tuple[str, int], Looked] = {}
    near_to: dict[tuple[str, int], dict[str, dict[str, list[float]]]] = {}
    for seed in measured:
        own = seed_folder(folder, seed)
        looked[START, seed] = judged(asked, _answers_before(own, settings), settings.arm.samples)
        near_to[START, seed] = {"near": _near(asked, own)}
    starts = [one.accuracy for one in looked.values()]
    arms, missing, aurocs = [], [], {}
    for seed, name, place in _arms(settings, folder):
        if seed not in measured or not is_finished(place, settings, told):
            missing.append(f"{name} (seed {seed})")
            continue
        looked[name, seed] = judged(asked, answers_of(place, settings), settings.arm.samples)
        aurocs[name, seed] = group_aurocs(place, problems, settings.arm.steps)
        arms.append(Arm.read(name, seed, place, looked[name, seed].accuracy, settings.arm.steps))
    if not arms:
        raise HeroError(f"{folder}: no arm is finished; {_GO_ON}")
    names = [name for name in settings.arms if any(arm.name == name for arm in arms)]
    shares = {key: {"exact": one.exact, "bare": one.bare} | near_to.get(key, {}) for key, one in looked.items()}
    settings = settings.model_copy(update={"arms": names, "seeds": len(measured)})
    model = {"weights": made_of(folder / "backbone").get("weights", "")}
    return WordsResult(settings, starts, arms, seconds, tuple(missing), shares, aurocs, model | told)


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
    told = digests(stages.problems, settings)
    if not _is_measured(folder, settings, told):
        asked = held_out(stages.problems, settings.arm)
        answers = sum(map(len, asked.values())) * (settings.arm.samples + 1)
        place = _answers_before(folder, settings)
        say("accuracy before RL", answers=f"{place.name}-*/rollouts/*", total=answers)
        answer(stages, models.policy, place, asked)
        write_json(folder / "start.json", {"looked": _looked(settings, told)})
    say("ready")


def _answers_before(seed: Path, settings: WordsSettings) -> Path:
    """Where the responses of a seed's policy before RL lie, without what `looks` puts behind the name."""
    return seed / f"answers-{settings.arm.split}-start"


def _looked(settings: WordsSettings, told: Mapping[str, str]) -> dict[str, Any]:
    """What a policy's accuracy before RL hangs on."""
    looks = {name: getattr(settings.arm, name) for name in ("prompts", "samples", "split", "max_completion_length")}
    made_by = settings.model_dump(mode="json", include={"model", "cold_start", "reward_model"})
    return looks | made_by | {"asked": told["asked"]}


def _is_measured(folder: Path, settings: WordsSettings, told: Mapping[str, str]) -> bool:
    """Whether the policy before RL has answered these problems."""
    start = read_json(folder / "start.json")
    return bool(start) and start["looked"] == _looked(settings, told)


def _raise_failure(job: Future[None], log: Path) -> None:
    error = job.exception()
    if error is not None:
        raise HeroError(f"{log.parent}: {error}; its output is in {log}") from error


def _shown(name: str) -> str:
    """A name for people: of a file its name alone."""
    return {"smollm2": "SmolLM2-135M-Instruct"}.get(name, Path(name).name)
