"""The loosest levels: lists of relations between sets, ratios and sums, with labels before and qualifiers behind."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.arithmetic import Arithmetic
from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.formulas import Node, Ratio, Relation, Sequence, SetOperation, Symbol, Words
from hero_rl.verifiers.math.tree.tokens import Unreadable
from hero_rl.verifiers.math.tree.vocabulary import CONNECTORS, GREEK, NUMBER_SETS, QUALIFIERS, RELATIONS, SET_OPERATIONS

__all__ = ["Lists"]

# Words that a qualifier may be made of without narrowing what it qualifies: "where k is an arbitrary integer".
_SAYING_NOTHING = """
for where with respectively all any every each some integer integers real reals number numbers arbitrary
constant constants is are be being an a the and in of to
"""
_SAYS_NOTHING = frozenset(_SAYING_NOTHING.split())
_OTHER_THAN_REAL = frozenset({"integer", "integers", "naturals", "rationals", "complexes"})
_SIGNS_OF_QUALIFIERS = frozenset({"(", ")", "[", "]", "{", "}", "in", "_", *NUMBER_SETS})
_FAMILY_LETTERS = frozenset({"k", "n", "m", "l", "j", "t"})


class Lists(Arithmetic):
    """From whole answers down to ratios."""

    def answer(self) -> Node:
        """Everything: groups parted by semicolons, each a list parted by commas."""
        groups = [self.listing()]
        while self.at(";"):
            self.take()
            if self.here is not END:
                groups.append(self.listing())
        if len(groups) == 1:
            return groups[0]
        # Semicolons part solutions, the commas inside of each its components.
        return Sequence("list", tuple(_as_tuple(group) for group in groups))

    def listing(self) -> Node:
        """Items parted by commas, "and" or "or"."""
        items, joint, start = [], "", self.position
        while True:
            item = self.item()
            if item is not None:
                items.append(item)
            connector = self.connector()
            if connector is None:
                break
            joint = joint or connector
            if self.here is END or self.at(")", "]", "}", "rbrace", ";"):
                break
        items = _without_qualifiers(items)
        if not items:
            raise Unreadable("no item")
        items = _spread_labels(items)
        if len(items) == 1:
            return items[0]
        if any(token.text.lower() == "respectively" for token in self.tokens[start : self.position]):
            joint = "respectively"
        return Sequence("list", tuple(items), opening="" if joint == "," else joint)

    def connector(self) -> str | None:
        """Pass over commas, "and" and "or"; the first that says most, None where there is none."""
        found = None
        while True:
            if self.at(","):
                self.take()
                found = found or ","
            elif self.here.text.lower() in CONNECTORS and self.here.kind in ("word", "command"):
                found = CONNECTORS[self.take().text.lower()]
            elif self.at("&"):
                self.take()
                found = "and"
            else:
                return found

    def item(self) -> Node | None:
        """One item without its label's colon and without what qualifies it; None where only a qualifier stands."""
        if self.here.kind == "word" and self.here.text.lower() in QUALIFIERS:
            self.skip_qualifier()
            return None
        node = self.labelled()
        if self.here.kind == "word" and self.here.text.lower() in QUALIFIERS and not isinstance(node, Words):
            start = self.position
            self.skip_qualifier()
            said = {token.text.lower() for token in self.tokens[start : self.position]}
            if _is_condition(node) and said & _OTHER_THAN_REAL:
                raise Unreadable("a set of integers")
        return node

    def skip_qualifier(self) -> None:
        """Pass over "for all x in Z", "where k is an integer", up to the next comma outside of brackets.

        Only words and signs that do not narrow a solution are passed over; a number or a condition is none of them.
        """
        depth = 0
        while self.here is not END:
            if self.at("(", "[", "{", "lbrace"):
                depth += 1
            elif self.at(")", "]", "}", "rbrace"):
                depth -= 1
                if depth < 0:
                    return
            elif depth == 0 and self.at(",", ";"):
                return
            token = self.take()
            if (token.kind == "word" and token.text.lower() not in _SAYS_NOTHING) or token.kind == "number":
                raise Unreadable(f"a condition: {token.text!r}")
            if token.kind in ("sign", "command") and token.text not in _SIGNS_OF_QUALIFIERS and token.text not in GREEK:
                raise Unreadable(f"a condition: {token.text!r}")

    def labelled(self) -> Node:
        """A relation, maybe behind a label in words: `Minimum: 1`, `Sequence 1: ...`, `maximum = 2`."""
        words = self.words_before(":", "=")
        if words is None:
            return self.relation()
        self.take()
        return Relation((Words(words), self.relation()), ("=",))

    def words_before(self, *ends: str) -> str | None:
        """The words from here to one of these signs, passed over; None where anything else stands between."""
        place, words = self.position, []
        while place < len(self.tokens) and self.tokens[place].kind in ("word", "number"):
            words.append(self.tokens[place].text.lower())
            place += 1
        end = self.tokens[place] if place < len(self.tokens) else END
        if words and not words[0][0].isdigit() and end.kind == "sign" and end.text in ends:
            self.position = place
            return " ".join(words)
        return None

    # Relations and sets

    def relation(self) -> Node:
        """One relation, or what stands without one."""
        if self.at("approx", "sim"):
            self.take()
        members, operators = [self.sets()], []
        while self.here.kind in ("sign", "command") and self.here.text in RELATIONS:
            operators.append(RELATIONS[self.take().text])
            members.append(self.sets())
        return Relation(tuple(members), tuple(operators)) if operators else members[0]

    def sets(self) -> Node:
        """Unions, intersections and differences."""
        node = self.ratio()
        while self.here.kind == "command" and self.here.text in SET_OPERATIONS:
            node = SetOperation(SET_OPERATIONS[self.take().text], node, self.ratio())
        return node

    def ratio(self) -> Node:
        """Terms with colons between."""
        terms = [self.sum()]
        while self.at(":") and not self.bars:
            self.take()
            terms.append(self.sum())
        return Ratio(tuple(terms)) if len(terms) > 1 else terms[0]


def _as_tuple(group: Node) -> Node:
    if isinstance(group, Sequence) and group.kind == "list":
        return Sequence("tuple", group.items, "(", ")")
    return group


def _without_qualifiers(items: list[Node]) -> list[Node]:
    """Without memberships in the integers behind the first item: the k in Z of a family, which goes without saying."""
    if any(_is_condition(item) and not _is_membership(item) for item in items):
        return items
    return [item for index, item in enumerate(items) if index == 0 or not _is_membership(item)]


def _is_condition(node: Node) -> bool:
    """Whether it is an inequality or an interval, which a set of numbers would narrow."""
    if isinstance(node, Relation):
        return not set(node.operators) <= {"=", "~"}
    return isinstance(node, SetOperation) or (
        isinstance(node, Sequence) and node.kind == "tuple" and len(node.items) == 2
    )


def _is_membership(node: Node) -> bool:
    return (
        isinstance(node, Relation)
        and node.operators == ("in",)
        and isinstance(node.members[0], Symbol)
        and node.members[0].name in _FAMILY_LETTERS
        and node.members[1] == Symbol("integers")
    )


def _spread_labels(items: list[Node]) -> list[Node]:
    """In `x = 1, 2, 3` all three are values of x; the label stays with each, unless another follows."""
    first = items[0]
    if len(items) < 2 or not isinstance(first, Relation) or first.operators != ("=",):
        return items
    if any(isinstance(item, Relation) for item in items[1:]):
        return items
    return [first, *(Relation((first.members[0], item), ("=",)) for item in items[1:])]
