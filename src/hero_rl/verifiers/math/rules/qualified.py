"""What is said under conditions, and constants that are the writer's to name."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import permutations

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.matching import PASS, Comparison, Outcome, renamed, value_at
from hero_rl.verifiers.math.rules.regions import is_region
from hero_rl.verifiers.math.rules.statements import is_equation
from hero_rl.verifiers.math.tree.formulas import (
    Call,
    Degrees,
    Node,
    Number,
    Qualified,
    Relation,
    Sequence,
    Symbol,
    contains,
    symbols,
    walk,
)
from hero_rl.verifiers.math.values.evaluation import Point, TooLarge, Undefined, evaluate

__all__ = ["constants", "qualified"]

_MOST_CONSTANTS = 3


def qualified(reference: Node, answer: Node, by: Comparison) -> object:
    """Conditions behind a value: the values must be equal, and the conditions too where both sides have some.

    Safe: the reference's conditions speak of the domain that the question gives, so an answer may leave them off; an
    answer may add only what narrows nothing, that a letter is a number or an index, or where a formula is undefined.
    """
    if not isinstance(reference, Qualified) and not isinstance(answer, Qualified):
        return PASS
    ours, theirs = _conditions(reference), _conditions(answer)
    expected, said = _value(reference), _value(answer)
    for names in _renamings(reference, answer):
        under = [renamed(condition, names) for condition in theirs]
        if not _same_sets(ours, under, expected, said) or not _begin_alike(ours, under):
            continue
        added = [renamed(condition, names) for condition in theirs if not _narrows_nothing(condition, said)]
        needed = [condition for condition in ours if not _narrows_nothing(condition, expected)]
        matched = all(any(by.same(condition, other) for other in (*needed, *ours)) for condition in added)
        if matched and len(added) in (0, len(needed)):
            outcome = by.compare(expected, renamed(said, names))
            if outcome is not None:
                return outcome
    return None


def _conditions(node: Node) -> tuple[Node, ...]:
    return node.conditions if isinstance(node, Qualified) else ()


def _value(node: Node) -> Node:
    return node.value if isinstance(node, Qualified) else node


_NUMBERS = ("reals", "integers", "naturals", "rationals", "complexes", "constants")


def _is_membership(condition: Node) -> bool:
    return (
        isinstance(condition, Relation)
        and condition.operators == ("in",)
        and isinstance(condition.members[1], Symbol)
        and condition.members[1].name.startswith(_NUMBERS)
    )


def _same_sets(ours: Iterable[Node], theirs: Iterable[Node], expected: Node, said: Node) -> bool:
    """Whether the answer's letters are in sets that fit: the reference's own where it names one, else any.

    Safe: 2k for natural k is another set than 2k for whole k, and whole numbers are no interval; the angles k pi are
    those of all whole k.
    """
    named = {condition.members[0]: _kind(condition) for condition in ours if isinstance(condition, Relation)}
    for condition in theirs:
        if not _is_membership(condition) or not isinstance(condition, Relation):
            continue
        kind = _kind(condition)
        if kind != named.get(condition.members[0], kind):
            return False
        if kind == "integers+" and condition.members[0] not in named and _turns(said):
            return False
        if kind != "any" and condition.members[0] not in named and (_may_be_region(expected) or _may_be_region(said)):
            return False
    return True


def _begin_alike(ours: Iterable[Node], theirs: Iterable[Node]) -> bool:
    """Whether no index that both sides bound from below begins elsewhere."""
    first, other = _least(ours), _least(theirs)
    return all(first[letter] == other[letter] for letter in first.keys() & other.keys())


def _least(conditions: Iterable[Node]) -> dict[Node, Fraction]:
    """Where each letter begins that has a lower bound."""
    bounds: dict[Node, Fraction] = {}
    for condition in conditions:
        if isinstance(condition, Relation) and condition.operators == (">=",):
            letter, end = condition.members
            if isinstance(end, Number):
                bounds[letter] = max(end.value, bounds.get(letter, end.value))
    return bounds


def _turns(node: Node) -> bool:
    """Whether it speaks of angles, whose families take whole numbers of either sign where a reference says no more."""
    return contains(node, Degrees) or any(part == Symbol("pi") for part in walk(node))


def _kind(condition: Relation) -> object:
    """Which set a membership names; the real ones and arbitrary constants are any, naturals the positive integers."""
    held = condition.members[1]
    if not _is_membership(condition) or not isinstance(held, Symbol):
        return condition
    if held.name in ("reals", "complexes", "rationals", "constants"):
        return "any"
    return "integers+" if held.name in ("naturals", "naturals+", "naturals*") else held.name


def _may_be_region(node: Node) -> bool:
    if isinstance(node, Sequence) and node.kind == "tuple":
        return len(node.items) == 2 and not symbols(node)
    return is_region(node)


def _narrows_nothing(condition: Node, value: Node) -> bool:
    """Whether it says that letters are numbers, that an index is one (n >= 1), or where a formula is undefined."""
    if _is_membership(condition):
        return True
    if not isinstance(condition, Relation) or len(condition.members) != 2:
        return False
    letter, end = condition.members
    if not isinstance(letter, Symbol) or not isinstance(end, Number):
        return False
    if condition.operators == (">=",):
        return letter.name in ("n", "k", "m") and end.value in (0, 1)
    if condition.operators == ("!=",):
        formula = value.members[-1] if isinstance(value, Relation) else value
        try:
            evaluate(value_at(formula, letter.name, end), Point(dict.fromkeys(symbols(formula), end.value + 7)))
        except Undefined:
            return True
        except TooLarge:
            return False
    return False


def _declared(node: Node) -> set[str]:
    return {
        name
        for condition in _conditions(node)
        if _is_membership(condition) and isinstance(condition, Relation)
        for name in symbols(condition.members[0])
    }


def _renamings(reference: Node, answer: Node) -> list[dict[str, Node]]:
    """How the answer's letters may be called: as they are; those declared to be any number as the reference's own.

    Safe: a letter that is said to be an arbitrary number is bound, so its name says nothing; as many letters of the
    reference are left, each takes one.
    """
    ours, theirs = symbols(_value(reference)), symbols(_value(answer))
    free, other = sorted(ours - theirs), sorted(theirs - ours)
    bound = _declared(reference) >= set(free) or _declared(answer) >= set(other)
    if not free or len(free) != len(other) or len(free) > _MOST_CONSTANTS or not bound:
        return [{}]
    if not set(free) & _declared(reference) and not _names_constants(free):
        return [{}]
    return [dict(zip(other, map(Symbol, order), strict=True)) for order in permutations(free)]


_CONSTANT_LETTERS = frozenset({"a", "b", "c", "d", "k", "m", "A", "B", "C", "D", "K", "M", "lambda", "alpha", "beta"})


def _names_constants(names: list[str]) -> bool:
    return all(name.partition("_")[0] in _CONSTANT_LETTERS for name in names)


_CUSTOMARY = frozenset({"c", "k", "C", "K", "A", "B"})


def constants(reference: Node, answer: Node, by: Comparison) -> object:
    """A function with arbitrary constants, f(x) = cx or y = Ae^x + Be^{-x}, whatever these are called.

    Safe: only behind a label that is a function, only letters that are customary for constants on both sides and
    none in common but C_1, C_2 in another order, and each stands for one; f(x) = 2x and f(x) = x are no f(x) = cx.
    """
    if not is_equation(reference) or not isinstance(reference, Relation) or len(reference.members) != 2:
        return PASS
    label, value = reference.members
    arguments = _arguments(label)
    if not arguments:
        return PASS
    said = answer.members[-1] if isinstance(answer, Relation) and answer.operators == ("=",) else answer
    if isinstance(answer, Relation) and (answer is said or _arguments(answer.members[0]) is None):
        return PASS
    ours, theirs = symbols(value) - arguments, symbols(said) - arguments
    if len(ours) != len(theirs) or not 1 <= len(ours) <= _MOST_CONSTANTS:
        return PASS
    if ours == theirs and not all(name.lower().startswith("c_") for name in ours):
        return PASS
    if not _are_customary(ours) or not _are_customary(theirs):
        return PASS
    for order in permutations(sorted(ours)):
        names: dict[str, Node] = dict(zip(sorted(theirs), map(Symbol, order), strict=True))
        if by.compare(value, renamed(said, names)) is not None:
            return _matched()
    return PASS


def _matched() -> Outcome:
    return Reason.MATCHED_SYMBOLICALLY


def _are_customary(names: set[str]) -> bool:
    return all(name.partition("_")[0] in _CUSTOMARY for name in names)


def _arguments(label: Node) -> set[str] | None:
    """The variables of a function's label, f(x) or y; None for what is no function."""
    if isinstance(label, Call) and label.arguments and all(isinstance(part, Symbol) for part in label.arguments):
        return symbols(label)
    return {"x", "t"} if label == Symbol("y") else None
