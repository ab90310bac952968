"""What an answer is once it is read: numbers, formulas, and the structures that answers have.

Every node is immutable and compares by its parts, so that equal readings are equal objects. Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

__all__ = [
    "UNNAMED",
    "Based",
    "Builder",
    "Call",
    "Degrees",
    "Matrix",
    "Negative",
    "Node",
    "Number",
    "Percent",
    "PlusMinus",
    "Power",
    "Product",
    "Qualified",
    "Quantity",
    "Quotient",
    "Ratio",
    "Relation",
    "Repeated",
    "Sequence",
    "SetOperation",
    "Sum",
    "Symbol",
    "Words",
    "contains",
    "is_proposition",
    "rewrite",
    "symbols",
    "walk",
]


@dataclass(frozen=True)
class Node:
    """Any part of an answer."""

    def parts(self) -> Iterator[Node]:
        """The nodes directly below this one, from left to right."""
        for name in _fields(type(self)):
            yield from _nodes(getattr(self, name))


@lru_cache(maxsize=64)
def _fields(kind: type[Node]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


@dataclass(frozen=True)
class Number(Node):
    """A number as written; `digits` and `places` only where it was written with a decimal point.

    Attributes:
        value: exact.
        digits: significant digits.
        places: digits after the point; 1.20 has 2.
        recurs: whether it was written with its period, 1.(27); says nothing of the value.
    """

    value: Fraction
    digits: int | None = None
    places: int | None = None
    recurs: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Symbol(Node):
    """A variable or a constant: `x`, `C_1`, `pi`, `infinity`, `reals`."""

    name: str


UNNAMED = Symbol("it")
"""What an inequality without a left side speaks of: ">= 5"."""


@dataclass(frozen=True)
class Words(Node):
    """Text that is no formula, in lower case, one space between words."""

    text: str


@dataclass(frozen=True)
class Call(Node):
    """A function at its arguments. A known one (`sin`), or an unknown (`f`; `a_` with an index for a sequence)."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Sum(Node):
    """At least two terms."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Product(Node):
    """At least two factors."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Quotient(Node):
    """A fraction."""

    top: Node
    bottom: Node


@dataclass(frozen=True)
class Power(Node):
    """A base and its exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Negative(Node):
    """Minus something."""

    value: Node


@dataclass(frozen=True)
class PlusMinus(Node):
    """Two values, plus first; the other way round where `flipped`, as in the minus-plus sign."""

    value: Node
    flipped: bool = False


@dataclass(frozen=True)
class Percent(Node):
    """A number of hundredths."""

    value: Node


@dataclass(frozen=True)
class Degrees(Node):
    """An angle in degrees."""

    value: Node


@dataclass(frozen=True)
class Based(Node):
    """A numeral with the base it is written in: 204_5."""

    digits: str
    base: int


@dataclass(frozen=True)
class Repeated(Node):
    """A sum or a product over consecutive integers."""

    kind: str
    variable: Symbol
    low: Node
    high: Node
    body: Node


@dataclass(frozen=True)
class Quantity(Node):
    """A number with a unit, or with the thing that is counted."""

    value: Node
    unit: str


@dataclass(frozen=True)
class Sequence(Node):
    """Several things.

    Attributes:
        kind: "list" without brackets, "tuple" in round or square ones, "set" in curly ones; "cases" of a piecewise
            definition, each `Qualified`; "length" for a measure in several
            units, from the largest down.
        opening: "(", "[", "{"; for a list "", or the word "and", "or" or "respectively" that was in it. Round and
            square may differ between the two ends.
        closing: the same at the other end.
    """

    kind: str
    items: tuple[Node, ...]
    opening: str = ""
    closing: str = ""


@dataclass(frozen=True)
class Builder(Node):
    """The set of all values of a form under a condition: {x | x > 2}."""

    form: Node
    condition: Node


@dataclass(frozen=True)
class Qualified(Node):
    """Something under conditions on its letters: 2k pi for whole k, x^2 for x > 0.

    Attributes:
        value: what is said.
        conditions: relations; `in` with the set `constants` declares an arbitrary constant.
    """

    value: Node
    conditions: tuple[Node, ...]


@dataclass(frozen=True)
class SetOperation(Node):
    """A union, an intersection or a difference."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Matrix(Node):
    """Rows of cells."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Ratio(Node):
    """a : b, or a : b : c."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Relation(Node):
    """members[0] operators[0] members[1] ...; operators are =, !=, <, <=, >, >=, in, ~."""

    members: tuple[Node, ...]
    operators: tuple[str, ...]


Kind = TypeVar("Kind", bound=Node)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for part in node.parts():
        yield from walk(part)


def contains(node: Node, kinds: type[Node] | tuple[type[Node], ...]) -> bool:
    """Whether the node, or one below it, is of these kinds."""
    return any(isinstance(part, kinds) for part in walk(node))


_CONSTANTS = frozenset({"pi", "e", "i", "infinity", "empty", "ellipsis", "constants"})
_NUMBER_SETS = ("reals", "integers", "naturals", "rationals", "complexes")


def symbols(node: Node) -> set[str]:
    """The names of the variables in it; constants, and the bound variables of sums and products, are none."""
    if isinstance(node, Repeated):
        ends = symbols(node.low) | symbols(node.high)
        return ends | (symbols(node.body) - {node.variable.name})
    if isinstance(node, Symbol):
        return set() if node.name in _CONSTANTS or node.name.startswith(_NUMBER_SETS) else {node.name}
    return {name for part in node.parts() for name in symbols(part)}


def is_proposition(node: Node) -> bool:
    """Whether it is a letter, the negation of something, or such joined by "and" or "or"."""
    if isinstance(node, Sequence):
        return node.kind == "list" and node.opening in ("and", "or") and all(map(is_proposition, node.items))
    return isinstance(node, Symbol) or (isinstance(node, Call) and node.name == "neg")


def rewrite(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """A copy with every node for which `change` has something better replaced by it, from the top down."""
    changed = change(node)
    if changed is not None:
        return changed
    return replace(node, **{name: _rewritten(getattr(node, name), change) for name in _fields(type(node))})


def _rewritten(value: object, change: Callable[[Node], Node | None]) -> object:
    if isinstance(value, Node):
        return rewrite(value, change)
    if isinstance(value, tuple):
        return tuple(_rewritten(item, change) for item in value)
    return value
