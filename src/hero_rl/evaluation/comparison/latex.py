"""The table in LaTeX, with booktabs."""

from __future__ import annotations

import unicodedata
from itertools import groupby

from hero_rl.evaluation.comparison.table import Entry, MethodComparison, Row
from hero_rl.evaluation.comparison.values import Column

__all__ = ["as_latex"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "–": "--",
    "—": "---",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_HEADS = {"easy": "Easy to verify", "hard": "Hard to verify"}


def as_latex(comparison: MethodComparison) -> str:
    r"""A `table*` for a document that has `\usepackage{booktabs}`: intervals below their numbers, notes below all.

    Names are escaped; letters that a plain LaTeX has none of lose their accents or become a question mark.
    """
    columns = comparison.columns
    ours = [row for row in comparison.rows if row.run]
    theirs = [row for row in comparison.rows if not row.run]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}[t]",
        r"  \centering",
        r"  \footnotesize",
        r"  \setlength{\tabcolsep}{3.5pt}",
        rf"  \begin{{tabular}}{{l{'c' * len(columns)}}}",
        r"    \toprule",
        *_heads(comparison),
        r"    \midrule",
        *[line for row in ours for line in _row(row)],
    ]
    if theirs:
        lines += [r"    \midrule", rf"    \multicolumn{{{len(columns) + 1}}}{{l}}{{\emph{{Reported in the paper}}}} \\"]
        lines += [line for row in theirs for line in _row(row)]
    notes = " ".join(_text(note) for note in comparison.notes)
    lines += [
        r"    \bottomrule",
        r"  \end{tabular}",
        rf"  \caption{{{notes}}}",
        r"  \label{tab:comparison}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _heads(comparison: MethodComparison) -> list[str]:
    groups = [(kind, len(list(columns))) for kind, columns in groupby(comparison.columns, lambda c: c.kind)]
    spans = [rf"\multicolumn{{{count}}}{{c}}{{{_HEADS[kind]}}}" for kind, count in groups]
    rules, start = [], 2
    for _, count in groups:
        rules.append(rf"\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    labels = ["Avg." if column.is_average else _label(column) for column in comparison.columns]
    return [
        "    & " + " & ".join(spans) + r" \\",
        "    " + " ".join(rules),
        "    Method & " + " & ".join(labels) + r" \\",
    ]


def _label(column: Column) -> str:
    lines = [_text(line) for line in column.lines]
    return lines[0] if len(lines) == 1 else rf"\shortstack{{{lines[0]} \\ {lines[1]}}}"


def _row(row: Row) -> list[str]:
    lines = [f"    {_text(row.name)} & " + " & ".join(map(_number, row.cells)) + r" \\"]
    if any(cell and cell.estimate.low is not None for cell in row.cells):
        lines.append("      & " + " & ".join(map(_interval, row.cells)) + r" \\[2pt]")
    return lines


def _number(cell: Entry | None) -> str:
    if cell is None or cell.estimate.value is None:
        return "--"
    number = f"{100 * cell.estimate.value:.1f}"
    said = rf"\textbf{{{number}}}" if cell.best else number
    # The mark takes no room, so that numbers with and without one stand under each other.
    return said + (rf"\rlap{{$^{{{cell.mark.replace('*', chr(92) + 'ast')}}}$}}" if cell.mark else "")


def _interval(cell: Entry | None) -> str:
    if cell is None or cell.estimate.low is None or cell.estimate.high is None:
        return ""
    return rf"{{\scriptsize {100 * cell.estimate.low:.1f}--{100 * cell.estimate.high:.1f}}}"


def _text(text: str) -> str:
    return "".join(_SPECIAL.get(sign) or _latin(sign) for sign in text)


def _latin(sign: str) -> str:
    if sign.isascii():
        return sign if sign.isprintable() else " "
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(part, part) for part in plain) or "?"
