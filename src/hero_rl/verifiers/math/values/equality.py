"""Whether two formulas are equal: by values at exact points, never by trust in a simplification.

Two different polynomials agree at points drawn at random with a vanishing probability (Schwartz 1980), and the values
of rational formulas are exact fractions here. The points are drawn once and for all, near and far from zero and of both
signs, so that a verdict is the same every time. Where a value is no fraction it has 400 bits, and agreement to all of
them at every point is the evidence. One point at which both are defined and differ settles that they differ.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from hero_rl.verifiers.math.tree.formulas import Call, Node, Number, Power, Repeated, Symbol, symbols, walk
from hero_rl.verifiers.math.tree.functions import INTEGER_FUNCTIONS
from hero_rl.verifiers.math.values.evaluation import (
    Point,
    TooLarge,
    Undefined,
    Value,
    as_fraction,
    divide,
    evaluate,
    same_value,
)

__all__ = ["constant_ratio", "constant_value", "same_formula", "same_sign"]

_ENOUGH = 4
"""Points at which both formulas must be defined, and agree."""

_PLENTY = 9
"""After so many points that agree, no more are tried; they are of every kind, since the kinds take turns."""

_MAX_NODES = 600
_MAX_SYMBOLS = 12


def same_formula(one: Node, other: Node) -> bool:
    """Whether two formulas have one value wherever both are defined, and are both defined somewhere.

    Raises:
        TooLarge: what would decide it is too large to be computed.
    """
    if one == other:
        return True
    if not _comparable(one) or not _comparable(other):
        return False
    # A logarithm without a base is natural to some and decimal to others; both formulas read it alike.
    bases = (None, Fraction(10)) if _has_plain_logarithm(one) or _has_plain_logarithm(other) else (None,)
    return any(_agree(one, other, base) for base in bases)


def constant_value(node: Node) -> Value | None:
    """The value of a formula without variables; None if it has variables, or no value."""
    if symbols(node) or not _comparable(node):
        return None
    try:
        return _value(node, Point({}, complex_allowed=Symbol("i") in walk(node)))
    except (Undefined, TooLarge):
        return None


def constant_ratio(one: Node, other: Node) -> bool:
    """Whether one formula is the other times a number other than zero; neither is zero everywhere."""
    if not _comparable(one) or not _comparable(other):
        return False
    names = sorted(symbols(one) | symbols(other))
    if not names:
        return False  # any two numbers are in a constant ratio
    ratio, seen = None, 0
    for point in _points(tuple(names), False, False, None):
        try:
            left, right = _value(one, point), _value(other, point)
        except (Undefined, TooLarge):
            continue
        if left == 0 and right == 0:
            continue
        if left == 0 or right == 0:
            return False
        quotient = divide(left, right)
        if ratio is not None and not same_value(quotient, ratio):
            return False
        ratio, seen = quotient, seen + 1
    return seen >= _ENOUGH


def same_sign(one: Node, other: Node) -> bool:
    """Whether two formulas in a constant ratio have one sign, at the first point at which both have a real one."""
    names = tuple(sorted(symbols(one) | symbols(other)))
    for point in _points(names, False, False, None):
        try:
            left, right = as_fraction(_value(one, point)), as_fraction(_value(other, point))
        except (Undefined, TooLarge):
            continue
        if left and right:
            return (left > 0) == (right > 0)
    return False


def _agree(one: Node, other: Node, log_base: Fraction | None) -> bool:
    names = tuple(sorted(symbols(one) | symbols(other)))
    parts, integers = [*walk(one), *walk(other)], False
    if not names:
        points: Iterator[Point] = iter([Point({}, Symbol("i") in parts, log_base)])
        needed = 1
    else:
        integers = _only_integers(parts, names)
        points = _points(names, integers, Symbol("i") in parts, log_base)
        needed = _ENOUGH
    seen, refused = 0, None
    for point in points:
        try:
            left, right = _value(one, point), _value(other, point)
        except Undefined:
            continue
        except TooLarge as reason:
            refused = reason
            continue
        if not same_value(left, right):
            return False
        seen += 1
        if seen == _PLENTY and not integers:
            break
    if refused is not None and seen < needed:
        raise refused
    return seen >= needed and _agree_beyond_kinks(one, other, parts, names, log_base)


_KINKED = frozenset({"max", "min", "abs", "floor", "ceil", "mod", "gcd", "lcm", "sgn"})
_MOST_KINKS = 6


def _agree_beyond_kinks(
    one: Node, other: Node, parts: list[Node], names: tuple[str, ...], base: Fraction | None
) -> bool:
    """Whether formulas with maxima, absolute values and the like also agree around and beyond the numbers in them.

    The drawn points may all lie on one side of where min(n, 10^6) bends; the formula's own numbers say where that is.
    """
    if not names or not any(isinstance(part, Call) and part.name in _KINKED for part in parts):
        return True
    for row in _beyond_kinks(parts, names):
        point = Point(dict(zip(names, row, strict=True)), False, base)
        try:
            left, right = _value(one, point), _value(other, point)
        except (Undefined, TooLarge):
            continue
        if not same_value(left, right):
            return False
    return True


def _beyond_kinks(parts: list[Node], names: tuple[str, ...]) -> Iterator[list[Fraction]]:
    """Rows in which one variable in turn, or all, lie next to a number of the formulas, or beyond it and its square."""
    values = {value for part in parts if not symbols(part) if isinstance(value := constant_value(part), Fraction)}
    largest = sorted({math.ceil(abs(value)) for value in values} - {0, 1}, reverse=True)[:_MOST_KINKS]
    for number in largest:
        for place in (number - 1, number, number + 1, 2 * number + 1, number * number + 1, number * largest[0] + 1):
            for signed in (place, -place):
                rows = [[signed if name == other else 2 for other in names] for name in names]
                yield from ([Fraction(entry) for entry in row] for row in (*rows, [signed] * len(names)))


@lru_cache(maxsize=4096)
def _remembered(
    node: Node, values: tuple[tuple[str, Fraction], ...], complex_allowed: bool, base: Fraction | None
) -> Value:
    try:
        return evaluate(node, Point(dict(values), complex_allowed, base))
    except Undefined as reason:
        return reason


def _value(node: Node, point: Point) -> Value:
    """The value, remembered: an element of a set is compared with many."""
    value = _remembered(node, tuple(point.values.items()), point.complex_allowed, point.log_base)
    if isinstance(value, Undefined):
        raise Undefined(str(value))
    return value


def _comparable(node: Node) -> bool:
    count = sum(1 for _ in walk(node))
    return count <= _MAX_NODES and len(symbols(node)) <= _MAX_SYMBOLS


def _has_plain_logarithm(node: Node) -> bool:
    return any(isinstance(part, Call) and part.name == "log" and len(part.arguments) == 1 for part in walk(node))


def _only_integers(parts: list[Node], names: tuple[str, ...]) -> bool:
    """Whether formulas speak of integers: sums over them, alternating signs, roundings of what is no integer there."""
    for part in parts:
        if isinstance(part, Repeated) or _alternates(part):
            return True
        if isinstance(part, Call) and part.name in INTEGER_FUNCTIONS:
            return part.name not in ("floor", "ceil") or _rounds_at_integers(part.arguments[0], names)
    return False


def _alternates(node: Node) -> bool:
    """Whether it is (-1)^n: a negative number to a variable power."""
    return (
        isinstance(node, Power)
        and bool(symbols(node.exponent))
        and isinstance(node.base, Number)
        and node.base.value < 0
    )


def _rounds_at_integers(node: Node, names: tuple[str, ...]) -> bool:
    for point in _points(names, True, False, None):
        try:
            value = _value(node, point)
        except (Undefined, TooLarge):
            continue
        if not isinstance(value, Fraction) or value.denominator != 1:
            return True
    return False


# Whole numbers at which rounding, remainders and the like show: small ones, squares and powers with their neighbours.
_TELLING = (
    *range(1, 33),
    35,
    36,
    48,
    49,
    50,
    60,
    63,
    64,
    65,
    80,
    81,
    99,
    100,
    101,
    120,
    121,
    127,
    128,
    1000,
    1024,
    9_999,
    10_007,
)


def _integer_rows(draw: random.Random, count: int) -> list[list[Fraction]]:
    if count == 1:
        return [[Fraction(number)] for number in _TELLING]
    small = [[Fraction(draw.randrange(1, 9)) for _ in range(count)] for _ in range(16)]
    return small + [[Fraction(draw.choice(_TELLING)) for _ in range(count)] for _ in range(24)]


_PRIME = 10_007
# In (0, 1) inverse functions live, above 1 roots of differences, below 0 and far away absolute values and maxima show;
# where the range is None the numbers are whole, and (-1)^n has a value.
_RANGES = (
    *((0, 1), None, (-3, 0), (1, 4), (100, 2_000), None, (-2_000, -100), (2, 9), (0, 1), None, (-3, 3), (0, 1)),
    *((0, 1), None, (-1, 1), (-1, 0), (0, 1), (10_000, 1_000_000)),
    # Only reached by formulas that are seldom defined, as a root of b^2 - 4ac is.
    *((-9, 9), (0, 1), (1, 4), (-3, 3)) * 5,
)


@lru_cache(maxsize=256)
def _points_of(names: tuple[str, ...], integers: bool) -> tuple[tuple[tuple[str, Fraction], ...], ...]:
    """Points for some variables, the kinds of points taking turns."""
    draw = random.Random(20510)
    if integers:
        rows = _integer_rows(draw, len(names))
    else:
        rows = [_row(draw, len(names), reach, turn) for turn, reach in enumerate(_RANGES)]
    return tuple(tuple(zip(names, row, strict=True)) for row in rows)


def _row(draw: random.Random, count: int, reach: tuple[int, int] | None, turn: int) -> list[Fraction]:
    if reach is None:
        # Other numbers each time, of both parities.
        return [Fraction(number) for number in draw.sample(range(2 + turn, 9 + turn + count), count)]
    low, high = reach
    return [low + (high - low) * Fraction(draw.randrange(1, _PRIME), _PRIME) for _ in range(count)]


def _points(
    names: tuple[str, ...], integers: bool, complex_allowed: bool, log_base: Fraction | None
) -> Iterator[Point]:
    for row in _points_of(names, integers):
        yield Point(dict(row), complex_allowed, log_base)
