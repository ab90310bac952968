"""Stretches of the real line, and their algebra: joined, crossed, complemented, compared.

An interval keeps its ends as they are written, formulas included, and each end's open or closed bracket. Where all ends
are numbers, stretches that touch are joined first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key

from hero_rl.verifiers.math.tree.formulas import Negative, Node, Symbol
from hero_rl.verifiers.math.values.equality import constant_value
from hero_rl.verifiers.math.values.evaluation import as_fraction

__all__ = [
    "INFINITY",
    "Interval",
    "NoRegion",
    "Region",
    "complement",
    "intersection",
    "is_empty",
    "is_infinite",
    "joined",
    "place",
    "same_region",
]

INFINITY = Symbol("infinity")


@dataclass(frozen=True)
class Interval:
    """One stretch of the real line."""

    low: Node
    low_closed: bool
    high: Node
    high_closed: bool


@dataclass(frozen=True)
class Region:
    """Several stretches, and the name of the variable where one was given."""

    intervals: tuple[Interval, ...]
    variable: Node | None = None


class NoRegion(Exception):
    """The node is no set of real numbers that is understood here."""


def same_region(one: Region, other: Region, same_end: Callable[[Node, Node], bool]) -> bool:
    """Whether two regions are equal, their ends compared by `same_end`; two different variables are two answers."""
    if one.variable is not None and other.variable is not None and one.variable != other.variable:
        return False
    left, right = list(joined(one.intervals)), list(joined(other.intervals))
    if len(left) != len(right):
        return False
    for interval in left:
        twin = next((candidate for candidate in right if _same_interval(interval, candidate, same_end)), None)
        if twin is None:
            return False
        right.remove(twin)
    return True


def _same_interval(one: Interval, other: Interval, same_end: Callable[[Node, Node], bool]) -> bool:
    return (
        (one.low_closed, one.high_closed) == (other.low_closed, other.high_closed)
        and _same_limit(one.low, other.low, same_end)
        and _same_limit(one.high, other.high, same_end)
    )


def _same_limit(one: Node, other: Node, same_end: Callable[[Node, Node], bool]) -> bool:
    if is_infinite(one) or is_infinite(other):
        return one == other
    return same_end(one, other)


def is_infinite(node: Node) -> bool:
    """Whether an end is no number."""
    return node in (INFINITY, Negative(INFINITY))


def place(node: Node) -> tuple[int, Fraction | int]:
    """Where an end lies, for ordering: a pair (-1, 0, 1 for minus infinity, a number, infinity; the number)."""
    if node == INFINITY:
        return (1, 0)
    if node == Negative(INFINITY):
        return (-1, 0)
    value = constant_value(node)
    number = None if value is None else as_fraction(value)
    if number is None:
        raise NoRegion
    return (0, number)


def _compare_intervals(one: Interval, other: Interval) -> int:
    left, right = (place(one.low), not one.low_closed), (place(other.low), not other.low_closed)
    return -1 if left < right else int(left > right)


def joined(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Sorted, without empty ones, those that overlap or touch made one; as they are where an end is no number."""
    try:
        if any(is_empty(part) for part in intervals):
            return intervals  # (6, 3) is written as no interval would be
        ordered = sorted(intervals, key=cmp_to_key(_compare_intervals))
        joined: list[Interval] = []
        for part in ordered:
            if joined and _touches(joined[-1], part):
                joined[-1] = _hull(joined[-1], part)
            else:
                joined.append(part)
        return tuple(joined)
    except NoRegion:
        return intervals


def is_empty(part: Interval) -> bool:
    """Whether nothing lies between its ends."""
    low, high = place(part.low), place(part.high)
    return low > high or (low == high and not (part.low_closed and part.high_closed))


def _touches(left: Interval, right: Interval) -> bool:
    end, start = place(left.high), place(right.low)
    return start < end or (start == end and (left.high_closed or right.low_closed))


def _hull(left: Interval, right: Interval) -> Interval:
    end, other = place(left.high), place(right.high)
    if other > end or (other == end and right.high_closed):
        return Interval(left.low, left.low_closed, right.high, right.high_closed)
    return left


def complement(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """The rest of the real line."""
    gaps, low, closed = [], Negative(INFINITY), False
    for part in joined(intervals):
        place(part.low)
        if part.low != Negative(INFINITY):
            gaps.append(Interval(low, closed, part.low, not part.low_closed))
        low, closed = part.high, not part.high_closed
    if low != INFINITY:
        gaps.append(Interval(low, closed, INFINITY, False))
    return tuple(gaps)


def intersection(regions: list[tuple[Interval, ...]]) -> tuple[Interval, ...]:
    """What lies in all of several regions."""
    result = regions[0]
    for other in regions[1:]:
        crossed = [_cross(one, two) for one in result for two in other]
        result = tuple(part for part in crossed if not is_empty(part))
    return result


def _cross(one: Interval, two: Interval) -> Interval:
    low, low_closed = max(
        ((part.low, part.low_closed) for part in (one, two)), key=lambda end: (place(end[0]), not end[1])
    )
    high, high_closed = min(
        ((part.high, part.high_closed) for part in (one, two)), key=lambda end: (place(end[0]), end[1])
    )
    return Interval(low, low_closed, high, high_closed)
