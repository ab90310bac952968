"""The words and commands that the grammar knows by name."""

from __future__ import annotations

__all__ = [
    "CONNECTORS",
    "CONSTANTS",
    "GREEK",
    "MARKS",
    "NUMBER_SETS",
    "QUALIFIERS",
    "RELATIONS",
    "SETS_IN_WORDS",
    "SET_OPERATIONS",
]

RELATIONS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "ge": ">=", "ne": "!=", "in": "in",
    "approx": "~",
    "simeq": "~", "sim": "~", "doteq": "~", ":=": "=",
    "subset": "subset", "supset": "supset", "subseteq": "subseteq", "supseteq": "supseteq", "parallel": "parallel",
    "perp": "perp",
}  # fmt: skip
SET_OPERATIONS = {"cup": "union", "cap": "intersection", "setminus": "difference"}
CONSTANTS = {"pi": "pi", "infty": "infinity", "emptyset": "empty", "imath": "i", "top": "T", "intercal": "T"}
_GREEK_LETTERS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi
omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar
"""
GREEK = frozenset(_GREEK_LETTERS.split())
NUMBER_SETS = {"reals", "integers", "naturals", "rationals", "complexes"}
QUALIFIERS = frozenset({"for", "where", "with", "respectively", "if", "when", "whenever"})
CONNECTORS = {"and": "and", "or": "or", "wedge": "and", "vee": "or", "text&": "and"}
MARKS = frozenset({"overline", "bar", "hat", "widehat", "tilde", "overrightarrow", "vec"})
_INFINITE = """
infinity; infinite; infinitely many; infinitely many solutions; infinite solutions; infinite number; infinite number of
solutions; there are infinitely many; there are infinitely many solutions; infinite number of such numbers
"""
_NONE = """
no solution; no solutions; no real solution; no real solutions; no integer solutions; no such number; no such numbers;
no such integers; no such function; no such functions; no such pairs; no roots; no real roots; none; empty set;
there are no solutions; there is no solution; there are none; there are no such numbers; does not have solutions
"""
SETS_IN_WORDS = {
    **{" ".join(phrase.split()): "infinity" for phrase in _INFINITE.split(";")},
    **{" ".join(phrase.split()): "empty" for phrase in _NONE.split(";")},
}
