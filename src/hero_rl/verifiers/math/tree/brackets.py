"""Brackets of every kind, and what stands high or low behind a formula."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.cursor import Cursor
from hero_rl.verifiers.math.tree.formulas import Builder, Call, Node, Sequence, Symbol, is_proposition
from hero_rl.verifiers.math.tree.numerals import is_whole, negative
from hero_rl.verifiers.math.tree.tokens import Unreadable

__all__ = ["Brackets"]


def _are_points(content: Sequence) -> bool:
    """Whether all items are tuples of two or more in round brackets."""
    return all(
        isinstance(item, Sequence) and item.kind == "tuple" and (item.opening, item.closing) == ("(", ")")
        for item in content.items
    )


_CLOSING = {"(": ")", "[": "]"}


class Brackets(Cursor):
    """What brackets hold: a group, a tuple, an interval, a set, an absolute value, a part of a power."""

    def script(self) -> Node:
        """What stands after ^ or _: a group, or a single token; a sign may stand before it."""
        if self.accept("-"):
            return negative(self.script_without_sign())
        return self.script_without_sign()

    def script_without_sign(self) -> Node:
        """A group, a numeral or an atom."""
        if self.at("{"):
            return self.group()
        if self.here.kind == "number":
            return self.numeral()
        if self.accept("circ"):
            return Symbol("circ")
        return self.atom()

    def group(self) -> Node:
        """The content of braces that only group."""
        self.expect("{")
        if self.at("circ") and self.ahead().text == "}":
            self.position += 2
            return Symbol("circ")
        bars, self.bars = self.bars, 0
        node = self.listing()
        self.bars = bars
        self.expect("}")
        return node

    def bracketed(self) -> Node:
        """Round or square brackets: grouping around one thing, a tuple or an interval around several."""
        opening = self.take().text
        bars, self.bars = self.bars, 0
        content = self.answer_inside()
        self.bars = bars
        if not self.at(")", "]"):
            raise Unreadable("a bracket that does not close")
        closing = self.take().text
        if isinstance(content, Sequence) and content.kind == "list":
            # (p and q) or r: how the letters are joined must be kept, and they are no coordinates.
            if is_proposition(content) or (opening == "[" and closing == "]" and _are_points(content)):
                return content  # a list of points in the brackets of Python
            return Sequence("tuple", content.items, opening, closing)
        if closing != _CLOSING[opening]:
            raise Unreadable("brackets that do not match")
        if self.at("_") and is_whole(content):
            return self.based(str(content.value))
        return content

    def answer_inside(self) -> Node:
        """A list inside brackets, where comma and semicolon both part components."""
        items = [self.listing()]
        while self.accept(";"):
            items.append(self.listing())
        return items[0] if len(items) == 1 else Sequence("list", tuple(items))

    def absolute(self) -> Node:
        """An absolute value between bars."""
        self.expect("|")
        self.bars += 1
        node = self.listing()
        self.bars -= 1
        self.expect("|")
        return Call("abs", (node,))

    def enclosed(self, name: str, end: str) -> Node:
        """A sum between two commands, as a function of it."""
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.bars = bars
        self.expect(end)
        return Call(name, (node,))

    def floor(self) -> Node:
        """A number rounded down."""
        return self.enclosed("floor", "rfloor")

    def ceiling(self) -> Node:
        """A number rounded up."""
        return self.enclosed("ceil", "rceil")

    def angled(self) -> Node:
        """A vector in angle brackets."""
        content = self.answer_inside()
        self.expect("rangle")
        if not isinstance(content, Sequence):
            raise Unreadable("a vector of one component")
        return Sequence("tuple", content.items, "(", ")")

    def curly(self) -> Node:
        """A set by its elements, or by a condition."""
        if self.accept("rbrace"):
            return Symbol("empty")
        self.bars += 1  # a bar here parts form and condition
        first = self.answer_inside()
        self.bars -= 1
        if self.accept("|", "mid", ":"):
            condition = self.listing()
            self.expect("rbrace")
            return Builder(first, condition)
        self.expect("rbrace")
        items = first.items if isinstance(first, Sequence) and first.kind == "list" else (first,)
        return Sequence("set", items, "{", "}")
