"""Remarks behind a value that leave it as it is: how it was rounded, why it is so, that it was asked for."""

from __future__ import annotations

import re

__all__ = ["differ_in_multiplicity", "without_remarks"]

_OPENS = r"[\s,;]*(?:\\(?:text\w*|mathrm)\s*\{\s*)?"
_ROUNDED = (
    r"approx(?:imately|\.)?|rounded(?:\s+(?:up|down|off))?(?:\s+to\s+[\w\s-]{1,40})?"
    r"|(?:correct\s+)?to\s+(?:the\s+nearest\s+\w+|\d+\s+(?:d\.?p\.?|s\.?f\.?|decimal\s+places?|significant\s+(?:figures|digits)))"
    r"|nearest\s+\w+|\d+\s+(?:d\.?p\.?|s\.?f\.?)|units?"
)
_MULTIPLE = r"(?:a\s+)?(?:double|repeated|triple)\s+root|multiplicity\s+\d"
_REMARK = re.compile(
    rf"{_OPENS}(?:\((?:{_ROUNDED}|{_MULTIPLE})\)|with\s+multiplicity\s+(?:\d|two|three)|(?:rounded\s+)?to\s+the\s+nearest\s+\w+|as\s+(?:required|desired|claimed|wanted|needed)|in\s+(?:total|all)|altogether|(?<=years)\s+old(?!\s*\}}))\s*\}}?\s*$",
    re.IGNORECASE,
)
_REASON = re.compile(rf"{_OPENS}\((?:since|because)\b[^()]*(?:\([^()]*\)[^()]*){{0,5}}\)\s*\}}?\s*$", re.IGNORECASE)
_SINCE = re.compile(
    r",\s*(?:\\text\w*\s*\{\s*)?(?:since|because)\b(?!.*\b(?:or|if|unless|but|maybe|not|wrong)\b).{1,140}$",
    re.IGNORECASE,
)
_TIMES = re.compile(r"\b(?P<root>double|triple)\s+root|\bmultiplicity\s+(?P<number>\d|two|three)", re.IGNORECASE)
_NUMBERS = {"double": "2", "two": "2", "triple": "3", "three": "3"}
_HAS_VALUE = re.compile(r"\d|\\")
_LONGEST = 160
_MAY_BE_ONE = re.compile(r"[)}]\s*$|[a-z]\s*\}?\s*$")


def differ_in_multiplicity(one: str, other: str) -> bool:
    """Whether both say how often a root counts, and say it differently: a double root is no triple one."""
    times = [[(each["root"] or each["number"]).lower() for each in _TIMES.finditer(text)][-1:] for text in (one, other)]
    said = [_NUMBERS.get(found[0], found[0]) for found in times if found]
    return len(set(said)) == 2


def without_remarks(text: str) -> str:
    """The value without a remark behind it.

    Safe: the words say how the value was rounded, or why it is the one; none of them names another value, and a text
    that is nothing but a remark stays.
    """
    if not _MAY_BE_ONE.search(text[-_LONGEST:]):
        return text
    head, ending = text[:-_LONGEST], text[-_LONGEST:]
    for remark in (_REMARK, _REASON):
        if (found := remark.search(ending)) and (head or found.start()):
            ending = ending[: found.start()]
    if (since := _SINCE.search(ending)) and _HAS_VALUE.search(head + ending[: since.start()]):
        ending = ending[: since.start()]
    return head + ending
