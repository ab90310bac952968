"""Sets of whole numbers: an inequality for integers, the integers themselves, the positive ones."""

from __future__ import annotations

import math
from fractions import Fraction

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.intervals import (
    INFINITY,
    Interval,
    NoRegion,
    Region,
    complement,
    intersection,
    is_empty,
    joined,
    place,
)
from hero_rl.verifiers.math.rules.matching import PASS, Comparison
from hero_rl.verifiers.math.rules.regions import region
from hero_rl.verifiers.math.tree.formulas import (
    UNNAMED,
    Builder,
    Negative,
    Node,
    Number,
    Qualified,
    Relation,
    Sequence,
    SetOperation,
    Symbol,
)

__all__ = ["integers"]

_WHOLE_LETTERS = frozenset({"n", "k", "m", "l", "j", "N", "p", "q"})
_ONE, _ZERO, _MINUS = Number(Fraction(1)), Number(Fraction(0)), Number(Fraction(-1))
_ALL = Interval(Negative(INFINITY), False, INFINITY, False)
_POSITIVE = Interval(_ONE, True, INFINITY, False)
_NEGATIVE = Interval(Negative(INFINITY), False, _MINUS, True)
_SETS = {
    "integers": (_ALL,),
    "integers+": (_POSITIVE,),
    "integers-": (_NEGATIVE,),
    "integers0": (Interval(_ZERO, True, INFINITY, False),),
    "integers*": (_NEGATIVE, _POSITIVE),
    # Where the naturals begin is the question's business; 1 is what competitions mean.
    **dict.fromkeys(["naturals", "naturals+", "naturals*"], (_POSITIVE,)),
    "naturals0": (Interval(_ZERO, True, INFINITY, False),),
}


def integers(reference: Node, answer: Node, by: Comparison) -> object:
    """Sets of whole numbers by their members.

    Safe: both sets are brought to ends that belong to them, so n > 1 and n >= 2 are one set of integers and no others;
    an inequality that does not speak of integers is read so only for a letter that is customary for them.
    """
    ours, theirs = _integers(reference), _integers(answer)
    if ours is None and theirs is None:
        return PASS
    ours, theirs = ours or _customary(reference, answer), theirs or _customary(answer, reference)
    if ours is None or theirs is None:
        return PASS
    if None not in (ours.variable, theirs.variable) and ours.variable != theirs.variable:
        return None
    try:
        return Reason.MATCHED_SYMBOLICALLY if _whole(ours.intervals) == _whole(theirs.intervals) else None
    except NoRegion:
        return PASS


def _integers(node: Node) -> Region | None:
    """The region of whole numbers that a node stands for; None where it stands for no such thing."""
    if isinstance(node, Symbol) and node.name in _SETS:
        return Region(_SETS[node.name])
    if isinstance(node, Relation) and node.operators == ("in",):
        inside = _integers(node.members[1])
        letter = None if node.members[0] == UNNAMED else node.members[0]
        return None if inside is None else Region(inside.intervals, letter)
    if isinstance(node, Builder) and isinstance(node.form, Relation):
        return _crossed(_integers(node.form), region(node.condition), named=False)
    if isinstance(node, SetOperation):
        return _of_operation(node)
    if isinstance(node, Sequence) and node.kind == "list" and all(isinstance(item, Relation) for item in node.items):
        return _of_conditions(node.items)
    if isinstance(node, Qualified):
        return _of_conditions((node.value, *node.conditions))
    return None


def _of_conditions(items: tuple[Node, ...]) -> Region | None:
    """Inequalities and one membership in whole numbers, all of one letter."""
    whole = [found for item in items if (found := _integers(item)) is not None]
    others = [region(item) for item in items if _integers(item) is None]
    if len(whole) != 1 or None in others:
        return None
    result: Region | None = whole[0]
    for other in others:
        result = _crossed(result, other, named=True)
    return result


def _crossed(one: Region | None, other: Region | None, named: bool) -> Region | None:
    if one is None or other is None or (None not in (one.variable, other.variable) and one.variable != other.variable):
        return None
    try:
        inside = intersection([one.intervals, other.intervals])
    except NoRegion:
        return None
    return Region(inside, (one.variable or other.variable) if named else None)


def _of_operation(node: SetOperation) -> Region | None:
    left = _integers(node.left)
    right = _integers(node.right) or region(node.right)
    if left is None or right is None or node.operator == "union":
        return None
    try:
        other = right.intervals if node.operator == "intersection" else complement(right.intervals)
        return Region(intersection([left.intervals, other]))
    except NoRegion:
        return None


def _customary(node: Node, other: Node) -> Region | None:
    """An inequality in a letter that is customary for whole numbers."""
    if isinstance(node, Relation) and node.operators != ("in",) and "=" not in node.operators:
        found = region(node)
        if found is not None and isinstance(found.variable, Symbol) and found.variable.name in _WHOLE_LETTERS:
            return found
    return None


def _whole(intervals: tuple[Interval, ...]) -> list[tuple[object, object]]:
    """First and last members of each run of whole numbers; None for none."""
    runs: list[list[int | None]] = []
    for part in joined(intervals):
        if is_empty(part):
            continue
        first, last = _first(part.low, part.low_closed), _last(part.high, part.high_closed)
        if first is not None and last is not None and first > last:
            continue
        before = runs[-1][1] if runs else None
        if runs and before is not None and first is not None and before + 1 >= first:
            runs[-1][1] = last
        else:
            runs.append([first, last])
    return [(first, last) for first, last in runs]


def _first(end: Node, closed: bool) -> int | None:
    kind, number = place(end)
    if kind:
        return None
    return math.ceil(number) + (number == math.ceil(number) and not closed)


def _last(end: Node, closed: bool) -> int | None:
    kind, number = place(end)
    if kind:
        return None
    return math.floor(number) - (number == math.floor(number) and not closed)
