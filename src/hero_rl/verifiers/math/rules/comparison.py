"""Whether an answer is the reference, both read into nodes: one small rule a structure.

Each rule takes the reference first. It returns the reason of a match, None where the two differ, or passes on to the
next rule (`PASS`) where the structure is not its own. The comment of a rule says why it accepts no wrong answer.
"""

from __future__ import annotations

from hero_rl.verifiers.math.rules.conditions import regions
from hero_rl.verifiers.math.rules.expressions import formulas, words
from hero_rl.verifiers.math.rules.integers import integers
from hero_rl.verifiers.math.rules.matching import Comparison, Outcome, Strictness, equal_values
from hero_rl.verifiers.math.rules.measures import measures
from hero_rl.verifiers.math.rules.pieces import pieces
from hero_rl.verifiers.math.rules.progressions import progressions
from hero_rl.verifiers.math.rules.proportions import matrices, ratios
from hero_rl.verifiers.math.rules.qualified import constants, qualified
from hero_rl.verifiers.math.rules.quantities import angles, based, percentages, unit_letters, units
from hero_rl.verifiers.math.rules.runs import ellipses
from hero_rl.verifiers.math.rules.sequences import sequences
from hero_rl.verifiers.math.rules.signs import plus_minus
from hero_rl.verifiers.math.rules.statements import equations
from hero_rl.verifiers.math.rules.vectors import numerals, vectors
from hero_rl.verifiers.math.tree.formulas import Node, Relation, Sequence, Symbol

__all__ = ["Strictness", "compare", "unframed"]


def compare(reference: Node, answer: Node, how: Strictness) -> Outcome:
    """The reason why the answer is the reference; None where it is not.

    Raises:
        TooLarge: what would decide it is too large to be computed.
    """
    return Comparison(how, _RULES, _unbundled).compare(reference, answer)


def unframed(node: Node) -> Node:
    """An answer as a whole without what only frames it: a set of one, x in {...}, "or" between equal values.

    Safe: nothing that is compared is dropped; the alternatives of an "or" must all have one value.
    """
    if isinstance(node, Relation) and node.operators == ("in",) and isinstance(node.members[1], Sequence):
        node = node.members[1] if node.members[1].kind == "set" else node
    if isinstance(node, Sequence) and node.kind == "set" and len(node.items) == 1:
        (item,) = node.items
        return node if item == Symbol("empty") or (isinstance(item, Sequence) and item.kind == "set") else item
    if isinstance(node, Sequence) and node.kind == "list" and node.opening == "or":
        values = tuple(item.members[-1] if isinstance(item, Relation) else item for item in node.items)
        labels = {item.members[:-1] for item in node.items if isinstance(item, Relation)}
        return node.items[0] if len(labels) <= 1 and equal_values(values) else node
    return node


def _unbundled(node: Node) -> Node:
    """`(x, y) = (1, 2)` as the list `x = 1, y = 2`; anything else as it is."""
    if not (isinstance(node, Relation) and node.operators == ("=",)):
        return node
    labels, values = node.members
    if not (isinstance(labels, Sequence) and isinstance(values, Sequence) and labels.kind == values.kind == "tuple"):
        return node
    if len(labels.items) != len(values.items) or not all(isinstance(label, Symbol) for label in labels.items):
        return node
    pairs = zip(labels.items, values.items, strict=True)
    return Sequence("list", tuple(Relation(pair, ("=",)) for pair in pairs))


_RULES = (
    pieces,
    ellipses,
    progressions,
    integers,
    constants,
    qualified,
    plus_minus,
    measures,
    regions,
    vectors,
    sequences,
    equations,
    unit_letters,
    units,
    percentages,
    angles,
    based,
    words,
    matrices,
    numerals,
    ratios,
    formulas,
)
