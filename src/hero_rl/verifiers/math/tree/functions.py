"""The functions that a formula may use, by name; a closed list, so that no text can reach any other code."""

from __future__ import annotations

__all__ = ["FUNCTIONS", "INTEGER_FUNCTIONS", "LOGARITHMS", "TRIGONOMETRIC"]

TRIGONOMETRIC = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_INVERSE = frozenset({"arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc"})
_HYPERBOLIC = frozenset({"sinh", "cosh", "tanh", "coth", "arsinh", "arcosh", "artanh", "arcsinh", "arccosh", "arctanh"})
LOGARITHMS = frozenset({"log", "ln", "lg"})
_OTHERS = frozenset({"exp", "max", "min", "gcd", "lcm"})

FUNCTIONS = TRIGONOMETRIC | _INVERSE | _HYPERBOLIC | LOGARITHMS | _OTHERS
"""Functions that are written by name before their argument."""

INTEGER_FUNCTIONS = frozenset({"floor", "ceil", "factorial", "binomial", "gcd", "lcm", "mod"})
"""Functions that are meant at integers, so formulas with them are compared there."""
