"""Two factors as one product."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.formulas import Node, Product, Sequence
from hero_rl.verifiers.math.tree.tokens import Unreadable

__all__ = ["times"]


def times(left: Node, right: Node) -> Node:
    """Two factors as one flat product; a list is no factor."""
    if isinstance(right, Sequence) or isinstance(left, Sequence):
        raise Unreadable("a product with a list")
    factors = (*left.factors, right) if isinstance(left, Product) else (left, right)
    return Product(factors)
