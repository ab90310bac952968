"""Word problems with their answer, how their set writes it, and a short worked solution where there is one.

    problems = read_word_problems("reasoning-gym", seed=0)
    held_out = [problem for problem in problems if problem.split == "report"]

*Easy to verify* is a problem whose answer is a bare number; *hard to verify* one whose answer has a unit, which the
set writes and a solution may leave out or put elsewhere. The split hangs on a hash of the text with its numbers masked
(in a generated set, of the whole text), so that a problem and its variants with other numbers lie on the same side.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hero_rl.errors import DataError
from hero_rl.extras import require
from hero_rl.files.rows import as_text, field

__all__ = ["GYM", "MARKER", "SPLITS", "WordProblem", "completion", "read_word_problems"]

GYM = "reasoning-gym"
"""The name of the problems that are generated, with nothing to download."""

MARKER = "The answer is"
"""What demonstrations put before the answer, and what the rule verifier looks for."""

Split = Literal["cold", "train", "development", "report"]
SPLITS: dict[Split, float] = {"cold": 0.45, "train": 0.35, "development": 0.05, "report": 0.15}
"""Shares of the problems: demonstrations, RL and the reward model, choices, and what is reported."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ANSWER = re.compile(r"-?\d+(?:\.\d\d?)?")  # a set's 1.8333333333 is nobody's answer
_WITH_UNIT = re.compile(rf"({_ANSWER.pattern}) ?(?:\(([^()]+)\)| ([^\W\d_][^()\d]*))")
_SUM = re.compile(r"[\d.+*/() -]+")
_GSM = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")


@dataclass(frozen=True)
class WordProblem:
    """One problem.

    Attributes:
        question: its text.
        answer: the value, a number.
        unit: what the number counts, as the set says it; empty where it says nothing.
        working: the calculation, without the answer; empty where the set shows none.
        split: what it is for.
    """

    question: str
    answer: str
    unit: str
    working: str
    split: Split

    @property
    def kind(self) -> Literal["easy", "hard"]:
        """Whether a rule can verify the answer easily."""
        return "hard" if self.unit else "easy"

    @property
    def reference(self) -> str:
        """The answer as its set writes it, the brackets around the unit taken off."""
        return f"{self.answer} {self.unit}".strip()


def completion(problem: WordProblem) -> str:
    """A short worked solution: the calculation, then the answer in one of its right forms.

    Which form is drawn by the question: with its unit (two in five), bare (two in five), or the unit first.
    """
    drawn = random.Random(f"form {problem.question}").random()
    forms = (problem.reference, problem.answer, f"{problem.unit}: {problem.answer}")
    form = forms[0] if not problem.unit or drawn < 0.4 else forms[1] if drawn < 0.8 else forms[2]
    return f"{problem.working}={problem.answer}\n{MARKER} {form}"


def read_word_problems(
    source: str,
    name: str | None = None,
    split: str = "train",
    count: int = 4000,
    seed: int = 0,
    say: Callable[[str], object] = lambda text: None,
) -> list[WordProblem]:
    """All problems of a source, in an order that the seed gives.

    Its columns, in upper or lower case, are `question` and `answer`, and where there are such `body`, which is put
    before the question, and `equation` or `formula`: those of SVAMP, ASDiv and GSM8K. Answers are a number, a number
    and a unit, in brackets (ASDiv) or not, or a solution that ends in `#### number` (GSM8K). Rows with other answers,
    or with more than two decimals, are left out.

    Args:
        source: `reasoning-gym`, a JSON lines or parquet file, or the id of a dataset at the Hub.
        name: configuration of a Hub dataset.
        split: split of a Hub dataset.
        count: problems to generate, where they are generated.
        seed: of the order, and of what is generated.
        say: told how many rows are left out, if any.

    Raises:
        ModuleNotFoundError: the package is not installed.
        DataError: the file is missing, the dataset cannot be loaded, a row lacks a column, or no row has an answer
            that is a number.
    """
    problems = list(_generated(count, seed)) if source == GYM else _of_rows(source, name, split, say)
    if not problems:
        raise DataError(f"{source}: no row has an answer that is a number")
    unique = list({problem.question: problem for problem in problems}.values())
    random.Random(seed).shuffle(unique)
    return unique


def _of_rows(source: str, name: str | None, split: str, say: Callable[[str], object]) -> list[WordProblem]:
    from hero_rl.training.rows.prompts import source_rows

    found, left_out = [], 0
    for place, row in source_rows("problems", source, name, split):
        row = {column.casefold(): value for column, value in row.items()}
        question, answer = (as_text(field(row, column, place), column, place) for column in ("question", "answer"))
        question = " ".join(f"{row.get('body') or ''} {question}".split())
        made = _of_row(question, answer.strip(), row.get("equation") or row.get("formula"))
        if made is None:
            left_out += 1
        else:
            found.append(made)
    if left_out:
        say(f"{source}: {left_out} of {left_out + len(found)} rows are left out, whose answer is not read as a number")
    return found


def _of_row(question: str, answer: str, equation: Any) -> WordProblem | None:
    split = _split(_NUMBER.sub("0", question.casefold()))
    if "####" in answer:  # GSM8K: its calculations, and the number at the end
        solution, _, value = answer.rpartition("####")
        value = value.strip().replace(",", "")
        working = "\n".join(f"{left}={right}" for left, right in _GSM.findall(solution)).rpartition("=")[0]
        return WordProblem(question, value, "", working, split) if _ANSWER.fullmatch(value) else None
    with_unit = _WITH_UNIT.fullmatch(answer)
    value, unit = (with_unit[1], with_unit[2] or with_unit[3]) if with_unit else (answer, "")
    if not _ANSWER.fullmatch(value):
        return None
    return WordProblem(question, value, unit.strip(), _working(equation, value), split)


def _working(equation: Any, answer: str) -> str:
    """The left side of an equation without unknowns that ends in the answer; else empty."""
    left, _, right = str(equation or "").partition("=")
    if not _SUM.fullmatch(left) or right.strip() not in ("", answer):
        return ""
    left = left.replace(" ", "")
    return left[1:-1] if left.startswith("(") and left.find(")") == len(left) - 1 else left


def _generated(count: int, seed: int) -> Iterator[WordProblem]:
    require("reasoning_gym")
    import reasoning_gym

    easy = reasoning_gym.create_dataset("chain_sum", size=count // 2, seed=seed, max_terms=3, max_digits=2)
    for row in easy:
        question = f"What is {row['metadata']['expression']}?"
        working = row["metadata"]["expression"].replace(" ", "")
        yield WordProblem(question, str(row["answer"]), "", working, _split(question))
    legs = reasoning_gym.create_dataset(
        "leg_counting", size=count - count // 2, seed=seed, min_animals=2, max_animals=2, max_instances=9
    )
    for row in legs:
        question = next(line for line in row["question"].splitlines() if line.startswith("Now, "))
        question = question.removeprefix("Now, ").strip().capitalize()
        yield WordProblem(question, str(row["answer"]), "legs", _legs(row["metadata"]["animals"]), _split(question))


def _legs(animals: dict[str, int]) -> str:
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    products = [f"{count}*{ANIMALS[name]}={count * ANIMALS[name]}" for name, count in animals.items()]
    return "\n".join([*products, "+".join(product.partition("=")[2] for product in products)])


def _split(text: str) -> Split:
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
    for name, share in SPLITS.items():
        place -= share
        if place < 0:
            return name
    return "report"


def chosen(problems: Sequence[WordProblem], split: Split, kind: str | None = None) -> list[WordProblem]:
    """Those of a split, and of a kind where one is named, in their order."""
    return [p for p in problems if p.split == split and (kind is None or p.kind == kind)]
