"""Decimals as roundings of exact numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hero_rl.verifiers.math.tree.formulas import Negative, Node, Number, Percent, Power, Product, symbols, walk
from hero_rl.verifiers.math.values.equality import constant_value
from hero_rl.verifiers.math.values.evaluation import as_fraction

__all__ = ["Decimal", "as_decimal", "is_longer", "is_near", "is_rounding"]

_MORE_DIGITS_FOR_IRRATIONALS = 1


@dataclass(frozen=True)
class Decimal:
    """A number written with a decimal point.

    Attributes:
        value: exact, as written.
        digits: significant digits.
        places: digits after the point, negative for 1.2e5.
    """

    value: Fraction
    digits: int
    places: int


def as_decimal(node: Node) -> Decimal | None:
    """The decimal that a node is: a numeral with a point, maybe times a power of ten, in per cent or negative."""
    if isinstance(node, Number) and node.digits is not None and node.places is not None:
        return Decimal(node.value, node.digits, node.places)
    if isinstance(node, Negative):
        inner = as_decimal(node.value)
        return Decimal(-inner.value, inner.digits, inner.places) if inner else None
    if isinstance(node, Percent):
        inner = as_decimal(node.value)
        return Decimal(inner.value / 100, inner.digits, inner.places + 2) if inner else None
    if isinstance(node, Product) and len(node.factors) == 2:
        inner, shift = as_decimal(node.factors[0]), _power_of_ten(node.factors[1])
        if inner and shift is not None:
            return Decimal(inner.value * Fraction(10) ** shift, inner.digits, inner.places - shift)
    return None


def _power_of_ten(node: Node) -> int | None:
    if isinstance(node, Power) and node.base == Number(Fraction(10)) and isinstance(node.exponent, Number):
        shift = node.exponent.value
        if shift.denominator == 1 and abs(shift) <= 1000:
            return int(shift)
    return None


_NEAR = Fraction(1, 100)


def is_near(exact: Node, about: Node) -> bool:
    """Whether a decimal says about what an exact value is: rounded or cut off at any place, or within one per cent.

    A fraction is a number as it stands, and a slip in what it is about leaves it so; an irrational value is mostly read
    by its decimal. One that is not known here may be about anything.
    """
    decimal = _plain_decimal(about)
    if decimal is None:
        return False
    value = constant_value(exact)
    exact_value = None if value is None else as_fraction(value)
    if exact_value is None or isinstance(value, Fraction):
        return True
    distance = abs(exact_value - decimal.value)
    is_cut = abs(decimal.value) <= abs(exact_value) and distance < Fraction(10) ** -decimal.places
    return is_cut or 2 * distance <= Fraction(10) ** -decimal.places or distance <= _NEAR * abs(exact_value)


def is_longer(one: Node, other: Node) -> bool:
    """Whether a decimal, rounded to the places of a shorter one, is that one."""
    longer, shorter = _plain_decimal(one), _plain_decimal(other)
    if longer is None or shorter is None or longer.places <= shorter.places:
        return False
    return 2 * abs(longer.value - shorter.value) <= Fraction(10) ** -shorter.places


def _plain_decimal(node: Node) -> Decimal | None:
    whole = node.value if isinstance(node, Negative) else node
    if isinstance(whole, Number) and whole.places is None and whole.value.denominator == 1:
        value = -whole.value if whole is not node else whole.value
        return Decimal(value, len(str(abs(value))), 0)
    return as_decimal(node)


def is_rounding(reference: Node, answer: Node, digits: int) -> bool:
    """Whether one of the two is a decimal and the correct rounding of the other.

    Safe: the decimal must be what rounding gives, to the last of its digits, and show at least `digits` significant
    ones; one more where the other is irrational, as 3.14 is a remark on pi, not its value. A decimal reference is the
    rounding of an exact answer, never of a longer decimal. One that shows its period has no rounding.
    """
    if symbols(reference) or symbols(answer):
        return False
    one, other = as_decimal(reference), as_decimal(answer)
    if other and _recurs(reference) and not _recurs(answer):
        return False
    if one and other:
        if one.places < other.places:
            return False  # nothing says that the reference was rounded, so further digits make another number
        rounded, exact = other, reference
    elif one or other:
        rounded, exact = (one, answer) if one else (other, reference)
    else:
        return False
    assert rounded is not None
    value = constant_value(exact)
    if value is None:
        return False
    exact_value = as_fraction(value)
    if exact_value is None:
        return False
    if not isinstance(value, Fraction):
        digits += _MORE_DIGITS_FOR_IRRATIONALS
    # A whole number has no rounding with a point in it.
    if rounded.digits < digits or (isinstance(value, Fraction) and value.denominator == 1):
        return False
    half = Fraction(1, 2) * Fraction(10) ** -rounded.places
    distance = abs(exact_value - rounded.value)
    # A tie goes away from zero, as it is taught; else 5/16 would have two roundings.
    return distance < half or (distance == half and abs(rounded.value) > abs(exact_value))


def _recurs(node: Node) -> bool:
    return any(isinstance(part, Number) and part.recurs for part in walk(node))
