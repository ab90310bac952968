"""What units are worth in each other: 1 km is 1000 m, 36 km/h are 10 m/s, 1 dollar is 100 cents.

Only units of one fixed size that the world agrees on (SI with its prefixes, the international inch, pound and mile) are
known here. Temperatures by a scale of their own, months, tons and calories are not, nor is what is counted.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from hero_rl.verifiers.math.tree.units import PREFIXES, powers, without_prefix

__all__ = ["is_step", "times_larger"]

_Dimension = tuple[int, ...]
"""Powers of metre, kilogram, second, ampere, kelvin, mole and dollar."""

_METRE, _KILOGRAM, _SECOND, _AMPERE, _KELVIN, _MOLE, _DOLLAR = (
    tuple(int(place == index) for place in range(7)) for index in range(7)
)
_FORCE: _Dimension = (1, 1, -2, 0, 0, 0, 0)
_ENERGY: _Dimension = (2, 1, -2, 0, 0, 0, 0)
_POWER: _Dimension = (2, 1, -3, 0, 0, 0, 0)
_PRESSURE: _Dimension = (-1, 1, -2, 0, 0, 0, 0)
_INCH, _POUND = Fraction(254, 10_000), Fraction(45_359_237, 100_000_000)

_SIZES: dict[str, tuple[Fraction, _Dimension]] = {
    name: (Fraction(size), dimension)
    for name, size, dimension in (
        ("m", 1, _METRE), ("in", _INCH, _METRE), ("ft", 12 * _INCH, _METRE), ("yd", 36 * _INCH, _METRE),
        ("mi", 63_360 * _INCH, _METRE), ("g", Fraction(1, 1000), _KILOGRAM), ("lb", _POUND, _KILOGRAM),
        ("oz", _POUND / 16, _KILOGRAM), ("l", Fraction(1, 1000), (3, 0, 0, 0, 0, 0, 0)),
        ("ha", 10_000, (2, 0, 0, 0, 0, 0, 0)), ("s", 1, _SECOND), ("min", 60, _SECOND), ("h", 3600, _SECOND),
        ("day", 86_400, _SECOND), ("week", 604_800, _SECOND), ("Hz", 1, (0, 0, -1, 0, 0, 0, 0)), ("N", 1, _FORCE),
        ("J", 1, _ENERGY), ("Wh", 3600, _ENERGY), ("W", 1, _POWER), ("Pa", 1, _PRESSURE), ("bar", 100_000, _PRESSURE),
        ("atm", 101_325, _PRESSURE), ("A", 1, _AMPERE), ("V", 1, (2, 1, -3, -1, 0, 0, 0)),
        ("Omega", 1, (2, 1, -3, -2, 0, 0, 0)), ("F", 1, (-2, -1, 4, 2, 0, 0, 0)), ("H", 1, (2, 1, -2, -2, 0, 0, 0)),
        ("T", 1, (0, 1, -2, -1, 0, 0, 0)), ("K", 1, _KELVIN), ("mol", 1, _MOLE), ("dollar", 1, _DOLLAR),
        ("cent", Fraction(1, 100), _DOLLAR),
    )
}  # fmt: skip
_STEPS = frozenset(
    [
        "week",
        "day",
        "h",
        "min",
        "s",
        "mi",
        "yd",
        "ft",
        "in",
        "km",
        "m",
        "cm",
        "mm",
        "kg",
        "g",
        "lb",
        "oz",
        "dollar",
        "cent",
    ]
)


def is_step(unit: str) -> bool:
    """Whether one measure may be given in this unit and a smaller one: 5 ft 6 in, 1 h 30 min."""
    return unit in _STEPS


def times_larger(one: str, other: str) -> Fraction | None:
    """How many of the other unit one unit is; None where they measure different things, or a size is not known.

    Safe: every unit counts with its power, and both must have the same dimension, so that m/s is no m and cm^2 no cm.
    """
    ours, theirs = _size(one), _size(other)
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return None
    return ours[0] / theirs[0]


_MOST_POWERS = 9


@lru_cache(maxsize=512)
def _size(name: str) -> tuple[Fraction, _Dimension] | None:
    size, dimension = Fraction(1), [0] * 7
    for unit, power in powers(name).items():
        prefix, base = ("", unit) if unit in _SIZES else without_prefix(unit)
        if base not in _SIZES or abs(power) > _MOST_POWERS:
            return None
        factor, parts = _SIZES[base]
        size *= (factor * Fraction(10) ** PREFIXES.get(prefix, 0)) ** power
        dimension = [sum_ + power * part for sum_, part in zip(dimension, parts, strict=True)]
    return (size, tuple(dimension)) if any(dimension) else None
