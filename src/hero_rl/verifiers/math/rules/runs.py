"""Lists and sets with an ellipsis: the same written twice, or a run of whole numbers written out."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hero_rl.verifiers.math.rules.matching import MAX_ITEMS, PASS, Comparison, weakest
from hero_rl.verifiers.math.tree.formulas import Node, Number, Relation, Sequence, Symbol
from hero_rl.verifiers.math.tree.numerals import is_whole

__all__ = ["ellipses"]

_ELLIPSIS = Symbol("ellipsis")


def ellipses(reference: Node, answer: Node, by: Comparison) -> object:
    r"""Lists with an ellipsis, 1, 2, \ldots, n, part by part; a run of whole numbers as the numbers it stands for.

    Safe: what an ellipsis leaves out is filled in only where no other rule could be meant (`_written_out`); else the
    parts that are shown must be equal, each in its place, and the ellipses stand in the same places.
    """
    if not isinstance(reference, Sequence) or not isinstance(answer, Sequence):
        return PASS
    if _ELLIPSIS not in (*reference.items, *answer.items):
        return PASS
    ours, theirs = _written_out(reference), _written_out(answer)
    if _ELLIPSIS not in (*ours.items, *theirs.items):
        return by.compare(ours, theirs)
    same_kind = ours.kind == theirs.kind or {ours.kind, theirs.kind} == {"list", "set"}
    if not same_kind or len(ours.items) != len(theirs.items):
        return None
    if ours.kind == "tuple" and (ours.opening, ours.closing) != (theirs.opening, theirs.closing):
        return None
    pairs = list(zip(ours.items, theirs.items, strict=True))
    if any((one == _ELLIPSIS) != (other == _ELLIPSIS) for one, other in pairs):
        return None
    return weakest(by.compare(one, other) for one, other in pairs)


def _written_out(sequence: Sequence) -> Sequence:
    r"""A run of whole numbers, 1, 2, \ldots, 10, with all its members; any other sequence as it is.

    Safe: with two members before the ellipsis only the next whole number each time, up or down, and not where a
    geometric run has the same members shown (1, 2, \ldots, 16); another step needs three, since 2, 4 may go on with 6
    or 8. The last member must be reached.
    """
    values = [_value(item) for item in sequence.items]
    if sequence.items.count(_ELLIPSIS) != 1 or values.index(_ELLIPSIS) != len(values) - 2:
        return sequence
    shown = [value.value for value in values if is_whole(value)]
    labels = {_label(item) for item in sequence.items if item != _ELLIPSIS}
    if len(shown) != len(values) - 1 or len(labels) > 1:
        return sequence
    *first, last = shown
    steps = {later - earlier for earlier, later in pairwise(first)}
    if len(steps) != 1 or 0 in steps:
        return sequence
    (step,) = steps
    if len(first) < 3 and (abs(step) != 1 or _is_geometric(first[0], first[1], last)):
        return sequence
    count = (last - first[0]) / step + 1
    if count.denominator != 1 or not len(first) < count <= MAX_ITEMS:
        return sequence
    members = [Number(first[0] + step * index) for index in range(int(count))]
    label = labels.pop()
    items = members if label is None else [Relation((label, member), ("=",)) for member in members]
    return Sequence(sequence.kind, tuple(items), sequence.opening, sequence.closing)


def _is_geometric(first: Fraction, second: Fraction, last: Fraction) -> bool:
    """Whether a run that multiplies each time reaches the last member, too."""
    if first == 0 or abs(second) <= abs(first):
        return False
    ratio = second / first
    while abs(second) < abs(last) and second.denominator == 1:
        second *= ratio
    return second == last


def _value(item: Node) -> Node:
    return item.members[-1] if _label(item) is not None and isinstance(item, Relation) else item


def _label(item: Node) -> Node | None:
    return item.members[0] if isinstance(item, Relation) and item.operators == ("=",) else None
