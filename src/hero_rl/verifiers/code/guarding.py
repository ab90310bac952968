"""Test code in which no object of the candidate's own is compared or reckoned with: its values are made plain first.

    ast.unparse(guarded(ast.parse("assert max(f(1), 5) == 5"), {"f"}))  # assert max(hero_plain(f(1)), 5) == 5

An object whose `__lt__`, `__sub__` or `__eq__` says what pleases would pass such a test. `hero_plain` of the harness
lets values of Python's own types through, made anew, and refuses others.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from typing import TypeVar, cast

from hero_rl.verifiers.code.harness import BUILTINS, PLAIN

__all__ = ["guarded"]

Tree = TypeVar("Tree", bound=ast.AST)

_COMPARING = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_ASKS_FOR_ITS_TYPE = {"isinstance", "issubclass", "hasattr", "getattr", "setattr", "callable", "print"}


def guarded(tree: Tree, tested: Collection[str]) -> Tree:
    """The code with the results of the candidate's functions made plain where they meet an operator or other values.

    What a class of the candidate's makes stays as it is, told by a name with a capital: that its objects reckon and
    compare may be what is tested. So does a result whose attributes or methods are asked for.

    Args:
        tree: the test's code; changed.
        tested: names that the candidate defines.
    """
    return cast(Tree, ast.fix_missing_locations(_Guard(tested).visit(tree)))


class _Guard(ast.NodeTransformer):
    def __init__(self, tested: Collection[str]) -> None:
        self._tested = frozenset(tested)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        node.left, node.right = self._plain([node.left, node.right])
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            (node.operand,) = self._plain([node.operand])
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        sides = [node.left, *node.comparators]
        nothing = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
        if not nothing and all(isinstance(op, _COMPARING) for op in node.ops):
            node.left, *node.comparators = self._plain(sides)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        reckons = called in BUILTINS and called not in self._tested | _ASKS_FOR_ITS_TYPE
        if reckons and len(node.args) + len(node.keywords) > 1:
            node.args = self._plain(node.args)
        return node

    def visit_List(self, node: ast.List) -> ast.AST:
        return self._display(node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        return self._display(node)

    def visit_Set(self, node: ast.Set) -> ast.AST:
        return self._display(node)

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> ast.AST:
        self.generic_visit(node)
        node.elts = self._plain(node.elts)
        return node

    def _plain(self, parts: Sequence[ast.expr]) -> list[ast.expr]:
        """The parts, a candidate's values among them made plain; none where another part names what is its own."""
        values = [self._is_value(part) for part in parts]
        if any(self._names_it(part) for part, value in zip(parts, values, strict=True) if not value):
            return list(parts)
        name = ast.Name(PLAIN, ast.Load())
        return [ast.Call(name, [part], []) if value else part for part, value in zip(parts, values, strict=True)]

    def _is_value(self, part: ast.expr) -> bool:
        """Whether it is what a function of the candidate's returns, or a part or a builtin's view of that."""
        if isinstance(part, ast.Subscript):
            return self._is_value(part.value)
        if not isinstance(part, ast.Call):
            return False
        if isinstance(part.func, ast.Attribute):
            return self._calls_it(part.func.value)
        if not isinstance(part.func, ast.Name):
            return False
        name = part.func.id
        if name in self._tested:
            return not name[:1].isupper()
        return name in BUILTINS and len(part.args) == 1 and not part.keywords and self._is_value(part.args[0])

    def _calls_it(self, part: ast.expr) -> bool:
        """Whether it is a call of the candidate's, of a class as well."""
        return isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in self._tested

    def _names_it(self, part: ast.expr) -> bool:
        return any(isinstance(each, ast.Name) and each.id in self._tested for each in ast.walk(part))
