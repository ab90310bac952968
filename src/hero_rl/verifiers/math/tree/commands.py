"""Atoms: what a command of LaTeX, a letter, a number or a bracket stands for."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.tree.calls import Calls
from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.formulas import (
    Call,
    Matrix,
    Node,
    Number,
    Qualified,
    Quotient,
    Relation,
    Repeated,
    Sequence,
    Symbol,
)
from hero_rl.verifiers.math.tree.functions import FUNCTIONS
from hero_rl.verifiers.math.tree.numerals import read_number
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable
from hero_rl.verifiers.math.tree.vocabulary import CONNECTORS, CONSTANTS, GREEK, MARKS, NUMBER_SETS

__all__ = ["Commands"]

_MATRICES = frozenset({"pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"})

_BEFORE_CONDITION = frozenset({"if", "for", "when", "where", "and"})


class Commands(Calls):
    """The smallest wholes, commands with their arguments among them."""

    def atom(self) -> Node:
        """The smallest whole."""
        token = self.here
        if token.kind == "number":
            return self.numeral()
        if token.kind == "letter":
            self.take()
            return self.named(token.text)
        if token.kind == "word":
            return self.word()
        if self.at("{"):
            return self.group()
        if self.at("(", "["):
            return self.bracketed()
        if self.at("|"):
            return self.absolute()
        if token.kind == "command":
            return self.command()
        raise Unreadable(
            f"{token.text!r} where a value should stand" if token is not END else "the end where a value should stand"
        )

    def command(self) -> Node:
        """What a command stands for, with its arguments."""
        name = self.take().text
        if name in CONSTANTS:
            return Symbol(CONSTANTS[name])
        if name in NUMBER_SETS:
            return self.number_set(name)
        if name in GREEK:
            return self.named(name)
        if name in FUNCTIONS:
            return self.function(name)
        reader = _READERS.get(name)
        if reader is not None:
            return reader(self)
        if name in MARKS or name in ("angle", "triangle"):
            return self.marked(name)
        raise Unreadable(f"\\{name}")

    def fraction(self) -> Node:
        """A fraction."""
        top = self.fraction_part()
        return Quotient(top, self.fraction_part())

    def fraction_part(self) -> Node:
        """A group, or one digit or letter, as in frac12."""
        if self.at("{"):
            return self.group()
        token = self.here
        if token.kind == "number" and len(token.text) > 1 and token.text.isdigit():
            self.tokens[self.position : self.position + 1] = [Token("number", digit) for digit in token.text]
            return read_number(self.take().text)
        if token.kind == "letter":
            return Symbol(self.take().text)
        return self.atom()

    def root(self) -> Node:
        """A root with its degree."""
        degree: Node = Number(Fraction(2))
        if self.at("["):
            degree = self.bracketed()
        radicand = self.group() if self.at("{") else self.bracketed() if self.at("(") else self.atom()
        return Call("root", (radicand, degree))

    def negation(self) -> Node:
        """What is not so."""
        return Call("neg", (self.factor(),))

    def binomial(self) -> Node:
        """A binomial coefficient."""
        return Call("binomial", (self.fraction_part(), self.fraction_part()))

    def sum_over(self) -> Node:
        """A sum over consecutive integers."""
        return self.repeated("sum")

    def product_over(self) -> Node:
        """A product over consecutive integers."""
        return self.repeated("product")

    def repeated(self, kind: str) -> Node:
        """The variable, its ends and the body of a sum or a product."""
        self.expect("_")
        low = self.group()
        self.expect("^")
        high = self.script()
        if not (isinstance(low, Relation) and low.operators == ("=",) and isinstance(low.members[0], Symbol)):
            raise Unreadable("a sum without its variable")
        return Repeated(kind, low.members[0], low.members[1], high, self.product())

    def environment(self) -> Node:
        """A matrix, a system of equations, or cases with conditions."""
        name = "".join(self.take().text for _ in iter(lambda: self.at("}") or self.here is END, True))
        name = name.lstrip("{")
        self.expect("}")
        if name not in _MATRICES and name != "cases":
            raise Unreadable(f"environment {name}")
        if name == "array":
            self.skip_columns()
        rows = self.cases() if name == "cases" else self.rows()
        for text in ("end", "{"):
            self.expect(text)
        while not self.at("}") and self.here is not END:
            self.take()
        self.expect("}")
        if name != "cases":
            return Matrix(rows)
        if len(rows[0]) > 1:
            return Sequence("cases", tuple(Qualified(row[0], row[1:]) for row in rows))
        return Sequence("list", tuple(row[0] for row in rows))

    def skip_columns(self) -> None:
        """Pass over an array's columns."""
        self.expect("{")
        while not self.accept("}"):
            if self.take() is END:
                raise Unreadable("an array without columns")

    def cases(self) -> tuple[tuple[Node, ...], ...]:
        """Rows of a value and the conditions on which it holds; either all have conditions or none has."""
        rows: list[tuple[Node, ...]] = []
        bars, self.bars = self.bars, 0
        while not self.at("end"):
            row = [self.relation()]
            self.accept(",", ";")
            if self.accept("&"):
                row += self.conditions()
            self.accept(",", ";", ".")
            rows.append(tuple(row))
            if not self.accept("\\"):
                break
        self.bars = bars
        if not rows or len({len(row) > 1 for row in rows}) > 1:
            raise Unreadable("cases with and without conditions")
        return tuple(rows)

    def conditions(self) -> list[Node]:
        """Conditions parted by commas or "and", behind "if" or none."""
        found: list[Node] = []
        while True:
            while self.here.kind == "word" and self.here.text.lower() in _BEFORE_CONDITION:
                self.take()
            condition = [self.labelled()]
            while CONNECTORS.get(self.here.text) == "or":
                self.take()
                condition.append(self.labelled())
            found.append(condition[0] if len(condition) == 1 else Sequence("list", tuple(condition), "or"))
            goes_on = self.at(",") and self.ahead().text not in ("\\", "end", "")
            if not goes_on and CONNECTORS.get(self.here.text) != "and":
                return found
            self.take()

    def rows(self) -> tuple[tuple[Node, ...], ...]:
        """Rows of cells of one length."""
        rows: list[tuple[Node, ...]] = []
        bars, self.bars = self.bars, 0
        while not self.at("end"):
            cells = [self.relation()]
            while self.accept("&"):
                cells.append(self.relation())
            rows.append(tuple(cells))
            if not self.accept("\\"):
                break
        self.bars = bars
        if not rows or len({len(row) for row in rows}) > 1:
            raise Unreadable("rows of different lengths")
        return tuple(rows)


_READERS = {
    "frac": Commands.fraction,
    "sqrt": Commands.root,
    "binom": Commands.binomial,
    "neg": Commands.negation,
    "lfloor": Commands.floor,
    "lceil": Commands.ceiling,
    "langle": Commands.angled,
    "lbrace": Commands.curly,
    "sum": Commands.sum_over,
    "prod": Commands.product_over,
    "begin": Commands.environment,
}
