"""Numbers in several units: hours with minutes, feet with inches, degrees with minutes and seconds of arc."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.tree.commands import Commands
from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.dimensions import is_step, times_larger
from hero_rl.verifiers.math.tree.formulas import Degrees, Node, Number, Quantity, Sequence
from hero_rl.verifiers.math.tree.numerals import is_whole, read_number
from hero_rl.verifiers.math.tree.tokens import Token
from hero_rl.verifiers.math.tree.units import named_unit

__all__ = ["Measures"]

_BEHIND_MINUTES = frozenset({",", ";", ")", "]", "}", "rbrace", "and", "or"})


class Measures(Commands):
    """What stands behind a number and goes on with a smaller unit."""

    def at_steps(self, node: Node) -> bool:
        """Whether a unit stands here with a smaller one behind it, 1 h 30 min; or bare "min" at the end."""
        if not isinstance(node, Number):
            return False
        if self.at("min") and (self.ahead() is END or self.ahead().text in _BEHIND_MINUTES):
            return True
        if self.at("'"):
            return self.ahead().kind == "number" and self.ahead(2).text == '"'
        return self.ahead().kind == "number" and self.smaller_unit(_unit(self.here), self.ahead(2)) != ""

    def smaller_unit(self, unit: str, token: Token) -> str:
        """The unit that a token names behind a larger one of its kind; m behind hours is for minutes."""
        found = "min" if unit == "h" and (token.kind, token.text) == ("letter", "m") else _unit(token)
        larger = times_larger(unit, found) if unit and found else None
        return found if larger is not None and larger > 1 else ""

    def steps(self, value: Node) -> Node:
        """One measure, its units from the largest down; 5'6" is in feet and inches."""
        if self.accept("'"):
            inches = read_number(self.take().text)
            self.take()
            return Sequence("length", (Quantity(value, "ft"), Quantity(inches, "in")))
        unit = _unit(self.take())
        parts = [Quantity(value, unit)]
        while self.here.kind == "number" and (smaller := self.smaller_unit(unit, self.ahead())):
            parts.append(Quantity(read_number(self.take().text), smaller))
            self.take()
            unit = smaller
        return parts[0] if len(parts) == 1 else Sequence("length", tuple(parts))

    def with_arcs(self, angle: Degrees) -> Degrees | None:
        """Whole degrees with the minutes and seconds of arc behind them; None, and nothing passed over, without any.

        Safe: each is less than 60 and the minutes stand first, so that primes of another meaning are none of them.
        """
        found, before = Fraction(0), 0
        while is_whole(angle.value) and before < 2 and self.here.kind == "number":
            place, value = self.position, read_number(self.take().text).value
            count = self.primes()
            if not before < count <= 2 or value >= 60:
                self.position = place
                break
            found, before = found + value / 60**count, count
        return Degrees(Number(angle.value.value + found)) if before and isinstance(angle.value, Number) else None

    def primes(self) -> int:
        """How many primes stand here, passed over: ', ", and those of LaTeX."""
        count = 0
        while self.at("'", '"'):
            count += 1 if self.take().text == "'" else 2
        if not count and self.accept("^"):
            braced = self.accept("{")
            while self.accept("prime"):
                count += 1
            if braced and not self.accept("}"):
                return 0
        return count


def _unit(token: Token) -> str:
    found = named_unit(token.text) if token.kind in ("word", "letter") or token.text == "min" else ""
    return found if is_step(found) else ""
