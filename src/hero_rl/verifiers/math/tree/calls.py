"""Named functions with their bases, powers and arguments."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.tree.formulas import Call, Node, Number, Power, Product, Quotient, Sequence, Sum, Symbol
from hero_rl.verifiers.math.tree.functions import FUNCTIONS, LOGARITHMS, TRIGONOMETRIC
from hero_rl.verifiers.math.tree.names import Names
from hero_rl.verifiers.math.tree.numerals import negative
from hero_rl.verifiers.math.tree.products import times
from hero_rl.verifiers.math.tree.tokens import Unreadable

__all__ = ["Calls"]


_OF_SETS = frozenset({"max", "min", "gcd", "lcm"})


class Calls(Names):
    """A function by name: `sin^2 x`, `log_2 8`."""

    def function(self, name: str) -> Node:
        """A named function with its base or power, and its argument."""
        exponent = base = None
        while self.at("^", "_"):
            if self.take().text == "_":
                base = self.script()
            else:
                exponent = self.script()
        argument = self.argument()
        if name in LOGARITHMS and base is not None:
            node = Call("log", (argument, base))
        elif base is not None:
            raise Unreadable(f"\\{name} with an index")
        elif (
            isinstance(argument, Sequence)
            and argument.kind != "tuple"
            and not (name in _OF_SETS and argument.kind == "set")
        ):
            raise Unreadable("a function of a set")
        elif isinstance(argument, Sequence):
            node = Call(name, argument.items)
        elif name == "cis":
            node = Sum((Call("cos", (argument,)), Product((Symbol("i"), Call("sin", (argument,))))))
        else:
            node = Call(name, (argument,))
        if exponent is None:
            return node
        if exponent == Number(Fraction(-1)):
            if name not in TRIGONOMETRIC:
                raise Unreadable("an inverse function")
            return Call("arc" + name, (argument,))
        return Power(node, exponent)

    def argument(self) -> Node:
        """What a function without brackets applies to: the factors up to a sign or the next function."""
        if self.at("(", "["):
            return self.postfix(self.bracketed())
        if self.at("{"):
            return self.group()
        if self.at("-"):
            self.take()
            return negative(self.argument())
        node = self.factor()
        while True:
            if self.at("/") and isinstance(node, (Symbol, Number)) and self.ahead().kind == "number":
                self.take()
                node = Quotient(node, self.factor())
            elif self.at("cdot", "times") and self.ahead().kind in ("letter", "number"):
                self.take()
                node = times(node, self.factor())
            elif self.starts_factor() and not self.at("(", "[", "|") and not self.starts_function():
                node = self.adjacent(node)
            else:
                return node

    def starts_function(self) -> bool:
        """Whether a named function stands here."""
        return self.here.kind == "command" and self.here.text in FUNCTIONS
