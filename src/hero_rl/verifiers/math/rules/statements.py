"""Equations: a value behind a label, or a condition on several variables."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.rules.matching import (
    PASS,
    STRUCTURES,
    STRUCTURES_IN_EQUATIONS,
    ZERO,
    Comparison,
    Outcome,
    equal_value,
    renamed,
    value_at,
)
from hero_rl.verifiers.math.tree.formulas import (
    Call,
    Negative,
    Node,
    Number,
    Product,
    Quotient,
    Ratio,
    Relation,
    Sequence,
    Sum,
    Symbol,
    Words,
    contains,
    symbols,
)
from hero_rl.verifiers.math.tree.functions import FUNCTIONS
from hero_rl.verifiers.math.values.equality import constant_ratio, same_formula
from hero_rl.verifiers.math.values.rounding import as_decimal, is_longer, is_near

__all__ = ["Statement", "equations", "is_equation", "is_label", "labelled_value", "read_statement"]


@dataclass(frozen=True)
class Statement:
    """`labels[0] = labels[1] = ... = value`, or an equation without a label."""

    labels: tuple[Node, ...]
    value: Node


def equations(reference: Node, answer: Node, by: Comparison) -> object:
    """Equations and values behind a label.

    Safe: a label only names what the question asks for; what stands behind it is compared as it would be alone, and
    two different labels never match.
    """
    expected, said = is_equation(reference), is_equation(answer)
    if not expected and not said:
        return PASS
    if expected and said:
        return _equation_with_equation(reference, answer, by)
    if expected:
        return _equation_with_value(reference, answer, by)
    statement = read_statement(answer, trusted=False)
    if statement is None:
        return None
    if not statement.labels:
        return _unlabelled(reference, answer, statement.value, by)
    # A label names what the question asks for; the value behind it is compared as it would be alone.
    renamed = _with_bound_variable(statement, reference)
    return by.compare(reference, renamed)


def _unlabelled(reference: Node, answer: Node, value: Node, by: Comparison) -> Outcome:
    """An answer without a label: a value with a remark, a true chain of numbers, or a number for several variables.

    Safe: every member of a chain must be equal, so that it states one value; m + n = 5 calls nothing else 5.
    """
    if value is not answer:
        return by.compare(reference, value)
    assert isinstance(answer, Relation)
    first, *rest = answer.members
    if set(answer.operators) != {"="} or any(contains(member, STRUCTURES) for member in answer.members):
        return None
    if not symbols(answer):
        return by.compare(reference, first) if all(equal_value(first, member) for member in rest) else None
    if len(symbols(first)) > 1 and not symbols(reference) and not any(symbols(member) for member in rest):
        return by.compare(reference, rest[-1]) if all(equal_value(rest[0], member) for member in rest) else None
    return None


def is_equation(node: Node) -> bool:
    """Whether it is a relation of nothing but equals and about signs."""
    return isinstance(node, Relation) and set(node.operators) <= {"=", "~"}


def read_statement(node: Node, trusted: bool) -> Statement | None:
    """Labels and value of an equation; None for a chain that states several different values.

    A rounded value behind a sign for "about" is a remark. In a reference, which is trusted, the last value of a chain
    counts; in an answer, all values of a chain must be equal, else it states two answers.
    """
    assert isinstance(node, Relation)
    members = list(node.members)
    for index, operator in enumerate(node.operators):
        if operator == "~" and (index or not is_label(members[0])):
            if not trusted and not _is_remark(members[index], members[index + 1 :]):
                return None
            members = members[: index + 1]
            break
    labels: list[Node] = []
    while len(members) > 1 and is_label(members[0]):
        labels.append(members.pop(0))
    if trusted and len(members) > 1 and (labels or len(members) > 2) and (labels or is_label(members[-2])):
        labels = labels or [members[-2]]
        members = members[-1:]
    if not trusted and len(members) > 1 and labels:
        if not all(equal_value(members[0], member) for member in members[1:]):
            return None
        members = members[-1:]
    if len(members) == 1:
        return Statement(tuple(labels), members[0])
    return Statement((), node)


def _is_remark(exact: Node, about: list[Node]) -> bool:
    """Whether what stands behind "about" is a decimal near an exact value: a remark, and no second answer."""
    return as_decimal(exact) is None and all(is_near(exact, part) for part in about)


def is_label(node: Node) -> bool:
    """What names a quantity and has no value of its own: x, f(x), a_n, AB, |AB|, S_1 : S_2, (p, q), "maximum"."""
    if isinstance(node, Symbol):
        return bool(symbols(node))
    if isinstance(node, Call):
        if node.name == "abs":  # the length of a segment, the size of a set; |y| = 2x is an equation
            return all(symbol.isupper() for symbol in symbols(node)) and is_label(node.arguments[0])
        return (node.name not in FUNCTIONS and node.name not in _OPERATIONS) and len(node.arguments) <= 3
    if isinstance(node, Product):
        # A segment or an angle by its points; a product of other letters has a value.
        return all(isinstance(factor, Symbol) and factor.name[0].isupper() for factor in node.factors)
    if isinstance(node, Quotient) and _is_derivative(node):
        return True
    if isinstance(node, (Ratio, Quotient)):
        return all(is_label(part) for part in node.parts())
    if isinstance(node, Sequence):
        return node.kind == "tuple" and all(is_label(item) for item in node.items)
    return isinstance(node, Words)


def _is_derivative(node: Quotient) -> bool:
    """Whether it is dy/dx, of two letters."""
    parts = (node.top, node.bottom)
    return all(
        isinstance(part, Product) and len(part.factors) == 2 and part.factors[0] == Symbol("d") for part in parts
    )


def _derivative_of(label: Node) -> str:
    """The letter whose derivative y' or dy/dx is; nothing for any other label."""
    if isinstance(label, Symbol):
        return label.name[0] if label.name[1:] == "'" else ""
    if isinstance(label, Quotient) and _is_derivative(label):
        below = label.bottom
        letter = label.top.factors[1] if isinstance(label.top, Product) else None
        by_x = isinstance(below, Product) and below.factors[1] == Symbol("x")
        return letter.name if by_x and isinstance(letter, Symbol) else ""
    return ""


_OPERATIONS = frozenset({"root", "factorial", "binomial", "floor", "ceil", "abs"})


def _equation_with_equation(reference: Node, answer: Node, by: Comparison) -> Outcome:
    expected, said = read_statement(reference, trusted=True), read_statement(answer, trusted=False)
    if expected is None or said is None or not _same_remarks(reference, answer, by):
        return None
    if expected.labels and said.labels:
        renaming = _same_label(expected.labels[-1], said.labels[-1])
        if renaming is not None:
            taken = {new.name for old, new in renaming.items() if isinstance(new, Symbol) and new.name != old}
            if taken & symbols(said.value):
                return None  # f(y) = 2x speaks of another x
            if renaming and not symbols(said.value) & renaming.keys() and not _speaks_of_all(expected, said):
                return None  # P(A) = 1/2 is not P(B) = 1/2
            return by.compare(expected.value, renamed(said.value, renaming))
    if expected.value is not reference and said.value is not answer and not expected.labels and not said.labels:
        return by.compare(expected.value, said.value)
    return _same_equation(reference, answer)


def _speaks_of_all(expected: Statement, said: Statement) -> bool:
    """Whether both labels are functions of x, n or the like, so that a constant value holds for all of them."""
    labels = (expected.labels[-1], said.labels[-1])
    names = {part.name for label in labels for part in label.parts() if isinstance(part, Symbol)}
    return names <= _ARGUMENTS


def _same_equation(reference: Node, answer: Node) -> Outcome:
    """Two equations are one if their differences of both sides are in a constant ratio.

    Safe: then both have the same solutions.
    """
    sides = [node.members for node in (reference, answer) if isinstance(node, Relation)]
    if any(len(members) != 2 or contains(Sum(members), STRUCTURES) for members in sides):
        return None
    one, other = (Sum((left, Negative(right))) for left, right in sides)
    return Reason.MATCHED_SYMBOLICALLY if constant_ratio(one, other) else None


def _same_remarks(reference: Node, answer: Node, by: Comparison) -> bool:
    """Where both say what their value is about, the two must agree on that."""
    assert isinstance(reference, Relation) and isinstance(answer, Relation)
    if "~" not in reference.operators or "~" not in answer.operators:
        return True
    one, other = reference.members[-1], answer.members[-1]
    return by.same(one, other) or is_longer(one, other) or is_longer(other, one)


def _same_label(one: Node, other: Node) -> dict[str, Node] | None:
    """How to rename the answer's variables where both labels name one thing; None where they do not.

    Safe: the variable of f(x) is bound, so f(n) = 2n and f(m) = 2m are one function; f and g, x and z stay two things.
    """
    if one == other or _all_roots(one) == _all_roots(other):
        return {}
    if isinstance(one, Words) and isinstance(other, Words):
        return {} if _title(one) == _title(other) else None
    if _derivative_of(one) and _derivative_of(one) == _derivative_of(other):
        return {}
    if isinstance(other, Words) and _title(other) in _EXTREMES:
        return {}  # which end it is the reference does not say
    if isinstance(one, Words) or isinstance(other, Words):
        return None
    if isinstance(one, Call) and isinstance(other, Call) and one.name == other.name != "abs":
        if len(one.arguments) != len(other.arguments):
            return None
        pairs = list(zip(other.arguments, one.arguments, strict=True))
        if (
            one.name.endswith("_")
            and not {part.name for pair in pairs for part in pair if isinstance(part, Symbol)} <= _INDICES
        ):
            return None  # v_a and v_b are two things, a_n and a_k one sequence
        if all(isinstance(theirs, Symbol) and isinstance(ours, Symbol) for theirs, ours in pairs):
            return {theirs.name: ours for theirs, ours in pairs}  # pyright: ignore[reportAttributeAccessIssue]
    if _is_graph(one, other) or _is_graph(other, one):
        return {}
    lengths = [
        label.arguments[0] if isinstance(label, Call) and label.name == "abs" else label for label in (one, other)
    ]
    return {} if lengths[0] == lengths[1] and isinstance(lengths[0], Product) else None


def _all_roots(label: Node) -> Node:
    """`x_{1,2}`, which names all that x is, as x; anything else as it is."""
    name = label.name if isinstance(label, Symbol) else ""
    return Symbol(name.removesuffix("_1,2")) if name.endswith("_1,2") else label


_EXTREMES = frozenset({"maximum", "minimum"})
_TITLES = {
    **dict.fromkeys(("max", "greatest", "largest", "highest"), "maximum"),
    **dict.fromkeys(("min", "least", "smallest", "lowest"), "minimum"),
}


def _title(label: Words) -> str:
    """A label in words by what it names: "max" and "the maximum value" are "maximum"."""
    name = label.text.removeprefix("the ").removesuffix(" value")
    return _TITLES.get(name, name)


_ARGUMENTS = frozenset({"x", "y", "z", "n", "m", "k", "t", "q", "p"})
_INDICES = frozenset({"n", "k", "i", "j", "m", "l", "t"})


def _is_graph(one: Node, other: Node) -> bool:
    """Whether the two are y and f(x), which name the same thing."""
    return one == Symbol("y") and isinstance(other, Call) and other.arguments == (Symbol("x"),)


def _with_bound_variable(statement: Statement, reference: Node) -> Node:
    """The value of f(m) = ... with the reference's only variable in place of m, which is bound."""
    label = statement.labels[-1]
    if not isinstance(label, Call) or label.name == "abs" or len(label.arguments) != 1:
        return statement.value
    bound, free = label.arguments[0], symbols(reference)
    if isinstance(reference, Symbol):
        return statement.value  # a letter alone is a choice, or a thing of that name
    if isinstance(bound, Symbol) and len(free) == 1 and bound.name not in free and not free & symbols(statement.value):
        return renamed(statement.value, {bound.name: Symbol(next(iter(free)))})
    return statement.value


def _equation_with_value(reference: Node, answer: Node, by: Comparison) -> Outcome:
    statement = read_statement(reference, trusted=True)
    if statement is None:
        return None
    if statement.labels:
        return by.compare(statement.value, answer)
    assert isinstance(reference, Relation)
    if len(reference.members) != 2 or contains(answer, STRUCTURES) or contains(reference, STRUCTURES_IN_EQUATIONS):
        return None
    left, right = reference.members
    if same_formula(left, right):
        # The reference is an identity: either side is its value.
        return Reason.MATCHED_SYMBOLICALLY if same_formula(left, answer) else None
    return _solved(left, right, answer)


def _solved(left: Node, right: Node, answer: Node) -> Outcome:
    """A reference in several variables, an answer without one of them: is it the equation solved for that one?

    Safe: the equation must be linear in the variable, with a slope that is not zero, so that it has this one solution;
    and it must be left with another variable, or the reference would be a number behind a label.
    """
    difference = Sum((left, Negative(right)))
    inside = symbols(answer)
    for name in sorted(symbols(difference) - inside):
        if not inside or not inside <= symbols(difference):
            continue
        start = value_at(difference, name, ZERO)
        slope = Sum((value_at(difference, name, Number(Fraction(1))), Negative(start)))
        line = Sum((start, Product((slope, Symbol(name)))))
        if not same_formula(difference, line) or same_formula(slope, ZERO):
            continue
        if same_formula(value_at(difference, name, answer), ZERO):
            return Reason.MATCHED_SYMBOLICALLY
    return None


def labelled_value(node: Node) -> Node:
    """A labelled list or tuple without its label; anything else as it is."""
    if is_equation(node) and (statement := read_statement(node, trusted=False)) is not None and statement.labels:
        return statement.value if isinstance(statement.value, Sequence) else node
    return node
