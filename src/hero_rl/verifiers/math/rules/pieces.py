"""Functions that are defined piece by piece."""

from __future__ import annotations

from hero_rl.verifiers.math.rules.matching import MAX_ITEMS, PASS, Comparison, Outcome, weakest
from hero_rl.verifiers.math.rules.rests import with_rest_spelled_out
from hero_rl.verifiers.math.tree.formulas import Node, Qualified, Relation, Sequence, Words, symbols

__all__ = ["pieces"]


def pieces(reference: Node, answer: Node, by: Comparison) -> object:
    """Piecewise definitions with the same values on the same conditions, in any order.

    Safe: every piece has one partner, none is left over, and its value and each of its conditions must be equal; a
    condition speaks of the same letters on both sides. "Otherwise" is what the others leave, all of it (`rests`), else
    only itself; nothing else than a piecewise definition is one.
    """
    ours, theirs = _pieces(reference), _pieces(answer)
    if not ours and not theirs:
        return PASS
    if isinstance(reference, Relation) or isinstance(answer, Relation):
        return PASS  # behind a label, which is the business of the equations
    if len(ours) != len(theirs) or len(ours) > MAX_ITEMS:
        return None
    ours, theirs = with_rest_spelled_out(ours), with_rest_spelled_out(theirs)
    left, found = list(theirs), list[Outcome]()
    for piece in ours:
        partner = next((other for other in left if _same_conditions(piece, other, by)), None)
        if partner is None:
            return None
        left.remove(partner)
        found.append(by.compare(piece.value, partner.value))
    return weakest(found)


def _pieces(node: Node) -> tuple[Qualified, ...]:
    if not isinstance(node, Sequence) or node.kind != "cases":
        return ()
    return tuple(item for item in node.items if isinstance(item, Qualified))


def _same_conditions(piece: Qualified, other: Qualified, by: Comparison) -> bool:
    """Whether the conditions of two pieces are the same, one by one in any order."""
    left = list(other.conditions)
    for condition in piece.conditions:
        partner = next((one for one in left if _same_condition(condition, one, by)), None)
        if partner is None:
            return False
        left.remove(partner)
    return not left


def _same_condition(one: Node, other: Node, by: Comparison) -> bool:
    if isinstance(one, Words) or isinstance(other, Words):
        return one == other
    if symbols(one) != symbols(other):
        return False
    kinds = {type(one), type(other)}
    return (len(kinds) == 1 or kinds <= {Relation, Sequence}) and by.same(one, other)
