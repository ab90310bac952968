"""The table's columns, and the numbers in them: what a run's verdicts come to on the problems that all runs have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hero_rl.errors import DataError
from hero_rl.evaluation.comparison.runs import BenchmarkRun, Kind, Run, metric_of
from hero_rl.evaluation.statistics import Estimate, PairedTest, stratified_estimate, stratified_paired_test

__all__ = ["KINDS", "Column", "Values", "columns_of", "common_problems"]

KINDS: tuple[Kind, ...] = ("easy", "hard")
"""The kinds of benchmarks, in the order of their columns."""

_LABELS = {
    "math500": "MATH500",
    "amc": "AMC",
    "minerva": "Minerva",
    "minerva_math": "Minerva",
    "olympiadbench": "OlympiadBench",
    "hardverify-math": "HardVerify-Math",
    "textbookreasoning": "TextBookReasoning",
}
_ORDER = list(_LABELS)


_ONE_LINE = 9  # letters, as many as an interval has


@dataclass(frozen=True)
class Column:
    """One benchmark, or the average over those of a kind.

    Attributes:
        key: the benchmark's name, or `easy average`, `hard average`.
        label: the same for people.
        kind: easy or hard to verify.
        benchmarks: what it is the mean of.
    """

    key: str
    label: str
    kind: Kind
    benchmarks: tuple[str, ...]

    @property
    def is_average(self) -> bool:
        """Whether it stands for all benchmarks of its kind."""
        return self.key.endswith(" average")

    @property
    def lines(self) -> list[str]:
        """The label in one line or two, broken nearest to its middle where a word of it ends."""
        ends = [found.end() for found in re.finditer(r"[-_ /.]|[a-z0-9](?=[A-Z])", self.label)]
        if len(self.label) <= _ONE_LINE or not ends:
            return [self.label]
        # Of two as near, the one at a sign.
        place = min(ends, key=lambda end: (abs(2 * end - len(self.label)), self.label[end - 1].isalnum()))
        return [self.label[:place].rstrip(), self.label[place:]]


def columns_of(runs: Sequence[Run], with_averages: bool = False) -> list[Column]:
    """The benchmarks that any run has, the paper's in its order, and an average where a kind has more than one.

    Args:
        runs: at least one.
        with_averages: have the averages of both kinds in any case.

    Raises:
        DataError: a benchmark is easy in one run and hard in another.
    """
    kinds: dict[str, Kind] = {}
    for run in runs:
        for name, benchmark in run.benchmarks.items():
            if kinds.setdefault(name, benchmark.kind) != benchmark.kind:
                raise DataError(f"{run.folder}: {name} is {benchmark.kind} here and {kinds[name]} in another run")
    columns = []
    for kind in KINDS:
        names = sorted((name for name in kinds if kinds[name] == kind), key=_place)
        columns += [Column(name, _LABELS.get(name.lower(), name), kind, (name,)) for name in names]
        if len(names) > 1 or with_averages:
            columns.append(Column(f"{kind} average", f"{kind.capitalize()} avg.", kind, tuple(names)))
    return columns


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name.lower()) if name.lower() in _ORDER else len(_ORDER), name)


def common_problems(runs: Sequence[Run], common: bool) -> dict[str, list[str]]:
    """By benchmark, the ids of the problems that all its runs have.

    Raises:
        DataError: runs are on different problems and `common` is off, they have none in common, or other graders.
    """
    firsts: dict[str, Run] = {}
    shared: dict[str, list[str]] = {}
    for run in runs:
        for name, here in run.benchmarks.items():
            first = firsts.setdefault(name, run)
            there = first.benchmarks[name]
            if here.graded_by != there.graded_by:
                raise DataError(
                    f"{name} was graded by the {here.graded_by} in {run.folder} and by the {there.graded_by} in "
                    f"{first.folder}: such numbers cannot be compared; grade one of them anew"
                )
            if here.verdicts.keys() != there.verdicts.keys() and not common:
                raise DataError(_different(name, first, run))
            shared[name] = [problem for problem in shared.get(name, there.verdicts) if problem in here.verdicts]
            if not shared[name]:
                raise DataError(f"{name}: {run.folder} and the runs before it have no problem in common")
    return shared


def _different(name: str, first: Run, second: Run) -> str:
    here, there = first.benchmarks[name].verdicts.keys(), second.benchmarks[name].verdicts.keys()
    only = [f"{len(ids):,} in {run.folder} alone" for ids, run in ((here - there, first), (there - here, second))]
    example = min((here - there) or (there - here))
    return (
        f"{name}: the runs are on different problems: {len(here & there):,} in common, {' and '.join(only)} "
        f"(for example {example!r}); --common compares those in common"
    )


class Values:
    """Values of problems and estimates from them, each made once.

    Args:
        problems: ids by benchmark.
        metric: what the values are.
        seed: of resampling.
    """

    def __init__(self, problems: Mapping[str, Sequence[str]], metric: str, seed: int = 0) -> None:
        self._problems, self._metric, self._seed = problems, metric_of(metric), seed
        self._known: dict[int, tuple[BenchmarkRun, np.ndarray]] = {}

    def of(self, run: Run, column: Column) -> list[Float[np.ndarray, " P"]] | None:
        """A run's values, a list of problems for each of a column's benchmarks; None where it lacks one."""
        if not column.benchmarks or not set(column.benchmarks) <= run.benchmarks.keys():
            return None
        return [self._one(run, name) for name in column.benchmarks]

    def _one(self, run: Run, name: str) -> Float[np.ndarray, " P"]:
        benchmark = run.benchmarks[name]
        if id(benchmark) not in self._known:
            # The benchmark is kept with its values, so that no other object comes to have its id.
            self._known[id(benchmark)] = (benchmark, self._metric(benchmark, self._problems[name]))
        return self._known[id(benchmark)][1]

    def estimate(self, run: Run, column: Column) -> Estimate | None:
        """A run's number in a column; None where it has none."""
        values = self.of(run, column)
        found = None if values is None else stratified_estimate(values, seed=self._seed)
        return None if found is None or found.value is None else found

    def test(self, run: Run, reference: Run, column: Column) -> PairedTest | None:
        """A run against another, problem by problem; None where either has no number."""
        ours, theirs = self.of(run, column), self.of(reference, column)
        if ours is None or theirs is None:
            return None
        found = stratified_paired_test(list(zip(ours, theirs, strict=True)), seed=self._seed)
        return None if found.difference.value is None else found
