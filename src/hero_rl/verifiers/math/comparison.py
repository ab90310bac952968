"""Whether an answer is the reference, both read into nodes: one small rule a structure.

Each rule takes the reference first. It returns the reason of a match, None where the two differ, or passes on to the
next rule (`_PASS`) where the structure is not its own. The comment of a rule says why it accepts no wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

from hero_rl.verifiers.base import Reason
from hero_rl.verifiers.math.equality import constant_ratio, constant_value, same_formula
from hero_rl.verifiers.math.evaluation import as_fraction
from hero_rl.verifiers.math.formulas import (
    Based,
    Builder,
    Call,
    Degrees,
    Matrix,
    Negative,
    Node,
    Number,
    Percent,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Quotient,
    Ratio,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Words,
    contains,
    rewrite,
    symbols,
    walk,
)
from hero_rl.verifiers.math.functions import FUNCTIONS
from hero_rl.verifiers.math.matrices import computed, shape
from hero_rl.verifiers.math.regions import is_region, region, same_region
from hero_rl.verifiers.math.rounding import as_decimal, is_rounding
from hero_rl.verifiers.math.units import same_unit

__all__ = ["Strictness", "compare", "equal_values"]

MAX_ITEMS = 64

Outcome = Reason | None
_PASS = object()


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


def compare(reference: Node, answer: Node, how: Strictness) -> Outcome:
    """The reason why the answer is the reference; None where it is not.

    Raises:
        TooLarge: what would decide it is too large to be computed.
    """
    if reference == answer:
        return Reason.MATCHED_BY_VALUE
    reference, answer = _unbundled(reference), _unbundled(answer)
    for rule in _RULES:
        outcome = rule(reference, answer, how)
        if outcome is not _PASS:
            return outcome  # pyright: ignore[reportReturnType]
    return None


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


def _same(reference: Node, answer: Node, how: Strictness) -> bool:
    return compare(reference, answer, how) is not None


# Two signs in one


def _plus_minus(reference: Node, answer: Node, how: Strictness) -> object:
    """A formula with plus-minus is the list of its two values (its signs go together), or of all combinations.

    Safe: all values are compared as a list, so none may be missing and none too many.
    """
    if not (contains(reference, PlusMinus) or contains(answer, PlusMinus)):
        return _PASS
    for spread in (_linked, _independent):
        expected, said = spread(reference), spread(answer)
        if expected is not None and said is not None:
            outcome = compare(expected, said, how)
            if outcome is not None:
                return outcome
    return None


def _linked(node: Node) -> Node | None:
    return _spread(node, _both_signs)


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


def _both_signs(node: Node) -> list[Node]:
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


# Units


def _units(reference: Node, answer: Node, how: Strictness) -> object:
    """A quantity's number is compared with a number, its unit with a unit.

    Safe: two units must be one, and a number is never changed by its unit; a unit that only one of the two names is
    the question's and may be left off, unless `units` is "required".
    """
    if not isinstance(answer, Quantity) and not symbols(reference):
        answer = _with_unit_letter(answer)
    if not isinstance(reference, Quantity) and not isinstance(answer, Quantity):
        return _PASS
    if isinstance(reference, Quantity) and isinstance(answer, Quantity):
        if not same_unit(reference.unit, answer.unit) or symbols(answer.value) - symbols(reference.value):
            return None
        return compare(reference.value, answer.value, how)
    if how.units == "required":
        return None
    if isinstance(reference, Quantity):
        return None if isinstance(answer, (Percent, Degrees)) else compare(reference.value, answer, how)
    if isinstance(reference, (Percent, Degrees, Words, Based)) or not isinstance(answer, Quantity):
        return None
    if answer.unit == "rad" and Symbol("pi") not in walk(reference):
        return None  # a bare 30 may be meant in degrees
    return compare(reference, answer.value, how)


_UNIT_LETTERS = frozenset("mghlsJNWV")


def _with_unit_letter(node: Node) -> Node:
    """A number and a letter that names a unit, as a quantity; only beside a reference without variables."""
    if not isinstance(node, Product) or len(symbols(node)) != 1:
        return node
    *numbers, last = node.factors
    letter, power = (last.base, last.exponent) if isinstance(last, Power) else (last, None)
    if not isinstance(letter, Symbol) or letter.name not in _UNIT_LETTERS or any(symbols(number) for number in numbers):
        return node
    if power is not None and not (isinstance(power, Number) and power.value in (2, 3)):
        return node
    value = numbers[0] if len(numbers) == 1 else Product(tuple(numbers))
    return Quantity(value, letter.name if power is None else f"{letter.name}^{power.value}")


def _percentages(reference: Node, answer: Node, how: Strictness) -> object:
    """Per cent against per cent by their numbers; against a bare number by value, or the reference's sign left off.

    Safe: an answer in per cent never equals a bare reference but by value, so 0.5% is not 0.5.
    """
    if not isinstance(reference, Percent) and not isinstance(answer, Percent):
        return _PASS
    if isinstance(reference, Percent) and isinstance(answer, Percent):
        return compare(reference.value, answer.value, how)
    if isinstance(reference, Degrees) or isinstance(answer, Degrees) or _holds_quantity(reference, answer):
        return None
    if isinstance(reference, Percent):
        # Below 1 a bare number may as well be the share itself: 0.5 beside 0.5%.
        left_off = how.units == "optional" and _is_above_one(reference.value)
        if left_off and (outcome := compare(reference.value, answer, how)) is not None:
            return outcome
        return _formulas(reference, answer, how)
    if contains(reference, (Sequence, Relation, Words, Degrees, Based)):
        return None
    return _formulas(reference, answer, how)


def _is_above_one(node: Node) -> bool:
    value = constant_value(node)
    place = None if value is None else as_fraction(value)
    return place is not None and abs(place) > 1


def _holds_quantity(*nodes: Node) -> bool:
    return any(isinstance(node, Percent) and isinstance(node.value, Quantity) for node in nodes)


def _angles(reference: Node, answer: Node, how: Strictness) -> object:
    """Degrees against degrees by their numbers, against another number by value in radians, or the sign left off.

    Safe: the number itself must be the same, and 30 is never taken for 30 radians.
    """
    if not isinstance(reference, Degrees) and not isinstance(answer, Degrees):
        return _PASS
    if isinstance(reference, Degrees) and isinstance(answer, Degrees):
        return compare(reference.value, answer.value, how)
    bare, angle = (answer, reference) if isinstance(reference, Degrees) else (reference, answer)
    assert isinstance(angle, Degrees)
    if contains(bare, (Sequence, Relation, Words, Based, Percent)):
        return None
    if how.units == "optional" and Symbol("pi") not in walk(bare):
        first, second = (angle.value, bare) if angle is reference else (bare, angle.value)
        if (outcome := compare(first, second, how)) is not None:
            return outcome
    return Reason.MATCHED_SYMBOLICALLY if same_formula(angle, bare) else None


def _based(reference: Node, answer: Node, how: Strictness) -> object:
    """A numeral with its base equals the same numeral in the same base, nothing else.

    Safe: the question asks for a base, so its digits are the answer, not their value.
    """
    if not isinstance(reference, Based) and not isinstance(answer, Based):
        return _PASS
    return Reason.MATCHED_BY_VALUE if reference == answer else None


# Words


def _words(reference: Node, answer: Node, how: Strictness) -> object:
    """Text equals the same text, articles, case and marks aside.

    Safe: every other word counts, "not" among them.
    """
    if not isinstance(reference, Words) and not isinstance(answer, Words):
        return _PASS
    if isinstance(reference, Words) and isinstance(answer, Words):
        return Reason.MATCHED_EXACTLY if reference.text == answer.text else None
    # A label in words before the value of the other side is the business of the relations below.
    return _PASS if isinstance(reference, Relation) or isinstance(answer, Relation) else None


# Relations


@dataclass(frozen=True)
class _Statement:
    """`labels[0] = labels[1] = ... = value`, or an equation without a label."""

    labels: tuple[Node, ...]
    value: Node


def _equations(reference: Node, answer: Node, how: Strictness) -> object:
    """Equations and values behind a label.

    Safe: a label only names what the question asks for; what stands behind it is compared as it would be alone, and
    two different labels never match.
    """
    expected, said = _is_equation(reference), _is_equation(answer)
    if not expected and not said:
        return _PASS
    if expected and said:
        return _equation_with_equation(reference, answer, how)
    if expected:
        return _equation_with_value(reference, answer, how)
    statement = _statement(answer, trusted=False)
    if statement is None:
        return None
    if not statement.labels:
        return _unlabelled(reference, answer, statement.value, how)
    # A label names what the question asks for; the value behind it is compared as it would be alone.
    renamed = _with_bound_variable(statement, reference)
    return compare(reference, renamed, how)


def _unlabelled(reference: Node, answer: Node, value: Node, how: Strictness) -> Outcome:
    """An answer without a label: a value with a remark, a true chain of numbers, or a number for several variables.

    Safe: every member of a chain must be equal, so that it states one value; m + n = 5 calls nothing else 5.
    """
    if value is not answer:
        return compare(reference, value, how)
    assert isinstance(answer, Relation)
    first, *rest = answer.members
    if set(answer.operators) != {"="} or any(contains(member, _STRUCTURES) for member in answer.members):
        return None
    if not symbols(answer):
        return compare(reference, first, how) if all(_equal_values(first, member) for member in rest) else None
    if len(symbols(first)) > 1 and not symbols(reference) and not any(symbols(member) for member in rest):
        return compare(reference, rest[-1], how) if all(_equal_values(rest[0], member) for member in rest) else None
    return None


def _is_equation(node: Node) -> bool:
    return isinstance(node, Relation) and set(node.operators) <= {"=", "~"}


def _statement(node: Node, trusted: bool) -> _Statement | None:
    """Labels and value of an equation; None for a chain that states several different values.

    A rounded value behind a sign for "about" is a remark. In a reference, which is trusted, the last value of a chain
    counts; in an answer, all values of a chain must be equal, else it states two answers.
    """
    assert isinstance(node, Relation)
    members = list(node.members)
    for index, operator in enumerate(node.operators):
        if operator == "~" and (index or not _is_label(members[0])):
            if not trusted and not _is_remark(members[index], members[index + 1 :]):
                return None
            members = members[: index + 1]
            break
    labels: list[Node] = []
    while len(members) > 1 and _is_label(members[0]):
        labels.append(members.pop(0))
    if trusted and len(members) > 1 and (labels or len(members) > 2) and (labels or _is_label(members[-2])):
        labels = labels or [members[-2]]
        members = members[-1:]
    if not trusted and len(members) > 1 and labels:
        if not all(_equal_values(members[0], member) for member in members[1:]):
            return None
        members = members[-1:]
    if len(members) == 1:
        return _Statement(tuple(labels), members[0])
    return _Statement((), node)


def _is_remark(exact: Node, about: list[Node]) -> bool:
    """Whether what stands behind "about" is a decimal beside an exact value: a remark, and no second answer."""
    return as_decimal(exact) is None and all(as_decimal(part) is not None for part in about)


def equal_values(nodes: tuple[Node, ...]) -> bool:
    """Whether several nodes are formulas of one value."""
    return all(_equal_values(nodes[0], other) for other in nodes[1:])


def _equal_values(one: Node, other: Node) -> bool:
    return one == other or (
        not contains(one, _STRUCTURES) and not contains(other, _STRUCTURES) and same_formula(one, other)
    )


def _is_label(node: Node) -> bool:
    """What names a quantity and has no value of its own: x, f(x), a_n, AB, |AB|, S_1 : S_2, (p, q), "maximum"."""
    if isinstance(node, Symbol):
        return bool(symbols(node))
    if isinstance(node, Call):
        if node.name == "abs":  # the length of a segment, the size of a set; |y| = 2x is an equation
            return all(symbol.isupper() for symbol in symbols(node)) and _is_label(node.arguments[0])
        return (node.name not in FUNCTIONS and node.name not in _OPERATIONS) and len(node.arguments) <= 3
    if isinstance(node, Product):
        # A segment or an angle by its points; a product of other letters has a value.
        return all(isinstance(factor, Symbol) and factor.name[0].isupper() for factor in node.factors)
    if isinstance(node, (Ratio, Quotient)):
        return all(_is_label(part) for part in node.parts())
    if isinstance(node, Sequence):
        return node.kind == "tuple" and all(_is_label(item) for item in node.items)
    return isinstance(node, Words)


_OPERATIONS = frozenset({"root", "factorial", "binomial", "floor", "ceil", "abs"})


def _equation_with_equation(reference: Node, answer: Node, how: Strictness) -> Outcome:
    expected, said = _statement(reference, trusted=True), _statement(answer, trusted=False)
    if expected is None or said is None or not _same_remarks(reference, answer, how):
        return None
    if expected.labels and said.labels:
        renaming = _same_label(expected.labels[-1], said.labels[-1])
        if renaming is not None:
            taken = {new.name for old, new in renaming.items() if isinstance(new, Symbol) and new.name != old}
            if taken & symbols(said.value):
                return None  # f(y) = 2x speaks of another x
            if renaming and not symbols(said.value) & renaming.keys() and not _speaks_of_all(expected, said):
                return None  # P(A) = 1/2 is not P(B) = 1/2
            return compare(expected.value, _renamed(said.value, renaming), how)
    return _same_equation(reference, answer)


def _speaks_of_all(expected: _Statement, said: _Statement) -> bool:
    """Whether both labels are functions of x, n or the like, so that a constant value holds for all of them."""
    labels = (expected.labels[-1], said.labels[-1])
    names = {part.name for label in labels for part in label.parts() if isinstance(part, Symbol)}
    return names <= _ARGUMENTS


def _same_equation(reference: Node, answer: Node) -> Outcome:
    """Two equations are one if their differences of both sides are in a constant ratio.

    Safe: then both have the same solutions.
    """
    sides = [node.members for node in (reference, answer) if isinstance(node, Relation)]
    if any(len(members) != 2 or contains(Sum(members), _STRUCTURES) for members in sides):
        return None
    one, other = (Sum((left, Negative(right))) for left, right in sides)
    return Reason.MATCHED_SYMBOLICALLY if constant_ratio(one, other) else None


def _same_remarks(reference: Node, answer: Node, how: Strictness) -> bool:
    """Where both say what their value is about, the two must agree on that."""
    assert isinstance(reference, Relation) and isinstance(answer, Relation)
    if "~" not in reference.operators or "~" not in answer.operators:
        return True
    return _same(reference.members[-1], answer.members[-1], how)


def _same_label(one: Node, other: Node) -> dict[str, Node] | None:
    """How to rename the answer's variables where both labels name one thing; None where they do not.

    Safe: the variable of f(x) is bound, so f(n) = 2n and f(m) = 2m are one function; f and g, x and z stay two things.
    """
    if one == other:
        return {}
    if isinstance(one, Words) or isinstance(other, Words):
        return {} if isinstance(one, Words) and isinstance(other, Words) and one.text == other.text else None
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


_ARGUMENTS = frozenset({"x", "y", "z", "n", "m", "k", "t", "q", "p"})
_INDICES = frozenset({"n", "k", "i", "j", "m", "l", "t"})


def _is_graph(one: Node, other: Node) -> bool:
    """Whether the two are y and f(x), which name the same thing."""
    return one == Symbol("y") and isinstance(other, Call) and other.arguments == (Symbol("x"),)


def _renamed(node: Node, names: dict[str, Node]) -> Node:
    return rewrite(node, lambda part: names.get(part.name) if isinstance(part, Symbol) else None) if names else node


def _with_bound_variable(statement: _Statement, reference: Node) -> Node:
    """The value of f(m) = ... with the reference's only variable in place of m, which is bound."""
    label = statement.labels[-1]
    if not isinstance(label, Call) or label.name == "abs" or len(label.arguments) != 1:
        return statement.value
    bound, free = label.arguments[0], symbols(reference)
    if isinstance(reference, Symbol):
        return statement.value  # a letter alone is a choice, or a thing of that name
    if isinstance(bound, Symbol) and len(free) == 1 and bound.name not in free and not free & symbols(statement.value):
        return _renamed(statement.value, {bound.name: Symbol(next(iter(free)))})
    return statement.value


def _equation_with_value(reference: Node, answer: Node, how: Strictness) -> Outcome:
    statement = _statement(reference, trusted=True)
    if statement is None:
        return None
    if statement.labels:
        return compare(statement.value, answer, how)
    assert isinstance(reference, Relation)
    if len(reference.members) != 2 or contains(answer, _STRUCTURES) or contains(reference, _STRUCTURES_IN_EQUATIONS):
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
        start = _at(difference, name, _ZERO)
        slope = Sum((_at(difference, name, Number(Fraction(1))), Negative(start)))
        line = Sum((start, Product((slope, Symbol(name)))))
        if not same_formula(difference, line) or same_formula(slope, _ZERO):
            continue
        if same_formula(_at(difference, name, answer), _ZERO):
            return Reason.MATCHED_SYMBOLICALLY
    return None


_ZERO = Number(Fraction(0))


def _at(node: Node, name: str, value: Node) -> Node:
    return _renamed(node, {name: value})


# Sets of real numbers


def _regions(reference: Node, answer: Node, how: Strictness) -> object:
    """Intervals, inequalities and set-builders as sets of reals.

    Safe: every end must be equal and as open or closed as the other's; two different variables are two answers. A
    pair in round brackets is an interval only where the other side can be nothing else.
    """
    if not is_region(reference) and not is_region(answer):
        return _PASS
    if isinstance(reference, Relation) and isinstance(answer, Relation) and _same_relation(reference, answer, how):
        return Reason.MATCHED_SYMBOLICALLY
    expected, said = region(_settled(reference)), region(_settled(answer))
    if expected is None or said is None:
        return _labelled_region(reference, answer, how)
    same = same_region(expected, said, lambda one, other: _same(one, other, how))
    return Reason.MATCHED_SYMBOLICALLY if same else None


def _settled(node: Node) -> Node:
    """A region behind `D =` without that label."""
    if _is_equation(node) and (statement := _statement(node, trusted=True)) is not None and statement.labels:
        return statement.value
    return node


def _labelled_region(reference: Node, answer: Node, how: Strictness) -> object:
    """Lists with members of both kinds, and memberships in what is no interval, fall to the rules for those."""
    for node in (reference, answer):
        if (
            isinstance(node, Relation)
            and node.operators == ("in",)
            and not isinstance(node.members[1], (Sequence, Symbol))
        ):
            return None
    if isinstance(reference, Sequence) or isinstance(answer, Sequence):
        return _PASS
    if isinstance(reference, Relation) and reference.operators == ("in",) and not isinstance(answer, Relation):
        return compare(reference.members[1], answer, how)
    if isinstance(answer, Relation) and answer.operators == ("in",) and not isinstance(reference, Relation):
        return compare(reference, answer.members[1], how)
    return None


def _same_relation(one: Relation, other: Relation, how: Strictness) -> bool:
    """The same members and signs from left to right, or from right to left."""
    mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
    readings = [(other.members, other.operators)]
    if set(other.operators) <= set(mirrored):
        readings.append((other.members[::-1], tuple(mirrored[operator] for operator in other.operators[::-1])))
    return any(
        operators == one.operators
        and len(members) == len(one.members)
        and all(_same(ours, theirs, how) for ours, theirs in zip(one.members, members, strict=True))
        for members, operators in readings
    )


# Lists, tuples, sets


def _sequences(reference: Node, answer: Node, how: Strictness) -> object:
    """Lists in any order, tuples in theirs, sets without repetition.

    Safe: every member has exactly one partner, so none is missing, none too many and none counted twice; a tuple is no
    set, and an interval's brackets must agree.
    """
    if not isinstance(reference, Sequence) and not isinstance(answer, Sequence):
        return _PASS
    if isinstance(reference, Matrix) or isinstance(answer, Matrix):
        return _PASS
    expected, said = _labelled_value(reference), _labelled_value(answer)
    if not isinstance(expected, Sequence) or not isinstance(said, Sequence):
        return None  # a set of one is no element, and an element no list
    if len(expected.items) > MAX_ITEMS or len(said.items) > MAX_ITEMS:
        return None
    kinds = {expected.kind, said.kind}
    if kinds == {"tuple", "set"}:
        return None
    if kinds == {"tuple"}:
        return _in_order(expected, said, how) if _same_brackets(expected, said) else None
    if kinds == {"tuple", "list"}:
        return _tuple_and_list(expected, said, how)
    if kinds == {"set"}:
        return _any_order(_distinct(expected), _distinct(said), how)
    if kinds == {"list"} and _named_one_by_one(expected) and _named_one_by_one(said):
        return _any_order(expected, said, how)
    if kinds == {"list"} and (how.order == "kept" or _named_one_by_one(expected) != _named_one_by_one(said)):
        return _in_order(expected, said, how)
    return _any_order(expected, said, how)


def _named_one_by_one(sequence: Sequence) -> bool:
    """Whether every item has a letter of its own: beside `x = 1, y = 2` the list 2, 1 means something else."""
    names = [
        item.members[0].name[0]
        for item in sequence.items
        if isinstance(item, Relation) and item.operators == ("=",) and isinstance(item.members[0], Symbol)
    ]
    return len(sequence.items) > 1 and len(set(names)) == len(sequence.items)


def _labelled_value(node: Node) -> Node:
    """A labelled list or tuple without its label; anything else as it is."""
    if _is_equation(node) and (statement := _statement(node, trusted=False)) is not None and statement.labels:
        return statement.value if isinstance(statement.value, Sequence) else node
    return node


def _same_brackets(one: Sequence, other: Sequence) -> bool:
    brackets = {(one.opening, one.closing), (other.opening, other.closing)}
    # Three components and more are no interval, so square brackets around all of them are a manner of writing.
    return len(brackets) == 1 or (len(one.items) != 2 and brackets == {("(", ")"), ("[", "]")})


def _tuple_and_list(expected: Sequence, said: Sequence, how: Strictness) -> Outcome:
    """A tuple may be written without its brackets, and a list of one may hold a tuple."""
    for whole, other in ((expected, said), (said, expected)):
        if whole.kind == "list" and len(whole.items) == 1 and isinstance(whole.items[0], (Sequence, Relation)):
            pair = (whole.items[0], other) if whole is expected else (other, whole.items[0])
            return compare(*pair, how)
    expected, said = _by_coordinates(expected), _by_coordinates(said)
    if _has_label_twice(said):
        return None
    brackets = expected if expected.kind == "tuple" else said
    plain = (brackets.opening, brackets.closing) == ("(", ")")
    # Square brackets around two may be an interval.
    square = (brackets.opening, brackets.closing) == ("[", "]") and len(brackets.items) > 2
    return _in_order(expected, said, how) if plain or square else None


def _has_label_twice(sequence: Sequence) -> bool:
    labels = [item.members[0] for item in sequence.items if isinstance(item, Relation)]
    return len(set(labels)) < len(labels)


def _by_coordinates(sequence: Sequence) -> Sequence:
    """A list `y = 2, x = 1` in the order of a point's coordinates; one without a label each stays as it is."""
    if sequence.kind != "list" or not _named_one_by_one(sequence):
        return sequence
    items = sorted(sequence.items, key=lambda item: item.members[0].name)  # pyright: ignore[reportAttributeAccessIssue]
    return Sequence("list", tuple(items), sequence.opening, sequence.closing)


def _in_order(expected: Sequence, said: Sequence, how: Strictness) -> Outcome:
    if len(expected.items) != len(said.items):
        return None
    return _weakest(compare(one, other, how) for one, other in zip(expected.items, said.items, strict=True))


def _any_order(expected: Sequence, said: Sequence, how: Strictness) -> Outcome:
    """Each expected item takes the first free partner; equality is transitive but for rounding, so greed is right.

    Safe: no partner serves twice, and none may be left over.
    """
    items, left = _solutions_once(_flat(expected)), list(_solutions_once(_flat(said)))
    if len(items) != len(left):
        return None
    reasons: list[Outcome] = []
    for item in items:
        for index, candidate in enumerate(left):
            outcome = compare(item, candidate, how)
            if outcome is not None:
                reasons.append(outcome)
                del left[index]
                break
        else:
            return None
    return _weakest(iter(reasons))


def _solutions_once(items: tuple[Node, ...]) -> tuple[Node, ...]:
    """Without tuples written twice: a list of points is a set of solutions. Numbers keep their multiplicity.

    Safe: a solution that is named again is no other solution.
    """
    kept: list[Node] = []
    for item in items:
        if not (isinstance(item, Sequence) and item.kind == "tuple" and item in kept):
            kept.append(item)
    return tuple(kept)


def _flat(sequence: Sequence) -> tuple[Node, ...]:
    """The items; those of a list behind a label in words are items themselves."""
    items: list[Node] = []
    for item in sequence.items:
        value = item.members[-1] if isinstance(item, Relation) and isinstance(item.members[0], Words) else item
        inner = value.items if isinstance(value, Sequence) and value.kind == "list" else (item,)
        items += inner
    return tuple(items)


def _distinct(sequence: Sequence) -> Sequence:
    kept: list[Node] = []
    for item in sequence.items:
        if item not in kept:
            kept.append(item)
    return Sequence(sequence.kind, tuple(kept), sequence.opening, sequence.closing)


_STRENGTH = [Reason.MATCHED_BY_ROUNDING, Reason.MATCHED_SYMBOLICALLY, Reason.MATCHED_BY_VALUE, Reason.MATCHED_EXACTLY]


def _weakest(outcomes: object) -> Outcome:
    found = list(outcomes)  # pyright: ignore[reportArgumentType]
    if not found or any(outcome is None for outcome in found):
        return None
    return min(found, key=_STRENGTH.index)


# Matrices and ratios


def _matrices(reference: Node, answer: Node, how: Strictness) -> object:
    """Cell by cell. A single column or row may be written as a tuple.

    Safe: shapes must agree, so a row is no column and a transpose is no match.
    """
    if not contains(reference, Matrix) and not contains(answer, Matrix):
        return _PASS
    reference, answer = computed(reference), computed(answer)
    if isinstance(reference, Matrix) and isinstance(answer, Matrix):
        if shape(reference) != shape(answer):
            return None
        cells = [
            (one, other)
            for ours, theirs in zip(reference.rows, answer.rows, strict=True)
            for one, other in zip(ours, theirs, strict=True)
        ]
        return _weakest(compare(one, other, how) for one, other in cells)
    one, other = _column_as_tuple(reference), _column_as_tuple(answer)
    return compare(one, other, how) if isinstance(one, Sequence) and isinstance(other, Sequence) else None


def _column_as_tuple(node: Node) -> Node | None:
    if isinstance(node, Matrix):
        single = 1 in shape(node)
        return Sequence("tuple", tuple(cell for row in node.rows for cell in row), "(", ")") if single else None
    return node if isinstance(node, Sequence) and node.kind == "tuple" and node.opening == "(" else None


def _ratios(reference: Node, answer: Node, how: Strictness) -> object:
    """Ratios in proportion; a ratio of two as their quotient.

    Safe: proportion is what a ratio means; 1:2 and 2:1 have different quotients.
    """
    if not isinstance(reference, Ratio) and not isinstance(answer, Ratio):
        return _PASS
    if contains(reference, _STRUCTURES) or contains(answer, _STRUCTURES):
        return None
    if isinstance(reference, Ratio) and isinstance(answer, Ratio):
        if len(reference.terms) != len(answer.terms):
            return None
        first, *rest = zip(reference.terms, answer.terms, strict=True)
        proportional = all(same_formula(Product((one, first[1])), Product((other, first[0]))) for one, other in rest)
        zero = any(constant_value(term) == 0 for term in (*reference.terms, *answer.terms))
        return Reason.MATCHED_BY_VALUE if proportional and not zero else None
    one, other = (_as_quotient(node) for node in (reference, answer))
    return compare(one, other, how) if one is not None and other is not None else None


def _as_quotient(node: Node) -> Node | None:
    if not isinstance(node, Ratio):
        return node
    return Quotient(*node.terms) if len(node.terms) == 2 else None


# Formulas


def _formulas(reference: Node, answer: Node, how: Strictness) -> object:
    """Two formulas by their values, and a decimal as the rounding of an exact number.

    Safe: one point at which the two differ refuses them (`equality`), and a decimal must be the correct rounding to its
    last digit (`rounding`).
    """
    if contains(reference, _STRUCTURES) or contains(answer, _STRUCTURES):
        return None
    if same_formula(reference, answer):
        constant = not symbols(reference) and not symbols(answer)
        return Reason.MATCHED_BY_VALUE if constant else Reason.MATCHED_SYMBOLICALLY
    if how.rounding_digits is not None and is_rounding(reference, answer, how.rounding_digits):
        return Reason.MATCHED_BY_ROUNDING
    renamed = _parameter_renamed(reference, answer)
    if renamed is not None and same_formula(reference, renamed):
        return Reason.MATCHED_SYMBOLICALLY
    return None


_STRUCTURES = (Sequence, Relation, Matrix, Words, Builder, SetOperation, PlusMinus, Based)
_STRUCTURES_IN_EQUATIONS = (Sequence, Matrix, Words, Builder, SetOperation, PlusMinus, Based)
_WHOLE_PARAMETERS = frozenset({"k", "n", "m", "l", "j"})
_FREE_CONSTANTS = frozenset({"C", "c", "K", "C_1", "c_1", "const"})


def _parameter_renamed(reference: Node, answer: Node) -> Node | None:
    """The answer with its one other variable called as in the reference, where the name is the writer's to choose.

    Safe: only the whole number of a periodic family (a formula with pi or degrees) and the arbitrary constant beside
    one variable are the writer's to choose; among more letters c may be a side and C an angle.
    """
    ours, theirs = symbols(reference) - symbols(answer), symbols(answer) - symbols(reference)
    if len(ours) != 1 or len(theirs) != 1:
        return None
    one, other = ours.pop(), theirs.pop()
    periodic = {one, other} <= _WHOLE_PARAMETERS and _is_periodic(reference, one)
    constant = {one, other} <= _FREE_CONSTANTS and len(symbols(reference)) == 2
    if periodic or constant:
        return _renamed(answer, {other: Symbol(one)})
    return None


def _is_periodic(node: Node, parameter: str) -> bool:
    """Whether each step of the parameter adds the same angle: pi k + 1/2, 360 degrees times n."""
    if not any(isinstance(part, Degrees) or part == Symbol("pi") for part in walk(node)):
        return False
    one, next_one = Number(Fraction(1)), Sum((Symbol(parameter), Number(Fraction(1))))
    step = Sum((_at(node, parameter, one), Negative(_at(node, parameter, _ZERO))))
    general = Sum((_at(node, parameter, next_one), Negative(node)))
    return constant_value(step) is not None and same_formula(general, step)


_RULES = (
    _plus_minus,
    _regions,
    _sequences,
    _equations,
    _units,
    _percentages,
    _angles,
    _based,
    _words,
    _matrices,
    _ratios,
    _formulas,
)
