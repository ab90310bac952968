"""Numerals: a text of digits as a number, and what is done to numbers while they are read."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeGuard

from hero_rl.verifiers.math.tree.formulas import Degrees, Negative, Node, Number, Percent, Quantity
from hero_rl.verifiers.math.tree.tokens import Unreadable

__all__ = ["is_whole", "negative", "read_number"]

MAX_NUMBER_CHARACTERS = 1000


def read_number(text: str) -> Number:
    """An integer, a decimal, one that repeats, 0.1(6), or goes on, 3.14..., or any of them with an exponent, 2.5e-6."""
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise Unreadable("a numeral too long")
    if text.endswith("..."):
        return _cut_off(read_number(text.removesuffix("...")))
    mantissa, _, exponent = text.lower().partition("e")
    shift = int(exponent or 0)
    if abs(shift) > MAX_NUMBER_CHARACTERS:
        raise Unreadable("an exponent too large")
    whole, point, rest = mantissa.partition(".")
    fixed, _, repeating = rest.rstrip(")").partition("(")
    scale = Fraction(10) ** shift
    if repeating:
        period = 10 ** len(fixed) * (10 ** len(repeating) - 1)
        value = Fraction(int(whole + fixed or 0), 10 ** len(fixed)) + Fraction(int(repeating), period)
        return Number(value * scale, recurs=True)
    value = Fraction(int((whole + fixed) or 0), 10 ** len(fixed)) * scale
    if point and fixed:
        return Number(value, digits=len((whole + fixed).lstrip("0")), places=len(fixed) - shift)
    return Number(value)


def _cut_off(number: Number) -> Number:
    """A decimal that goes on behind its dots.

    The middle of the interval that the digits leave open, less 10^-40 of a step, so that it equals no decimal that ends
    there.
    """
    assert number.places is not None
    step = Fraction(10) ** -number.places
    return Number(number.value + step * (Fraction(1, 2) - Fraction(1, 10**40)), number.digits, number.places)


def is_whole(node: Node) -> TypeGuard[Number]:
    """Whether a node is an integer written without a point."""
    return isinstance(node, Number) and node.places is None and node.value.denominator == 1


def negative(node: Node) -> Node:
    """Minus a node; a number and a quantity take the sign in."""
    if isinstance(node, Number):
        return Number(-node.value, node.digits, node.places, node.recurs)
    if isinstance(node, (Quantity, Percent, Degrees)):
        changed = negative(node.value)
        return Quantity(changed, node.unit) if isinstance(node, Quantity) else type(node)(changed)
    return Negative(node)
