"""Intervals, inequalities and set-builders as sets of real numbers (`regions`)."""

from __future__ import annotations

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.intervals import same_region
from hero_rl.verifiers.math.rules.matching import PASS, Comparison
from hero_rl.verifiers.math.rules.matching import STRUCTURES_IN_EQUATIONS as STRUCTURED
from hero_rl.verifiers.math.rules.regions import is_region, region
from hero_rl.verifiers.math.rules.statements import is_equation, read_statement
from hero_rl.verifiers.math.tree.formulas import (
    Negative,
    Node,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    contains,
    rewrite,
    symbols,
)
from hero_rl.verifiers.math.values.equality import constant_ratio, same_sign

__all__ = ["regions"]


def regions(reference: Node, answer: Node, by: Comparison) -> object:
    """Intervals, inequalities and set-builders as sets of reals.

    Safe: every end must be equal and as open or closed as the other's; two different variables are two answers. A
    pair in round brackets is an interval only where the other side can be nothing else.
    """
    if contains(reference, SetOperation) and _sorted_sets(reference) == _sorted_sets(answer):
        return Reason.MATCHED_SYMBOLICALLY
    if isinstance(reference, Relation) and not _BETWEEN_THINGS.isdisjoint(reference.operators):
        return (
            Reason.MATCHED_SYMBOLICALLY
            if isinstance(answer, Relation) and _same_relation(reference, answer, by)
            else None
        )
    if not is_region(reference) and not is_region(answer):
        return PASS
    if (
        isinstance(reference, Relation)
        and isinstance(answer, Relation)
        and (_same_relation(reference, answer, by) or _same_inequality(reference, answer))
    ):
        return Reason.MATCHED_SYMBOLICALLY
    expected, said = region(_settled(reference)), region(_settled(answer))
    if expected is None or said is None:
        return _labelled_region(reference, answer, by)
    same = same_region(expected, said, lambda one, other: by.same(one, other))
    return Reason.MATCHED_SYMBOLICALLY if same else None


def _sorted_sets(node: Node) -> Node:
    """The node with the sets of each union and intersection in one order, since that says nothing."""

    def change(part: Node) -> Node | None:
        if not isinstance(part, SetOperation) or part.operator == "difference":
            return None
        first, *rest = sorted(map(_sorted_sets, _operands(part, part.operator)), key=repr)
        for other in rest:
            first = SetOperation(part.operator, first, other)
        return first

    return rewrite(node, change)


def _operands(node: Node, operator: str) -> list[Node]:
    if isinstance(node, SetOperation) and node.operator == operator:
        return [*_operands(node.left, operator), *_operands(node.right, operator)]
    return [node]


def _settled(node: Node) -> Node:
    """A region behind `D =` without that label."""
    if is_equation(node) and (statement := read_statement(node, trusted=True)) is not None and statement.labels:
        return statement.value
    return node


def _labelled_region(reference: Node, answer: Node, by: Comparison) -> object:
    """Lists with members of both kinds, and memberships in what is no interval, fall to the rules for those."""
    for node in (reference, answer):
        if (
            isinstance(node, Relation)
            and node.operators == ("in",)
            and not isinstance(node.members[1], (Sequence, Symbol))
        ):
            return None
    if isinstance(reference, Sequence) or isinstance(answer, Sequence):
        return PASS
    if isinstance(reference, Relation) and reference.operators == ("in",) and not isinstance(answer, Relation):
        return by.compare(reference.members[1], answer)
    if isinstance(answer, Relation) and answer.operators == ("in",) and not isinstance(reference, Relation):
        return by.compare(reference, answer.members[1])
    return None


def _same_inequality(one: Relation, other: Relation) -> bool:
    """Whether two inequalities in several variables say the same of them: a + b < c and a + b - c < 0.

    Safe: the differences of their sides must be in a constant ratio, and a negative one turns the sign round.
    """
    sides = []
    for node in (one, other):
        if len(node.operators) != 1 or node.operators[0] not in ("<", "<=", ">", ">=") or contains(node, STRUCTURED):
            return False
        left, right = node.members
        low, high = (left, right) if node.operators[0].startswith("<") else (right, left)
        sides.append((Sum((low, Negative(high))), node.operators[0].endswith("=")))
    (ours, closed), (theirs, also_closed) = sides
    if closed != also_closed or len(symbols(ours)) < 2 or not constant_ratio(ours, theirs):
        return False
    return same_sign(ours, theirs)


_BETWEEN_THINGS = frozenset({"subset", "supset", "subseteq", "supseteq", "parallel", "perp"})
_MIRRORED = {
    "<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!=", "subset": "supset", "supset": "subset",
    "subseteq": "supseteq", "supseteq": "subseteq", "parallel": "parallel", "perp": "perp",
}  # fmt: skip


def _same_relation(one: Relation, other: Relation, by: Comparison) -> bool:
    """The same members and signs from left to right, or from right to left."""
    readings = [(other.members, other.operators)]
    if set(other.operators) <= set(_MIRRORED):
        readings.append((other.members[::-1], tuple(_MIRRORED[operator] for operator in other.operators[::-1])))
    return any(
        operators == one.operators
        and len(members) == len(one.members)
        and all(by.same(ours, theirs) for ours, theirs in zip(one.members, members, strict=True))
        for members, operators in readings
    )
