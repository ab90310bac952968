r"""Families with a whole parameter, as what they are: unions of arithmetic progressions.

pi/2 + k pi and -pi/2 + n pi are one set; so are n = 1 mod 4 and n = 4k + 5
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.matching import PASS, Comparison, value_at
from hero_rl.verifiers.math.rules.signs import both_signs
from hero_rl.verifiers.math.tree.formulas import (
    Builder,
    Degrees,
    Node,
    Number,
    PlusMinus,
    Qualified,
    Relation,
    Sequence,
    Symbol,
    contains,
    symbols,
    walk,
)
from hero_rl.verifiers.math.values.equality import constant_value
from hero_rl.verifiers.math.values.evaluation import as_fraction

__all__ = ["progressions"]

_PARAMETERS = frozenset({"k", "n", "m", "l", "j", "t"})
_MOST = 200
_EXACT = Fraction(1, 10**60)


@dataclass(frozen=True)
class _Family:
    """One progression: all start + step times a whole number."""

    start: Fraction
    step: Fraction


def progressions(reference: Node, answer: Node, by: Comparison) -> object:
    """Two families over all whole numbers are the same if they have the same members.

    Safe: members are compared modulo a common period of all of them, exactly; a family is taken for one only where a
    letter is said to be whole, or where it is an angle with a letter that is customary for it.
    """
    ours, theirs = _items(reference), _items(answer)
    are_angles = _is_angle(ours) and _is_angle(theirs)
    if not ours or not theirs or not (_declares(reference) or _declares(answer) or are_angles):
        return PASS
    labels = {item.members[0] for item in (*ours, *theirs) if isinstance(item, Relation)}
    one, other = _families(ours), _families(theirs)
    if one is None or other is None or len(labels) > 1:
        return PASS
    # In a reference without a label the letter may be the problem's own, and 2n - 1 is another value than 2n + 1.
    is_family = _declares(reference) or are_angles or all(isinstance(item, Relation) for item in ours)
    return Reason.MATCHED_SYMBOLICALLY if one == other or (is_family and _same(one, other)) else None


def _items(node: Node) -> list[Node]:
    """The forms of a family, its signs spread; nothing where conditions say more than that letters are whole."""
    if isinstance(node, Builder):
        node = Qualified(node.form, (node.condition,))
    if isinstance(node, Qualified):
        if not all(_is_whole_letter(condition) for condition in node.conditions):
            return []
        return _items(node.value)
    if isinstance(node, Sequence):
        return [form for item in node.items for form in _items(item)] if node.kind in ("list", "set") else [node]
    return both_signs(node) if contains(node, PlusMinus) else [node]


def _is_whole_letter(condition: Node) -> bool:
    return (
        isinstance(condition, Relation)
        and condition.operators == ("in",)
        and condition.members[1] == Symbol("integers")
        and isinstance(condition.members[0], Symbol)
    )


def _declares(node: Node) -> bool:
    return any(_is_whole_letter(part) for part in walk(node))


def _is_angle(items: list[Node]) -> bool:
    return all(any(isinstance(part, Degrees) or part == Symbol("pi") for part in walk(item)) for item in items)


def _families(items: list[Node]) -> list[_Family] | None:
    found: list[_Family] = []
    for item in items:
        if isinstance(item, Relation):
            if item.operators != ("=",) or not isinstance(item.members[0], Symbol):
                return None
            item = item.members[1]
        letters = symbols(item)
        if len(letters) != 1 or not letters <= _PARAMETERS:
            return None
        families = _of_formula(item, next(iter(letters)))
        if families is None:
            return None
        found += families
    return found


def _of_formula(item: Node, letter: str) -> list[_Family] | None:
    """One progression of a linear formula, two where its step depends on the letter's parity, as with (-1)^k."""
    values = [_number(value_at(item, letter, Number(Fraction(number)))) for number in range(-2, 6)]
    if any(value is None for value in values):
        return None
    numbers = [value for value in values if value is not None]
    steps = [later - earlier for earlier, later in zip(numbers, numbers[2:], strict=False)]
    if any(abs(step - steps[0]) > _EXACT for step in steps) or abs(steps[0]) < _EXACT:
        return None
    if abs(2 * (numbers[1] - numbers[0]) - steps[0]) < _EXACT:
        return [_Family(numbers[0], abs(steps[0] / 2))]
    return [_Family(numbers[0], abs(steps[0])), _Family(numbers[1], abs(steps[0]))]


def _number(node: Node) -> Fraction | None:
    value = constant_value(node)
    return None if value is None else as_fraction(value)


def _same(ours: list[_Family], theirs: list[_Family]) -> bool:
    unit = ours[0].step
    ratios = [(family.step / unit).limit_denominator(1000) for family in (*ours, *theirs)]
    if any(abs(family.step / unit - ratio) > _EXACT for family, ratio in zip((*ours, *theirs), ratios, strict=True)):
        return False
    # The least common multiple of fractions: of the numerators over the greatest common divisor of the denominators.
    top = math.lcm(*(ratio.numerator for ratio in ratios))
    period = Fraction(top, math.gcd(*(ratio.denominator for ratio in ratios)))
    one, other = (_residues(families, unit, period) for families in (ours, theirs))
    if one is None or other is None or len(one) != len(other):
        return False
    return all(any(_is_near(place, twin, period) for twin in other) for place in one)


def _residues(families: list[_Family], unit: Fraction, period: Fraction) -> list[Fraction] | None:
    places: list[Fraction] = []
    for family in families:
        step = (family.step / unit).limit_denominator(1000)
        count = period / step
        if count > _MOST or len(places) > _MOST:
            return None
        for index in range(int(count)):
            place = (family.start / unit + index * step) % period
            if not any(_is_near(place, other, period) for other in places):
                places.append(place)
    return places


def _is_near(one: Fraction, other: Fraction, period: Fraction) -> bool:
    distance = abs(one - other)
    return min(distance, abs(period - distance)) < _EXACT
