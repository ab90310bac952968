"""Measures in other units, or in several: 5 km and 5000 m, 1 h 30 min and 1.5 hours, 5 ft 6 in and 66 inches."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hero_rl.verifiers.math.rules.matching import PASS, Comparison
from hero_rl.verifiers.math.tree.dimensions import is_step, times_larger
from hero_rl.verifiers.math.tree.formulas import Node, Number, Product, Quantity, Sequence, Sum, symbols
from hero_rl.verifiers.math.tree.numerals import is_whole
from hero_rl.verifiers.math.tree.units import same_unit

__all__ = ["measures"]

_OF_TIME = frozenset({"week", "day", "h", "min", "s"})


def measures(reference: Node, answer: Node, by: Comparison) -> object:
    """Measures of one kind in other units, or in several.

    Safe: both sides name all their units, of one dimension, and the sizes of these are fixed numbers (`dimensions`);
    months and years have none. A bare number beside several units is no measure.
    """
    ours, theirs = _parts(reference), _parts(answer)
    if not ours or not theirs or (len(ours) == len(theirs) == 1 and same_unit(ours[0].unit, theirs[0].unit)):
        return PASS
    unit = theirs[-1].unit  # an answer in one unit keeps its value as it is written, with its rounding
    if times_larger(ours[0].unit, unit) is None:
        return PASS
    said = theirs[0].value if len(theirs) == 1 else _in_unit(theirs, unit)
    return by.compare(_in_unit(ours, unit), said)


def _parts(node: Node) -> tuple[Quantity, ...]:
    """The quantities of one measure, from the largest unit down; nothing where it is none.

    Safe: several of them are one measure only where each but the last is a whole number and each but the first does not
    fill one of the unit before, else they are a list of measures.
    """
    nodes = node.items if isinstance(node, Sequence) and _is_joined(node) else (node,)
    parts = tuple(part for part in nodes if isinstance(part, Quantity) and not symbols(part))
    if len(parts) < len(nodes) or (len(parts) > 1 and not all(is_step(part.unit) for part in parts)):
        return ()
    for larger, smaller in pairwise(parts):
        ratio = times_larger(larger.unit, smaller.unit)
        if ratio is None or ratio <= 1 or not is_whole(larger.value):
            return ()
        if not (isinstance(smaller.value, Number) and 0 <= smaller.value.value < ratio):
            return ()
    return parts


def _is_joined(sequence: Sequence) -> bool:
    """Whether quantities are one measure rather than a list: side by side, or "and" between; of time a comma, too."""
    if sequence.kind == "length":
        return True
    of_time = all(isinstance(item, Quantity) and item.unit in _OF_TIME for item in sequence.items)
    return sequence.kind == "list" and (sequence.opening == "and" or (of_time and not sequence.opening))


def _in_unit(parts: tuple[Quantity, ...], unit: str) -> Node:
    terms = [_times(part.value, times_larger(part.unit, unit) or Fraction(0)) for part in parts]
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


def _times(value: Node, ratio: Fraction) -> Node:
    return Number(value.value * ratio) if isinstance(value, Number) else Product((value, Number(ratio)))
