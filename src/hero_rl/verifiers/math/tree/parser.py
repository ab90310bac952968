r"""Reads an answer into the nodes of `formulas`. A recursive descent over a closed grammar: nothing is evaluated.

    >>> parse(r"x \in (0, 1]")
    Relation(members=(Symbol(name='x'), Sequence(kind='tuple', ...)), operators=('in',))

From the outside in: a list of relations between set expressions of ratios of sums of products of powers of atoms. What
the grammar does not know raises `Unreadable`; nothing is guessed and nothing is left over.
"""

from __future__ import annotations

from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.divisions import division
from hero_rl.verifiers.math.tree.formulas import Node
from hero_rl.verifiers.math.tree.lists import Lists
from hero_rl.verifiers.math.tree.number_words import COUNTING, number_in_words
from hero_rl.verifiers.math.tree.spoken import with_spoken_signs
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable, tokenize

__all__ = ["parse"]


def parse(text: str, thousands: bool = True) -> Node:
    """The reading of a respelled text (see `spelling.respell`).

    Args:
        text: respelled.
        thousands: whether 1,234 outside of brackets is one number rather than a list of two.

    Raises:
        Unreadable: the grammar has no place for it, or it is nested more than `MAX_DEPTH` deep.
    """
    tokens = with_spoken_signs(tokenize(text, thousands))
    if not tokens:
        raise Unreadable("nothing to read")
    if tokens[0].text == "a" and _names_thing(tokens[1:]):
        tokens = tokens[1:]  # an article, as words_only leaves it off
    if (divided := division(tokens)) is not None:
        return divided
    parser = Lists(tokens)
    node = parser.answer()
    if parser.here is not END:
        raise Unreadable(f"{parser.here.text!r} is left over")
    return node


def _names_thing(tokens: list[Token]) -> bool:
    """Whether these are words for a thing rather than a part, as of "a third"."""
    words = [token.text.lower() for token in tokens]
    is_number = any(word in COUNTING or number_in_words([word]) is not None for word in words)
    return bool(words) and all(token.kind == "word" for token in tokens) and not is_number
