"""Formulas by their values, words by their letters."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.matching import PASS, STRUCTURES, ZERO, Comparison, renamed, value_at
from hero_rl.verifiers.math.tree.formulas import (
    Degrees,
    Negative,
    Node,
    Number,
    Product,
    Quantity,
    Relation,
    Repeated,
    Sum,
    Symbol,
    Words,
    contains,
    rewrite,
    symbols,
    walk,
)
from hero_rl.verifiers.math.values.equality import constant_value, same_formula
from hero_rl.verifiers.math.values.rounding import is_rounding

__all__ = ["formulas", "words"]


def formulas(reference: Node, answer: Node, by: Comparison) -> object:
    """Two formulas by their values, and a decimal as the rounding of an exact number.

    Safe: one point at which the two differ refuses them (`equality`), and a decimal must be the correct rounding to its
    last digit (`rounding`).
    """
    if contains(reference, STRUCTURES) or contains(answer, STRUCTURES):
        return None
    if _adds_quantities(reference) or _adds_quantities(answer):
        return None  # 1 cm + 2 m is no 3
    if same_formula(reference, answer):
        constant = not symbols(reference) and not symbols(answer)
        return Reason.MATCHED_BY_VALUE if constant else Reason.MATCHED_SYMBOLICALLY
    if by.how.rounding_digits is not None and is_rounding(reference, answer, by.how.rounding_digits):
        return Reason.MATCHED_BY_ROUNDING
    if contains(reference, Repeated) and _with_one_name(reference) == _with_one_name(answer):
        return Reason.MATCHED_SYMBOLICALLY
    in_our_letters = _parameter_renamed(reference, answer)
    if in_our_letters is not None and same_formula(reference, in_our_letters):
        return Reason.MATCHED_SYMBOLICALLY
    if _differ_by_constant(reference, answer):
        return Reason.MATCHED_SYMBOLICALLY
    return None


def _with_one_name(node: Node) -> Node:
    """The formula with the variable of each sum called alike, since its name says nothing outside."""

    def change(part: Node) -> Node | None:
        if not isinstance(part, Repeated):
            return None
        body = renamed(part.body, {part.variable.name: _BOUND})
        return Repeated(part.kind, _BOUND, part.low, part.high, body)

    return node if _is_nested(node) else rewrite(node, change)


_BOUND = Symbol("the bound variable")  # no text has a letter of this name


def _is_nested(node: Node) -> bool:
    """Whether a sum stands in another, where one name would not do for both."""
    return any(contains(part.body, Repeated) for part in walk(node) if isinstance(part, Repeated))


_VARIABLES = frozenset({*"xtuvyz", "theta"})
_OF_INTEGRATION = frozenset({"C", "K", "C_1", "const"})  # a small c may be one that is given


def _differ_by_constant(reference: Node, answer: Node) -> bool:
    """Whether both are antiderivatives, F(x) + C, of one function.

    Safe: the constant is added as it is on both sides, beside one variable, so that it takes up any other number; and
    what is left of the difference must be one number wherever the variable moves.
    """
    names = symbols(reference)
    constant, variable = names & _OF_INTEGRATION, names & _VARIABLES
    if names != symbols(answer) or len(names) != 2 or not constant or not variable:
        return False
    if not all(isinstance(node, Sum) and Symbol(min(constant)) in node.terms for node in (reference, answer)):
        return False
    difference = value_at(Sum((reference, Negative(answer))), min(constant), ZERO)
    letter, (name,) = Symbol(min(variable)), variable
    moved = (Sum((letter, Number(Fraction(1, 7)))), Product((letter, Number(Fraction(2)))))
    return all(same_formula(difference, value_at(difference, name, place)) for place in moved)


def _adds_quantities(node: Node) -> bool:
    return any(isinstance(part, Sum) and any(isinstance(term, Quantity) for term in part.terms) for part in walk(node))


_WHOLE_PARAMETERS = frozenset({"k", "n", "m", "l", "j"})
_FREE_CONSTANTS = frozenset({"C", "c", "K", "C_1", "c_1", "const"})


def _parameter_renamed(reference: Node, answer: Node) -> Node | None:
    """The answer with its one other variable called as in the reference, where the name is the writer's to choose.

    Safe: only the whole number of a periodic family (a formula with pi or degrees) and the arbitrary constant beside
    one variable are the writer's to choose; among more letters c may be a side and C an angle.
    """
    ours, theirs = symbols(reference) - symbols(answer), symbols(answer) - symbols(reference)
    if len(ours) != 1 or len(theirs) != 1:
        return None
    one, other = ours.pop(), theirs.pop()
    periodic = {one, other} <= _WHOLE_PARAMETERS and _is_periodic(reference, one)
    constant = {one, other} <= _FREE_CONSTANTS and len(symbols(reference)) == 2
    if periodic or constant:
        return renamed(answer, {other: Symbol(one)})
    return None


def _is_periodic(node: Node, parameter: str) -> bool:
    """Whether each step of the parameter adds the same angle: pi k + 1/2, 360 degrees times n."""
    if not any(isinstance(part, Degrees) or part == Symbol("pi") for part in walk(node)):
        return False
    one, next_one = Number(Fraction(1)), Sum((Symbol(parameter), Number(Fraction(1))))
    step = Sum((value_at(node, parameter, one), Negative(value_at(node, parameter, ZERO))))
    general = Sum((value_at(node, parameter, next_one), Negative(node)))
    return constant_value(step) is not None and same_formula(general, step)


def words(reference: Node, answer: Node, by: Comparison) -> object:
    """Text equals the same text, articles, case and marks aside.

    Safe: every other word counts, "not" among them.
    """
    if not isinstance(reference, Words) and not isinstance(answer, Words):
        return PASS
    if isinstance(reference, Words) and isinstance(answer, Words):
        return Reason.MATCHED_EXACTLY if reference.text == answer.text else None
    # A label in words before the value of the other side is the business of the relations below.
    return PASS if isinstance(reference, Relation) or isinstance(answer, Relation) else None
