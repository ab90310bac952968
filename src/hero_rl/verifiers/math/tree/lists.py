"""The loosest levels: lists of relations between sets, ratios and sums, with labels before and qualifiers behind."""

from __future__ import annotations

from itertools import permutations

from hero_rl.verifiers.math.tree.arithmetic import Arithmetic
from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.formulas import (
    UNNAMED,
    Based,
    Call,
    Negative,
    Node,
    Number,
    Product,
    Qualified,
    Quantity,
    Ratio,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Words,
    is_proposition,
    symbols,
)
from hero_rl.verifiers.math.tree.number_words import COUNTING
from hero_rl.verifiers.math.tree.numerals import is_whole
from hero_rl.verifiers.math.tree.spelled_sets import class_of, is_multiples_of, spelled_set
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable
from hero_rl.verifiers.math.tree.units import CHANGES
from hero_rl.verifiers.math.tree.vocabulary import CONNECTORS, GREEK, NUMBER_SETS, QUALIFIERS, RELATIONS, SET_OPERATIONS

__all__ = ["Lists"]

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
        items, conditions, joint, start, mixed = [], [], "", self.position, False
        connectors: list[str] = []
        while True:
            kind = self.at_permutations() if items else ""
            item = self.item(conditions) if not kind else None
            items = _permuted(items, kind) if kind else items
            if item is not None:
                items.append(item)
            connector = self.connector()
            if connector is None:
                break
            joint = joint or connector
            connectors.append(connector)
            mixed = mixed or {joint, connector} == {"and", "or"}
            if self.here is END or self.at(")", "]", "}", "rbrace", ";"):
                break
        if mixed and all(map(is_proposition, items)):
            raise Unreadable("letters joined by and, then by or")
        items = _cases_of_or(items, connectors)
        items, apart = _conditions_apart(items, joint)
        if not items or items == [_ELLIPSIS]:
            raise Unreadable("no item")
        items = _spread_labels(items)
        if any(token.text.lower() == "respectively" for token in self.tokens[start : self.position]):
            joint = "respectively"
        node = Sequence("list", tuple(items), opening="" if joint == "," else joint) if len(items) > 1 else items[0]
        conditions += [condition for condition in apart if condition not in conditions]
        return Qualified(node, tuple(conditions)) if conditions else node

    def at_permutations(self) -> str:
        """Pass over "all its permutations" at the end of an item; "all", "cyclic", or nothing where it is not there."""
        words: list[str] = []
        while self.ahead(len(words)).kind == "word":
            words.append(self.ahead(len(words)).text.lower())
        if not {"permutation", "permutations"} & set(words) or not set(words) <= _OF_PERMUTATIONS:
            return ""
        if not self.ends_item(len(words)):
            return ""
        self.position += len(words)
        return "cyclic" if "cyclic" in words else "all"

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
        if self.at("ldots") and self.ends_item(1):
            self.take()
            return _ELLIPSIS
        if self.here.kind == "word" and self.here.text.lower() in ("only", "exactly", "both"):
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
            elif self.at("(") and self.ahead().text.lower() in _ABOUT:
                node = Relation((node, self.about()), ("~",))
            elif self.at("(") and self.ahead().text.lower() in COUNTING:
                self.restated(node)
            elif is_whole(node) and self.states_base():
                node = self.in_base(str(node.value))
            elif self.at_qualifier() and not isinstance(node, Words):
                self.qualifier(conditions)
            elif self.here.kind == "word" and self.here.text.lower() == "only":
                self.take()
            elif [self.ahead(step).text.lower() for step in range(3)] in (
                ["is", "the", "only"],
                ["are", "the", "only"],
            ):
                self.position += 4  # "is the only solution"
            else:
                return node

    def about(self) -> Node:
        """The rounded value in a bracket: "(about 18.9 cards)"."""
        self.take()
        self.take()
        node = self.product()
        self.expect(")")
        return node.value if isinstance(node, Quantity) else node

    def restated(self, node: Node) -> None:
        """Pass over the same number in words in a bracket: "23 (twenty-three)"."""
        self.take()
        said = self.listing()
        self.expect(")")
        if said != node:
            raise Unreadable("two numbers")

    def states_base(self) -> bool:
        """Whether "base 5", "in base 5" or "(base 5)" follows."""
        skipped = 0
        while self.ahead(skipped).text in ("(", "in"):
            skipped += 1
        return skipped <= 2 and self.ahead(skipped).text == "base" and self.ahead(skipped + 1).kind == "number"

    def in_base(self, digits: str) -> Node:
        """Digits with the base that is stated behind them."""
        bracket = self.accept("(")
        while self.here.kind == "word":
            self.take()
        base = self.numeral()
        if bracket:
            self.expect(")")
        if not is_whole(base) or not 2 <= base.value <= 36:
            raise Unreadable("no base")
        return Based(digits, int(base.value))

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
        if kind == "integers" and not letters:
            raise Unreadable("integers of no letter")
        if kind:
            conditions += [Relation((Symbol(letter), Symbol(kind)), ("in",)) for letter in letters]

    def ends_item(self, distance: int = 0) -> bool:
        """Whether an item ends here, or that far on."""
        token = self.ahead(distance)
        return token is END or (token.kind != "number" and token.text.lower() in _ENDS_ITEM)

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
        self.skip_announcement()
        self.skip_kind()
        spoken = self.spoken_set()
        if spoken is not None:
            return spoken
        if (change := self.change_before()) is not None:
            return Quantity(self.sum(), change)
        if (end := self.extreme_before()) is not None:
            return Relation((end, self.relation()), ("=",))
        words = self.words_before(":", "=")
        if words is None:
            return self.with_parity(self.relation())
        self.take()
        return Relation((Words(words), self.relation()), ("=",))

    def skip_announcement(self) -> None:
        """Pass over "the answer is" or "the area is" before a value, inside of a frame, too.

        Safe: the noun is neither one of two ends nor a share or a multiple of what is asked, so the value stays.
        """
        words: list[str] = []
        while self.ahead(len(words)).kind == "word" and len(words) < _MOST_OF_EXTREMES:
            words.append(self.ahead(len(words)).text.lower())
        if " ".join(words) in _ANNOUNCEMENTS and self.ahead(len(words)) is not END:
            self.position += len(words)

    def skip_kind(self) -> None:
        """Pass over the word for what follows: "the point (0, 1)", "the line y = x".

        Safe: a noun of this kind says what the formula behind it is, and is followed by that formula alone.
        """
        count = 1 if self.here.text.lower() in ("the", "a") and self.here.kind == "word" else 0
        noun = self.ahead(count)
        after = self.ahead(count + 1)
        if noun.kind != "word" or noun.text.lower() not in _KINDS | _RATIOS:
            return
        if (
            (noun.text.lower() in _RATIOS and after.kind == "number")
            or after.text in ("(", "[")
            or (noun.text.lower() in _CURVES and after.kind in ("letter", "number"))
        ):
            self.position += count + 1

    def spoken_set(self) -> Node | None:
        """Words for a set, with the letter or the inequality that follows: "all integers n >= 2", "all odd n"."""
        place, words = self.position, []
        while self.ahead(len(words)).kind == "word" and self.ahead(len(words)).text.lower() not in CONNECTORS:
            words.append(self.ahead(len(words)).text)
        if words[:1] == ["all"] and len(words) == 1 and self.ahead().kind == "letter":
            self.take()
            node = self.relation()
            if self.at_exception() and isinstance(node, Symbol) and node.name in _REAL_LETTERS:
                return Relation((node, self.without_exceptions(Symbol("reals"))), ("in",))
            return node
        if is_multiples_of(" ".join(words)) and self.ahead(len(words)).kind == "number":
            self.position += len(words)
            return self.multiples()
        letter = Symbol(words.pop()) if len(words) > 1 and len(words[-1]) == 1 else None
        except_ = len(words) > 1 and words[-1].lower() in ("except", "but")
        found = spelled_set(" ".join(words[:-1] if except_ else words)) if words else None
        if found is None:
            return None
        self.position = place + len(words) + (letter is not None and not self.is_related(place + len(words)))
        if except_:
            return SetOperation("difference", found.node(), self.excepted())
        if letter is None and self.here.kind != "letter" and not self.at(*_ORDER_SIGNS):
            return found.node()
        node = self.relation() if letter is None or self.here.kind == "word" else letter
        if isinstance(node, Symbol) and self.at_exception():
            return Relation((node, self.without_exceptions(found.node())), ("in",))
        if isinstance(node, Symbol):
            return found.of(node)
        narrowed = isinstance(node, Relation) and isinstance(node.members[0], Symbol) and found.remainder is None
        if not narrowed or not isinstance(node, Relation):
            raise Unreadable("a set in words with more conditions")
        return Qualified(node, (found.of(node.members[0]),)) if found.base != "reals" or found.part else node

    def at_exception(self) -> bool:
        """Whether "except" or "but" stands here."""
        return self.here.kind == "word" and self.here.text.lower() in ("except", "but")

    def without_exceptions(self, whole: Node) -> Node:
        """A set without the numbers that stand behind "except"."""
        self.take()
        return SetOperation("difference", whole, self.excepted())

    def multiples(self) -> Node:
        """The multiples of a whole number, which must end the item."""
        divisor = self.numeral()
        if not is_whole(divisor) or divisor.value < 1 or not self.ends_item():
            raise Unreadable("multiples of no whole number")
        return class_of(0, int(divisor.value))

    def is_related(self, place: int) -> bool:
        """Whether a relation's sign follows the token at a place."""
        after = self.tokens[place + 1] if place + 1 < len(self.tokens) else END
        return after.kind in ("sign", "command") and after.text in RELATIONS

    def excepted(self) -> Node:
        """The numbers behind "except" as a set."""
        content = self.listing()
        items = content.items if isinstance(content, Sequence) and content.kind in ("list", "set") else (content,)
        return Sequence("set", tuple(_value(item) for item in items), "{", "}")

    def with_parity(self, node: Node) -> Node:
        """`n is odd`, `n even`, as a class of remainders."""
        words = [token.text.lower() for token in (self.here, self.ahead()) if token.kind == "word"]
        if not isinstance(node, Symbol) or not symbols(node) or not words:
            return node
        if (spoken := self.spoken_membership(node)) is not None:
            return spoken
        said = words[1:2] if words[0] in ("is", "are", "be") else words[:1]
        if said not in (["odd"], ["even"]):
            return node
        self.position += len(words) if words[0] in ("is", "are", "be") else 1
        found = class_of(int(said == ["odd"]), 2)
        return Qualified(Relation((node, found.value), ("=",)), found.conditions)

    def spoken_membership(self, letter: Node) -> Node | None:
        """`x can be any real number`: a letter, a verb and words for a set; None where anything else follows.

        Safe: the words must name the set and nothing more, up to the end of the item.
        """
        words: list[str] = []
        while self.ahead(len(words)).kind == "word":
            words.append(self.ahead(len(words)).text.lower())
        for verb in (["can", "be"], ["may", "be"], ["is"]):
            rest = words[len(verb) :]
            is_said = words[: len(verb)] == verb and rest[:1] in (["any"], ["a"], ["an"]) and self.ends_item(len(words))
            found = spelled_set(" ".join(rest[1:])) if is_said and len(rest) > 1 else None
            if found is not None:
                self.position += len(words)
                return found.of(letter)
        return None

    def change_before(self) -> str | None:
        """Pass over "a loss of" or "increase of" before an amount; the word that says which way it goes.

        Safe: that word stays part of the answer.
        """
        letters = [self.here.text.lower(), self.ahead().text]
        count = 2 if letters == ["a", "n"] else 1 if letters[0] in ("a", "an") else 0
        change = self.ahead(count).text.lower()
        is_said = change in CHANGES and self.ahead(count + 1).text.lower() == "of"
        if not is_said or self.ahead(count + 2).kind != "number":
            return None
        self.position += count + 2
        return change

    def extreme_before(self) -> Words | None:
        """Pass over "maximum value", "min" or "least value is" before a number; the words of the end that they name.

        Safe: which end it is stays part of the answer.
        """
        count, said = 0, list[str]()
        while self.ahead(count).text.lower() in _OF_EXTREMES and len(said) < _MOST_OF_EXTREMES:
            said.append(self.ahead(count).text.lower())
            count += 1
        name = " ".join(word for word in said if word not in ("the", "is", ":", "=", "of"))
        if name not in _EXTREMES or not (self.ahead(count).kind == "number" or self.ahead(count).text == "-"):
            return None
        self.position += count
        return Words(name)

    def words_before(self, *ends: str) -> str | None:
        """The words from here to one of these signs, passed over; None where anything else stands between."""
        place, words = self.position, []
        while place < len(self.tokens) and self.tokens[place].kind in ("word", "number"):
            words.append(self.tokens[place].text.lower())
            place += 1
        end = self.tokens[place] if place < len(self.tokens) else END
        if (
            words
            and not words[0][0].isdigit()
            and _DENYING.isdisjoint(words)
            and end.kind == "sign"
            and end.text in ends
        ):
            self.position = place
            return " ".join(words)
        return None

    # Relations and sets

    def relation(self) -> Node:
        """One relation, or what stands without one."""
        if self.at("approx", "sim") or (self.here.kind == "word" and self.here.text.lower() in _ABOUT):
            self.take()
        members, operators = [UNNAMED if self.at(*_ORDER_SIGNS) else self.sets()], []
        while self.here.kind in ("sign", "command") and self.here.text in RELATIONS:
            operators.append(RELATIONS[self.take().text])
            member = self.sets()
            plain = operators[-1] == "in" and isinstance(member, Symbol) and member.name in _PLAIN_SETS
            members.append(Symbol(_PLAIN_SETS[member.name]) if plain and isinstance(member, Symbol) else member)
        node = Relation(tuple(members), tuple(operators)) if operators else members[0]
        if self.at("equiv", "pmod", "bmod", "mod") or (self.at("(") and self.ahead().text in ("mod", "bmod")):
            return self.congruence(node)
        return self.divisibility(node) if self.at("mid", "|") and not self.bars else node

    def congruence(self, left: Node) -> Node:
        """`n = 1 (mod 4)`, `n = 1, 3 mod 5`, or the class alone, as families of whole numbers."""
        classes = [left]
        label = None
        if self.accept("equiv"):
            label, classes = left, [self.sets()]
        while self.at(",") and label is not None and self.has_modulus_ahead():
            self.take()
            classes.append(self.sets())
        modulus = self.modulus()
        family = Symbol("k")
        forms: list[Node] = []
        for remainder in classes:
            form = Sum((remainder, Product((modulus, family))))
            forms.append(form if label is None else Relation((label, form), ("=",)))
        node = forms[0] if len(forms) == 1 else Sequence("list", tuple(forms))
        return Qualified(node, (Relation((family, Symbol("integers")), ("in",)),))

    def has_modulus_ahead(self) -> bool:
        """Whether a modulus follows the list of remainders that goes on here, and no other relation before it."""
        for token in self.tokens[self.position : self.position + _LONGEST_CONDITION]:
            if token.text in ("pmod", "bmod", "mod"):
                return True
            if token.text in RELATIONS or token.text == "equiv" or token.text.lower() in CONNECTORS:
                return False
        return False

    def modulus(self) -> Node:
        """The number behind "mod", in or out of brackets."""
        bracket = self.accept("(")
        if not self.accept("pmod", "bmod", "mod"):
            raise Unreadable("a congruence without its modulus")
        node = self.script()
        if bracket:
            self.expect(")")
        if not is_whole(node) or node.value < 2:
            raise Unreadable("a modulus that is no number")
        return node

    def divisibility(self, divisor: Node) -> Node:
        """`3 | n` as the multiples of 3."""
        self.take()
        letter = self.sets()
        if not is_whole(divisor) or divisor.value < 2 or not isinstance(letter, Symbol):
            raise Unreadable("a bar")
        form = Relation((letter, Product((divisor, Symbol("k")))), ("=",))
        return Qualified(form, (Relation((Symbol("k"), Symbol("integers")), ("in",)),))

    def sets(self) -> Node:
        """Unions, intersections and differences."""
        node = self.ratio()
        if isinstance(node, Sum) and (difference := _set_difference(node)) is not None:
            node = difference
        while self.here.kind == "command" and self.here.text in SET_OPERATIONS:
            node = SetOperation(SET_OPERATIONS[self.take().text], node, self.ratio())
        return node

    def at_ratio_word(self, term: Node) -> bool:
        """Whether "to" stands between two numbers: 3 to 4."""
        said = self.here.kind == "word" and self.here.text.lower() == "to"
        return said and isinstance(term, Number) and self.ahead().kind == "number" and self.ends_item(2)

    def ratio(self) -> Node:
        """Terms with colons between."""
        terms = [self.sum()]
        while (self.at(":") and not self.bars) or self.at_ratio_word(terms[-1]):
            self.take()
            terms.append(self.sum())
        return Ratio(tuple(terms)) if len(terms) > 1 else terms[0]


_PERMUTATION_WORDS = """
all any its their the of them these this cyclic permutation permutations other
"""
_OF_PERMUTATIONS = frozenset(_PERMUTATION_WORDS.split())
_MOST_PERMUTED = 4


def _permuted(items: list[Node], kind: str) -> list[Node]:
    """The tuples of a list in all the orders that "and permutations" means, each once.

    Safe: the words say so; each order is an item of its own, so that one that is missing is missed.
    """
    found: list[Node] = []
    for item in items:
        if not isinstance(item, Sequence) or item.kind != "tuple" or len(item.items) > _MOST_PERMUTED:
            raise Unreadable("permutations of what is no tuple")
        turned = [item.items[place:] + item.items[:place] for place in range(len(item.items))]
        for order in turned if kind == "cyclic" else permutations(item.items):
            one = Sequence("tuple", tuple(order), item.opening, item.closing)
            if one not in found:
                found.append(one)
    return found


def _cases_of_or(items: list[Node], connectors: list[str]) -> list[Node]:
    """`x = 1, y = 2 or x = 2, y = 1` as the two points that it names; other lists as they are.

    Safe: each of the cases names the same letters, each of them once, so that "or" can part nothing else.
    """
    if "or" not in connectors or set(connectors) == {"or"} or len(items) - len(connectors) not in (0, 1):
        return items
    cases: list[list[Node]] = [[]]
    for index, item in enumerate(items):
        cases[-1].append(item)
        if index < len(connectors) and connectors[index] == "or":
            cases.append([])
    points: list[Node] = []
    for case in cases:
        named = {
            item.members[0].name: item.members[1]
            for item in case
            if isinstance(item, Relation) and item.operators == ("=",) and isinstance(item.members[0], Symbol)
        }
        if len(named) < max(2, len(case)):
            return items
        labels = tuple(map(Symbol, sorted(named)))
        values = tuple(named[label.name] for label in labels)
        points.append(Relation((Sequence("tuple", labels, "(", ")"), Sequence("tuple", values, "(", ")")), ("=",)))
    same = len({point.members[0] for point in points if isinstance(point, Relation)}) == 1
    return points if same else items


def _as_tuple(group: Node) -> Node:
    if isinstance(group, Sequence) and group.kind == "list":
        return Sequence("tuple", group.items, "(", ")")
    return group


_NEUTRAL_NOUNS = """
answer result value sum product area volume length distance probability total number perimeter difference quotient
angle height width radius diameter speed price cost mass weight ratio coefficient determinant limit
"""
_ANNOUNCEMENTS = frozenset(
    f"{opening}{noun} is"
    for opening in ("", "the ", "final ", "the final ", "correct ", "the correct ")
    for noun in _NEUTRAL_NOUNS.split()
)
_DENYING = frozenset({"not", "no", "never", "cannot", "except", "without", "but", "neither", "nor"})
_ENDS = ("max", "min", "maximum", "minimum", "greatest", "least", "largest", "smallest")
_EXTREMES = frozenset({*_ENDS[:4], *(f"{end} value" for end in _ENDS)})
_OF_EXTREMES = frozenset({*_ENDS, "value", "the", "is", "of", ":", "="})
_MOST_OF_EXTREMES = 6
_ORDER_SIGNS = ("<", ">", "<=", ">=", "le", "ge")
_CURVES = frozenset({"line", "circle", "ellipse", "parabola", "hyperbola", "plane", "curve", "equation", "sphere"})
_KINDS = _CURVES | {"point", "points", "interval", "intervals", "vector", "pair", "pairs", "triple", "triples"}
_RATIOS = frozenset({"ratio", "odds"})
_REAL_LETTERS = frozenset("xyzt")
_PLAIN_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
_ABOUT = frozenset({"about", "approximately", "approx", "roughly", "approx."})
_LONGEST_CONDITION = 60
_ENDS_ITEM = frozenset({",", ";", ")", "]", "}", "rbrace", "&", *CONNECTORS})
_ELLIPSIS = Symbol("ellipsis")
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
    if not rest or not all(_is_narrowing(item) and symbols(item) <= inside for item in rest):
        return items, []
    if all(_is_membership(item) for item in rest):
        return mains, rest
    if joint == "or":
        return items, []
    values = {name for item in mains for name in symbols(_value(item))}
    bound = all(_is_membership(item) or symbols(item) <= values for item in rest)
    return (mains, rest) if bound and not any(_is_condition(item) for item in mains) else (items, [])


def _set_difference(node: Sum) -> Node | None:
    """A number set minus a set in braces, which is written like a sum."""
    first, *rest = node.terms
    if len(rest) != 1 or not isinstance(first, Symbol) or not first.name.startswith(tuple(NUMBER_SETS)):
        return None
    taken = rest[0].value if isinstance(rest[0], Negative) else None
    is_set = isinstance(taken, Sequence) and taken.kind == "set"
    return SetOperation("difference", first, taken) if is_set and taken is not None else None


def _value(item: Node) -> Node:
    named = isinstance(item, Relation) and isinstance(item.members[0], (Symbol, Call))
    return item.members[-1] if named and isinstance(item, Relation) else item


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
    if len(items) > 2 and _is_membership(first) and items[1:2] != [_ELLIPSIS]:
        return [first, *_spread_labels(items[1:])]  # x in R, x != 0, 1
    if len(items) < 2 or not isinstance(first, Relation) or first.operators not in (("=",), ("!=",)):
        return items
    if any(isinstance(item, Relation) for item in items[1:]):
        return items
    label, operators = first.members[0], first.operators
    return [first, *(item if item == _ELLIPSIS else Relation((label, item), operators) for item in items[1:])]
