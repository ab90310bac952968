"""Times of day, which are texts of their own."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

__all__ = ["is_time", "same_time"]


class _Time(NamedTuple):
    """A time as it is written; `half` is "a", "p" or, where none is said, empty."""

    hour: int
    minute: int
    second: int
    half: str


_MARKS_OF_TEXT = re.compile(r"\\(?:text|math)[a-z]*\s*\{|[{}]")
_TIME = re.compile(r"\s*(\d{1,2})(?:\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?)?\s*(?:([aApP])\.?\s?[mM]\.?)?\s*")

_IN_WORDS = re.compile(r"\b(?:in|at)\s+the\s+(?:(morning)|afternoon|evening)\s*$", re.IGNORECASE)
_NAMED = re.compile(r"\s*(?:at\s+)?(?:12(?::00)?\s*)?(noon|midnight)\s*", re.IGNORECASE)


def _read(text: str) -> _Time | None:
    text = _MARKS_OF_TEXT.sub(" ", text)
    text = _IN_WORDS.sub(lambda half: " am" if half[1] else " pm", text)
    if named := _NAMED.fullmatch(text):
        return _Time(12, 0, 0, "p" if named[1].lower() == "noon" else "a")
    match = _TIME.fullmatch(text)
    if match is None or not (match[2] or match[4]):
        return None
    time = _Time(int(match[1]), int(match[2] or 0), int(match[3] or 0), (match[4] or "").lower())
    hours = range(1, 13) if time.half else range(25)
    return time if time.hour in hours and time.minute < 60 and time.second < 60 else None


def is_time(text: str) -> bool:
    """Whether a reference is a time of day rather than a ratio.

    It says a.m. or p.m., or it is in no lowest terms, or has a leading zero.
    """
    time = _read(text)
    if time is None or time.half:
        return time is not None
    plain = re.fullmatch(r"\d{1,2}:(\d{2})(?::\d{2})?", text)
    return bool(plain) and (plain[1][0] == "0" or math.gcd(time.hour, time.minute) > 1)


def same_time(expected: str, said: str) -> bool:
    """Whether both are one time of day, one of them at least with a.m. or p.m.: 3:30 p.m. and 15:30.

    Safe: hours, minutes and seconds must all agree on the clock of 24 hours; 3:30 without its half is no time there,
    since it may be either.
    """
    one, other = _read(expected), _read(said)
    if one is None or other is None or not (one.half or other.half):
        return False
    seconds = _second_of_day(one)
    return seconds is not None and seconds == _second_of_day(other)


def _second_of_day(time: _Time) -> int | None:
    if not time.half and 1 <= time.hour <= 12:
        return None
    hour = time.hour % 12 + 12 * (time.half == "p") if time.half else time.hour
    return (hour * 60 + time.minute) * 60 + time.second
