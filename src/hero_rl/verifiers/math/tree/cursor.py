"""A place in a list of tokens, which the levels of the grammar share."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.formulas import Node
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable

__all__ = ["END", "Cursor"]

END = Token("end", "")


class Cursor:
    """A position in a list of tokens.

    The levels of the grammar are classes, one a file, and each extends the one that binds tighter: brackets, names,
    calls, commands, arithmetic, lists. What a level needs of a looser one is declared here.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.bars = 0  # |...| that are open here

    @property
    def here(self) -> Token:
        """The next token."""
        return self.tokens[self.position] if self.position < len(self.tokens) else END

    def ahead(self, distance: int = 1) -> Token:
        """A token further on."""
        place = self.position + distance
        return self.tokens[place] if place < len(self.tokens) else END

    def take(self) -> Token:
        """The next token, passed over."""
        token = self.here
        self.position += 1
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these signs or commands."""
        return self.here.text in texts and self.here.kind in ("sign", "command")

    def accept(self, *texts: str) -> bool:
        """Pass over the next token if it is one of these; whether it was."""
        if self.at(*texts):
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Pass over the next token, which must be this one."""
        if not self.accept(text):
            raise Unreadable(f"{text!r} is missing")

    # Looser levels

    def listing(self) -> Node:
        """Items parted by commas, "and" or "or" (`lists`)."""
        raise NotImplementedError

    def labelled(self) -> Node:
        """A relation, maybe behind a label in words or a set in words (`lists`)."""
        raise NotImplementedError

    def relation(self) -> Node:
        """One relation, or what stands without one (`lists`)."""
        raise NotImplementedError

    def holds_condition(self) -> bool:
        """Whether the bracket that opens here holds a condition rather than a factor (`lists`)."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Terms with signs between (`arithmetic`)."""
        raise NotImplementedError

    def product(self) -> Node:
        """Factors, with a unit behind them (`arithmetic`)."""
        raise NotImplementedError

    def factor(self) -> Node:
        """An atom with its powers and the signs behind it (`arithmetic`)."""
        raise NotImplementedError

    def starts_factor(self) -> bool:
        """Whether a factor can start here (`arithmetic`)."""
        raise NotImplementedError

    def adjacent(self, left: Node) -> Node:
        """A factor without a sign before it (`arithmetic`)."""
        raise NotImplementedError

    def postfix(self, node: Node) -> Node:
        """The node with the signs behind it: factorials, primes, per cent (`arithmetic`)."""
        raise NotImplementedError

    def atom(self) -> Node:
        """The smallest whole (`commands`)."""
        raise NotImplementedError

    def numeral(self) -> Node:
        """A number, maybe with its base (`names`)."""
        raise NotImplementedError

    def based(self, digits: str) -> Node:
        """Digits with the base that follows them (`names`)."""
        raise NotImplementedError
