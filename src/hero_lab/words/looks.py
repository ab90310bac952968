"""What held-out problems say of a policy: it answers them once, and is judged by what it said.

    asked = held_out(problems, arm)
    answer(stages, policy, Path("run/answers-report-100"), asked)
    looked = judged(asked, Path("run/answers-report-100"), samples=4)

Answers are kept and verdicts are not, so that what is shown is by the oracle of the version that shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from hero_lab.arena.evaluation import KINDS, PromptAccuracy
from hero_lab.words.oracle import by_value, is_bare
from hero_lab.words.problems import MARKER, WordProblem, chosen
from hero_rl.errors import DataError
from hero_rl.rules import Groups, group_auroc
from hero_rl.verifiers import ExactVerifier

if TYPE_CHECKING:
    from hero_lab.words.settings import WordsArm
    from hero_lab.words.stages import Stages

__all__ = ["Asked", "Looked", "answer", "group_aurocs", "held_out", "judged"]

Asked = Mapping[str, Sequence[WordProblem]]
"""Held-out problems by their kind."""


@dataclass(frozen=True)
class Looked:
    """What held-out problems say of a policy, by their kind; a kind without problems has empty lists.

    Attributes:
        accuracy: by the oracle.
        exact: for each problem the share of its sampled responses that give the answer as the set writes it.
        bare: likewise the share of those whose answer is a number and nothing else.
    """

    accuracy: dict[str, PromptAccuracy]
    exact: dict[str, list[float]]
    bare: dict[str, list[float]]


def held_out(problems: Sequence[WordProblem], arm: WordsArm) -> Asked:
    """The problems that all arms and seeds are asked, by their length: a batch is padded to its longest prompt."""
    held = {kind: chosen(problems, arm.split, kind)[: arm.prompts] for kind in KINDS}
    return {kind: sorted(own, key=lambda problem: len(problem.question)) for kind, own in held.items()}


def answer(stages: Stages, policy: Path, place: Path, asked: Asked) -> None:
    """Have a policy answer problems; its responses are kept in `place-sampled` and `place-greedy`."""
    there = {kind: list(problems) for kind, problems in asked.items() if problems}
    for how, samples, temperature in (("sampled", stages.settings.arm.samples, 1.0), ("greedy", 1, 0.0)):
        stages.answers(
            policy, _folder(place, how), there, stages.settings.arm.split, samples=samples, temperature=temperature
        )


def judged(asked: Asked, place: Path, samples: int) -> Looked:
    """Judge the answers that are kept, of each problem so many samples; there may be more, from an earlier look.

    Raises:
        DataError: a problem has no such answers.
    """
    sampled, greedy = (
        {kind: _read(_folder(place, how) / "rollouts" / f"{kind}.jsonl", own, many) for kind, own in asked.items()}
        for how, many in (("sampled", samples), ("greedy", 1))
    )
    exact = ExactVerifier(marker=MARKER)

    def right(problem: WordProblem, said: str) -> float:
        return by_value(problem.answer, said)

    def as_written(problem: WordProblem, said: str) -> float:
        return exact.verify(problem.reference, said).value

    return Looked(
        {kind: PromptAccuracy(_shares(sampled[kind], right), _shares(greedy[kind], right)) for kind in asked},
        {kind: _shares(sampled[kind], as_written) for kind in asked},
        {kind: _shares(sampled[kind], lambda _, said: is_bare(said)) for kind in asked},
    )


def _folder(place: Path, how: str) -> Path:
    return place.with_name(f"{place.name}-{how}")


def _read(file: Path, problems: Sequence[WordProblem], samples: int) -> list[tuple[WordProblem, list[str]]]:
    """The responses to each problem."""
    said: dict[str, list[str]] = {problem.question: [] for problem in problems}
    for line in file.read_text().splitlines() if problems else []:
        row = json.loads(line)
        if row["prompt"] in said and row["sample"] < samples:
            said[row["prompt"]].append(row["completion"])
    for question, own in said.items():
        if len(own) != samples:
            raise DataError(f"{file}: {len(own)} answers to {question!r}, and {samples} are expected")
    return [(problem, said[problem.question]) for problem in problems]


def _shares(
    answers: Sequence[tuple[WordProblem, Sequence[str]]], verdict: Callable[[WordProblem, str], float]
) -> list[float]:
    """For each problem the share of its responses that are something."""
    return [sum(verdict(problem, said) for said in own) / len(own) for problem, own in answers]


def group_aurocs(run: Path, problems: Sequence[WordProblem], steps: int) -> list[tuple[int, float]]:
    """How the reward model ranked a run's rollouts, against the oracle: step and AUROC of each group that has both.

    Args:
        run: folder of the run, which keeps its rollouts.
        problems: that the run was trained on, or more.
        steps: later ones are left out.
    """
    import pandas

    value = {problem.question: problem.answer for problem in problems}
    found = []
    for file in sorted((run / "rollouts").glob("train_*.parquet")):
        rows = pandas.read_parquet(file, columns=["step", "group", "prompt", "completion", "score"])
        right = [
            by_value(value[prompt[-1]["content"]], completion[-1]["content"])
            for prompt, completion in zip(rows["prompt"], rows["completion"], strict=True)
        ]
        groups = Groups.of(torch.tensor(rows["group"].to_numpy()))
        aurocs = group_auroc(torch.tensor(rows["score"].to_numpy()), torch.tensor(right, dtype=torch.float64), groups)
        found += [(int(rows["step"].iloc[0]), float(one)) for one in aurocs[~aurocs.isnan()]]
    return [(step, one) for step, one in found if step <= steps]
