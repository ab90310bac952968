r"""Respelled LaTeX as a flat list of tokens.

A run of letters is a word (`dollars`), the name of a function (`sin`) or a product of variables (`xy`); inside
`\text{}` it is always a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hero_rl.verifiers.math.tree.functions import FUNCTIONS, SYNONYMS
from hero_rl.verifiers.math.tree.units import is_symbol, is_unit

__all__ = ["Token", "Unreadable", "tokenize"]

MAX_TOKENS = 1500


class Unreadable(Exception):
    """The text is no answer that can be read, or too deep or too long a one."""


@dataclass(frozen=True)
class Token:
    r"""One token.

    Attributes:
        kind: "number", "letter", "word", "command" or "sign".
        text: as it stands; a command without its backslash.
        prose: whether it stands in `\\text{}`.
        spaced: whether white space stands before it.
    """

    kind: str
    text: str
    prose: bool = False
    spaced: bool = False


_PROSE_COMMANDS = {
    "text",
    "mathrm",
    "textrm",
    "textbf",
    "textit",
    "mbox",
    "textnormal",
    "mathsf",
    "textsf",
    "operatorname",
}
_BLACKBOARD = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}

_BRACKETS = {"{": "lbrace", "}": "rbrace", "|": "norm"}

_PATTERN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<dotted>\d*\.\d*\\dot\s*\{?\d\}?\d*\\dot\s*\{?\d\}?)"
    r"|(?P<periodic>(?<![\w)}])\d+\.\d*\(\d{1,20}\)(?=\s*(?:$|[,;])))"
    r"|(?P<unending>\d*\.\d+(?:\.{3}|\s*\\ldots))"
    r"|(?P<repeating>\d*\.\d*\\(?:overline|dot|bar)\s*\{?\d+\}?)"
    r"|(?P<scientific>\d+(?:\.\d+[eE][-+]?|[eE]\+?|E-)\d+(?![\d.])|(?<![\w)}\]+*/-])\d+e-\d+(?=\s*(?:$|[,)]|\\text|\\mathrm)))"
    r"|(?P<thousands>[1-9]\d{0,2}(?:,\d{3})+(?![\d,])(?:\.\d+)?)"
    r"|(?P<number>\d+\.\d+|\d+\.(?![\w\\.])|\.\d+|\d+)"
    r"|(?P<ellipsis>\.{3,}|…)"
    r"|(?P<command>\\[A-Za-z]+|\\[{}|\\&%#_])"
    r"|(?P<bound>at(?=\s+(?:least|most)\b)|be(?=\s+(?:an?y?|at|less|greater|more|equal|strictly)\b))"
    r"|(?P<letters>[A-Za-z]+)"
    r"|(?P<sign><=|>=|!=|:=|\*\*|[-+*/^_()\[\]{}|,;:=<>!'&%.?\"@#`])"
)
_BRACED = re.compile(r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_GLUED_CONNECTOR = re.compile(r"(and|or)([A-Z])")
_ONE_SCIENTIFIC = re.compile(r"\d+e-\d+")  # alone it is a number; inside of a formula, 2e-6 takes 6 from 2e
_PROSE_PATTERN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?)|(?P<letters>[^\W\d_]+(?:['-][^\W\d_]+)*)|(?P<command>\\[A-Za-z]+|\\.)|(?P<sign>.)",
    re.DOTALL,
)
_DOTTED = r"(\d*\.\d*)\\dot\s*\{?(\d)\}?(\d*)\\dot\s*\{?(\d)\}?"
_RECURS = re.compile(r"(\d*\.\d*?)(?:(\d)\2{2,}|(\d{2,30}?)\3+)")
_WORD_LIST = """
and or for all the is are of if to as no yes odd even true false not any with when where than from inch feet
foot day days min max pct year none both each only such that then per sq
"""
_WORDS = frozenset(_WORD_LIST.split())
# In capitals these may be factors.
_SMALL_WORDS = frozenset({"one", "two", "six", "ten", "set", "but", "can", "may", "its", "out"})


def tokenize(text: str, thousands: bool) -> list[Token]:
    """The tokens of a respelled text.

    Args:
        text: respelled.
        thousands: whether 1,234 outside of brackets is one number.

    Raises:
        Unreadable: a character that belongs to no formula, or too many tokens.
    """
    if _ONE_SCIENTIFIC.fullmatch(text):
        return [Token("number", text)]
    tokens: list[Token] = []
    position, depth, spaced = 0, 0, False
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise Unreadable(f"character {text[position]!r}")
        position = match.end()
        kind, found = match.lastgroup or "", match.group()
        if kind == "space":
            spaced = True
            continue
        if kind == "thousands":
            if not thousands or depth:
                found = re.match(r"\d+", found).group()  # pyright: ignore[reportOptionalMemberAccess]
                position = match.start() + len(found)
            tokens.append(Token("number", found.replace(",", ""), spaced=spaced))
        elif kind == "scientific" or kind == "periodic":
            tokens.append(Token("number", found, spaced=spaced))
        elif kind == "dotted":
            fixed, first, middle, last = re.fullmatch(_DOTTED, found).groups()  # pyright: ignore[reportOptionalMemberAccess]
            tokens.append(Token("number", f"{fixed}({first}{middle}{last})", spaced=spaced))
        elif kind == "unending":
            digits = re.match(r"[\d.]*\d", found).group()  # pyright: ignore[reportOptionalMemberAccess]
            tokens.append(Token("number", _recurring(digits) or digits + "...", spaced=spaced))
        elif kind == "repeating":
            tokens.append(Token("number", re.sub(r"\\\w+\s*\{?(\d+)\}?", r"(\1)", found), spaced=spaced))
        elif kind == "command":
            position = _command(found[1:], text, position, tokens, spaced)
        elif kind == "ellipsis":
            tokens.append(Token("command", "ldots", spaced=spaced))
        elif kind == "bound":
            tokens.append(Token("word", found, spaced=spaced))
        elif kind == "letters":
            before = tokens[-1] if tokens else None
            is_behind = before is not None and (before.kind == "number" or before.text in (")", "}"))
            # Mg behind a number is a sloppy mg; elsewhere it is two factors.
            is_product = len(found) == 2 and found[0].isupper() and found[1].islower() and not is_behind
            if is_product and is_unit(found):
                tokens += [Token("letter", found[0], spaced=spaced), Token("letter", found[1])]
            elif (
                spaced and position == len(text) and is_symbol(found) and all(map(_is_of_number, tokens)) and is_behind
            ):
                tokens.append(Token("word", found, spaced=spaced))  # 2.5 nm, where 2.5nm may be a product
            else:
                tokens += _letters(found, spaced)
        elif found == "!=" and not spaced and tokens and (tokens[-1].kind == "number" or tokens[-1].text == ")"):
            tokens += [Token("sign", "!"), Token("sign", "=")]  # 10!=3628800, where "x != 3" has its spaces
        else:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found, 0)
            tokens.append(Token(kind, found, spaced=spaced))
        spaced = False
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("too many tokens")
    return tokens


def _is_of_number(token: Token) -> bool:
    """Whether it may belong to a number that is written out, 2.5 x 10^3."""
    return token.kind in ("number", "sign") or token.text in ("times", "cdot")


def _recurring(digits: str) -> str | None:
    """`0.1(6)` for 0.1666..., whose last digits are written at least twice, a single one three times; else None.

    Safe: nobody who writes dots behind a period means another number, and other dots are read as before.
    """
    found = _RECURS.fullmatch(digits)
    return f"{found[1]}({found[2] or found[3]})" if found else None


def _command(name: str, text: str, position: int, tokens: list[Token], spaced: bool) -> int:
    """Add the tokens of a command that ends at `position`; returns where to go on."""
    if name == "mathbb":
        match = re.compile(r"\s*\{?\s*([A-Z])\s*\}?").match(text, position)
        if match is None or match[1] not in _BLACKBOARD:
            raise Unreadable("unknown set")
        tokens.append(Token("command", _BLACKBOARD[match[1]], spaced=spaced))
        return match.end()
    if name == "forall":
        tokens += [Token("word", "for", spaced=True), Token("word", "all", spaced=True)]
        return position
    if name in _PROSE_COMMANDS:
        match = _BRACED.match(text, position)
        if match is None:
            raise Unreadable(f"\\{name} without its text")
        word = SYNONYMS.get(match[1].strip(), match[1].strip())
        if word == "cis" or (
            word in FUNCTIONS and (name in ("operatorname", "mathrm") or _is_applied(tokens, text, match))
        ):
            tokens.append(Token("command", word, spaced=spaced))
        else:
            _prose(match[1], tokens)
        return match.end()
    tokens.append(Token("command", _BRACKETS.get(name, name), spaced=spaced))
    return position


def _is_applied(tokens: Sequence[Token], text: str, name: re.Match[str]) -> bool:
    r"""Whether a function's name in \text has an argument, and is no unit of a number before it, as min and sec are."""
    behind = text[name.end() :].lstrip()[:1]
    return (behind in _BEGINS_ARGUMENT or behind.isalnum()) and not (tokens and tokens[-1].kind == "number")


_BEGINS_ARGUMENT = frozenset("({_\\")


def _prose(text: str, tokens: list[Token]) -> None:
    for match in _PROSE_PATTERN.finditer(text):
        kind, found = match.lastgroup or "", match.group()
        if kind == "letters" and found == "choose":
            tokens.append(Token("command", found, spaced=True))
        elif kind == "letters":
            tokens.append(Token("word", found, prose=True, spaced=True))
        elif kind == "command":
            tokens.append(Token("command", found[1:], prose=True, spaced=True))
        elif kind != "space" and found != ".":
            tokens.append(Token(kind, found, prose=True, spaced=True))


def _letters(run: str, spaced: bool) -> list[Token]:
    if run in FUNCTIONS or run in ("choose", "sqrt", "pi", "infty", "inf", "infinity", "oo"):
        return [Token("command", {"inf": "infty", "infinity": "infty", "oo": "infty"}.get(run, run), spaced=spaced)]
    connected = _GLUED_CONNECTOR.fullmatch(run)
    if connected:
        return [Token("word", connected[1], spaced=spaced), *_letters(connected[2], False)]
    if len(run) >= 2 and (len(run) >= 4 or run.lower() in _WORDS or run in _SMALL_WORDS or is_unit(run)):
        function = re.match(r"(arcsin|arccos|arctan|sin|cos|tan|log|ln)([a-zA-Z]{1,2})$", run)
        if function:
            return [Token("command", function[1], spaced=spaced), *_letters(function[2], False)]
        return [Token("word", run, spaced=spaced)]
    return [Token("letter", letter, spaced=spaced and not index) for index, letter in enumerate(run)]
