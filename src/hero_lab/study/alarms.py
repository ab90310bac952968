"""The alarms against the truth: when each came on in a run, beside when the oracle saw the policy go wrong.

print(alarm_table(watched(read_table(Path("docs/science/bench.parquet")))))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from hero_rl.errors import DataError

if TYPE_CHECKING:
    import pandas

__all__ = ["ALARMS_KEPT", "Watched", "alarm_table", "runs_table", "watched"]

ALARMS_KEPT = ("hacking", "ranking", "range")
"""The alarms that a study's table has."""

_MARGIN = 0.03  # accuracy that a curve has to lie below another, or below its own best, to count
_ALONE = "verifier only"


@dataclass(frozen=True)
class Watched:
    """One run with its alarms and its truth; steps are those of the optimiser.

    Attributes:
        quality: of the reward model.
        rule: of the run.
        seed: of the run.
        on: by which step each alarm had come on, to ten steps; None if it never did.
        turned: the step of the highest accuracy, if the run ends more than 3 points below it.
        behind: the first step from which on the accuracy is more than 3 points below that of the verifier alone with
            the same seed and prompts.
    """

    quality: str
    rule: str
    seed: int
    on: dict[str, int | None]
    turned: int | None
    behind: int | None


def watched(frame: pandas.DataFrame) -> list[Watched]:
    """The runs of a table whose alarms were kept; the truth is the oracle's on hard development prompts.

    Raises:
        DataError: there is none.
    """
    cells = [cell for _, cell in frame.groupby("cell", observed=True, sort=False)]
    alone = {_prompts(cell): _curve(cell) for cell in cells if cell["rule"].iloc[0] == _ALONE}
    found = list(_watched(cells, alone))
    if not found:
        raise DataError("the table keeps no alarms: its runs were made before studies kept them")
    return found


def _watched(cells: Sequence[pandas.DataFrame], alone: dict[tuple[str, int], pandas.Series]) -> Iterator[Watched]:
    for cell in cells:
        if not cell["measure"].astype(str).str.startswith("alarm ").any():
            continue
        rung = cell.loc[cell["value"] > 0].groupby("measure", observed=True)["step"].min()
        on = {name: int(rung[key]) if (key := f"alarm {name}") in rung else None for name in ALARMS_KEPT}
        curve, first = _curve(cell), cell.iloc[0]
        turned = _step(curve.idxmax()) if curve.max() - curve.iloc[-1] > _MARGIN else None
        behind = _stays_below(curve, alone.get(_prompts(cell)))
        yield Watched(str(first["quality"]), str(first["rule"]), int(first["seed"]), on, turned, behind)


def _prompts(cell: pandas.DataFrame) -> tuple[str, int]:
    """What two runs share that were trained on the same prompts with the same policy."""
    return str(cell["blind_types"].iloc[0]), int(cell["seed"].iloc[0])


def _curve(cell: pandas.DataFrame) -> pandas.Series:
    chosen = cell.loc[(cell["measure"] == "curve") & (cell["kind"] == "hard")]
    return chosen.set_index("step")["value"].sort_index()


def _stays_below(curve: pandas.Series, other: pandas.Series | None) -> int | None:
    """The first step from which on a curve stays below another."""
    if other is None:
        return None
    above = (other - curve).dropna() <= _MARGIN
    last_above = max(above.index[above], default=-1)
    after = above.index[above.index > last_above]
    return _step(after[0]) if len(after) else None


def _step(label: Any) -> int:
    return int(label)


def runs_table(runs: Sequence[Watched]) -> str:
    """Every run with its steps, as a Markdown table."""
    head = ["reward model", "rule", "seed", *ALARMS_KEPT, "accuracy turns", "behind from"]
    rows = [
        [
            *(run.quality, run.rule, str(run.seed)),
            *(_said(run.on[name], "-") for name in ALARMS_KEPT),
            *(_said(run.turned, "never"), _said(run.behind, "never")),
        ]
        for run in runs
    ]
    return _table(head, rows, 2)


def alarm_table(runs: Sequence[Watched]) -> str:
    """What the alarms are worth as a warning, as a Markdown table: how often each came on in runs of one kind."""
    kinds = {
        "accuracy turns": [run for run in runs if run.turned is not None],
        "falls behind the verifier alone, and does not turn": [
            run for run in runs if run.turned is None and run.behind is not None
        ],
        "the reward model goes bad, and the run holds": [
            run for run in runs if _holds(run) and run.quality == "drifting"
        ],
        "nothing goes wrong": [run for run in runs if _holds(run) and run.quality != "drifting"],
    }
    rows = [[f"{kind} ({len(those)})", *(_worth(name, those) for name in ALARMS_KEPT)] for kind, those in kinds.items()]
    return _table(["runs", *(f"`{name}`" for name in ALARMS_KEPT)], rows, 1)


def _holds(run: Watched) -> bool:
    return run.turned is None and run.behind is None


def _worth(name: str, runs: Sequence[Watched]) -> str:
    """How often an alarm came on, and how long before the harm, in the median of the runs where both have a step."""
    on = [(run.on[name], run.behind if run.turned is None else run.turned) for run in runs]
    steps = [(step, harm) for step, harm in on if step is not None]
    leads = [harm - step for step, harm in steps if harm is not None]
    if not steps:
        return "never" if runs else ""
    said = f"in {len(steps)}"
    if not leads:
        return f"{said}, step {median(step for step, _ in steps):g}"
    return f"{said}, {abs(median(leads)):g} steps {'before' if median(leads) >= 0 else 'after'}"


def _said(step: int | None, nothing: str) -> str:
    return nothing if step is None else str(step)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * texts}{'---:|' * (len(head) - texts)}", *lines[1:]])
