r"""Rows of formulas set below each other, in `aligned` and its kin: a derivation, or a list of statements."""

from __future__ import annotations

import re

__all__ = ["joined_rows", "stated_by_rows"]

_NAMES = r"(?:align|aligned|alignedat|alignat|split|gather|gathered|eqnarray)\*?"
_ENVIRONMENT = re.compile(
    rf"\\begin\s?\{{(?P<name>{_NAMES})\}}(?:\[\w\]|\{{\d+\}})?(?P<rows>(?:[^\\]|\\(?!(?:begin|end)\b))*)\\end\s?\{{(?P=name)\}}"
)
_ROW_END = re.compile(r"\\\\(?:\s*\[[^\]]{0,20}\])?")
_GOES_ON = re.compile(r"\s*(?:=|\\(?:approx|implies|Rightarrow|le|ge|quad\s*=)(?![A-Za-z])|<|>)")
_STATEMENT = re.compile(r"\s*\$?([A-Za-z](?:_\{?\w+\}?)?)\s*=\s*([^=<>]*[^\s=<>.,;])[\s.,;]*")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")


def joined_rows(text: str) -> str:
    """The text with each such environment in one line: a derivation as a chain, other rows parted by commas."""
    return _ENVIRONMENT.sub(lambda found: _joined(_rows(found["rows"])), text) if "\\begin" in text else text


def stated_by_rows(display: str) -> str:
    """What a displayed formula states: its last row, since those before derive it; all rows that name one letter each.

    A matrix has rows of its own, and is one thing.
    """
    whole = _ENVIRONMENT.fullmatch(display.strip().rstrip(".,"))
    content = whole["rows"] if whole else display
    if "\\begin" in content:
        return content.strip()
    rows = _rows(content)
    if not rows:
        return ""
    statements = [_STATEMENT.fullmatch(row) for row in rows]
    names = [statement[1] for statement in statements if statement]
    values = " ".join(statement[2] for statement in statements if statement)
    if len(set(names)) == len(rows) > 1 and not set(names) & set(_LETTER.findall(values)):
        return ", ".join(row.strip(" .,;") for row in rows)
    return rows[-1].strip().removeprefix("=").strip()


def _rows(content: str) -> list[str]:
    rows = (row.replace("&", " ").strip() for row in _ROW_END.split(content))
    return [row for row in rows if row]


def _joined(rows: list[str]) -> str:
    is_chain = all(_GOES_ON.match(row) for row in rows[1:])
    return " ".join(rows) if is_chain else ", ".join(row.rstrip(" .,;") for row in rows)
