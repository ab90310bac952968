"""How numbers are said in findings, report and terminal."""

from __future__ import annotations

from hero_rl.diagnosis.numbers import Interval

__all__ = ["DASH", "change", "decimal", "number", "of", "percent", "within"]

DASH = "\u2013"
"""Stands where there is no number."""

_MINUS = "\u2212"


def percent(share: float | None) -> str:
    """A share in per cent; what is not nothing and not all is never said to be."""
    if share is None:
        return DASH
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}" if 0 < share < 0.0995 or 0.9905 < share < 1 else f"{share:.0%}"


def of(part: int, whole: int) -> str:
    """A count, its whole and their share."""
    return f"{part:,} of {whole:,} ({percent(part / whole if whole else None)})"


def number(value: float | None, digits: int = 3) -> str:
    """A number in a few significant digits."""
    if value is None:
        return DASH
    said = "0" if value == 0 else f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    return said.replace("-", _MINUS, 1) if said.startswith("-") else said


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals."""
    return DASH if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def change(value: float, error: float, points: bool = False) -> str:
    """A difference with its sign and its error; of shares in points."""
    said = f"{100 * value:+.1f} ± {100 * error:.1f} points" if points else f"{value:+.2f} ± {error:.2f}"
    return said.replace("-", _MINUS)


def within(interval: Interval) -> str:
    """An estimate with its interval, two decimals."""
    if interval.value is None:
        return DASH
    if interval.low is None or interval.high is None:
        return decimal(interval.value)
    return f"{decimal(interval.value)} (95% interval {decimal(interval.low)} to {decimal(interval.high)})"
