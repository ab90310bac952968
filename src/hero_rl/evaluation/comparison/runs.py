"""Evaluation runs as they lie on the disk: `result.json`, and the verdicts of each problem beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, Field, ValidationError

from hero_rl.errors import ConfigError, DataError
from hero_rl.evaluation.statistics import Verdicts, maj_at_k, pass_at_k
from hero_rl.files.rows import read_rows

__all__ = ["BenchmarkRun", "Kind", "Run", "metric_of", "read_runs"]

Kind = Literal["easy", "hard"]
"""Whether a rule verifier can be relied on for a benchmark's answers."""

Metric = Callable[["BenchmarkRun", Sequence[str]], Float[np.ndarray, " P"]]


@dataclass(frozen=True)
class BenchmarkRun:
    """One benchmark of one run.

    Attributes:
        name: the benchmark's.
        kind: easy or hard to verify.
        graded_by: whose verdicts the numbers are of: the verifier's or the judge's.
        grader: the same with its settings: equal names are equal graders; None where that is not known.
        samples: responses to a problem, of all seeds.
        seeds: seeds that responses were sampled with.
        verdicts: by problem id, in order of seed and sample: 1, 0, None unscored.
        answers: what each response answered, aligned with its verdict; None without an answer.
    """

    name: str
    kind: Kind
    graded_by: str
    samples: int
    seeds: tuple[int, ...]
    verdicts: Mapping[str, Sequence[float | None]]
    answers: Mapping[str, Sequence[str | None]]
    grader: str | None = None

    @property
    def unscored(self) -> int:
        """Responses without a verdict."""
        return sum(verdict is None for row in self.verdicts.values() for verdict in row)

    @property
    def responses(self) -> int:
        """Responses to all problems."""
        return sum(map(len, self.verdicts.values()))


@dataclass(frozen=True)
class Run:
    """One model on some benchmarks.

    Attributes:
        name: the method: the row of the table, or the line of the drawing.
        model: what was evaluated.
        step: the optimiser step that the model was saved at; None where there is none.
        folder: where it was read.
        benchmarks: by name.
    """

    name: str
    model: str | None
    step: int | None
    folder: Path
    benchmarks: Mapping[str, BenchmarkRun]


class _Number(BaseModel):
    value: float | None


class _Benchmark(BaseModel):
    kind: Kind
    problems: int = Field(ge=0)
    samples: int = Field(ge=1)
    seeds: list[int] = Field(min_length=1)
    counts: Literal["verifier", "judge"]
    grader: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    pass_at_1: _Number = Field(alias="pass@1")


class _Result(BaseModel):
    format: Literal[1]
    name: str = Field(min_length=1)
    model: str | None = None
    step: int | None = Field(default=None, ge=0)
    benchmarks: dict[str, _Benchmark] = Field(min_length=1)


def metric_of(name: str) -> Metric:
    """The function behind `pass@1`, `pass@8`, `maj@8` and the like: a value for each of the problems that are named.

    Raises:
        ConfigError: there is no such metric.
    """
    found = re.fullmatch(r"(pass|maj)@([1-9]\d{0,3})", name)
    if found is None:
        raise ConfigError(f"--metric: {name!r} is not pass@K or maj@K")
    k = int(found[2])

    def values(run: BenchmarkRun, problems: Sequence[str]) -> Float[np.ndarray, " P"]:
        verdicts: Verdicts = [run.verdicts[problem] for problem in problems]
        if found[1] == "pass":
            return pass_at_k(verdicts, k)
        try:
            return maj_at_k(verdicts, [run.answers[problem] for problem in problems], k)
        except ValueError as error:
            raise ConfigError(f"--metric {name}: {run.name}: {error}") from None

    return values


def read_runs(places: Sequence[str]) -> list[Run]:
    """Read evaluation runs.

    Args:
        places: each a run's folder, its `result.json`, or a folder of such folders; `NAME=` before it names the method
            in the place of what `result.json` says.

    Raises:
        DataError: a file is missing, is no result of an evaluation, or contradicts its neighbours.
        ConfigError: two runs are of the same name and step.
    """
    runs = [run for place in places for run in _runs_at(place)]
    seen: dict[tuple[str, int | None], Path] = {}
    for run in runs:
        if other := seen.get((run.name, run.step)):
            step = "without a step" if run.step is None else f"of step {run.step}"
            raise ConfigError(
                f"{run.folder} and {other}: both are {run.name!r} {step}; name one of them: NAME={run.folder}"
            )
        seen[run.name, run.step] = run.folder
    return runs


def _runs_at(place: str) -> Iterator[Run]:
    name, equals, path = place.partition("=")
    if not equals or Path(place).exists():
        name, path = "", place
    folder = Path(path)
    if folder.name == "result.json":
        folder = folder.parent
    inside = sorted(found.parent for found in folder.glob("*/result.json"))
    if not (folder / "result.json").is_file() and inside:
        yield from (_read_run(one, name) for one in inside)
    else:
        yield _read_run(folder, name)


def _read_run(folder: Path, name: str) -> Run:
    path = folder / "result.json"
    result = _read_result(path)
    benchmarks = {}
    for key, stated in result.benchmarks.items():
        if key != Path(key).name or key.startswith("."):
            raise DataError(f"{path}: benchmarks: {key!r} is no name of a benchmark")
        benchmarks[key] = _read_benchmark(folder / "problems" / f"{key}.jsonl", key, stated)
    return Run(_printable(name or result.name), result.model, result.step, folder, benchmarks)


def _printable(name: str) -> str:
    """A name without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in name)


def _read_result(path: Path) -> _Result:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; a run of hero eval has one when it is finished") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from None
    try:
        return _Result.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc'])) or 'result'}: {first['msg']}") from None


def _read_benchmark(path: Path, name: str, stated: _Benchmark) -> BenchmarkRun:
    verdicts, answers = {}, {}
    for place, row in read_rows(path):
        problem = row.get("id")
        if not isinstance(problem, str):
            raise DataError(f"{place}: 'id' must be text")
        if problem in verdicts:
            raise DataError(f"{place}: the problem {problem!r} is there twice")
        verdicts[problem] = _checked(row.get("samples"), place)
        answers[problem] = row.get("answers") or [None] * len(verdicts[problem])
        _check_answers(answers[problem], len(verdicts[problem]), place)
    if len(verdicts) != stated.problems:
        raise DataError(f"{path}: {len(verdicts)} problems, and result.json says {stated.problems}")
    seeds = tuple(stated.seeds)
    run = BenchmarkRun(name, stated.kind, stated.counts, stated.samples, seeds, verdicts, answers, stated.grader)
    _refuse_other_numbers(run, stated.pass_at_1.value, path)
    return run


def _checked(values: Any, place: object) -> list[float | None]:
    if not isinstance(values, list) or any(isinstance(v, bool) or v not in (0, 1, None) for v in values):
        raise DataError(f"{place}: 'samples' must be a list of 0, 1 and null")
    return values


def _check_answers(values: Any, count: int, place: object) -> None:
    if not isinstance(values, list) or len(values) != count:
        raise DataError(f"{place}: 'answers' must be a list as long as 'samples'")
    if not all(value is None or isinstance(value, str) for value in values):
        raise DataError(f"{place}: 'answers' must be a list of texts and null")


def _refuse_other_numbers(run: BenchmarkRun, said: float | None, path: Path) -> None:
    """Refuse a folder whose parts are of different evaluations."""
    values = metric_of("pass@1")(run, list(run.verdicts))
    values = values[~np.isnan(values)]
    found = float(values.mean()) if len(values) else None
    if (found is None) != (said is None) or (said is not None and found is not None and abs(found - said) > 1e-6):
        raise DataError(f"{path}: these verdicts have pass@1 {found}, and result.json says {said}")
