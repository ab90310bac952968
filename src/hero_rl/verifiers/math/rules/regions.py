"""Sets of real numbers: intervals, inequalities, set-builders and unions of them, in one form.

A region keeps its ends as they are written, formulas included, and each end's open or closed bracket. Two regions are
equal if their parts are; where all ends are numbers, parts that touch are joined first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key

from hero_rl.verifiers.math.tree.formulas import (
    Builder,
    Call,
    Negative,
    Node,
    Number,
    Product,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Words,
    symbols,
)
from hero_rl.verifiers.math.values.equality import constant_value, same_formula
from hero_rl.verifiers.math.values.evaluation import Point, TooLarge, Undefined, as_fraction, evaluate

__all__ = ["Interval", "Region", "is_region", "region", "same_region"]

INFINITY = Symbol("infinity")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDER = frozenset(_MIRRORED)


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


class _NoRegion(Exception):
    """The node is no set of real numbers that is understood here."""


def is_region(node: Node) -> bool:
    """Whether a node can only be a set of reals; a pair in brackets may be a point as well and is none by itself."""
    if isinstance(node, Relation):
        return any(operator in _ORDER or operator in ("!=", "in") for operator in node.operators)
    if isinstance(node, Sequence):
        if node.kind == "list":
            return any(is_region(item) for item in node.items)
        return (
            node.kind == "tuple" and len(node.items) == 2 and ((node.opening, node.closing) in (("(", "]"), ("[", ")")))
        )
    return isinstance(node, (Builder, SetOperation)) or node in (Symbol("reals"), Symbol("reals+"), Symbol("reals-"))


def region(node: Node) -> Region | None:
    """The set that a node stands for; None if it is none, or none that is understood here."""
    try:
        return _region(node)
    except (_NoRegion, Undefined, TooLarge):
        return None


def same_region(one: Region, other: Region, same_end: Callable[[Node, Node], bool]) -> bool:
    """Whether two regions are equal, their ends compared by `same_end`; two different variables are two answers."""
    if one.variable is not None and other.variable is not None and one.variable != other.variable:
        return False
    left, right = list(_joined(one.intervals)), list(_joined(other.intervals))
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
    if _is_infinite(one) or _is_infinite(other):
        return one == other
    return same_end(one, other)


def _is_infinite(node: Node) -> bool:
    return node in (INFINITY, Negative(INFINITY))


def _region(node: Node) -> Region:
    if isinstance(node, Relation):
        return _of_relation(node)
    if isinstance(node, Builder):
        inside = _region(node.condition)
        form = node.form
        if isinstance(form, Relation) and form.operators == ("in",) and form.members[1] == Symbol("reals"):
            form = form.members[0]
        if inside.variable is not None and inside.variable != form:
            raise _NoRegion
        return Region(inside.intervals)
    if isinstance(node, Sequence):
        return _of_sequence(node)
    if isinstance(node, SetOperation):
        return _of_operation(node)
    if isinstance(node, Symbol) and node.name in ("reals", "reals+", "reals-"):
        low = Number(Fraction(0)) if node.name == "reals+" else Negative(INFINITY)
        high = Number(Fraction(0)) if node.name == "reals-" else INFINITY
        return Region((Interval(low, False, high, False),))
    if node == Symbol("empty"):
        return Region(())
    raise _NoRegion


def _of_sequence(node: Sequence) -> Region:
    if node.kind == "tuple" and len(node.items) == 2:
        return Region((_interval(node.items[0], node.opening == "[", node.items[1], node.closing == "]"),))
    if node.kind == "set":
        return Region(tuple(Interval(item, True, item, True) for item in node.items))
    if node.kind == "list":
        if not any(is_region(item) for item in node.items) or any(_is_point(item) for item in node.items):
            raise _NoRegion  # a list of points
        parts = [_region(item) for item in node.items]
        if len({part.variable for part in parts}) > 1:
            raise _NoRegion
        if node.opening == "and" and all(isinstance(item, Relation) for item in node.items):
            return Region(_intersection([part.intervals for part in parts]), parts[0].variable)
        return Region(tuple(interval for part in parts for interval in part.intervals), parts[0].variable)
    raise _NoRegion


def _is_point(node: Node) -> bool:
    """Whether it is a pair in round brackets that has no infinite end."""
    return (
        isinstance(node, Sequence)
        and (node.opening, node.closing) == ("(", ")")
        and not any(_is_infinite(item) for item in node.items)
    )


def _interval(low: Node, low_closed: bool, high: Node, high_closed: bool) -> Interval:
    for end in (low, high):
        if isinstance(end, (Relation, Sequence, Words)):
            raise _NoRegion
    return Interval(low, low_closed, high, high_closed)


def _of_operation(node: SetOperation) -> Region:
    left, right = _region(node.left), _region(node.right)
    variable = left.variable or right.variable
    if node.operator == "union":
        return Region((*left.intervals, *right.intervals), variable)
    if node.operator == "intersection":
        return Region(_intersection([left.intervals, right.intervals]), variable)
    return Region(_intersection([left.intervals, _complement(right.intervals)]), variable)


def _of_relation(node: Relation) -> Region:
    members, operators = list(node.members), node.operators
    if operators == ("in",):
        inside = _region(members[1])
        return Region(inside.intervals, members[0])
    if operators == ("!=",):
        return _unequal(members[0], members[1])
    if not set(operators) <= _ORDER or len(members) > 3:
        raise _NoRegion
    if len(members) == 3:
        return _between(node)
    return _one_sided(members[0], operators[0], members[1])


def _unequal(left: Node, right: Node) -> Region:
    variable, end = (left, right) if _is_variable(left) else (right, left)
    if not _is_variable(variable) or symbols(variable) & symbols(end):
        raise _NoRegion
    below = Interval(Negative(INFINITY), False, end, False)
    return Region((below, Interval(end, False, INFINITY, False)), variable)


def _is_variable(node: Node) -> bool:
    """A letter, or an unknown function's value, of which the inequality speaks."""
    if isinstance(node, Call):
        return (node.name == "abs" and len(node.arguments) == 1 and _is_variable(node.arguments[0])) or _is_unknown(
            node
        )
    return isinstance(node, Symbol) and bool(symbols(node))


def _is_unknown(node: Call) -> bool:
    return len(node.name) == 1 or node.name.endswith("_")


def _one_sided(left: Node, operator: str, right: Node) -> Region:
    if _is_variable(left) and not symbols(left) & symbols(right):
        return _ray(left, operator, right)
    if _is_variable(right) and not symbols(left) & symbols(right):
        return _ray(right, _MIRRORED[operator], left)
    return _linear(left, operator, right)


def _ray(variable: Node, operator: str, end: Node) -> Region:
    closed = operator.endswith("=")
    if operator.startswith("<"):
        interval = Interval(Negative(INFINITY), False, end, closed)
    else:
        interval = Interval(end, closed, INFINITY, False)
    return _without_absolute(Region((interval,), variable))


def _between(node: Relation) -> Region:
    low, middle, high = node.members
    first, second = node.operators
    if first[0] != second[0] or not _is_variable(middle) or symbols(middle) & (symbols(low) | symbols(high)):
        raise _NoRegion
    if first[0] == ">":
        low, high, first, second = high, low, second, first
    interval = Interval(low, first.endswith("="), high, second.endswith("="))
    return _without_absolute(Region((interval,), middle))


def _without_absolute(found: Region) -> Region:
    """A condition on |x| as one on x, where the numbers allow to say which."""
    if not (isinstance(found.variable, Call) and found.variable.name == "abs"):
        return found
    interval, variable = found.intervals[0], found.variable.arguments[0]
    value = constant_value(interval.low)
    low = None if value is None else as_fraction(value)  # a complex number has no order
    mirrored = Interval(_minus(interval.high), interval.high_closed, _minus(interval.low), interval.low_closed)
    if low is None and interval.low == Negative(INFINITY):
        both = Interval(_minus(interval.high), interval.high_closed, interval.high, interval.high_closed)
        return Region((both,), variable)
    if low is None or not low >= 0:
        raise _NoRegion
    return Region((mirrored, interval), variable)


def _minus(node: Node) -> Node:
    if isinstance(node, Negative):
        return node.value
    return Number(-node.value, node.digits, node.places) if isinstance(node, Number) else Negative(node)


def _linear(left: Node, operator: str, right: Node) -> Region:
    """The solution of an inequality that is linear in its only variable, with exact coefficients."""
    names = symbols(left) | symbols(right)
    if len(names) != 1:
        raise _NoRegion
    name = names.pop()
    start, end = (_difference(left, right, name, Fraction(place)) for place in (0, 1))
    slope = end - start
    line = Sum((Product((Number(slope), Symbol(name))), Number(start)))
    if slope == 0 or not same_formula(Sum((left, Negative(right))), line):
        raise _NoRegion
    return _ray(Symbol(name), operator if slope > 0 else _MIRRORED[operator], Number(-start / slope))


def _difference(left: Node, right: Node, name: str, place: Fraction) -> Fraction:
    difference = evaluate(Sum((left, Negative(right))), Point({name: place}))
    if not isinstance(difference, Fraction):
        raise _NoRegion
    return difference


# Regions of numbers


def _place(node: Node) -> tuple[int, Fraction | int]:
    """Where an end lies, for ordering: a pair (-1, 0, 1 for minus infinity, a number, infinity; the number)."""
    if node == INFINITY:
        return (1, 0)
    if node == Negative(INFINITY):
        return (-1, 0)
    value = constant_value(node)
    place = None if value is None else as_fraction(value)
    if place is None:
        raise _NoRegion
    return (0, place)


def _compare_intervals(one: Interval, other: Interval) -> int:
    left, right = (_place(one.low), not one.low_closed), (_place(other.low), not other.low_closed)
    return -1 if left < right else int(left > right)


def _joined(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Sorted, without empty ones, those that overlap or touch made one; as they are where an end is no number."""
    try:
        if any(_is_empty(part) for part in intervals):
            return intervals  # (6, 3) is written as no interval would be
        ordered = sorted(intervals, key=cmp_to_key(_compare_intervals))
        joined: list[Interval] = []
        for part in ordered:
            if joined and _touches(joined[-1], part):
                joined[-1] = _hull(joined[-1], part)
            else:
                joined.append(part)
        return tuple(joined)
    except _NoRegion:
        return intervals


def _is_empty(part: Interval) -> bool:
    low, high = _place(part.low), _place(part.high)
    return low > high or (low == high and not (part.low_closed and part.high_closed))


def _touches(left: Interval, right: Interval) -> bool:
    end, start = _place(left.high), _place(right.low)
    return start < end or (start == end and (left.high_closed or right.low_closed))


def _hull(left: Interval, right: Interval) -> Interval:
    end, other = _place(left.high), _place(right.high)
    if other > end or (other == end and right.high_closed):
        return Interval(left.low, left.low_closed, right.high, right.high_closed)
    return left


def _complement(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    gaps, low, closed = [], Negative(INFINITY), False
    for part in _joined(intervals):
        _place(part.low)
        if part.low != Negative(INFINITY):
            gaps.append(Interval(low, closed, part.low, not part.low_closed))
        low, closed = part.high, not part.high_closed
    if low != INFINITY:
        gaps.append(Interval(low, closed, INFINITY, False))
    return tuple(gaps)


def _intersection(regions: list[tuple[Interval, ...]]) -> tuple[Interval, ...]:
    result = regions[0]
    for other in regions[1:]:
        crossed = [_cross(one, two) for one in result for two in other]
        result = tuple(part for part in crossed if not _is_empty(part))
    return result


def _cross(one: Interval, two: Interval) -> Interval:
    low, low_closed = max(
        ((part.low, part.low_closed) for part in (one, two)), key=lambda end: (_place(end[0]), not end[1])
    )
    high, high_closed = min(
        ((part.high, part.high_closed) for part in (one, two)), key=lambda end: (_place(end[0]), end[1])
    )
    return Interval(low, low_closed, high, high_closed)
