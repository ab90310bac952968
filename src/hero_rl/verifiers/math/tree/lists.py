"""The loosest levels: lists of relations between sets, ratios and sums, with labels before and qualifiers behind."""

from __future__ import annotations

from hero_rl.verifiers.math.tree.arithmetic import Arithmetic
from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.formulas import (
    Node,
    Qualified,
    Ratio,
    Relation,
    Sequence,
    SetOperation,
    Symbol,
    Words,
    symbols,
)
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable
from hero_rl.verifiers.math.tree.vocabulary import CONNECTORS, GREEK, NUMBER_SETS, QUALIFIERS, RELATIONS, SET_OPERATIONS

__all__ = ["Lists"]

# Words that a qualifier may be made of without narrowing what it qualifies: "where k is an arbitrary integer".
# Words that a qualifier may be made of without narrowing what it qualifies: "where k is an arbitrary integer".
_SAYING_NOTHING = """
for where with respectively if when whenever all any every each some integer integers real reals number numbers
arbitrary constant constants is are be being an a the and in of to
"""
_SAYS_NOTHING = frozenset(_SAYING_NOTHING.split())
_SIGNS_OF_QUALIFIERS = frozenset({"(", ")", "[", "]", "{", "}", "in", "_", ",", *NUMBER_SETS})
_INTEGERS = frozenset({"integer", "integers"})
_DECLARING = frozenset({"constant", "constants", "arbitrary", "real", "any"})
_QUANTIFIERS = frozenset({"all", "any", "every", "each", "some"})


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
        """Items parted by commas, "and" or "or", under the conditions that stand behind them."""
        items, conditions, joint, start = [], [], "", self.position
        while True:
            item = self.item(conditions)
            if item is not None:
                items.append(item)
            connector = self.connector()
            if connector is None:
                break
            joint = joint or connector
            if self.here is END or self.at(")", "]", "}", "rbrace", ";"):
                break
        items, apart = _conditions_apart(items, joint)
        if not items:
            raise Unreadable("no item")
        items = _spread_labels(items)
        if any(token.text.lower() == "respectively" for token in self.tokens[start : self.position]):
            joint = "respectively"
        node = Sequence("list", tuple(items), opening="" if joint == "," else joint) if len(items) > 1 else items[0]
        conditions += [condition for condition in apart if condition not in conditions]
        return Qualified(node, tuple(conditions)) if conditions else node

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

    def item(self, conditions: list[Node]) -> Node | None:
        """One item; what qualifies it goes to the conditions. None where only a qualifier stands."""
        if self.at_qualifier():
            self.qualifier(conditions)
            return None
        if self.here.kind == "word" and self.here.text.lower() == "only":
            self.take()
        node = self.labelled()
        while True:
            if self.at("(") and self.holds_condition():
                self.take()
                if self.at_qualifier():
                    self.qualifier(conditions)
                else:
                    inside = self.listing()
                    conditions += inside.items if isinstance(inside, Sequence) else [inside]
                self.expect(")")
            elif self.at_qualifier() and not isinstance(node, Words):
                self.qualifier(conditions)
            elif self.here.kind == "word" and self.here.text.lower() == "only":
                self.take()
            else:
                return node

    def at_qualifier(self) -> bool:
        """Whether "for", "where" or the like stands here."""
        return self.here.kind == "word" and self.here.text.lower() in QUALIFIERS

    def holds_condition(self) -> bool:
        """Whether the bracket that opens here holds a condition: an inequality, a membership or a qualifier."""
        if self.ahead().kind == "word" and self.ahead().text.lower() in QUALIFIERS:
            return True
        depth = 0
        for token in self.tokens[self.position : self.position + _LONGEST_CONDITION]:
            if token.kind in ("sign", "command"):
                depth += {"(": 1, "[": 1, "{": 1, "lbrace": 1, ")": -1, "]": -1, "}": -1, "rbrace": -1}.get(
                    token.text, 0
                )
                if depth == 0:
                    return False
                if depth == 1 and token.text in _CONDITIONING:
                    return True
        return False

    def qualifier(self, conditions: list[Node]) -> None:
        """A condition behind "for", "where", "if" or "when"; words that narrow nothing are passed over."""
        start, depth, bars = self.position, self.depth, self.bars
        words = []
        while self.here.kind == "word" and self.here.text.lower() in (QUALIFIERS | _QUANTIFIERS | _SAYS_NOTHING):
            words.append(self.take().text.lower())
        try:
            node = self.relation() if words[-1] != "respectively" else None
            if isinstance(node, Relation) and set(node.operators) != {"="} and self.ends_item():
                conditions.append(node)
                if _INTEGERS & set(words) and isinstance(node.members[0], Symbol):
                    conditions.append(Relation((node.members[0], Symbol("integers")), ("in",)))
                return
        except Unreadable:
            pass
        self.position, self.depth, self.bars = start, depth, bars
        self.skip_qualifier()
        passed = self.tokens[start : self.position]
        said = {token.text.lower() for token in passed if token.kind == "word"}
        letters = [token.text for token in passed if token.kind == "letter" or token.text in GREEK]
        kind = "integers" if said & _INTEGERS else "constants" if said & _DECLARING else ""
        if kind:
            conditions += [Relation((Symbol(letter), Symbol(kind)), ("in",)) for letter in letters]

    def ends_item(self) -> bool:
        """Whether an item ends here."""
        return (
            self.here is END or self.at(",", ";", ")", "]", "}", "rbrace", "&") or self.here.text.lower() in CONNECTORS
        )

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
            elif depth == 0 and self.at(",", ";") and not _continues(self.ahead(), self.ahead(2)):
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


_LONGEST_CONDITION = 60
_CONDITIONING = frozenset({"<", ">", "<=", ">=", "!=", "le", "ge", "ne", "in"})


def _continues(after: Token, then: Token) -> bool:
    """Whether a comma goes on with a list of letters, "where a, b are constants"."""
    return after.kind == "letter" and (then.kind == "word" or then.text == ",")


def _conditions_apart(items: list[Node], joint: str) -> tuple[list[Node], list[Node]]:
    """The items, and the conditions on their letters that stand behind them: y = 1/x, x != 0; 2k pi, k in Z.

    What says of a letter that it is a whole number is a condition on inequalities too; another inequality beside them
    is a part of the answer.
    """
    first = next((index for index, item in enumerate(items) if index and _is_narrowing(item)), len(items))
    mains, rest = items[:first], items[first:]
    inside = {name for item in mains for name in symbols(item)}
    if not rest or joint == "or" or not all(_is_narrowing(item) and symbols(item) <= inside for item in rest):
        return items, []
    if all(_is_membership(item) for item in rest):
        return mains, rest
    values = {name for item in mains for name in symbols(_value(item))}
    bound = all(_is_membership(item) or symbols(item) <= values for item in rest)
    return (mains, rest) if bound and not any(_is_condition(item) for item in mains) else (items, [])


def _value(item: Node) -> Node:
    return item.members[-1] if isinstance(item, Relation) else item


def _is_narrowing(item: Node) -> bool:
    return isinstance(item, Relation) and not set(item.operators) <= {"=", "~"}


def _is_condition(node: Node) -> bool:
    """Whether it is an inequality or an interval, which a set of numbers would narrow."""
    if isinstance(node, Relation):
        return not set(node.operators) <= {"=", "~"}
    return isinstance(node, SetOperation) or (
        isinstance(node, Sequence) and node.kind == "tuple" and len(node.items) == 2
    )


def _is_membership(node: Node) -> bool:
    """Whether it says of a letter in which set of numbers it is."""
    return (
        isinstance(node, Relation)
        and node.operators == ("in",)
        and isinstance(node.members[0], Symbol)
        and isinstance(node.members[1], Symbol)
        and node.members[1].name.startswith(tuple(NUMBER_SETS))
    )


def _spread_labels(items: list[Node]) -> list[Node]:
    """In `x = 1, 2, 3` all three are values of x; the label stays with each, unless another follows."""
    first = items[0]
    if len(items) < 2 or not isinstance(first, Relation) or first.operators != ("=",):
        return items
    if any(isinstance(item, Relation) for item in items[1:]):
        return items
    return [first, *(Relation((first.members[0], item), ("=",)) for item in items[1:])]
