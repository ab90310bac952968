"""Sums, differences, multiples and products of matrices, cell by cell as formulas."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.formulas import Matrix, Negative, Node, Product, Sum, contains

__all__ = ["computed", "shape"]

_MAX_CELLS = 100


def computed(node: Node) -> Node:
    """The matrix that a formula of matrices is; the node itself if it is none, or one that cannot be computed."""
    if isinstance(node, Matrix) or not contains(node, Matrix):
        return node
    if isinstance(node, Negative):
        inner = computed(node.value)
        return _each(inner, Negative) if isinstance(inner, Matrix) else node
    if isinstance(node, Sum):
        return _sum([computed(term) for term in node.terms]) or node
    if isinstance(node, Product):
        result: Node | None = computed(node.factors[0])
        for factor in node.factors[1:]:
            result = _times(result, computed(factor)) if result is not None else None
        return result or node
    return node


def _each(matrix: Matrix, change: type[Negative]) -> Matrix:
    return Matrix(tuple(tuple(change(cell) for cell in row) for row in matrix.rows))


def shape(matrix: Matrix) -> tuple[int, int]:
    """Numbers of rows and of columns."""
    rows = list(matrix.rows)
    return len(rows), len(rows[0])


def _sum(terms: list[Node]) -> Matrix | None:
    matrices = [term for term in terms if isinstance(term, Matrix)]
    if len(matrices) != len(terms) or len({shape(matrix) for matrix in matrices}) > 1:
        return None
    rows = zip(*(matrix.rows for matrix in matrices), strict=True)
    return Matrix(tuple(tuple(Sum(cells) for cells in zip(*row, strict=True)) for row in rows))


def _times(left: Node, right: Node) -> Node | None:
    if not isinstance(left, Matrix) and not isinstance(right, Matrix):
        return Product((left, right))
    if isinstance(left, Matrix) and isinstance(right, Matrix):
        return _product(left, right)
    matrix, scalar = (left, right) if isinstance(left, Matrix) else (right, left)
    assert isinstance(matrix, Matrix)
    return Matrix(tuple(tuple(Product((scalar, cell)) for cell in row) for row in matrix.rows))


def _product(left: Matrix, right: Matrix) -> Matrix | None:
    (height, inner), (depth, width) = shape(left), shape(right)
    if inner != depth or height * width > _MAX_CELLS or inner > _MAX_CELLS:
        return None
    columns = [tuple(row[column] for row in right.rows) for column in range(width)]
    return Matrix(tuple(tuple(_dot(row, column) for column in columns) for row in left.rows))


def _dot(row: tuple[Node, ...], column: tuple[Node, ...]) -> Node:
    products = tuple(Product((one, other)) for one, other in zip(row, column, strict=True))
    return products[0] if len(products) == 1 else Sum(products)
