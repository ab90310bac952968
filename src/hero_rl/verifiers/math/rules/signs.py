"""Plus-minus: two signs in one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from hero_rl.verifiers.math.rules.matching import MAX_ITEMS, PASS, Comparison
from hero_rl.verifiers.math.tree.formulas import Negative, Node, PlusMinus, Sequence, contains, rewrite, walk

__all__ = ["both_signs", "plus_minus"]


def plus_minus(reference: Node, answer: Node, by: Comparison) -> object:
    """A formula with plus-minus is the list of its two values (its signs go together), or of all combinations.

    Safe: all values are compared as a list, so none may be missing and none too many.
    """
    if not (contains(reference, PlusMinus) or contains(answer, PlusMinus)):
        return PASS
    for spread in (_linked, _independent):
        expected, said = spread(reference), spread(answer)
        if expected is not None and said is not None:
            outcome = by.compare(expected, said)
            if outcome is not None:
                return outcome
    return None


def _linked(node: Node) -> Node | None:
    return _spread(node, both_signs)


def _independent(node: Node) -> Node | None:
    return _spread(node, _all_signs)


def _spread(node: Node, values: Callable[[Node], list[Node]]) -> Node | None:
    """A list, or the one value if there is no plus-minus; members of a list or set are spread one by one."""
    if not contains(node, PlusMinus):
        return node
    if isinstance(node, Sequence) and node.kind in ("list", "set"):
        items = tuple(value for item in node.items for value in values(item))
        return Sequence(node.kind, items, node.opening, node.closing) if len(items) <= MAX_ITEMS else None
    found = values(node)
    return Sequence("list", tuple(found)) if len(found) <= MAX_ITEMS else None


def both_signs(node: Node) -> list[Node]:
    """The values of a formula whose plus-minus signs go together, plus first."""
    if not contains(node, PlusMinus):
        return [node]
    return [_signed(node, plus) for plus in (True, False)]


def _signed(node: Node, plus: bool) -> Node:
    def change(part: Node) -> Node | None:
        if isinstance(part, PlusMinus):
            value = rewrite(part.value, change)
            return value if plus != part.flipped else Negative(value)
        return None

    return rewrite(node, change)


def _all_signs(node: Node) -> list[Node]:
    count = sum(isinstance(part, PlusMinus) for part in walk(node))
    if count > 4:
        return [node] * (MAX_ITEMS + 1)
    found: list[Node] = []
    for signs in product((True, False), repeat=count):
        remaining = list(signs)

        def change(part: Node, remaining: list[bool] = remaining) -> Node | None:
            if isinstance(part, PlusMinus):
                plus = remaining.pop(0)
                value = rewrite(part.value, change)
                return value if plus else Negative(value)
            return None

        value = rewrite(node, change)
        if value not in found:
            found.append(value)
    return found
