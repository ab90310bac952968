"""The table in the terminal: in one piece where it fits, else in several, none with both kinds of benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hero_rl.evaluation.comparison.table import Entry, MethodComparison

__all__ = ["print_comparison"]


def print_comparison(comparison: MethodComparison, console: Console) -> None:
    """Numbers with their intervals below them, then the notes."""
    for places in _pieces(comparison, console.width):
        console.print(_table(comparison, places))
        console.print()
    for note in comparison.notes:
        console.print(Text(note), style="dim", highlight=False)


def _pieces(comparison: MethodComparison, width: int) -> list[list[int]]:
    """Places of the columns that stand side by side."""
    places = list(range(len(comparison.columns)))
    if _width(comparison, places) <= width:
        return [places]
    pieces: list[list[int]] = []
    for place in places:
        same_kind = pieces and comparison.columns[pieces[-1][-1]].kind == comparison.columns[place].kind
        if same_kind and _width(comparison, [*pieces[-1], place]) <= width:
            pieces[-1].append(place)
        else:
            pieces.append([place])
    return pieces


def _width(comparison: MethodComparison, places: Sequence[int]) -> int:
    return Console(width=10_000).measure(_table(comparison, places)).maximum


def _table(comparison: MethodComparison, places: Sequence[int]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column(comparison.metric, no_wrap=False)
    for place in places:
        column = comparison.columns[place]
        table.add_column(
            Text("\n".join(f"{line}  " for line in column.lines), style="cyan" if column.is_average else ""),
            justify="right",
            no_wrap=True,
            vertical="bottom",
        )
    theirs = False
    for row in comparison.rows:
        if row.run is None and not theirs:
            theirs = True
            table.add_row(Text("in the paper", style="dim italic"))
        name = Text(row.name, style="bold" if row.name == comparison.against and row.run else "")
        table.add_row(name, *[_cell(row.cells[place]) for place in places], style="" if row.run else "dim")
    return table


def _cell(cell: Entry | None) -> Text:
    if cell is None or cell.estimate.value is None:
        return Text("–  ", style="dim")
    # Two places for the mark, so that numbers stand under each other.
    said = Text(f"{100 * cell.estimate.value:.1f}", style="bold" if cell.best else "")
    said.append(f"{cell.mark:<2}", style="yellow")
    if cell.estimate.low is not None and cell.estimate.high is not None:
        said.append(f"\n{100 * cell.estimate.low:.1f}–{100 * cell.estimate.high:.1f}  ", style="dim not bold")
    return said
