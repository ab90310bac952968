"""The comparison: estimates, tests against one row, and what belongs under the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.evaluation.comparison.notes import notes_on
from hero_rl.evaluation.comparison.paper import paper_rows
from hero_rl.evaluation.comparison.runs import Run
from hero_rl.evaluation.comparison.values import KINDS, Column, Values, columns_of, common_problems
from hero_rl.evaluation.statistics import Estimate, PairedTest, holm

__all__ = ["LEVELS", "Entry", "MethodComparison", "Row", "compare", "last_steps"]

LEVELS = ((0.01, "**"), (0.05, "*"))
"""Corrected p-values below which a mark is set, the stronger first."""


@dataclass(frozen=True)
class Entry:
    """One number of the table, as a share.

    Attributes:
        estimate: the number and its interval.
        best: whether no run's is higher, and some are lower.
        test: against the row that all are compared with; None for that row, and where there is nothing to test.
        p_value: of the test, corrected for all tests of the table.
    """

    estimate: Estimate
    best: bool = False
    test: PairedTest | None = None
    p_value: float | None = None

    @property
    def mark(self) -> str:
        """The sign of significance: "", "*" or "**"."""
        if self.p_value is None:
            return ""
        return next((mark for level, mark in LEVELS if self.p_value < level), "")


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        name: the method's.
        cells: aligned with the table's columns; None where the method was not evaluated.
        run: what it was read from; None for a row of the paper.
    """

    name: str
    cells: tuple[Entry | None, ...]
    run: Run | None = None


@dataclass(frozen=True)
class MethodComparison:
    """The table.

    Attributes:
        metric: what the numbers are.
        columns: benchmarks and averages, the easy ones first.
        rows: methods in the order they were given, then the paper's.
        against: name of the row that the others are tested against; None where there is one run alone.
        tests: how many tests the p-values are corrected for.
        notes: what belongs under the table: what was averaged, the test, what was left out.
    """

    metric: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    against: str | None
    tests: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, shares between 0 and 1."""
        return {
            "metric": self.metric,
            "against": self.against,
            "test": "two-sided sign-flip over problems",
            "correction": "holm",
            "tests": self.tests,
            "columns": [dataclasses.asdict(column) for column in self.columns],
            "rows": [_row_data(row, self.columns) for row in self.rows],
            "notes": list(self.notes),
        }


def _row_data(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    cells = {
        column.key: None if cell is None else _cell_data(cell) for column, cell in zip(columns, row.cells, strict=True)
    }
    if row.run is None:
        return {"name": row.name, "source": "paper", "cells": cells}
    return {
        "name": row.name,
        "source": str(row.run.folder),
        "model": row.run.model,
        "step": row.run.step,
        "cells": cells,
    }


def _cell_data(cell: Entry) -> dict[str, Any]:
    test = cell.test and {
        "difference": cell.test.difference.to_dict(),
        "p_value": cell.test.p_value,
        "corrected_p_value": cell.p_value,
        "problems": cell.test.problems,
        "exact": cell.test.exact,
    }
    return cell.estimate.to_dict() | {"best": cell.best, "test": test}


def compare(
    runs: Sequence[Run],
    *,
    metric: str = "pass@1",
    against: str | None = None,
    common: bool = False,
    paper: str | None = None,
    seed: int = 0,
) -> MethodComparison:
    """Make the table: of each method's runs the one with the last step.

    Args:
        runs: at least one; the order is that of the rows.
        metric: `pass@K` or `maj@K`.
        against: the row that the others are tested against; the first unless told otherwise.
        common: where runs are on different problems of a benchmark, take those that all have; else that is an error.
        paper: one of `PAPER_TABLES`, whose rows are to stand below.
        seed: of resampling.

    Raises:
        ConfigError: there is no such row, metric or table of the paper.
        DataError: runs are on different problems, or were graded by different means.
    """
    if paper is not None and metric != "pass@1":
        raise ConfigError(f"--paper: the paper's table is of pass@1, not of {metric}")
    shown = last_steps(runs)
    reference = _reference(shown, against)
    problems = common_problems(runs, common)
    columns = columns_of(runs, with_averages=paper is not None)
    values = Values(problems, metric, seed)
    estimates = [[values.estimate(run, column) for column in columns] for run in shown]
    if not any(found for row in estimates for found in row):
        most = max(benchmark.samples for run in shown for benchmark in run.benchmarks.values())
        raise ConfigError(f"--metric {metric}: no run has a number; there are {most} responses to a problem at most")
    tests = [
        [values.test(run, reference, column) if reference and run is not reference else None for column in columns]
        for run in shown
    ]
    corrected = _corrected(tests, columns)
    against = None if reference is None else reference.name
    count = len(corrected)
    return MethodComparison(
        metric=metric,
        columns=tuple(columns),
        rows=(*_rows(shown, estimates, tests, columns, corrected), *_paper(paper, columns)),
        against=against,
        tests=count,
        notes=tuple(notes_on(shown, columns, problems, metric, against, count, paper)),
    )


def _reference(shown: Sequence[Run], against: str | None) -> Run | None:
    """The run that the others are tested against; None where there is no other."""
    names = [run.name for run in shown]
    if against is not None and against not in names:
        raise ConfigError(f"--against: no run is named {against!r}; there are: {', '.join(names)}")
    if len(shown) < 2:
        return None
    return shown[0 if against is None else names.index(against)]


def last_steps(runs: Sequence[Run]) -> list[Run]:
    """Of each method the run with the last step, in the order in which methods first came; no step is before all."""
    last: dict[str, Run] = {}
    for run in runs:
        if run.name not in last or _order(run) > _order(last[run.name]):
            last[run.name] = run
    return list(last.values())


def _order(run: Run) -> int:
    return -1 if run.step is None else run.step


def _corrected(
    tests: Sequence[Sequence[PairedTest | None]], columns: Sequence[Column]
) -> dict[tuple[int, tuple[str, ...]], float]:
    """Corrected p-values by row and benchmarks; an average over one benchmark is its test, and no further one."""
    found = {
        (place, column.benchmarks): test.p_value
        for place, row in enumerate(tests)
        for column, test in zip(columns, row, strict=True)
        if test is not None
    }
    return dict(zip(found, holm(list(found.values())), strict=True))


def _rows(
    shown: Sequence[Run],
    estimates: Sequence[Sequence[Estimate | None]],
    tests: Sequence[Sequence[PairedTest | None]],
    columns: Sequence[Column],
    corrected: Mapping[tuple[int, tuple[str, ...]], float],
) -> list[Row]:
    highest = [_highest(column) for column in zip(*estimates, strict=True)]
    rows = []
    for place, (run, numbers, row_tests) in enumerate(zip(shown, estimates, tests, strict=True)):
        cells: list[Entry | None] = []
        for column, number, test, most in zip(columns, numbers, row_tests, highest, strict=True):
            p_value = corrected.get((place, column.benchmarks))
            best = number is not None and _shown(number) == most
            cells.append(None if number is None else Entry(number, best, test, p_value))
        rows.append(Row(run.name, tuple(cells), run))
    return rows


def _highest(column: Sequence[Estimate | None]) -> float | None:
    """The highest number of a column; None where all are level."""
    numbers = {_shown(number) for number in column if number is not None}
    return max(numbers) if len(numbers) > 1 else None


def _shown(estimate: Estimate) -> float:
    """The number as the table shows it: what looks equal is equally good."""
    assert estimate.value is not None
    return round(100 * estimate.value, 1)


def _paper(table: str | None, columns: Sequence[Column]) -> list[Row]:
    rows = []
    for name, averages in paper_rows(table).items() if table else ():
        by_kind = dict(zip(KINDS, averages, strict=True))
        shares = [round(by_kind[column.kind] / 100, 3) if column.is_average else None for column in columns]
        cells = [None if share is None else Entry(Estimate(share)) for share in shares]
        rows.append(Row(name, tuple(cells)))
    return rows
