r"""The parts of an answer under their marks: `(a) 5, (b) 12`, `1. 3; 2. 4`."""

from __future__ import annotations

import re

__all__ = ["PART_LABELS", "parts_of"]

_LETTERS = tuple("abcdefgh")
_ROMANS = ("i", "ii", "iii", "iv", "v")
_DIGITS = tuple("12345678")
PART_LABELS = tuple(f"part {number}" for number in _DIGITS)
"""What the parts are called once they are read, whichever their marks are."""
_NAMES = rf"[a-h1-8]|{'|'.join(reversed(_ROMANS))}"
_MARK = re.compile(
    rf"(?:^|(?<=[\s,;}}]))(?:\\text\s*\{{\s*)?(?:part\s*)?"
    rf"(?:\((?P<a>{_NAMES})\)\s*:?(?=[\s\d\\}}-])|(?P<b>{_NAMES})[.)](?=[\s}}]))(?:\s*\}})?\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"(?:\\text ?\{ ?and ?\}|\band)$")
_OPEN_END = re.compile(r"[-+*/^=<>(\[{\\]$|\\(?:cdot|times|le|ge|ne|pm|in|frac|sqrt)$")


def parts_of(text: str) -> list[str]:
    """What stands under the marks of the parts of a text; nothing where it is not made of such parts.

    Safe: the text begins with the first mark, all the others follow in their order, and each part holds something that
    does not go on, so that factors in brackets and choices are none.
    """
    marks = list(_MARK.finditer(text)) if text[:1] in _OPENS else []
    names = [(mark["a"] or mark["b"]).lower() for mark in marks]
    if len(marks) < 2 or marks[0].start() or not any(names == list(row[: len(names)]) for row in _ROWS):
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    parts = [_unjoined(text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
    return parts if all(part and not _OPEN_END.search(part) for part in parts) else []


def _unjoined(part: str) -> str:
    return _AND.sub("", part.rstrip(" ,;.")).rstrip(" ,;.")


_ROWS = (_LETTERS, _ROMANS, _DIGITS)
_OPENS = frozenset("(aA1iIpP\\")
