"""Verdicts of a verifier or a judge on responses, each kept as soon as it is there, so that none is paid for twice."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hero_rl.budget import FailureBudget
from hero_rl.errors import ConfigError, UnscorableError
from hero_rl.evaluation.responses import Responses, Wanted
from hero_rl.evaluation.settings import EvalConfig, judge_identity, verifier_identity
from hero_rl.files.journal import Journal
from hero_rl.problems import Problem
from hero_rl.scoring import Scorer, as_judged
from hero_rl.verifiers import FAILURES, Cascade, JudgeVerifier, Reason, held, in_processes
from hero_rl.verifiers.base import NOBODYS_COMPLETION

__all__ = ["UNGRADED", "Grade", "Graded", "Grader", "domain_of", "open_grader"]

_AT_A_TIME = 128

UNGRADED = FAILURES | {Reason.JUDGE_UNREADABLE}
"""Reasons that are the grader's doing, not the response's: `FAILURES`, which are not kept, so that the next call asks
again, and a judge's reply without a verdict, which it would give again."""


@dataclass(frozen=True)
class Grade:
    """What a grader says of a response.

    Attributes:
        verdict: 1.0, 0.0 or None.
        reason: why.
        answer: the final answer that it read; None where it found none or did not look.
    """

    verdict: float | None
    reason: str
    answer: str | None


class Graded(NamedTuple):
    """What came of grading a benchmark's responses.

    Attributes:
        grades: by the id of the response.
        counters: the totals of what the grader counted, in all calls.
        models: names of the models that were asked, of a judge: one, unless another took its place at the server.
    """

    grades: dict[str, Grade]
    counters: Counter[str]
    models: list[str]


class Grader:
    """Grades with one verifier, or one judge; see `open_grader`.

    Attributes:
        name: of its settings, the kind of grader first.
    """

    def __init__(self, name: str, verifier: Any, max_missing: float) -> None:
        self.name = name
        self._verifier = verifier
        self._scorer = Scorer(verifier)
        self._budget = FailureBudget(max_missing, window=_AT_A_TIME)

    def grade(
        self, asked: Sequence[Wanted], responses: Responses, folder: Path, moved: Callable[[int], object]
    ) -> Graded:
        """A grade for every response that there is.

        Grades lie in a file of the folder that bears the grader's name; one is used again as long as response,
        reference and question are the same.

        Raises:
            UnscorableError: the grader failed on too many; what it gave before is kept.
        """
        journal = Journal(folder / f"{self.name}.jsonl")
        try:
            kept = _kept(journal)
            grades: dict[str, Grade] = {}
            for chunk in _chunks([each for each in asked if each.id in responses]):
                grades |= self._grade_chunk(chunk, responses, journal, kept)
                moved(len(chunk))
            return Graded(grades, kept.counters, list(kept.models))
        finally:
            journal.close()

    def unreadable(self, problems: Sequence[Problem]) -> set[str]:
        """Ids of the problems whose reference this grader cannot read.

        Of such a problem it knows right answers by their text and has no opinion of any other: to keep the verdicts
        that there are would be to count its right answers alone.
        """
        if isinstance(self._verifier, (JudgeVerifier, Cascade)):
            return set()
        found: set[str] = set()
        for start in range(0, len(problems), _AT_A_TIME):
            some = problems[start : start + _AT_A_TIME]
            references = [problem.reference for problem in some]
            domains = [domain_of(problem) for problem in some]
            answers = [NOBODYS_COMPLETION] * len(some)
            scored = self._scorer.score([""] * len(some), answers, references, domains=domains)
            reasons = zip(some, scored.reasons, strict=True)
            found |= {problem.id for problem, reason in reasons if reason is Reason.REFERENCE_UNREADABLE}
        return found

    def _grade_chunk(
        self,
        chunk: Sequence[Wanted],
        responses: Responses,
        journal: Journal,
        kept: _Kept,
    ) -> dict[str, Grade]:
        texts = {each.id: _judged_text(each, responses.row(each)) for each in chunk}
        marks = {each.id: _mark(each, texts[each.id]) for each in chunk}
        places = {each.id: (each.id, marks[each.id]) for each in chunk}
        grades = {name: kept.grades[place] for name, place in places.items() if place in kept.grades}
        open_ones = [each for each in chunk if each.id not in grades]
        if open_ones:
            fresh, counted = self._ask(open_ones, texts)
            lines = [
                {"id": each.id, "of": marks[each.id], **vars(grade)}
                for each, grade in zip(open_ones, fresh, strict=True)
                if grade.reason not in FAILURES
            ]
            total = {"counters": counted, "model": getattr(self._verifier, "asked", None)}
            journal.append(json.dumps(line).encode() + b"\n" for line in [*lines, total])
            kept.count(total)
            self._refuse_failures(fresh)
            grades |= {each.id: grade for each, grade in zip(open_ones, fresh, strict=True)}
        return grades

    def _ask(self, asked: Sequence[Wanted], texts: dict[str, str]) -> tuple[list[Grade], dict[str, int]]:
        before = _counters(self._verifier)
        scored = self._scorer.score(
            [each.problem.question for each in asked],
            [texts[each.id] for each in asked],
            [each.problem.reference for each in asked],
            columns=[each.problem.extra for each in asked],
            domains=[domain_of(each.problem) for each in asked],
        )
        counted = {name: count - before.get(name, 0) for name, count in _counters(self._verifier).items()}
        said = zip(scored.verdict.tolist(), scored.reasons, scored.answers, strict=True)
        return [Grade(None if math.isnan(value) else value, str(why), answer) for value, why, answer in said], counted

    def _refuse_failures(self, grades: Sequence[Grade]) -> None:
        why = Counter(grade.reason for grade in grades if grade.reason in FAILURES)
        if self._budget.add(why.total(), len(grades)) or self._budget.in_vain:
            reasons = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in why.items())
            raise UnscorableError(
                f"the {self.name.partition('-')[0]} failed on {why.total()} of {len(grades)} responses, more than "
                f"--max_missing {self._budget.share:g} allows ({reasons}); the grades that it gave are kept, and the "
                f"same command goes on there{self._scorer.first_crash(why)}"
            )


def domain_of(problem: Problem) -> str:
    """The domain of a problem: what its column `domain` says, else the source that it comes from."""
    named = problem.extra.get("domain")
    return named if isinstance(named, str) and named else problem.source


def open_grader(kind: Literal["verifier", "judge"], config: EvalConfig, stack: ExitStack) -> Grader:
    """The grader of an evaluation, its processes or connections in the stack's hands.

    Raises:
        ConfigError: there is no judge.
    """
    if kind == "judge":
        if config.judge is None:
            raise ConfigError("judge.url: missing")
        stack.callback(config.judge.close)
        return Grader(judge_identity(config.judge), config.judge, config.max_missing)
    running = held(in_processes(config.verifier, config.verifier_processes), stack)
    return Grader(verifier_identity(config), running, config.max_missing)


@dataclass
class _Kept:
    """The grades of earlier calls, by response and mark, and what was counted when they were given."""

    grades: dict[tuple[str, str], Grade] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    models: dict[str, None] = field(default_factory=dict)

    def count(self, total: Mapping[str, Any]) -> None:
        """Take in what was counted for some responses, and who was asked."""
        self.counters.update(total["counters"])
        if total.get("model"):
            self.models[total["model"]] = None


def _kept(journal: Journal) -> _Kept:
    kept = _Kept()
    for _, line in journal.items():
        if "counters" in line:
            kept.count(line)
        elif {"id", "of", "verdict", "reason", "answer"} <= line.keys():
            kept.grades[line["id"], line["of"]] = Grade(line["verdict"], line["reason"], line["answer"])
    return kept


def _judged_text(asked: Wanted, row: Mapping[str, Any]) -> str:
    """A response, in the thought that it never left where its prompt or its end says so."""
    return as_judged(asked.problem.prompt, row["completion"], row["finish_reason"])


def _mark(asked: Wanted, completion: str) -> str:
    """What tells a check from one of another text, reference or question."""
    problem = asked.problem
    more = [dict(problem.extra)] if problem.extra else []  # a verifier of requests reads them
    text = json.dumps([problem.question, problem.reference, completion, *more], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _counters(part: Any) -> dict[str, int]:
    """What a grader counted so far; its seconds, which no two runs share, apart."""
    return {name: int(count) for name, count in getattr(part, "counters", {}).items() if name != "seconds"}


def _chunks(items: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
    return (items[start : start + _AT_A_TIME] for start in range(0, len(items), _AT_A_TIME))
