"""What "otherwise" leaves: the numbers on which no other piece of a definition holds."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.rules.intervals import Interval, NoRegion, complement, is_empty, is_infinite, joined
from hero_rl.verifiers.math.rules.matching import ZERO, value_at
from hero_rl.verifiers.math.rules.regions import region
from hero_rl.verifiers.math.tree.formulas import Node, Number, Qualified, Relation, Sequence, Symbol, Words, symbols
from hero_rl.verifiers.math.tree.numerals import is_whole
from hero_rl.verifiers.math.tree.spelled_sets import class_of
from hero_rl.verifiers.math.values.equality import constant_value

__all__ = ["with_rest_spelled_out"]

_OTHERWISE = frozenset({"otherwise", "else", "in other cases", "in all other cases", "elsewhere", "all other cases"})
_LARGEST_MODULUS = 12


def with_rest_spelled_out(pieces: tuple[Qualified, ...]) -> tuple[Qualified, ...]:
    """The pieces with a condition in the place of "otherwise", where the others' conditions are understood.

    Safe: the rest is the whole complement of the others, of real numbers or of classes of remainders, so that a
    condition that leaves out one number of it is another one.
    """
    rests = [piece for piece in pieces if _is_rest(piece)]
    others = [piece.conditions for piece in pieces if not _is_rest(piece)]
    if len(rests) != 1 or not others or any(len(conditions) != 1 for conditions in others):
        return pieces
    conditions = [one for (one,) in others]
    rest = _rest_of_reals(conditions) or _rest_of_classes(conditions)
    if rest is None:
        return pieces
    return tuple(Qualified(piece.value, (rest,)) if piece is rests[0] else piece for piece in pieces)


def _is_rest(piece: Qualified) -> bool:
    return len(piece.conditions) == 1 and isinstance(found := piece.conditions[0], Words) and found.text in _OTHERWISE


def _rest_of_reals(conditions: list[Node]) -> Node | None:
    intervals: list[Interval] = []
    variables: list[Node | None] = []
    for condition in conditions:
        point = _point(condition)
        found = region(condition) if point is None else None
        if point is not None:
            variables.append(point[0])
            intervals.append(Interval(point[1], True, point[1], True))
        elif found is not None:
            variables.append(found.variable)
            intervals += found.intervals
        else:
            return None
    variable = variables[0]
    if variable is None or any(other != variable for other in variables):
        return None
    try:
        return _as_conditions(variable, [part for part in joined(complement(tuple(intervals))) if not is_empty(part)])
    except NoRegion:
        return None


def _point(condition: Node) -> tuple[Node, Node] | None:
    """The letter and the number of x = 2."""
    if not isinstance(condition, Relation) or condition.operators != ("=",):
        return None
    letter, value = condition.members
    return (letter, value) if isinstance(letter, Symbol) and symbols(letter) and not symbols(value) else None


def _as_conditions(variable: Node, intervals: list[Interval]) -> Node | None:
    ends = [part.low for part in intervals[:1]] + [part.high for part in intervals[1:]]
    if len(intervals) == 2 and all(map(is_infinite, ends)) and intervals[0].high == intervals[1].low:
        return Relation((variable, intervals[0].high), ("!=",))
    found = [_as_relation(variable, part) for part in intervals]
    if not found:
        return None
    return found[0] if len(found) == 1 else Sequence("list", tuple(found), "or")


def _as_relation(variable: Node, part: Interval) -> Node:
    low, high = is_infinite(part.low), is_infinite(part.high)
    if part.low == part.high:
        return Relation((variable, part.low), ("=",))
    below, above = "<=" if part.low_closed else "<", "<=" if part.high_closed else "<"
    if low and not high:
        return Relation((variable, part.high), (above,))
    if high and not low:
        return Relation((variable, part.low), (">=" if part.low_closed else ">",))
    return Relation((part.low, variable, part.high), (below, above))


def _rest_of_classes(conditions: list[Node]) -> Node | None:
    """The one class of remainders that all the others leave."""
    found = [_class(condition) for condition in conditions]
    classes = [each for each in found if each is not None]
    if len(classes) < len(found) or len({(letter, modulus) for letter, modulus, _ in classes}) != 1:
        return None
    letter, modulus, _ = classes[0]
    left = set(range(modulus)) - {remainder for _, _, remainder in classes}
    if len(left) != 1:
        return None
    rest = class_of(left.pop(), modulus)
    return Qualified(Relation((letter, rest.value), ("=",)), rest.conditions)


def _class(condition: Node) -> tuple[Symbol, int, int] | None:
    """The letter, the modulus and the remainder of n = 2k + 1 for whole k."""
    if not isinstance(condition, Qualified) or not isinstance(condition.value, Relation):
        return None
    letter, form = condition.value.members[0], condition.value.members[-1]
    if condition.value.operators != ("=",) or not isinstance(letter, Symbol) or symbols(form) != {"k"}:
        return None
    values = [constant_value(value_at(form, "k", place)) for place in (ZERO, Number(Fraction(1)), Number(Fraction(2)))]
    start, step, other = (value if isinstance(value, Fraction) else Fraction(1, 2) for value in values)
    modulus = step - start
    if other - step != modulus or not all(is_whole(Number(value)) for value in (start, modulus)):
        return None
    size = abs(int(modulus))
    return (letter, size, int(start) % size) if 2 <= size <= _LARGEST_MODULUS else None
