"""Matrices and ratios: numbers in an arrangement."""

from __future__ import annotations

from typing import TypeGuard

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.matching import PASS, STRUCTURES, Comparison, weakest
from hero_rl.verifiers.math.rules.matrices import computed, shape
from hero_rl.verifiers.math.tree.formulas import Call, Matrix, Node, Product, Quotient, Ratio, Sequence, contains
from hero_rl.verifiers.math.values.equality import constant_value, same_formula

__all__ = ["matrices", "ratios"]


def matrices(reference: Node, answer: Node, by: Comparison) -> object:
    """Cell by cell. A single column or row may be written as a tuple.

    Safe: shapes must agree, so a row is no column and a transpose is no match.
    """
    if not contains(reference, Matrix) and not contains(answer, Matrix):
        return PASS
    reference, answer = _column(computed(reference)), _column(computed(answer))
    if isinstance(reference, Matrix) and isinstance(answer, Matrix):
        if shape(reference) != shape(answer):
            return None
        cells = [
            (one, other)
            for ours, theirs in zip(reference.rows, answer.rows, strict=True)
            for one, other in zip(ours, theirs, strict=True)
        ]
        return weakest(by.compare(one, other) for one, other in cells)
    one, other = _column_as_tuple(reference), _column_as_tuple(answer)
    return by.compare(one, other) if isinstance(one, Sequence) and isinstance(other, Sequence) else None


def _column(node: Node) -> Node:
    """Two numbers in high brackets, which may be a binomial coefficient, as a column beside a matrix.

    Safe: a matrix is no number, so beside one the brackets can mean nothing else.
    """
    if isinstance(node, Call) and node.name == "binomial":
        return Matrix(tuple((part,) for part in node.arguments))
    return _from_rows(node)


def _from_rows(node: Node) -> Node:
    """Rows in square brackets inside of square brackets, [[1, 2], [3, 4]], as a matrix beside one."""
    if not _is_row(node):
        return node
    rows = [item.items for item in node.items if _is_row(item)]
    return Matrix(tuple(rows)) if len(rows) == len(node.items) and len({len(row) for row in rows}) == 1 else node


def _is_row(node: Node) -> TypeGuard[Sequence]:
    return isinstance(node, Sequence) and node.kind == "tuple" and (node.opening, node.closing) == ("[", "]")


def _column_as_tuple(node: Node) -> Node | None:
    if isinstance(node, Matrix):
        single = 1 in shape(node)
        return Sequence("tuple", tuple(cell for row in node.rows for cell in row), "(", ")") if single else None
    return node if isinstance(node, Sequence) and node.kind == "tuple" and node.opening == "(" else None


def ratios(reference: Node, answer: Node, by: Comparison) -> object:
    """Ratios in proportion; a ratio of two as their quotient.

    Safe: proportion is what a ratio means; 1:2 and 2:1 have different quotients.
    """
    if not isinstance(reference, Ratio) and not isinstance(answer, Ratio):
        return PASS
    if contains(reference, STRUCTURES) or contains(answer, STRUCTURES):
        return None
    if isinstance(reference, Ratio) and isinstance(answer, Ratio):
        if len(reference.terms) != len(answer.terms):
            return None
        first, *rest = zip(reference.terms, answer.terms, strict=True)
        proportional = all(same_formula(Product((one, first[1])), Product((other, first[0]))) for one, other in rest)
        zero = any(constant_value(term) == 0 for term in (*reference.terms, *answer.terms))
        return Reason.MATCHED_BY_VALUE if proportional and not zero else None
    one, other = (_as_quotient(node) for node in (reference, answer))
    return by.compare(one, other) if one is not None and other is not None else None


def _as_quotient(node: Node) -> Node | None:
    if not isinstance(node, Ratio):
        return node
    return Quotient(*node.terms) if len(node.terms) == 2 else None
