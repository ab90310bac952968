"""The value of a formula at exact points: an exact fraction where it has one, else a number of 400 bits.

Evaluation walks the nodes of `formulas` with a closed table of functions. It refuses (`TooLarge`) before it computes
anything whose size is not bounded, and it refuses to subtract where its precision would not show a difference, so that
what it does return can be compared without a tolerance for tiny or huge numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from hero_rl.verifiers.math.tree.formulas import (
    Based,
    Call,
    Degrees,
    Negative,
    Node,
    Number,
    Percent,
    Power,
    Product,
    Quantity,
    Quotient,
    Repeated,
    Sum,
    Symbol,
)
from hero_rl.verifiers.math.values.budget import spend

__all__ = ["Point", "TooLarge", "Undefined", "Value", "as_fraction", "divide", "evaluate", "same_value"]

BITS = 400
"""Working precision of what is no fraction."""

_MAX_EXACT_BITS = 40_000
_MAX_EXPONENT = 4_000
# A modular power takes a product of two numbers of the modulus' length for each bit of the exponent.
_MAX_MODULUS_BITS = 2_048
_MAX_MODULAR_WORK = 1 << 20
_MAX_TERMS = 200
# Two numbers whose sum cancels down to this share of them are not told from zero, nor is one so small against another.
_NOISE = BITS - 80
_WIDEST_SUM = BITS // 2
_FINEST = 100
_FARTHEST = 5

Value = Any
"""A `Fraction`, or a real or complex number of mpmath."""


class TooLarge(Exception):
    """The value is too large, or too fine a difference, to be worked out safely."""


class Undefined(Exception):
    """The formula has no real value at this point, or uses what has no value at all."""


@dataclass(frozen=True)
class Point:
    """Where formulas are evaluated.

    Attributes:
        values: variable -> fraction.
        complex_allowed: whether roots and logarithms of negative numbers have their complex values.
        log_base: the base of a logarithm that names none; None for the natural one.
        terms: how often a formula inside of sums is evaluated for one value of what is outside.
    """

    values: Mapping[str, Fraction]
    complex_allowed: bool = False
    log_base: Fraction | None = None
    terms: int = 1


@lru_cache(maxsize=1)
def _mp() -> Any:
    """An arithmetic of our own, since mpmath's shared one belongs to whoever else computes in this process."""
    from mpmath import MPContext

    context = MPContext()
    context.prec = BITS
    return context


def evaluate(node: Node, point: Point) -> Value:
    """The value at a point.

    Raises:
        Undefined: there is none, or none that is known here.
        TooLarge: it was not computed for its size.
        TooSlow: the check has used up its time.
    """
    spend()
    try:
        return _EVALUATORS[type(node)](node, point)
    except KeyError:
        raise Undefined(f"{type(node).__name__} has no value") from None
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise Undefined(str(error)) from None


def same_value(one: Value, other: Value) -> bool:
    """Whether two values are equal: exactly for fractions, else to all bits that their computation left true."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    one, other = _inexact(one), _inexact(other)
    larger = max(_magnitude(one), _magnitude(other))
    return _magnitude(one - other) <= larger - _NOISE


def as_fraction(value: Value) -> Fraction | None:
    """A real value as a fraction, rounded where it is none so that equal values stay equal; None for complex ones."""
    if isinstance(value, Fraction):
        return value
    if not _is_real(value):
        return None
    grid = 1 << (BITS - 100)
    return Fraction(round(_exact(value) * grid), grid)


def _exact(value: Value) -> Fraction:
    """A real value as the fraction that it is, since a fraction and a number of mpmath have no order between them."""
    if isinstance(_real(value), Fraction):
        return value
    _magnitude(value)  # what is not finite is refused
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** int(exponent)


def _number(node: Number, point: Point) -> Value:
    return node.value


def _symbol(node: Symbol, point: Point) -> Value:
    if node.name in point.values:
        return point.values[node.name]
    if node.name == "pi":
        return +_mp().pi
    if node.name == "e":
        return +_mp().e
    if node.name == "i":
        return _mp().mpc(0, 1)
    raise Undefined(node.name)


def _sum(node: Sum, point: Point) -> Value:
    return _total([evaluate(term, point) for term in node.terms])


def _total(terms: list[Value]) -> Value:
    exact = Fraction(0)
    for term in terms:
        if isinstance(term, Fraction):
            exact += term
            _check_bits(_bits(exact))
    if all(isinstance(term, Fraction) for term in terms):
        return exact
    inexact = [term for term in terms if not isinstance(term, Fraction)]
    if exact:
        if _bits(exact) > _NOISE:
            raise TooLarge("a number of more digits than are computed with")
        inexact.append(_inexact(exact))
    sizes = [_magnitude(term) for term in inexact if term != 0]
    if sizes and max(sizes) - min(sizes) > _WIDEST_SUM:
        raise TooLarge("a sum of terms too different in size")
    total = sum(inexact[1:], inexact[0])
    # What is left of a full cancellation is rounding error.
    if sizes and _magnitude(total) < max(sizes) - _NOISE:
        return Fraction(0)
    return _real_if_possible(total)


def _product(node: Product, point: Point) -> Value:
    result: Value = Fraction(1)
    for factor in node.factors:
        result = _multiply(result, evaluate(factor, point))
    return result


def _multiply(one: Value, other: Value) -> Value:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        _check_bits(_bits(one) + _bits(other))
        return one * other
    if one == 0 or other == 0:
        return Fraction(0)
    return _checked(_real_if_possible(_inexact(one) * _inexact(other)))


def _quotient(node: Quotient, point: Point) -> Value:
    return divide(evaluate(node.top, point), evaluate(node.bottom, point))


def divide(top: Value, bottom: Value) -> Value:
    """A quotient, exact where both are; `Undefined` for a division by zero."""
    if bottom == 0:
        raise Undefined("division by zero")
    if isinstance(top, Fraction) and isinstance(bottom, Fraction):
        _check_bits(_bits(top) + _bits(bottom))
        return top / bottom
    return _checked(_real_if_possible(_inexact(top) / _inexact(bottom)))


def _power(node: Power, point: Point) -> Value:
    return _raise(evaluate(node.base, point), evaluate(node.exponent, point), point)


def _raise(base: Value, exponent: Value, point: Point) -> Value:
    if base == 0:
        if isinstance(exponent, Fraction) and exponent > 0:
            return Fraction(0)
        raise Undefined("a power of zero")
    if isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            return _whole_power(base, int(exponent))
        if isinstance(base, Fraction) and base < 0 and exponent.denominator % 2 and not point.complex_allowed:
            # An odd root of a negative number is real.
            sign = -1 if exponent.numerator % 2 else 1
            return _multiply(Fraction(sign), _raise(-base, exponent, point))
        exact = _exact_root(base, exponent) if isinstance(base, Fraction) else None
        if exact is not None:
            return exact
    if _is_negative(base) and not point.complex_allowed:
        raise Undefined("a power of a negative number")
    if _magnitude(exponent) < -_FINEST:
        raise TooLarge("a power that hardly differs from 1")
    base, exponent = _inexact(base), _inexact(exponent)
    if _magnitude(exponent) + max(1, abs(_magnitude(base))).bit_length() > _MAX_EXPONENT.bit_length() + 4:
        raise TooLarge("a power")
    return _checked(_real_if_possible(_mp().power(base, exponent)))


def _whole_power(base: Value, exponent: int) -> Value:
    if isinstance(base, Fraction):
        if abs(base) != 1:
            _check_bits(_bits(base) * abs(exponent))
        return base ** (exponent if abs(base) != 1 else exponent % 2)
    if abs(_magnitude(base)) * abs(exponent) > _MAX_EXPONENT or abs(exponent) > 10_000:
        raise TooLarge("a power")
    return _real_if_possible(_inexact(base) ** exponent)


def _exact_root(base: Fraction, exponent: Fraction) -> Fraction | None:
    """The rational value of a fractional power of a positive fraction, where it has one."""
    if base < 0 or exponent.denominator > 12 or _bits(base) > 4_000:
        return None
    degree = exponent.denominator
    top, bottom = _whole_root(base.numerator, degree), _whole_root(base.denominator, degree)
    if top is None or bottom is None:
        return None
    return _whole_power(Fraction(top, bottom), exponent.numerator)


def _whole_root(number: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(number)
    else:
        low, high = 0, 1 << (number.bit_length() // degree + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
        root = low
    return root if root**degree == number else None


def _negative(node: Negative, point: Point) -> Value:
    return -evaluate(node.value, point)


def _percent(node: Percent, point: Point) -> Value:
    return divide(evaluate(node.value, point), Fraction(100))


def _degrees(node: Degrees, point: Point) -> Value:
    return _multiply(evaluate(node.value, point), _mp().pi / 180)


def _based(node: Based, point: Point) -> Value:
    _check_bits(len(node.digits) * 6)
    return Fraction(int(node.digits, node.base))


def _quantity(node: Quantity, point: Point) -> Value:
    return evaluate(node.value, point)


def _repeated(node: Repeated, point: Point) -> Value:
    low, high = _whole(evaluate(node.low, point)), _whole(evaluate(node.high, point))
    count = max(high - low + 1, 1)
    if count * point.terms > _MAX_TERMS:
        raise TooLarge("a sum of too many terms")
    terms = []
    for index in range(low, high + 1):
        values = {**point.values, node.variable.name: Fraction(index)}
        inside = Point(values, point.complex_allowed, point.log_base, point.terms * count)
        terms.append(evaluate(node.body, inside))
    if node.kind == "sum":
        return _total(terms) if terms else Fraction(0)
    result: Value = Fraction(1)
    for term in terms:
        result = _multiply(result, term)
    return result


def _modulo(node: Call, point: Point) -> Value:
    """A remainder; that of a power without working out the power."""
    first, second = node.arguments
    modulus = _whole(evaluate(second, point))
    if modulus == 0:
        raise Undefined("modulo zero")
    if isinstance(first, Power):
        base, exponent = _whole(evaluate(first.base, point)), _whole(evaluate(first.exponent, point))
        size = modulus.bit_length()
        if size > _MAX_MODULUS_BITS or size * exponent.bit_length() > _MAX_MODULAR_WORK:
            raise TooLarge("a power modulo so large a number")
        return Fraction(pow(base, exponent, modulus))
    return Fraction(_whole(evaluate(first, point)) % modulus)


def _call(node: Call, point: Point) -> Value:
    if node.name == "mod":
        return _modulo(node, point)
    arguments = [evaluate(argument, point) for argument in node.arguments]
    function = _FUNCTIONS.get((node.name, len(arguments)))
    if function is not None:
        return function(point, *arguments)
    if any(name == node.name for name, _ in _FUNCTIONS):
        raise Undefined(f"{node.name} of {len(arguments)} arguments")
    return _unknown(node.name, arguments)


def _unknown(name: str, arguments: list[Value]) -> Fraction:
    """A function of which nothing is known: an arbitrary fraction, but the same for the same name and arguments."""
    told = ",".join(
        str(argument) if isinstance(argument, Fraction) else _mp().nstr(argument, BITS // 4) for argument in arguments
    )
    digest = hashlib.sha256(f"{name}({told})".encode()).digest()
    return Fraction(int.from_bytes(digest[:6], "big") + 1, int.from_bytes(digest[6:12], "big") + 1)


def _root(point: Point, radicand: Value, degree: Value) -> Value:
    if not isinstance(degree, Fraction) or degree == 0:
        raise Undefined("a root of no degree")
    return _raise(radicand, 1 / degree, point) if radicand != 0 else Fraction(0)


def _absolute(point: Point, value: Value) -> Value:
    return abs(value)


def _whole(value: Value) -> int:
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    raise Undefined("no whole number")


def _small_whole(value: Value) -> int:
    number = _whole(value)
    if not 0 <= number <= 3_000:
        raise TooLarge("a factorial")
    return number


def _factorial(point: Point, value: Value) -> Value:
    return Fraction(math.factorial(_small_whole(value)))


def _double_factorial(point: Point, value: Value) -> Value:
    return Fraction(math.prod(range(_small_whole(value), 0, -2)))


def _permutations(point: Point, above: Value, below: Value) -> Value:
    return Fraction(math.perm(_small_whole(above), _small_whole(below)))


def _sign(point: Point, value: Value) -> Value:
    real = _real(value)
    return Fraction((real > 0) - (real < 0))


def _binomial(point: Point, above: Value, below: Value) -> Value:
    return Fraction(math.comb(_small_whole(above), _small_whole(below)))


def _floor(point: Point, value: Value) -> Value:
    return Fraction(math.floor(_near_real(value)))


def _ceil(point: Point, value: Value) -> Value:
    return Fraction(math.ceil(_near_real(value)))


def _near_real(value: Value) -> Value:
    """A real number that floor may be taken of: one too near to a whole number to tell which side has none."""
    if isinstance(value, Fraction):
        return value
    real = _real(value)
    if _magnitude(real) > 1_000 or abs(real - _mp().nint(real)) < _mp().mpf(2) ** -100:
        raise Undefined("the floor of a number next to a whole one")
    return real


def _logarithm(point: Point, value: Value) -> Value:
    natural = _natural(point, value)
    if point.log_base is None:
        return natural
    return divide(natural, _natural(point, point.log_base))


def _logarithm_to(point: Point, value: Value, base: Value) -> Value:
    exact = _exact_logarithm(value, base)
    if exact is not None:
        return exact
    return divide(_natural(point, value), _natural(point, base))


def _exact_logarithm(value: Value, base: Value) -> Fraction | None:
    """The logarithm of a whole power of a whole base, which rounding functions need exactly."""
    if not (isinstance(value, Fraction) and isinstance(base, Fraction)) or value < 1 or base < 2:
        return None
    exponent, power = 0, Fraction(1)
    while power < value and exponent < 200:
        exponent, power = exponent + 1, power * base
    return Fraction(exponent) if power == value else None


def _natural(point: Point, value: Value) -> Value:
    if value == 0 or (_is_negative(value) and not point.complex_allowed):
        raise Undefined("a logarithm")
    return Fraction(0) if value == 1 else _real_if_possible(_mp().ln(_inexact(value)))


def _exponential(point: Point, value: Value) -> Value:
    return _raise(+_mp().e, value, point)


def _real_function(name: str) -> Callable[..., Value]:
    """A function of mpmath for real arguments, or complex ones where those are allowed."""

    def call(point: Point, value: Value) -> Value:
        size = _magnitude(value)
        # Near zero, and far out, functions differ from a plain number by less than is computed with.
        if size > (_FARTHEST if name in _SATURATING else 200) or (value != 0 and size < -_FINEST):
            raise TooLarge(name)
        result = _real_if_possible(getattr(_mp(), name)(_inexact(value)))
        if not point.complex_allowed and not _is_real(result):
            raise Undefined(name)
        return Fraction(0) if _magnitude(result) < -_NOISE else _checked(result)

    return call


def _one_over(function: Callable[..., Value]) -> Callable[..., Value]:
    return lambda point, value: divide(Fraction(1), function(point, value))


def _largest(point: Point, *values: Value) -> Value:
    return max(values, key=_exact)


def _smallest(point: Point, *values: Value) -> Value:
    return min(values, key=_exact)


def _gcd(point: Point, one: Value, other: Value) -> Value:
    return Fraction(math.gcd(_whole(one), _whole(other)))


def _lcm(point: Point, one: Value, other: Value) -> Value:
    return Fraction(math.lcm(_whole(one), _whole(other)))


_SATURATING = frozenset({"tanh", "coth"})
_MPMATH = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan", "arccot": "acot", "arcsec": "asec", "arccsc": "acsc", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh",
    "coth": "coth", "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh",
}  # fmt: skip

_FUNCTIONS: dict[tuple[str, int], Callable[..., Value]] = {
    **{(name, 1): _real_function(theirs) for name, theirs in _MPMATH.items()},
    ("sech", 1): _one_over(_real_function("cosh")),
    ("csch", 1): _one_over(_real_function("sinh")),
    ("root", 2): _root,
    ("abs", 1): _absolute,
    ("factorial", 1): _factorial,
    ("double factorial", 1): _double_factorial,
    ("permutations", 2): _permutations,
    ("sgn", 1): _sign,
    ("binomial", 2): _binomial,
    ("floor", 1): _floor,
    ("ceil", 1): _ceil,
    ("log", 1): _logarithm,
    ("log", 2): _logarithm_to,
    ("ln", 1): _natural,
    ("lg", 1): lambda point, value: _logarithm_to(point, value, Fraction(10)),
    ("exp", 1): _exponential,
    **{("max", count): _largest for count in range(2, 6)},
    **{("min", count): _smallest for count in range(2, 6)},
    ("gcd", 2): _gcd,
    ("lcm", 2): _lcm,
}

_EVALUATORS: dict[type[Node], Callable[[Any, Point], Value]] = {
    Number: _number,
    Symbol: _symbol,
    Sum: _sum,
    Product: _product,
    Quotient: _quotient,
    Power: _power,
    Negative: _negative,
    Percent: _percent,
    Degrees: _degrees,
    Based: _based,
    Quantity: _quantity,
    Repeated: _repeated,
    Call: _call,
}


def _inexact(value: Value) -> Any:
    if isinstance(value, Fraction):
        return _mp().mpf(value.numerator) / value.denominator
    return value


def _magnitude(value: Value) -> int:
    """The binary exponent: 2 to it is about the absolute value. Very negative for zero."""
    if value == 0:
        return -(10**9)
    if isinstance(value, Fraction):
        return value.numerator.bit_length() - value.denominator.bit_length()
    size = _mp().mag(value)
    if not isinstance(size, int):
        raise Undefined("not a finite number")
    return size


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _check_bits(bits: int) -> None:
    if bits > _MAX_EXACT_BITS:
        raise TooLarge("a number of too many digits")


def _checked(value: Value) -> Value:
    if not isinstance(value, Fraction) and abs(_magnitude(value)) > 2 * _MAX_EXPONENT and value != 0:
        raise TooLarge("a number too large or too small")
    return value


def _is_real(value: Value) -> bool:
    return isinstance(value, (Fraction, _mp().mpf))


def _real(value: Value) -> Value:
    if not _is_real(value):
        raise Undefined("a complex number where a real one is needed")
    return value


def _is_negative(value: Value) -> bool:
    return _is_real(value) and value < 0


def _real_if_possible(value: Value) -> Value:
    """A complex number whose imaginary part is rounding error, as a real one."""
    if _is_real(value) or not hasattr(value, "imag"):
        return value
    if value.imag == 0 or _magnitude(value.imag) < _magnitude(value) - _NOISE:
        return value.real
    return value
