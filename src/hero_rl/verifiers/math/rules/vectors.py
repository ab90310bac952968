"""Vectors in the ways that they are written: by unit vectors, as columns, with arrows; numerals by their digits."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.rules.matching import PASS, ZERO, Comparison, renamed
from hero_rl.verifiers.math.tree.formulas import Node, Number, Product, Sequence, Sum, Symbol, rewrite, symbols
from hero_rl.verifiers.math.values.equality import same_formula

__all__ = ["numerals", "vectors"]

_MARKS = ("vec ", "hat ", "widehat ")
_AXES = ("i", "j", "k")
_ONE = Number(Fraction(1))


def vectors(reference: Node, answer: Node, by: Comparison) -> object:
    """Sums of the marked unit vectors i, j, k as tuples of their coefficients; arrows over letters left off.

    Safe: the formula must be linear in the three, without a constant, so that its coefficients are its components; an
    arrow says nothing where the other side has the very letter and no letter stands in both ways.
    """
    reference, answer = _with_axes(reference, answer), _with_axes(answer, reference)
    ours, theirs = _axes(reference), _axes(answer)
    if ours or theirs:
        size = next((len(node.items) for node in (reference, answer) if isinstance(node, Sequence)), None)
        if ours and theirs:
            size = 3
        one, other = (_components(node, axes, size) for node, axes in ((reference, ours), (answer, theirs)))
        return PASS if one is None or other is None else by.compare(one, other)
    plain, bare = _without_arrows(reference, answer), _without_arrows(answer, reference)
    if plain is not None:
        return by.compare(plain, answer)
    return PASS if bare is None else by.compare(reference, bare)


def _with_axes(node: Node, other: Node) -> Node:
    """The plain letters i, j, k as unit vectors beside a tuple of numbers; any other node as it is."""
    is_beside = isinstance(other, Sequence) and other.kind == "tuple" and not isinstance(node, Sequence)
    letters = symbols(node) if is_beside else set()
    if not letters or not letters <= {"j", "k"} or symbols(other):
        return node

    def change(part: Node) -> Node | None:
        return Symbol(f"vec {part.name}") if isinstance(part, Symbol) and part.name in _AXES else None

    return rewrite(node, change)


def _axes(node: Node) -> dict[str, str]:
    """The unit vectors of a formula by the letter of each; none where one is written in two ways."""
    found = {name: name.partition(" ")[2] for name in symbols(node) if name.startswith(_MARKS)}
    letters = list(found.values())
    if not letters or not set(letters) <= set(_AXES) or len(set(letters)) < len(letters):
        return {}
    return {letter: name for name, letter in found.items()}


def _components(node: Node, axes: dict[str, str], size: int | None) -> Node | None:
    if isinstance(node, Sequence):
        return node if node.kind == "tuple" and (node.opening, node.closing) == ("(", ")") else None
    if not axes or size not in (2, 3) or (size == 2 and "k" in axes):
        return None
    parts: list[Node] = []
    for letter in _AXES[:size]:
        values: dict[str, Node] = {name: _ONE if axis == letter else ZERO for axis, name in axes.items()}
        parts.append(renamed(node, values) if letter in axes else ZERO)
    named = [(letter, part) for letter, part in zip(_AXES, parts, strict=False) if letter in axes]
    pairs = [Product((part, Symbol(axes[letter]))) for letter, part in named]
    line = Sum(tuple(pairs)) if len(pairs) > 1 else pairs[0]
    return Sequence("tuple", tuple(parts), "(", ")") if same_formula(node, line) else None


def _without_arrows(node: Node, other: Node) -> Node | None:
    """A formula of several vectors without their arrows; None where the other side has some, too, or other letters."""
    names = {name: name.partition(" ")[2] for name in symbols(node) if name.startswith("vec ")}
    plain = symbols(other)
    if len(names) < 2 or not set(names.values()) <= plain or any(name.startswith(_MARKS) for name in plain):
        return None
    if set(names.values()) & symbols(node):
        return None
    return renamed(node, {name: Symbol(letter) for name, letter in names.items()})


def numerals(reference: Node, answer: Node, by: Comparison) -> object:
    r"""`\overline{abc}` as 100a + 10b + c beside a formula in those letters.

    Safe: a bar over several letters or digits in a row is the numeral that they make; the other side must speak of the
    letters one by one, so that a segment AB stays a segment.
    """
    one, other = _written_out(reference, answer), _written_out(answer, reference)
    if one is not None:
        return by.compare(one, answer)
    return PASS if other is None else by.compare(reference, other)


def _written_out(node: Node, other: Node) -> Node | None:
    names = {name: name.partition(" ")[2] for name in symbols(node) if name.startswith("overline ")}
    names = {name: digits for name, digits in names.items() if len(digits) > 1}
    letters = {letter for digits in names.values() for letter in digits if letter.isalpha()}
    if not names or not letters <= symbols(other):
        return None
    return renamed(node, {name: _numeral(digits) for name, digits in names.items()})


def _numeral(digits: str) -> Node:
    terms: list[Node] = []
    for place, digit in enumerate(reversed(digits)):
        value = Number(Fraction(int(digit))) if digit.isdigit() else Symbol(digit)
        terms.append(Product((Number(Fraction(10**place)), value)))
    return Sum(tuple(terms))
