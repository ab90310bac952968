"""A model evaluated on benchmarks: responses, grades and numbers, each part kept, so that nothing is made twice.

    result = evaluate(config, Path("runs/eval"))
    print(result["benchmarks"]["math500"]["pass@1"])

A call that was killed goes on where it was and ends in the same files. Responses that are there are never written
again: with another verifier or another judge, the same call grades them anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError, DataError, GenerationError, UnscorableError
from hero_rl.evaluation.folder import RunFolder
from hero_rl.evaluation.grading import Grade, Grader, domain_of, open_grader
from hero_rl.evaluation.numbers import Response, benchmark_numbers, problem_rows
from hero_rl.evaluation.responses import FACTS, Responses, Wanted, wanted
from hero_rl.evaluation.settings import EvalConfig
from hero_rl.evaluation.votes import votes
from hero_rl.files.whole import write_json, write_jsonl
from hero_rl.generation import Generator
from hero_rl.problems import Problem, ProblemReader
from hero_rl.rollouts import Rollout
from hero_rl.verifiers import CascadeVerifier, MathVerifier, Reason, StagedVerifier
from hero_rl.verifiers.configured import check_columns

__all__ = ["Progress", "evaluate", "read_benchmarks", "refuse_failures"]

Progress = Callable[[str, int, int], object]
"""Told what is done, how much of it and how much there is."""

_UNREADABLE = Reason.REFERENCE_UNREADABLE.value
_STEP = re.compile(r"(?:checkpoint-|global_step_)(\d+)(?:/|$)")


def read_benchmarks(config: EvalConfig) -> dict[str, list[Problem]]:
    """The problems of every benchmark, so that a bad row costs no work on the others.

    Raises:
        DataError: a file is missing or a row is bad; names benchmark, file and row.
    """
    problems = {}
    for name, benchmark in config.benchmarks.items():
        try:
            problems[name] = list(ProblemReader(config.source(benchmark)))
            for kind in config.graders(benchmark):
                for each in problems[name]:
                    grader = config.judge if kind == "judge" else config.verifier
                    check_columns(grader, each.extra, f"the problem {each.id}", domain_of(each))
        except DataError as error:
            raise DataError(f"benchmarks.{name}: {error}") from None
    return problems


def evaluate(
    config: EvalConfig,
    output: Path,
    *,
    rescore: bool = False,
    restart: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Have the model answer, grade the answers, and write rollouts, problems and the result.

    Args:
        config: what is evaluated.
        output: the evaluation's folder, new or of an interrupted or finished call.
        rescore: write no responses; grade those that are there.
        restart: remove what the folder holds, and begin anew.
        progress: told of every step.

    Returns:
        What `result.json` holds.

    Raises:
        ConfigError: the folder holds responses of another model, or something cannot work as it is set.
        DataError: a bad row of a benchmark.
        GenerationError: the model is gone; what it wrote is kept.
        UnscorableError: a grader failed on too many of the responses that it was asked about; see `refuse_failures`
            for those of the result.
    """
    problems = read_benchmarks(config)
    with ExitStack() as stack:
        folder = stack.enter_context(RunFolder(output))
        if restart:
            folder.clear()
        folder.refuse_another_model(config, rescore)
        run = _Run(config, folder, problems, rescore, progress, stack)
        return run.go()


@dataclass
class _Run:
    """One call of `evaluate`."""

    config: EvalConfig
    folder: RunFolder
    problems: Mapping[str, Sequence[Problem]]
    rescore: bool
    progress: Progress
    stack: ExitStack

    def __post_init__(self) -> None:
        self._generator: Generator | None = None
        self._graders: dict[str, Grader] = {}

    def go(self) -> dict[str, Any]:
        """All benchmarks, one after the other; the result is written after each."""
        self.folder.write_records(self.config, self.rescore)
        result: dict[str, Any] = {
            "format": 1,
            "name": self.config.name or self.folder.path.resolve().name,
            "model": None,
            "step": self._step,
            "benchmarks": {},
        }
        for name in self.config.benchmarks:
            numbers = self._benchmark(name)
            result["benchmarks"][name] = numbers
            result["model"] = self._model
            write_json(self.folder.result, result)
        return result

    @property
    def _model(self) -> str | None:
        generator = self.config.generator
        if generator is None:
            return None
        return generator.path if generator.type == "transformers" else generator.model

    @property
    def _step(self) -> int | None:
        if self.config.step is not None:
            return self.config.step
        found = _STEP.search(self._model or "")
        return int(found[1]) if found else None

    def _benchmark(self, name: str) -> dict[str, Any]:
        benchmark = self.config.benchmarks[name]
        asked = wanted(self.problems[name], self.config.seeds_of(benchmark), self.config.samples(benchmark))
        with closing(Responses(self.folder.rollouts(name))) as responses:
            responses.refuse_other_prompts(asked)  # before more are written, which would fit with no settings
            if not self.rescore:
                self._write_missing(name, asked, responses)
            if not len(responses):
                raise ConfigError(f"{name}: there are no responses to grade; give a generator")
            graded, judge = self._graded(name, asked, responses)
            groups = list(_by_problem(asked, responses, graded, self._rule))
            responses.finish(_rollouts(groups, responses, self._step))
        rows = problem_rows(groups)
        self.folder.problems(name).parent.mkdir(exist_ok=True)
        write_jsonl(self.folder.problems(name), rows)
        grader = self._graders[self.config.graders(benchmark)[0]].name
        return benchmark_numbers(self.config, benchmark, groups, judge) | {"grader": grader}

    def _write_missing(self, name: str, asked: Sequence[Wanted], responses: Responses) -> None:
        """Have the model write the responses that are not there; those that it fails on stay missing."""
        missing = {each.id: each for each in asked if each.id not in responses}
        if not missing:
            return
        if self.config.generator is None:
            raise ConfigError(f"{name}: {len(missing)} responses are to be written; give generator.type, or --rescore")
        generator = self._open_generator()
        done = len(asked) - len(missing)
        made = generator.generate(each.request for each in missing.values())
        try:
            for one in made:
                if one.failure is None:
                    responses.add(missing[one.key], one, self._step)
                done += 1
                self.progress(f"{name}: responses", done, len(asked))
        except GenerationError as error:
            raise GenerationError(
                f"{error}\n{len(responses)} of {len(asked)} responses to {name} are kept; give the same command again"
            ) from None
        finally:
            made.close()  # pyright: ignore[reportAttributeAccessIssue]

    def _open_generator(self) -> Generator:
        if self._generator is None:
            assert self.config.generator is not None
            self._generator = self.stack.enter_context(self.config.generator.build(self.config.sampling))
            if self.config.generator.type == "openai" and self.config.generator.model is None:
                named = self.config.generator.model_copy(update={"model": self._generator.model})
                self.config = self.config.model_copy(update={"generator": named})
                self.folder.write_records(self.config, self.rescore)
        return self._generator

    def _graded(
        self, name: str, asked: Sequence[Wanted], responses: Responses
    ) -> tuple[dict[str, dict[str, Grade]], dict[str, Any]]:
        """Grader -> the grades of all responses, the one that counts first; and what is known of the judge."""
        graded: dict[str, dict[str, Grade]] = {}
        judge: dict[str, Any] = {}
        for kind in self.config.graders(self.config.benchmarks[name]):
            if kind not in self._graders:
                self._graders[kind] = open_grader(kind, self.config, self.stack)
            done = 0

            def moved(count: int, kind: str = kind) -> None:
                nonlocal done
                done += count
                self.progress(f"{name}: {kind}", done, len(asked))

            graded[kind], counters, models = self._graders[kind].grade(
                asked, responses, self.folder.grades(name), moved
            )
            if kind == "judge":
                judge = {"models": models, **counters}
            unreadable = self._graders[kind].unreadable(self.problems[name])
            for each in asked:
                if each.problem.id in unreadable and each.id in graded[kind]:
                    graded[kind][each.id] = replace(graded[kind][each.id], verdict=None, reason=_UNREADABLE)
        return graded, judge

    @property
    def _rule(self) -> StagedVerifier:
        """What reads final answers, and tells which are one value."""
        verifier = self.config.verifier
        rule = verifier.rule if isinstance(verifier, CascadeVerifier) else verifier
        return rule if isinstance(rule, StagedVerifier) else MathVerifier()


def _by_problem(
    asked: Sequence[Wanted],
    responses: Responses,
    graded: Mapping[str, Mapping[str, Grade]],
    rule: StagedVerifier,
) -> Iterator[list[Response]]:
    """The responses to each problem, without their texts: of those there may be more than memory holds."""
    groups: dict[str, list[Response]] = {}
    for each in asked:
        row = responses.row(each) if each.id in responses else None
        grades = {kind: given[each.id] for kind, given in graded.items() if each.id in given}
        answer = next((grade.answer for grade in grades.values() if grade.answer is not None), None)
        if row is not None and answer is None:
            answer = rule.extract(row["completion"])
        facts = row and {name: row[name] for name in FACTS}
        groups.setdefault(each.problem.id, []).append(Response(each, facts, grades, answer, vote=None))
    for group in groups.values():
        said = votes([each.answer for each in group], [each.verdict for each in group], rule.judge)
        yield [replace(each, vote=vote) for each, vote in zip(group, said, strict=True)]


def _rollouts(groups: Sequence[Sequence[Response]], responses: Responses, step: int | None) -> Iterator[Rollout]:
    """The responses with their verdicts, in their order."""
    for group in groups:
        for each in group:
            if each.facts is None:
                continue
            row = responses.row(each.asked)
            said = {
                f"{kind}_{what}": getattr(each.grades.get(kind), what, None)
                for kind in ("verifier", "judge")
                for what in ("verdict", "reason")
            }
            yield Rollout(
                prompt=row["prompt"],
                completion=row["completion"],
                id=each.asked.id,
                reference=each.asked.problem.reference,
                group=each.asked.problem.id,
                verdict=each.verdict,
                step=step,
                extra={**each.facts, "answer": each.answer, "answer_key": each.vote, **said},
            )


def refuse_failures(result: Mapping[str, Any], max_missing: float) -> None:
    """Refuse a result with too many responses that are missing or that a grader failed on, or without any verdict.

    Raises:
        UnscorableError: names the benchmark and the reasons.
    """
    for name, numbers in result["benchmarks"].items():
        total = numbers["problems"] * numbers["samples"]
        reasons = ", ".join(f"{why.replace('_', ' ')} {n}" for why, n in numbers["unscored_reasons"].items())
        if numbers["failed"] > max_missing * total:
            raise UnscorableError(
                f"{name}: {numbers['failed']} of {total} responses are missing or could not be graded, more than "
                f"--max_missing {max_missing:g} allows ({reasons}); the numbers leave them out, and the same command "
                "asks again where nothing was answered"
            )
        if numbers["unscored"] == total:
            raise UnscorableError(f"{name}: none of {total} responses has a verdict ({reasons})")
