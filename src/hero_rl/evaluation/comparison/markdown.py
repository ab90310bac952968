"""The table in Markdown."""

from __future__ import annotations

from hero_rl.evaluation.comparison.table import Entry, MethodComparison

__all__ = ["as_markdown"]

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#~"} | {"\n": " ", "\r": " "})


def as_markdown(comparison: MethodComparison) -> str:
    """The table and its notes; names are escaped."""
    heads = [_text(column.label) for column in comparison.columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for row in comparison.rows:
        name = _text(row.name if row.run else f"{row.name} (paper)")
        lines.append(f"| {name} | " + " | ".join(map(_cell, row.cells)) + " |")
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {_text(note)}" for note in comparison.notes) + "\n"


def _cell(cell: Entry | None) -> str:
    if cell is None or cell.estimate.value is None:
        return "–"
    number = f"{100 * cell.estimate.value:.1f}"
    said = f"**{number}**" if cell.best else number
    said += cell.mark.replace("*", "\\*")
    if cell.estimate.low is not None and cell.estimate.high is not None:
        said += f" ({100 * cell.estimate.low:.1f}–{100 * cell.estimate.high:.1f})"
    return said


def _text(text: str) -> str:
    return text.translate(_SPECIAL)
