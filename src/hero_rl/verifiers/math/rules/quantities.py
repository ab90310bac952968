"""Numbers with a unit, a per cent or degree sign, or a base."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.expressions import formulas
from hero_rl.verifiers.math.rules.matching import PASS, Comparison
from hero_rl.verifiers.math.tree.formulas import (
    Based,
    Degrees,
    Node,
    Number,
    Percent,
    Power,
    Product,
    Quantity,
    Quotient,
    Relation,
    Sequence,
    Symbol,
    Words,
    contains,
    rewrite,
    symbols,
    walk,
)
from hero_rl.verifiers.math.tree.numerals import is_whole
from hero_rl.verifiers.math.tree.units import CHANGES, GAINS, UNIT_LETTERS, is_symbol, is_unit, same_unit, unit_name
from hero_rl.verifiers.math.values.equality import constant_value, same_formula
from hero_rl.verifiers.math.values.evaluation import as_fraction

__all__ = ["angles", "based", "percentages", "unit_letters", "units"]


def units(reference: Node, answer: Node, by: Comparison) -> object:
    """A quantity's number is compared with a number, its unit with a unit.

    Safe: two units must be one, and a number is never changed by its unit; a unit that only one of the two names is
    the question's and may be left off, unless `units` is "required". Letters are units beside units in words; some
    only beside themselves, as the A of 2 A.
    """
    written = (reference, answer)
    if isinstance(answer, Quantity) and not symbols(answer.value) and not isinstance(reference, Quantity):
        reference = _with_unit_letters(reference, answer.unit)
    elif isinstance(reference, Quantity) and isinstance(answer, (Quotient, Product)):
        answer = _with_unit_letters(answer, reference.unit)
    elif not isinstance(answer, Quantity) and not symbols(reference):
        answer = _with_unit_letter(answer)
    if not isinstance(reference, Quantity) and not isinstance(answer, Quantity):
        return PASS
    if isinstance(reference, Quantity) and isinstance(answer, Quantity):
        if (reference, answer) != written:
            return by.compare(reference, answer)
        if not same_unit(reference.unit, answer.unit) or symbols(answer.value) - symbols(reference.value):
            return None
        return by.compare(reference.value, answer.value)
    if by.how.units == "required":
        return None
    if isinstance(reference, Quantity):
        if isinstance(answer, Degrees) and reference.unit == "rad":
            return Reason.MATCHED_SYMBOLICALLY if same_formula(reference.value, answer) else None
        unlike = isinstance(answer, Degrees) or (
            isinstance(answer, Percent) and not isinstance(reference.value, Percent)
        )
        return None if unlike else by.compare(reference.value, answer)
    if isinstance(reference, Degrees) and isinstance(answer, Quantity) and answer.unit == "rad":
        return Reason.MATCHED_SYMBOLICALLY if same_formula(reference, answer.value) else None
    if isinstance(answer, Quantity) and answer.unit in CHANGES - GAINS:
        return None  # a number that goes down, where the reference says no direction
    if isinstance(reference, Percent) and isinstance(answer, Quantity) and answer.unit in GAINS:
        return by.compare(reference, answer.value)
    if isinstance(reference, (Percent, Degrees, Words, Based)) or not isinstance(answer, Quantity):
        return None
    if answer.unit == "rad" and Symbol("pi") not in walk(reference):
        return None  # a bare 30 may be meant in degrees
    return by.compare(reference, answer.value)


def unit_letters(reference: Node, answer: Node, by: Comparison) -> object:
    """Two letters that also spell a unit, mg, as factors where the other side has them as variables: m g.

    Safe: the letters stand for the same on both sides, and are compared as such.
    """
    if not contains(reference, (Words, Quantity)) and not contains(answer, (Words, Quantity)):
        return PASS
    ours, theirs = _letters_apart(reference, symbols(answer)), _letters_apart(answer, symbols(reference))
    return PASS if ours is reference and theirs is answer else by.compare(ours, theirs)


def _letters_apart(node: Node, letters: set[str]) -> Node:
    if len(letters) < 2 or not contains(node, (Words, Quantity)):
        return node

    def change(part: Node) -> Node | None:
        name = part.text if isinstance(part, Words) else part.unit if isinstance(part, Quantity) else ""
        if len(name) != 2 or not set(name) <= letters or not (is_unit(name) or is_symbol(name)):
            return None
        factors = tuple(map(Symbol, name))
        return Product((rewrite(part.value, change), *factors) if isinstance(part, Quantity) else factors)

    found = rewrite(node, change)
    return node if found == node else found


def _with_unit_letter(node: Node) -> Node:
    """A number and a letter that names a unit, as a quantity; only beside a reference without variables."""
    if not isinstance(node, Product) or not 1 <= len(symbols(node)) <= 3:
        return node
    if len(symbols(node)) > 1:
        return _with_unit_letters(node)
    *numbers, last = node.factors
    letter, power = (last.base, last.exponent) if isinstance(last, Power) else (last, None)
    if not isinstance(letter, Symbol) or letter.name not in UNIT_LETTERS or any(symbols(number) for number in numbers):
        return node
    if power is not None and not (isinstance(power, Number) and power.value in (2, 3)):
        return node
    value = numbers[0] if len(numbers) == 1 else Product(tuple(numbers))
    return Quantity(value, letter.name if power is None else f"{letter.name}^{power.value}")


def _with_unit_letters(node: Node, beside: str = "") -> Node:
    """A number and letters of units with their powers, 5 m s^{-2} or 5 m/s^2, as a quantity.

    Safe: each letter counts with its power, and one that is no unit leaves the formula as it is; mu before a unit is
    the millionth of it. `beside` is the other side's unit: a letter that it may be called by is that unit.
    """
    parts = [(node, 1)] if not isinstance(node, Quotient) else [(node.top, 1), (node.bottom, -1)]
    numbers: list[Node] = []
    names = []
    micro = ""
    for part, sign in parts:
        for factor in part.factors if isinstance(part, Product) else (part,):
            letter, power = (
                (factor.base, factor.exponent) if isinstance(factor, Power) else (factor, Number(Fraction(1)))
            )
            if factor == Symbol("mu") and not micro:
                micro = "u"
            elif isinstance(letter, Symbol) and letter.name in UNIT_LETTERS and is_whole(power):
                names.append(f"{micro}{letter.name}^{sign * power.value}")
                micro = ""
            elif isinstance(letter, Symbol) and beside and unit_name([letter.name]) == beside and factor is letter:
                names.append(beside if sign > 0 else f"{beside}^-1")
            elif micro or symbols(factor) or sign < 0:
                return node
            else:
                numbers.append(factor)
    if not numbers or not names or micro:
        return node
    return Quantity(numbers[0] if len(numbers) == 1 else Product(tuple(numbers)), " ".join(names))


def percentages(reference: Node, answer: Node, by: Comparison) -> object:
    """Per cent against per cent by their numbers; against a bare number by value, or the reference's sign left off.

    Safe: an answer in per cent never equals a bare reference but by value, so 0.5% is not 0.5.
    """
    if not isinstance(reference, Percent) and not isinstance(answer, Percent):
        return PASS
    if isinstance(reference, Percent) and isinstance(answer, Percent):
        return by.compare(reference.value, answer.value)
    if isinstance(reference, Degrees) or isinstance(answer, Degrees) or _holds_quantity(reference, answer):
        return None
    if isinstance(reference, Percent):
        # Below 1 a bare number may as well be the share itself: 0.5 beside 0.5%.
        left_off = by.how.units == "optional" and _is_above_one(reference.value)
        if left_off and (outcome := by.compare(reference.value, answer)) is not None:
            return outcome
        return formulas(reference, answer, by)
    if contains(reference, (Sequence, Relation, Words, Degrees, Based)):
        return None
    return formulas(reference, answer, by)


def _is_above_one(node: Node) -> bool:
    value = constant_value(node)
    place = None if value is None else as_fraction(value)
    return place is not None and abs(place) > 1


def _holds_quantity(*nodes: Node) -> bool:
    return any(isinstance(node, Percent) and isinstance(node.value, Quantity) for node in nodes)


def angles(reference: Node, answer: Node, by: Comparison) -> object:
    """Degrees against degrees by their numbers, against another number by value in radians, or the sign left off.

    Safe: the number itself must be the same, and 30 is never taken for 30 radians.
    """
    if not isinstance(reference, Degrees) and not isinstance(answer, Degrees):
        return PASS
    if isinstance(reference, Degrees) and isinstance(answer, Degrees):
        return by.compare(reference.value, answer.value)
    bare, angle = (answer, reference) if isinstance(reference, Degrees) else (reference, answer)
    assert isinstance(angle, Degrees)
    if contains(bare, (Sequence, Relation, Words, Based, Percent)):
        return None
    if by.how.units == "optional" and Symbol("pi") not in walk(bare):
        first, second = (angle.value, bare) if angle is reference else (bare, angle.value)
        if (outcome := by.compare(first, second)) is not None:
            return outcome
    return Reason.MATCHED_SYMBOLICALLY if same_formula(angle, bare) else None


def based(reference: Node, answer: Node, by: Comparison) -> object:
    """A numeral with its base equals the same numeral in the same base, nothing else.

    Safe: the question asks for a base, so its digits are the answer, not their value.
    """
    if not isinstance(reference, Based) and not isinstance(answer, Based):
        return PASS
    if isinstance(answer, Based) and isinstance(reference, Number) and reference.value.denominator == 1:
        # The question names the base; its digits are what the reference is.
        return Reason.MATCHED_BY_VALUE if str(reference.value) == answer.digits else None
    return Reason.MATCHED_BY_VALUE if reference == answer else None
