"""Which training problems stand in a benchmark too: as the same text, or as a run of the same words.

    index = BenchmarkIndex(read_problems(ProblemSource(dataset="math500")), ngram=13)
    index.overlaps(problem)

The n-grams of all benchmarks are one table from the words to the problems that hold them, so that a training problem
costs one look-up a word, however many benchmarks there are. The words themselves are the keys: nothing collides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hero_rl.problems import Problem

__all__ = ["LEAST_WORDS", "BenchmarkIndex", "Overlap", "same_text", "words"]

LEAST_WORDS = 8
"""A benchmark problem of fewer words is found as a whole text only: as a part it would be found everywhere."""

# LaTeX that changes how a formula looks and not what it says.
_LOOKS = re.compile(r"\\(?:[,;:!> ]|(?:left|right|big|Big|displaystyle|limits|quad|qquad)(?![a-zA-Z]))")
_SAME = re.compile(r"\\[dt]frac(?![a-zA-Z])")
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without spaces, so each sign is a word
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_SIGN = re.compile(r"[^\W_]+|[^\w\s$\\{}~]")


@dataclass(frozen=True)
class Overlap:
    """One training problem and one benchmark problem that it shares text with.

    Attributes:
        problem: id of the training problem.
        benchmark: name of the benchmark.
        benchmark_problem: id within the benchmark.
        kind: `exact` where both are the same text but for case, spaces and LaTeX's looks, else `ngram`.
        shared: different n-grams that both have.
        share: their share of the benchmark problem's n-grams.
        text: the first of them, in the order of the training problem.
    """

    problem: str
    benchmark: str
    benchmark_problem: str
    kind: str
    shared: int
    share: float
    text: str


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case and one Unicode form; signs are left out."""
    return _WORD.findall(_plain(text))


def same_text(text: str) -> str:
    """A text as exact comparison sees it: signs count, case, spaces and LaTeX's looks do not."""
    return " ".join(_SIGN.findall(_plain(text)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", _SAME.sub(r"\\frac", _LOOKS.sub(" ", text))).casefold()


class BenchmarkIndex:
    """All problems of some benchmarks, found by their text and by their n-grams.

    Attributes:
        ngram: words of an n-gram.
        sizes: benchmark -> how many problems it has.
    """

    def __init__(self, problems: Iterable[Problem], ngram: int) -> None:
        self.ngram = ngram
        self.sizes: Counter[str] = Counter()
        self._names: list[tuple[str, str]] = []
        self._grams: list[int] = []
        self._exact: dict[str, list[int]] = {}
        self._holders: dict[str, list[int]] = {}
        self._lengths: set[int] = set()
        for problem in problems:
            self._add(problem)

    def _add(self, problem: Problem) -> None:
        number, found = len(self._names), words(problem.question)
        self.sizes[problem.source] += 1
        self._names.append((problem.source, problem.id))
        self._exact.setdefault(same_text(problem.question), []).append(number)
        length = min(self.ngram, len(found))
        grams = set(_runs(found, length)) if length >= min(LEAST_WORDS, self.ngram) else set()
        self._grams.append(len(grams))
        if grams:
            self._lengths.add(length)
        for gram in grams:
            self._holders.setdefault(gram, []).append(number)

    def overlaps(self, problem: Problem) -> list[Overlap]:
        """The benchmark problems that share text with a problem, the likest first."""
        same = self._exact.get(same_text(problem.question), [])
        shared: Counter[int] = Counter()
        first: dict[int, str] = {}
        found = words(problem.question)
        for length in sorted(self._lengths):
            for gram in dict.fromkeys(_runs(found, length)):
                for number in self._holders.get(gram, ()):
                    shared[number] += 1
                    first.setdefault(number, gram)
        hits = [
            self._overlap(problem, n, n in same, shared[n], first.get(n)) for n in {**shared, **dict.fromkeys(same)}
        ]
        return sorted(hits, key=lambda hit: (hit.kind, -hit.share, hit.benchmark, hit.benchmark_problem))

    def _overlap(self, problem: Problem, number: int, exact: bool, shared: int, text: str | None) -> Overlap:
        benchmark, name = self._names[number]
        share = 1.0 if exact else shared / self._grams[number]
        kind = "exact" if exact else "ngram"
        return Overlap(problem.id, benchmark, name, kind, shared, share, text or same_text(problem.question))


def _runs(found: list[str], length: int) -> Iterator[str]:
    """All runs of so many words, in order."""
    return (" ".join(found[start : start + length]) for start in range(len(found) - length + 1))
