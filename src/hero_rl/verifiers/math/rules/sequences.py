"""Lists, tuples and sets."""

from __future__ import annotations

from hero_rl.verifiers.math.rules.matching import MAX_ITEMS, PASS, Comparison, Outcome, equal_value, weakest
from hero_rl.verifiers.math.rules.statements import is_label, labelled_value
from hero_rl.verifiers.math.text.parts import PART_LABELS
from hero_rl.verifiers.math.tree.formulas import (
    Matrix,
    Node,
    Quantity,
    Quotient,
    Relation,
    Sequence,
    Sum,
    Symbol,
    Words,
    is_proposition,
)
from hero_rl.verifiers.math.tree.numerals import is_whole

__all__ = ["sequences"]


def sequences(reference: Node, answer: Node, by: Comparison) -> object:
    """Lists in any order, tuples in theirs, sets without repetition.

    Safe: every member has exactly one partner, so none is missing, none too many and none counted twice; a tuple is no
    set, and an interval's brackets must agree.
    """
    if not isinstance(reference, Sequence) and not isinstance(answer, Sequence):
        return PASS
    if isinstance(reference, Matrix) or isinstance(answer, Matrix):
        return PASS
    expected, said = labelled_value(reference), labelled_value(answer)
    if _is_one_thing(expected) or _is_one_thing(said):
        # No list of its parts; behind a label it is the business of the equations.
        return PASS if isinstance(reference, Relation) or isinstance(answer, Relation) else None
    if not isinstance(expected, Sequence) or not isinstance(said, Sequence):
        # A set of one is no element, and an element no list.
        mixed = _mixed_number(said) if isinstance(said, Sequence) else None
        return by.compare(expected, mixed) if mixed is not None else None
    if len(expected.items) > MAX_ITEMS or len(said.items) > MAX_ITEMS:
        return None
    kinds = {expected.kind, said.kind}
    if kinds == {"tuple", "set"}:
        return None
    if kinds == {"tuple"}:
        return _in_order(expected, said, by) if _same_brackets(expected, said) else None
    if kinds == {"tuple", "list"}:
        return _tuple_and_list(expected, said, by)
    if kinds == {"set"}:
        return _any_order(_distinct(expected), _distinct(said), by)
    if _joined_otherwise(expected, said):
        return None
    if by.how.order == "kept" or "respectively" in (expected.opening, said.opening):
        return _in_order(expected, said, by)
    if _names(expected) or _has_formal_names(said):
        # Names on both sides say which items belong together; on one side alone, the order says it.
        together = _names(expected) and _names(said) and _kinds(expected) == _kinds(said)
        return _any_order(expected, said, by) if together else _in_order(expected, said, by)
    return _any_order(expected, said, by)


def _mixed_number(node: Sequence) -> Node | None:
    """A whole number "and" a proper fraction, 3 and 3/4, as their sum beside a single number."""
    if node.opening != "and" or len(node.items) != 2:
        return None
    whole, fraction = node.items
    if not (is_whole(whole) and whole.value > 0 and isinstance(fraction, Quotient)):
        return None
    proper = is_whole(fraction.top) and is_whole(fraction.bottom) and 0 < fraction.top.value < fraction.bottom.value
    return Sum((whole, fraction)) if proper else None


def _joined_otherwise(one: Sequence, other: Sequence) -> bool:
    """Whether "and" joins the letters or words of one list, "or" those of the other: p and q is not p or q.

    Values of an unknown may be joined by either, since a list of solutions is both.
    """
    letters = all(isinstance(item, Words) or is_proposition(item) for item in (*one.items, *other.items))
    return letters and {one.opening, other.opening} == {"and", "or"}


def _is_one_thing(node: Node) -> bool:
    return isinstance(node, Sequence) and node.kind in ("cases", "length")


def _kinds(sequence: Sequence) -> set[type[Node]]:
    return {type(item) for item in sequence.items}


def _has_formal_names(sequence: Sequence) -> bool:
    """Whether the names are letters, x = 1, y = 2, or parts; words explain values listed for their own sake."""
    labels = [item.members[0] for item in sequence.items if isinstance(item, Relation)]
    in_words = [label for label in labels if isinstance(label, Words) and label.text not in PART_LABELS]
    return bool(_names(sequence)) and bool(labels) and not in_words


# Letters that stand for what is looked for, so that x_1 and x_2 are two roots; S_1 and S_2 are two things.
_UNKNOWNS = frozenset({*"knmprtuvwxyz", "lambda", "theta", "alpha", "phi"})


def _names(sequence: Sequence) -> frozenset[object]:
    """What the items are called where each has a label or a unit of its own: `AB = 4, CD = 5`, `12 boys, 8 girls`.

    Beside such a list one without names has the same order, since `5, 4` would say something else.
    """
    names = frozenset(_name(item) for item in sequence.items)
    return names if len(names) == len(sequence.items) > 1 and None not in names else frozenset()


def _name(item: Node) -> object:
    if isinstance(item, Quantity):
        return item.unit
    if not (isinstance(item, Relation) and item.operators == ("=",) and is_label(item.members[0])):
        return None
    label = item.members[0]
    if isinstance(label, Symbol):
        letter, _, index = label.name.partition("_")
        return letter if index.isdigit() and letter in _UNKNOWNS else label.name
    return label


def _same_brackets(one: Sequence, other: Sequence) -> bool:
    brackets = {(one.opening, one.closing), (other.opening, other.closing)}
    # Three components and more are no interval, so square brackets around all of them are a manner of writing.
    return len(brackets) == 1 or (len(one.items) != 2 and brackets == {("(", ")"), ("[", "]")})


def _tuple_and_list(expected: Sequence, said: Sequence, by: Comparison) -> Outcome:
    """A tuple may be written without its brackets, and a list of one may hold a tuple."""
    for whole, other in ((expected, said), (said, expected)):
        if whole.kind == "list" and len(whole.items) == 1 and isinstance(whole.items[0], (Sequence, Relation)):
            pair = (whole.items[0], other) if whole is expected else (other, whole.items[0])
            return by.compare(*pair)
    expected, said = _by_coordinates(expected), _by_coordinates(said)
    if _has_label_twice(said):
        return None
    brackets = expected if expected.kind == "tuple" else said
    plain = (brackets.opening, brackets.closing) == ("(", ")")
    # Square brackets around two may be an interval.
    square = (brackets.opening, brackets.closing) == ("[", "]") and len(brackets.items) > 2
    return _in_order(expected, said, by) if plain or square else None


def _has_label_twice(sequence: Sequence) -> bool:
    labels = [item.members[0] for item in sequence.items if isinstance(item, Relation)]
    return len(set(labels)) < len(labels)


def _by_coordinates(sequence: Sequence) -> Sequence:
    """A list `y = 2, x = 1` in the order of a point's coordinates; one without a letter each stays as it is."""
    if sequence.kind != "list" or not all(isinstance(name, str) for name in _names(sequence)):
        return sequence
    if not _names(sequence) or not all(isinstance(item, Relation) for item in sequence.items):
        return sequence
    items = sorted(sequence.items, key=lambda item: item.members[0].name)  # pyright: ignore[reportAttributeAccessIssue]
    return Sequence("list", tuple(items), sequence.opening, sequence.closing)


def _in_order(expected: Sequence, said: Sequence, by: Comparison) -> Outcome:
    if len(expected.items) != len(said.items):
        return None
    return weakest(by.compare(one, other) for one, other in zip(expected.items, said.items, strict=True))


def _any_order(expected: Sequence, said: Sequence, by: Comparison) -> Outcome:
    """Each expected item takes the first free partner; equality is transitive but for rounding, so greed is right.

    Safe: no partner serves twice, and none may be left over.
    """
    items, left = _solutions_once(_flat(expected)), list(_solutions_once(_flat(said)))
    if len(items) != len(left):
        return None
    reasons: list[Outcome] = []
    for item in items:
        for index, candidate in enumerate(left):
            outcome = by.compare(item, candidate)
            if outcome is not None:
                reasons.append(outcome)
                del left[index]
                break
        else:
            return None
    return weakest(reasons)


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
        is_list = isinstance(value, Sequence) and value.kind == "list" and not is_proposition(value)
        items += value.items if is_list and isinstance(value, Sequence) else (item,)
    return tuple(items)


def _distinct(sequence: Sequence) -> Sequence:
    kept: list[Node] = []
    for item in sequence.items:
        if not any(equal_value(item, other) for other in kept):
            kept.append(item)
    return Sequence(sequence.kind, tuple(kept), sequence.opening, sequence.closing)
