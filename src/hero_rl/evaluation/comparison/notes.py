"""What belongs under the table: what was averaged, how it was tested, what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hero_rl.evaluation.comparison.paper import PAPER_TABLES
from hero_rl.evaluation.comparison.runs import BenchmarkRun, Run
from hero_rl.evaluation.comparison.values import Column
from hero_rl.evaluation.statistics import RESAMPLES

__all__ = ["notes_on"]


def notes_on(
    shown: Sequence[Run],
    columns: Sequence[Column],
    problems: Mapping[str, Sequence[str]],
    metric: str,
    against: str | None,
    tests: int,
    paper: str | None,
) -> Iterator[str]:
    """The notes of a table.

    Args:
        shown: its runs.
        columns: its columns.
        problems: ids of the problems that it is about, by benchmark.
        metric: what its numbers are.
        against: the row that the others are tested against.
        tests: how many tests there are.
        paper: which of the paper's tables stands below.
    """
    labels = {column.key: column.label for column in columns if not column.is_average}
    averaged = any(column.is_average and column.benchmarks for column in columns)
    yield f"{metric}, %: {_metric(metric)}. {_responses(shown, labels)}."
    average = "; an average counts each benchmark the same, and problems are drawn within each" if averaged else ""
    yield f"Intervals: 95%, bootstrap over problems ({RESAMPLES:,} draws){average}."
    if against is not None and tests:
        correction = f", p corrected by Holm for {tests} tests" if tests > 1 else ""
        yield f"* p < 0.05, ** p < 0.01 against {against}: two-sided sign-flip test over paired problems{correction}."
    if len(shown) > 1:
        yield "Bold: the highest of a column, whether or not it differs."
        yield "A row is one trained model: luck in training is not covered."
    steps = [f"{run.name} {run.step}" for run in shown if run.step is not None]
    if steps:
        yield f"Training steps: {', '.join(steps)}."
    yield from _unscored(shown, labels, metric)
    yield from _graders(shown, labels)
    yield from _not_common(shown, labels, problems)
    if paper is not None:
        yield (
            f"The paper's rows: arXiv 2510.07242v3, {PAPER_TABLES[paper]}; averages over MATH500, AMC, Minerva and "
            "OlympiadBench, and over HardVerify-Math and TextBookReasoning; no intervals are given."
        )


def _metric(metric: str) -> str:
    what, _, k = metric.partition("@")
    if what == "maj":
        return f"whether the most frequent answer of {k} responses is right, mean over votes, then over problems"
    if k == "1":
        return "mean over the responses to a problem, then over problems"
    return f"chance that one of {k} responses is right (unbiased), mean over problems"


def _responses(shown: Sequence[Run], labels: Mapping[str, str]) -> str:
    """How many responses there are to a problem and who graded them, benchmark by benchmark where that differs."""
    said: dict[str, dict[str, None]] = {}
    for run in shown:
        for name, benchmark in run.benchmarks.items():
            said.setdefault(_protocol(benchmark), {})[labels[name]] = None
    if len(said) == 1:
        return f"{next(iter(said))}"
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in said.items())


def _protocol(benchmark: BenchmarkRun) -> str:
    seeds = len(benchmark.seeds)
    each = benchmark.samples // seeds
    count = f"{each} response{'s' if each > 1 else ''}"
    return f"{count}{f' for each of {seeds} seeds' if seeds > 1 else ''}, graded by the {benchmark.graded_by}"


def _unscored(shown: Sequence[Run], labels: Mapping[str, str], metric: str) -> Iterator[str]:
    what, _, k = metric.partition("@")
    fewer = f", and problems with fewer than {k} verdicts" if what == "pass" and k != "1" else ""
    for run in shown:
        gone = [
            f"{one.unscored:,} of {one.responses:,} in {labels[name]}"
            for name, one in run.benchmarks.items()
            if one.unscored
        ]
        if gone:
            yield f"{run.name}: responses without a verdict are left out{fewer}, {', '.join(gone)}."


def _graders(shown: Sequence[Run], labels: Mapping[str, str]) -> Iterator[str]:
    """Which benchmarks were graded by one kind of grader with several settings, so that rows differ in more than one.

    What is not known is taken for the same.
    """
    for name, label in labels.items():
        graders: dict[str, list[str]] = {}
        for run in shown:
            if name in run.benchmarks and (grader := run.benchmarks[name].grader):
                graders.setdefault(grader, []).append(run.name)
        if len(graders) > 1:
            said = "; ".join(f"{grader} of {', '.join(names)}" for grader, names in graders.items())
            yield f"{label} was not graded alike: {said}; hero eval --rescore grades anew."


def _not_common(
    shown: Sequence[Run], labels: Mapping[str, str], problems: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for name, ids in problems.items():
        sizes = [len(run.benchmarks[name].verdicts) for run in shown if name in run.benchmarks]
        if sizes and len(ids) < max(sizes):
            yield f"{labels[name]}: on the {len(ids):,} problems that all runs have, of {max(sizes):,}."
