"""The functions that a formula may use, by name; a closed list, so that no text can reach any other code."""

from __future__ import annotations

__all__ = ["FUNCTIONS", "INTEGER_FUNCTIONS", "LOGARITHMS", "SYNONYMS", "TRIGONOMETRIC"]

TRIGONOMETRIC = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_INVERSE = frozenset({"arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc"})
_HYPERBOLIC = frozenset(
    {"sinh", "cosh", "tanh", "coth", "sech", "csch", "arsinh", "arcosh", "artanh", "arcsinh", "arccosh", "arctanh"}
)
LOGARITHMS = frozenset({"log", "ln", "lg"})
_OTHERS = frozenset({"abs", "cis", "exp", "max", "min", "gcd", "lcm", "sgn"})

SYNONYMS = {
    "tg": "tan", "ctg": "cot", "cotg": "cot", "cosec": "csc", "sh": "sinh", "ch": "cosh", "th": "tanh", "cth": "coth",
    "arctg": "arctan", "arcctg": "arccot", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "arsh": "arsinh",
    "sign": "sgn", "signum": "sgn", "Log": "log", "hcf": "gcd", "HCF": "gcd", "GCD": "gcd", "LCM": "lcm",
    "Max": "max", "Min": "min",
}  # fmt: skip
"""Other spellings of functions, in \\operatorname and \\mathrm."""

FUNCTIONS = TRIGONOMETRIC | _INVERSE | _HYPERBOLIC | LOGARITHMS | _OTHERS
"""Functions that are written by name before their argument."""

INTEGER_FUNCTIONS = frozenset(
    {"floor", "ceil", "factorial", "double factorial", "permutations", "binomial", "gcd", "lcm", "mod"}
)
"""Functions that are meant at integers, so formulas with them are compared there."""
