"""Days: dates, weekdays and months, which are texts of their own."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["is_date", "same_date"]

_MONTHS = """
january february march april may june july august september october november december
"""
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_MONTH = rf"(?P<month>{'|'.join(name[:3] + f'(?:{name[3:]})?' for name in _MONTHS.split())}|sept)\.?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?"
_OPENS = r"(?:(?:on|in)\s+)?(?:the\s+)?"
_ORDERS = (
    re.compile(rf"{_OPENS}{_MONTH}\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_YEAR}"),
    re.compile(rf"{_OPENS}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}{_YEAR}"),
    re.compile(rf"{_OPENS}(?:month\s+of\s+)?{_MONTH}(?P<day>){_YEAR}"),
)
_WEEKDAY = re.compile(rf"(?:on\s+)?(?:a\s+)?(?P<name>{'|'.join(_DAYS.split())})")
_MARKS_OF_TEXT = re.compile(r"\\(?:text|math)[a-z]*\s*\{|[{}]")
_LONGEST = 60


class _Date(NamedTuple):
    """What is said of a day; an empty part is not said."""

    name: str
    day: str
    year: str


def _read(text: str) -> _Date | None:
    if len(text) > _LONGEST:
        return None
    text = " ".join(_MARKS_OF_TEXT.sub(" ", text).lower().split())
    if weekday := _WEEKDAY.fullmatch(text):
        return _Date(weekday["name"], "", "")
    for order in _ORDERS:
        if match := order.fullmatch(text):
            return _Date(match["month"][:3], match["day"].lstrip("0"), match["year"] or "")
    return None


def is_date(text: str) -> bool:
    """Whether a reference is a day or a month."""
    return _read(text) is not None


def same_date(expected: str, said: str) -> bool:
    """Whether both name one day: July 4, 4 July and the 4th of July; on Friday.

    Safe: month, day and year must all agree, and what one side leaves out the other may not say.
    """
    one = _read(expected)
    return one is not None and one == _read(said)
