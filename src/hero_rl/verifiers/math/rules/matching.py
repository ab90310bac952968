"""What the rules of comparison share: how strict they are, and how they call each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.tree.formulas import (
    Based,
    Builder,
    Matrix,
    Node,
    Number,
    PlusMinus,
    Qualified,
    Relation,
    Repeated,
    Sequence,
    SetOperation,
    Symbol,
    Words,
    contains,
    rewrite,
    symbols,
)
from hero_rl.verifiers.math.values.budget import spend
from hero_rl.verifiers.math.values.equality import same_formula

__all__ = [
    "MAX_ITEMS",
    "PASS",
    "STRUCTURES",
    "STRUCTURES_IN_EQUATIONS",
    "ZERO",
    "Comparison",
    "Outcome",
    "Rule",
    "Strictness",
    "equal_value",
    "equal_values",
    "renamed",
    "value_at",
    "weakest",
]

MAX_ITEMS = 64

Outcome = Reason | None
"""The reason of a match; None where reference and answer differ."""

PASS = object()
"""What a rule returns on a structure that is not its own."""

Rule = Callable[[Node, Node, "Comparison"], object]


@dataclass(frozen=True)
class Strictness:
    """What counts as equal where conventions differ.

    Attributes:
        rounding_digits: significant digits from which a correctly rounded decimal counts as its exact value; None for
            never.
        order: whether a list without brackets is taken in any order or in its own.
        units: whether the unit of a quantity may be left off.
    """

    rounding_digits: int | None = 3
    order: Literal["any", "kept"] = "any"
    units: Literal["optional", "required"] = "optional"


@dataclass(frozen=True)
class Comparison:
    """Rules in their order, and how strict they are.

    Attributes:
        how: what counts as equal where conventions differ.
        rules: each is asked in turn until one does not pass.
        prepare: what is done to each side first.
    """

    how: Strictness
    rules: tuple[Rule, ...]
    prepare: Callable[[Node], Node]

    def compare(self, reference: Node, answer: Node) -> Outcome:
        """The reason why the answer is the reference; None where it is not.

        Raises:
            TooLarge: what would decide it is too large to be computed.
            TooSlow: the check has used up its time.
        """
        spend()
        if reference == answer:
            return Reason.MATCHED_BY_VALUE
        reference, answer = self.prepare(reference), self.prepare(answer)
        for rule in self.rules:
            outcome = rule(reference, answer, self)
            if outcome is not PASS:
                return outcome  # pyright: ignore[reportReturnType]
        return None

    def same(self, reference: Node, answer: Node) -> bool:
        """Whether the two are equal."""
        return self.compare(reference, answer) is not None


_STRENGTH = [Reason.MATCHED_BY_ROUNDING, Reason.MATCHED_SYMBOLICALLY, Reason.MATCHED_BY_VALUE, Reason.MATCHED_EXACTLY]


def weakest(outcomes: Iterable[Outcome]) -> Outcome:
    """The reason that says least of several matches; None if one of them is none, or there are none."""
    outcomes = list(outcomes)
    found = [outcome for outcome in outcomes if outcome is not None]
    return min(found, key=_STRENGTH.index) if found and len(found) == len(outcomes) else None


STRUCTURES = (Sequence, Relation, Matrix, Words, Builder, SetOperation, PlusMinus, Based, Qualified)
STRUCTURES_IN_EQUATIONS = (Sequence, Matrix, Words, Builder, SetOperation, PlusMinus, Based, Qualified)
ZERO = Number(Fraction(0))


def equal_values(nodes: tuple[Node, ...]) -> bool:
    """Whether several nodes are formulas of one value."""
    return all(equal_value(nodes[0], other) for other in nodes[1:])


def equal_value(one: Node, other: Node) -> bool:
    """Whether two nodes are formulas of one value, or the same thing."""
    return one == other or (
        not contains(one, STRUCTURES) and not contains(other, STRUCTURES) and same_formula(one, other)
    )


def renamed(node: Node, names: dict[str, Node]) -> Node:
    """The node with other nodes in the place of some variables; the variable of a sum or a product is its own."""

    def change(part: Node) -> Node | None:
        if isinstance(part, Symbol):
            return names.get(part.name)
        return _with_renamed_ends(part, names) if isinstance(part, Repeated) else None

    return rewrite(node, change) if names else node


def _with_renamed_ends(node: Repeated, names: dict[str, Node]) -> Repeated:
    """A sum or a product in which only what is free is replaced, its own variable called otherwise where that clashes.

    Safe: the variable of a sum is bound, so that its name means nothing outside.
    """
    low, high = renamed(node.low, names), renamed(node.high, names)
    free = {name: new for name, new in names.items() if name != node.variable.name}
    variable, body = node.variable, node.body
    taken = {name for new in free.values() for name in symbols(new)}
    while variable.name in taken:
        fresh = Symbol(variable.name + "'")
        variable, body = fresh, renamed(body, {variable.name: fresh})
    return Repeated(node.kind, variable, low, high, renamed(body, free))


def value_at(node: Node, name: str, value: Node) -> Node:
    """The node with a value in the place of one variable."""
    return renamed(node, {name: value})
