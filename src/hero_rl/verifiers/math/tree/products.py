"""Two factors as one product."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.formulas import Negative, Node, Product, Relation, Sequence, Sum, Symbol
from hero_rl.verifiers.math.tree.tokens import Unreadable

__all__ = ["times", "total"]


def times(left: Node, right: Node) -> Node:
    """Two factors as one flat product; a multiple of a vector component by component, a point behind its name.

    Safe: a capital before two coordinates names the point, and any other factor multiplies each; a list is no factor.
    """
    if _is_vector(right) and not isinstance(left, Sequence):
        assert isinstance(right, Sequence)
        if isinstance(left, Symbol) and left.name[0].isupper():
            return Relation((left, right), ("=",))
        return Sequence("tuple", tuple(times(left, item) for item in right.items), "(", ")")
    if isinstance(right, Sequence) or isinstance(left, Sequence):
        raise Unreadable("a product with a list")
    factors = (*left.factors, right) if isinstance(left, Product) else (left, right)
    return Product(factors)


def total(terms: list[Node]) -> Node:
    """A sum of terms; of vectors of one length, component by component."""
    vectors = [term.value if isinstance(term, Negative) else term for term in terms]
    if not all(_is_vector(vector) for vector in vectors):
        return Sum(tuple(terms))
    rows = [vector.items for vector in vectors if isinstance(vector, Sequence)]
    if len({len(row) for row in rows}) > 1:
        raise Unreadable("a sum of vectors of different lengths")
    signed = [
        tuple(Negative(item) for item in row) if isinstance(term, Negative) else row
        for term, row in zip(terms, rows, strict=True)
    ]
    return Sequence("tuple", tuple(Sum(cells) for cells in zip(*signed, strict=True)), "(", ")")


def _is_vector(node: Node) -> bool:
    return (
        isinstance(node, Sequence)
        and node.kind == "tuple"
        and (node.opening, node.closing) == ("(", ")")
        and not any(isinstance(item, (Relation, Sequence)) for item in node.items)
    )
