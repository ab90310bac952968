"""Sets of real numbers: intervals, inequalities, set-builders and unions of them, read into one form (`intervals`)."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.rules.intervals import (
    INFINITY,
    Interval,
    NoRegion,
    Region,
    complement,
    intersection,
    is_infinite,
)
from hero_rl.verifiers.math.tree.formulas import (
    UNNAMED,
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

__all__ = ["is_region", "region"]

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDER = frozenset(_MIRRORED)
_REALS = frozenset({"reals", "reals+", "reals-", "reals*", "reals0"})
_ZERO = Number(Fraction(0))


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
    return isinstance(node, (Builder, SetOperation)) or (isinstance(node, Symbol) and node.name in _REALS)


def region(node: Node) -> Region | None:
    """The set that a node stands for; None if it is none, or none that is understood here."""
    try:
        return _region(node)
    except (NoRegion, Undefined, TooLarge):
        return None


def _region(node: Node) -> Region:
    if isinstance(node, Relation):
        return _of_relation(node)
    if isinstance(node, Builder):
        inside = _region(node.condition)
        form = node.form
        if isinstance(form, Relation) and form.operators == ("in",) and form.members[1] == Symbol("reals"):
            form = form.members[0]
        if inside.variable is not None and inside.variable != form:
            raise NoRegion
        return Region(inside.intervals)
    if isinstance(node, Sequence):
        return _of_sequence(node)
    if isinstance(node, SetOperation):
        return _of_operation(node)
    if node == Symbol("reals*"):
        return Region(complement((Interval(_ZERO, True, _ZERO, True),)))
    if node == Symbol("reals0"):
        return Region((Interval(_ZERO, True, INFINITY, False),))
    if isinstance(node, Symbol) and node.name in ("reals", "reals+", "reals-"):
        low = Number(Fraction(0)) if node.name == "reals+" else Negative(INFINITY)
        high = Number(Fraction(0)) if node.name == "reals-" else INFINITY
        return Region((Interval(low, False, high, False),))
    if node == Symbol("empty"):
        return Region(())
    raise NoRegion


def _of_sequence(node: Sequence) -> Region:
    if node.kind == "tuple" and len(node.items) == 2:
        return Region((_interval(node.items[0], node.opening == "[", node.items[1], node.closing == "]"),))
    if node.kind == "set":
        return Region(tuple(Interval(item, True, item, True) for item in node.items))
    if node.kind == "list":
        if not any(is_region(item) or _is_unbounded(item) for item in node.items) or any(
            _is_point(item) for item in node.items
        ):
            raise NoRegion  # a list of points
        parts = [_region(item) for item in node.items]
        if len({part.variable for part in parts}) > 1:
            raise NoRegion
        if (node.opening == "and" or _excludes(node)) and all(isinstance(item, Relation) for item in node.items):
            return Region(intersection([part.intervals for part in parts]), parts[0].variable)
        return Region(tuple(interval for part in parts for interval in part.intervals), parts[0].variable)
    raise NoRegion


def _excludes(node: Sequence) -> bool:
    """Whether exceptions are among the conditions, x != 1, x != 2 or 0 < x < 3, x != 1: they hold together.

    Safe: what is unequal to one number is nearly everything, so that with a comma no alternative can be meant.
    """
    return node.opening != "or" and any(isinstance(item, Relation) and item.operators == ("!=",) for item in node.items)


def _is_unbounded(node: Node) -> bool:
    """Whether it is a pair in brackets with an infinite end, which is no point."""
    return isinstance(node, Sequence) and node.kind == "tuple" and any(is_infinite(item) for item in node.items)


def _is_point(node: Node) -> bool:
    """Whether it is a pair in round brackets that has no infinite end."""
    return (
        isinstance(node, Sequence)
        and (node.opening, node.closing) == ("(", ")")
        and not any(is_infinite(item) for item in node.items)
    )


def _interval(low: Node, low_closed: bool, high: Node, high_closed: bool) -> Interval:
    for end in (low, high):
        if isinstance(end, (Relation, Sequence, Words)):
            raise NoRegion
    return Interval(low, low_closed, high, high_closed)


def _of_operation(node: SetOperation) -> Region:
    left, right = _region(node.left), _region(node.right)
    variable = left.variable or right.variable
    if node.operator == "union":
        return Region((*left.intervals, *right.intervals), variable)
    if node.operator == "intersection":
        return Region(intersection([left.intervals, right.intervals]), variable)
    return Region(intersection([left.intervals, complement(right.intervals)]), variable)


def _of_relation(node: Relation) -> Region:
    found = _of_named(node)
    return Region(found.intervals) if found.variable == UNNAMED else found


def _of_named(node: Relation) -> Region:
    members, operators = list(node.members), node.operators
    if operators == ("in",):
        inside = _region(members[1])
        return Region(inside.intervals, members[0])
    if operators == ("!=",):
        return _unequal(members[0], members[1])
    if not set(operators) <= _ORDER or len(members) > 3:
        raise NoRegion
    if len(members) == 3:
        return _between(node)
    return _one_sided(members[0], operators[0], members[1])


def _unequal(left: Node, right: Node) -> Region:
    variable, end = (left, right) if _is_variable(left) else (right, left)
    if not _is_variable(variable) or symbols(variable) & symbols(end):
        raise NoRegion
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
        raise NoRegion
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
        raise NoRegion
    return Region((mirrored, interval), variable)


def _minus(node: Node) -> Node:
    if isinstance(node, Negative):
        return node.value
    return Number(-node.value, node.digits, node.places) if isinstance(node, Number) else Negative(node)


def _linear(left: Node, operator: str, right: Node) -> Region:
    """The solution of an inequality that is linear in its only variable, with exact coefficients."""
    names = symbols(left) | symbols(right)
    if len(names) != 1:
        raise NoRegion
    name = names.pop()
    start, end = (_difference(left, right, name, Fraction(place)) for place in (0, 1))
    slope = end - start
    line = Sum((Product((Number(slope), Symbol(name))), Number(start)))
    if slope == 0 or not same_formula(Sum((left, Negative(right))), line):
        raise NoRegion
    return _ray(Symbol(name), operator if slope > 0 else _MIRRORED[operator], Number(-start / slope))


def _difference(left: Node, right: Node, name: str, place: Fraction) -> Fraction:
    difference = evaluate(Sum((left, Negative(right))), Point({name: place}))
    if not isinstance(difference, Fraction):
        raise NoRegion
    return difference
