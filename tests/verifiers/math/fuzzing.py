r"""Answers drawn from the grammar itself, to be judged against each other: nothing but a verdict may come out.

    python tests/verifiers/math/fuzzing.py --checks 200000 [--seed 1] [--data FOLDER]

Nothing here is a list of what seemed worth trying. The tokens are drawn from the tokenizer's own pattern and from every
name that the grammar's source spells; there is a way to write every kind of node, and the suite holds that all of them,
and all methods of the parser, are reached. Any part may stand where any other may. Reference and answer are
independent, or one is the other with a part redrawn, so that comparison goes deep. With `--data`, every row of every
file is judged against other rows' answers as well.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hero_rl.verifiers.math.tree as tree
from hero_rl.verifiers import MathVerifier, Reason
from hero_rl.verifiers.base import NOBODYS_ANSWER
from hero_rl.verifiers.math.readings import reads
from hero_rl.verifiers.math.references import alternatives
from hero_rl.verifiers.math.tree import formulas, tokens
from hero_rl.verifiers.math.tree.functions import FUNCTIONS

MOST_PARTS = 60


def spelled_in_the_grammar() -> list[str]:
    """Every name and sign that the source of tokenizer and parser spells, and every word of its lists of words."""
    found = set()
    for path in sorted(Path(tree.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 2000:
                found |= {word for word in node.value.split() if re.fullmatch(r"[A-Za-z]{1,16}|[^\sA-Za-z]{1,2}", word)}
    return sorted(found)


SPELLED = spelled_in_the_grammar()
WORDS = [word for word in SPELLED if word.isalpha()]
SIGNS = [sign for sign in SPELLED if not sign.isalpha()]


def drawn_from(pattern: Any, draw: random.Random) -> str:
    """A text that a compiled pattern, or a parsed part of one, matches; what it looks ahead for is passed over."""
    parser = re._parser  # pyright: ignore[reportAttributeAccessIssue]
    parts = parser.parse(pattern.pattern, pattern.flags) if isinstance(pattern, re.Pattern) else pattern
    return "".join(_drawn(str(kind), value, draw) for kind, value in parts)


def _drawn(kind: str, value: Any, draw: random.Random) -> str:
    if kind == "LITERAL":
        return chr(value)
    if kind == "NOT_LITERAL" or kind == "ANY":
        return draw.choice("a1 (,")
    if kind == "IN":
        return _one_of(value, draw)
    if kind == "BRANCH":
        return drawn_from(draw.choice(value[1]), draw)
    if kind == "SUBPATTERN":
        return drawn_from(value[-1], draw)
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, part = value
        return "".join(drawn_from(part, draw) for _ in range(draw.randint(least, min(int(most), least + 3))))
    return ""


def _one_of(choices: Any, draw: random.Random) -> str:
    kind, value = draw.choice([(str(kind), value) for kind, value in choices if str(kind) != "NEGATE"])
    if kind == "RANGE":
        return chr(draw.randint(*value))
    if kind == "CATEGORY":
        return {"CATEGORY_DIGIT": draw.choice("0123456789"), "CATEGORY_SPACE": " "}.get(str(value), draw.choice("aZ_é"))
    return chr(value)


@dataclass
class Part:
    """A piece of an answer: how it is written, with a place for each of its parts."""

    written: str
    parts: list[Part]

    def __str__(self) -> str:
        text = self.written
        for part in self.parts:
            text = text.replace("\0", str(part), 1)
        return text

    def all(self) -> Iterator[Part]:
        """This part and all below it."""
        yield self
        for part in self.parts:
            yield from part.all()


class Writer:
    """Draws answers: one method for each kind of node, named like it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.kinds = [name.lower() for name in kinds_of_nodes()]
        self.left = 0
        self.wildness = 0.0

    def answer(self) -> Part:
        """A whole answer."""
        self.left = self.draw.choice((2, 5, 10, MOST_PARTS))
        self.wildness = self.draw.choice((0.0, 0.0, 0.02, 0.2))
        if self.draw.random() < 0.05:
            return self.soup()
        written = self.draw.choice(("\0",) * 8 + (r"\0, \0", r"\0; \0", "Minimum: \0", "\0 for all \0", r"\0 \in \0"))
        return self.of(written)

    def soup(self) -> Part:
        """Tokens without an order."""
        return self.of(" ".join("\0" for _ in range(self.draw.randint(1, 12))), self.token)

    def redrawn(self, answer: Part) -> Part:
        """The answer with one part drawn anew."""
        chosen = self.draw.choice(list(answer.all()))
        self.left = self.draw.choice((1, 3, 6))

        def copied(part: Part) -> Part:
            return self.any() if part is chosen else Part(part.written, [copied(below) for below in part.parts])

        return copied(answer)

    def of(self, written: str, part: Callable[[], Part] | None = None) -> Part:
        """A piece written like that, its places filled."""
        written = written.replace(r"\0", "\0")
        return Part(written, [(part or self.any)() for _ in range(written.count("\0"))])

    def any(self) -> Part:
        """Any kind of node; near the end of the budget a small one."""
        self.left -= 1
        chance = self.draw.random()
        if chance < self.wildness:
            return self.token()
        if self.left < 0 or chance < 0.4:
            return self.draw.choice((self.number, self.symbol))()
        return getattr(self, self.draw.choice(self.kinds))()

    def token(self) -> Part:
        """What the tokenizer takes for one token, or the grammar's source spells."""
        chance = self.draw.random()
        if chance < 0.4:
            return Part("\\" + self.draw.choice(WORDS), [])
        if chance < 0.6:
            return Part(self.draw.choice(WORDS), [])
        if chance < 0.8:
            return Part(self.draw.choice(SIGNS), [])
        return Part(drawn_from(tokens._PATTERN, self.draw), [])

    # One method for each kind of node

    def number(self) -> Part:
        if self.draw.random() < self.wildness:
            return Part(drawn_from(tokens._PATTERN, self.draw), [])
        return Part(
            str(self.draw.choice((0, 1, 2, 3, 4, 7, 10, 12, 100, 0.5, 2.25, 10 ** self.draw.randint(2, 60)))), []
        )

    def symbol(self) -> Part:
        if self.draw.random() < 0.9:
            return Part(self.draw.choice("xxxynkabAeiC"), [])
        return Part(
            self.draw.choice(
                (
                    r"\pi ",
                    r"\infty ",
                    r"\mathbb{R}",
                    r"\mathbb{Z}",
                    r"\emptyset ",
                    r"\theta ",
                    r"\angle ABC",
                    r"\overline{AB}",
                    r"\triangle A",
                )
            ),
            [],
        )

    def words(self) -> Part:
        said = " ".join(self.draw.choice(WORDS) for _ in range(self.draw.randint(1, 4)))
        return Part(self.draw.choice((said, r"\text{" + said + "}", r"\mathrm{" + said + "}")), [])

    def call(self) -> Part:
        name = self.draw.choice(sorted(FUNCTIONS))
        command = self.draw.choice(("\\" + name, name, rf"\operatorname{{{name}}}"))
        forms = (
            rf"{command} \0", rf"{command}(\0)", rf"{command}(\0, \0)", rf"{command}_{{\0}} \0",
            rf"{command}^{{\0}}(\0)", r"f(\0)", r"a_{\0}", r"a_\0", r"f(\0, \0)", r"f'(\0)", r"|\0|", r"\0!",
            r"\binom{\0}{\0}", r"\lfloor \0 \rfloor", r"\lceil \0 \rceil", r"\0 \bmod \0", r"\sqrt{\0}",
            r"\sqrt[\0]{\0}", r"\sqrt\0", r"\0^\prime", r"\0^{\prime}",
            rf"{command}(\0, \0, \0)", rf"{command}^{{-1}} \0",
        )  # fmt: skip
        return self.of(self.draw.choice(forms))

    def sum(self) -> Part:
        return self.of(self.draw.choice((r"\0+\0", r"\0-\0", r"(\0+\0)", r"\0+\0-\0", r"{\0 + \0}")))

    def product(self) -> Part:
        return self.of(self.draw.choice((r"\0 \0", r"\0 \cdot \0", r"\0*\0", r"\0 \times -\0", r"(\0)(\0)", r"\0(\0)")))

    def quotient(self) -> Part:
        return self.of(
            self.draw.choice((r"\frac{\0}{\0}", r"\0/\0", r"\0 \div \0", r"\frac\0\0", r"\0 \0/\0", r"2 1/\0", "2 1/3"))
        )

    def power(self) -> Part:
        return self.of(self.draw.choice((r"\0^{\0}", r"\0^\0", r"\0**\0", r"(\0)^{-\0}", r"\0^{\0^{\0}}")))

    def negative(self) -> Part:
        return self.of(self.draw.choice((r"-\0", r"-(\0)", r"--\0", r"+-\0", r"\neg \0")))

    def plusminus(self) -> Part:
        return self.of(self.draw.choice((r"\0 \pm \0", r"\pm \0", r"\mp \0", r"\0 \mp \0")))

    def percent(self) -> Part:
        return self.of(self.draw.choice((r"\0\%", r"\0 percent", r"\0 %")))

    def degrees(self) -> Part:
        return self.of(
            self.draw.choice(
                (
                    r"\0^\circ",
                    r"\0^{\circ}",
                    r"30^\circ \0'",
                    r"30^\circ 15^{\prime}",
                    r"\0\circ",
                    r"\0^\circ C",
                    r"\0 degrees",
                )
            )
        )

    def based(self) -> Part:
        if self.draw.random() < 0.5:
            stated = (
                r"21 \text{ in base } 5",
                r"21 \text{ (base 5)}",
                r"21_{\text{five}}",
                r"\0 (about 2.5 cards)",
                "3 (three)",
            )
            return self.of(self.draw.choice(stated))
        return self.of(self.draw.choice((r"\0_{\0}", r"12_\0", r"(\0)_{\0}", r"1\0_{36}")))

    def repeated(self) -> Part:
        body = self.draw.choice((r"\0", r"(\0+k)", r"k^{\0}", r"x \0"))
        command, ends = self.draw.choice(("sum", "prod")), self.draw.choice((r"k=\0", r"\0=\0", r"x=1", r"n=\0"))
        return self.of(rf"\{command}_{{{ends}}}^{{\0}} {body}")

    def quantity(self) -> Part:
        if self.draw.random() < 0.3:
            several = (
                r"1 h \0 min",
                "2 h 30 m",
                r"2\text{ hours }\0\text{ minutes}",
                "90 min",
                r"5\,m\,s^{\0}",
                r"\0\,m/s",
            )
            return self.of(self.draw.choice(several))
        unit = self.draw.choice(
            (r"\text{ cm}", " " + self.draw.choice(WORDS), r"\mathrm{m}/\mathrm{s}^{\0}", " dollars")
        )
        return self.of(rf"\0{unit}")

    def sequence(self) -> Part:
        forms = (
            r"\0, \0", r"(\0, \0)", r"[\0, \0)", r"(\0, \0]", r"(\0, \0, \0)", r"\{\0, \0\}", r"\{\0\}", r"\{\}",
            r"\0 \text{ and } \0", r"\0 or \0", r"\langle \0, \0 \rangle", r"(\0; \0)", r"\0, \0, \0", r"[\0]",
            r"\begin{cases} \0 \\ \0 \end{cases}", r"1, 2, \ldots, \0", r"\{\0, \0, ..., \0\}", r"1,2,3,...",
            r"\begin{cases} \0 & x > \0 \\ \0 & \text{otherwise} \end{cases}",
            r"\begin{cases} \0, & \text{if } \0, \0 \\ x & \0 \text{ and } \0 \end{cases}",
            r"\begin{cases} \0 & n \text{ even} \\ \0 & \text{otherwise} \end{cases}",
            r"(\0, \0) and permutations", r"\0(\0, \0)+\0(\0, \0)", r"the point (\0, \0)", r"(\0, \0)^T", r"]\0;\0[",
            r"\vec{i}+\0\vec{j}", r"\0\hat{i}-\hat{k}", r"\overline{1a\0}",
        )  # fmt: skip
        return self.of(self.draw.choice(forms))

    def builder(self) -> Part:
        return self.of(self.draw.choice((r"\{\0 \mid \0\}", r"\{x : \0\}", r"\{x \in \mathbb{R} | x > \0\}")))

    def qualified(self) -> Part:
        forms = (
            *(r"all real x except \0", r"x is at least \0", r"at most \0", r"all integers greater than \0"),
            *(r"\0, x \in \mathbb{Z}", r"\0 (x > \0)", r"x+\0, x \ne \0", r"\0 \text{ for all } x \ge \0"),
            *(r"x \equiv \0 \pmod 4", r"x \equiv 1, \0 (mod 4)", r"3 \mid x", r"x \text{ is odd}", r"\0 \text{ only}"),
            *(r"\text{all integers } x > \0", r"\text{all real numbers except } \0", r"\0, where k is a constant"),
            *(r"\text{all multiples of } 3", r"\text{integers divisible by } \0"),
            *(r"\mathbb{Z}_{>0}", r"x \in \mathbb{R}^+", r"\text{all } x > \0", r"\text{all integers x} > \0"),
        )
        return self.of(self.draw.choice(forms))

    def setoperation(self) -> Part:
        sign = self.draw.choice(("cup", "cap", "setminus"))
        return self.of(rf"\0 \{sign} \0" if self.draw.random() < 0.5 else rf"(\0, \0) \{sign} [\0, \0]")

    def matrix(self) -> Part:
        name, rows = self.draw.choice(WORDS + ["pmatrix", "bmatrix", "array"] * 200), r"\0 & \0 \\ \0 & \0"
        columns = "{cc}" if name == "array" else ""
        return self.of(rf"\begin{{{name}}}{columns} {rows} \end{{{name}}}")

    def ratio(self) -> Part:
        return self.of(self.draw.choice((r"\0:\0", r"\0 : \0 : \0")))

    def relation(self) -> Part:
        sign = self.draw.choice((*SIGNS, "=", "<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\approx"))
        forms = (rf"\0 {sign} \0", rf"x {sign} \0", rf"\0 {sign} \0 {sign} \0", r"f(x) = \0", rf"|x| {sign} \0")
        return self.of(self.draw.choice(forms))


def kinds_of_nodes() -> list[str]:
    """The names of all kinds of nodes."""
    kinds = [kind for kind in vars(formulas).values() if isinstance(kind, type) and issubclass(kind, formulas.Node)]
    return [kind.__name__ for kind in kinds if kind is not formulas.Node]


def pairs(seed: int) -> Iterator[tuple[str, str]]:
    """References and answers, without end."""
    writer = Writer(seed)
    while True:
        one = writer.answer()
        # A reference that cannot be read ends a check early, so most are drawn until one can be.
        while writer.draw.random() < 0.95 and not any(map(reads, alternatives(str(one)))):
            one = writer.answer()
        for _ in range(4):
            other = writer.redrawn(one) if writer.draw.random() < 0.6 else writer.answer()
            yield str(one), str(other)
            yield str(other), str(one)


@dataclass(frozen=True)
class Found:
    """What a pair brought to light: an exception, or an abstention that the answer causes."""

    what: str
    reference: str
    answer: str


def fault_of(verifier: MathVerifier, reference: str, answer: str) -> Found | None:
    """What is wrong with the way a pair is judged; None where it is as it should be."""
    try:
        reason = verifier._decide(reference, answer)
    except Exception as error:
        return Found(f"{type(error).__name__}: {error}", reference, answer)
    verdict = verifier.verify(reference, rf"\boxed{{{answer}}}")
    for word in (reason, verdict.reason):
        if word.value_of_verdict not in (0.0, 1.0) and not unreadable(verifier, reference):
            return Found(f"abstention: {word.value}", reference, answer)
    return None


def unreadable(verifier: MathVerifier, reference: str) -> bool:
    """Whether the reference itself keeps the verifier from a verdict, whatever the answer."""
    return verifier.judge(reference, NOBODYS_ANSWER).reason is Reason.REFERENCE_UNREADABLE


def rows_of(folder: Path, others: int) -> Iterator[tuple[str, str]]:
    """Every row's reference with its own answer and with those of so many other rows, drawn from all files."""
    draw, found = random.Random(7), []
    for path in sorted(folder.rglob("*.jsonl*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                reference = _first_text(row, "gold", "reference", "ground_truth", "answer")
                answer = _first_text(row, "answer", "response", "completion")
                if reference:
                    found.append((reference, answer or reference))
    answers = [answer for _, answer in found]
    for reference, answer in found:
        yield reference, answer
        for _ in range(others):
            yield reference, draw.choice(answers)


def _first_text(row: dict[str, Any], *names: str) -> str | None:
    return next((row[name] for name in names if isinstance(row.get(name), str)), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder of JSON Lines with gold and answer or response")
    parser.add_argument("--others", type=int, default=3, help="with --data: other rows' answers for each reference")
    arguments = parser.parse_args()
    verifier, found, slowest = MathVerifier(), Counter[str](), []
    reasons = Counter[str]()
    drawn = zip(pairs(arguments.seed), range(arguments.checks), strict=False)
    checks = rows_of(arguments.data, arguments.others) if arguments.data else (pair for pair, _ in drawn)
    for reference, answer in checks:
        start = time.thread_time()
        fault = fault_of(verifier, reference, answer)
        slowest = sorted([*slowest, (time.thread_time() - start, reference, answer)], reverse=True)[:5]
        reasons[verifier.judge(reference, answer).reason.value] += 1
        if fault is not None:
            found[fault.what] += 1
            if found[fault.what] <= 3:
                print(f"{fault.what}\n  reference {fault.reference!r}\n  answer    {fault.answer!r}", flush=True)
    print(f"{reasons.total()} checks, {sum(found.values())} faults: {dict(found)}")
    print(dict(reasons))
    for seconds, reference, answer in slowest:
        print(f"{seconds * 1e3:.0f} ms  {reference[:100]!r}  {answer[:200]!r}")


if __name__ == "__main__":
    main()
