r"""Rows of formulas set below each other, in `aligned` and its kin: a derivation, or a list of statements.

>>> stated = stated_by_rows(r"a &= 3 \\ b &= 5")
>>> asked_rows(stated, "5"), asked_rows(stated, "(3, 5)")
('b = 5', 'a = 3, b = 5')
"""

from __future__ import annotations

import re

__all__ = ["asked_rows", "joined_rows", "stated_by_rows"]

_NAMES = r"(?:align|aligned|alignedat|alignat|split|gather|gathered|eqnarray)\*?"
_ENVIRONMENT = re.compile(
    rf"\\begin\s?\{{(?P<name>{_NAMES})\}}(?:\[\w\]|\{{\d+\}})?(?P<rows>(?:[^\\]|\\(?!(?:begin|end)\b))*)\\end\s?\{{(?P=name)\}}"
)
_ROW_END = re.compile(r"\\\\(?:\s*\[-?[\d.]{1,9}\s*(?:pt|em|ex|mm|cm|in)\])?")
_OPERATES = re.compile(r"(?:\\q?quad(?![A-Za-z])\s*)*(?:\+|\\(?:times|cdot)(?![A-Za-z])|-(?=[^=<>]*$))")
_GOES_ON = re.compile(r"\s*(?:=|\\(?:approx|implies|Rightarrow|le|ge|quad\s*=)(?![A-Za-z])|<|>)")
_STATEMENT = re.compile(r"\s*\$?([A-Za-z](?:_\{?\w+\}?)?)\s*=\s*([^=<>]*[^\s=<>.,;])[\s.,;]*")
_SEVERAL = re.compile(r"[,;](?!\d{3}(?!\d))|\\\\|\b(?:and|or)\b")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")


def joined_rows(text: str) -> str:
    """The text with each such environment in one line: a derivation as a chain, other rows parted by commas."""
    return _ENVIRONMENT.sub(_joined, text) if "\\begin" in text else text


def stated_by_rows(display: str) -> str:
    """What a displayed formula states: its last row, since those before derive it; all rows that name one letter each.

    The latter stay rows, for `asked_rows`. A matrix has rows of its own, and is one thing.
    """
    whole = _ENVIRONMENT.fullmatch(display.strip().rstrip(".,"))
    content = whole["rows"] if whole else display
    if "\\begin" in content:
        return content.strip()
    rows = _rows(content)
    if not rows:
        return ""
    if whole and whole["name"].startswith("split"):
        return rows[-1].removeprefix("=").strip()
    statements = [_STATEMENT.fullmatch(row) for row in rows]
    names = [statement[1] for statement in statements if statement]
    values = " ".join(statement[2] for statement in statements if statement)
    if len(set(names)) == len(rows) > 1 and not set(names) & set(_LETTER.findall(values)):
        return r" \\ ".join(row.strip(" .,;") for row in rows)
    return rows[-1].removeprefix("=").strip()


def asked_rows(stated: str, reference: str) -> str:
    """Of statements in rows all, parted by commas, where the reference asks for several; else the last of them."""
    if "\\\\" not in stated or "\\begin" in stated:
        return stated
    rows = _rows(stated)
    if not all(map(_STATEMENT.fullmatch, rows)):
        return stated
    return ", ".join(rows if _SEVERAL.search(reference) else rows[-1:])


def _rows(content: str) -> list[str]:
    """The rows, without marks of columns; one that begins with an operator goes on with the row before it."""
    rows = list[str]()
    for written in _ROW_END.split(content):
        row = " ".join(written.replace("&", " ").split())
        if rows and "=" in rows[-1] and _OPERATES.match(row):
            rows[-1] += " " + row
        elif row:
            rows.append(row)
    return rows


def _joined(environment: re.Match[str]) -> str:
    rows = _rows(environment["rows"])
    is_chain = environment["name"].startswith("split") or all(_GOES_ON.match(row) for row in rows[1:])
    return " ".join(rows) if is_chain else ", ".join(row.rstrip(" .,;") for row in rows)
