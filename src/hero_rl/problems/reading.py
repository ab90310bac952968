"""Problems from a file or the Hub, one at a time, each row checked."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.messages import is_plain_message
from hero_rl.files.rows import Place, Text, as_text, field, outermost, read_rows, short
from hero_rl.problems.hub import commit_of, hub_dataset, hub_rows, is_file
from hero_rl.problems.presets import Preset
from hero_rl.problems.record import Problem
from hero_rl.problems.sampling import rank
from hero_rl.problems.settings import ProblemSource
from hero_rl.verifiers.math.text.boxes import find_boxes

__all__ = ["ProblemReader", "read_problems"]

# What a file's columns are usually called, the likeliest first.
_USUAL = Preset(
    dataset="",
    kind=None,
    split="train",
    prompt=("prompt", "problem", "question"),
    # What can hold nothing but the right answer comes before `answer`, which may be a model's or a worked solution.
    reference=(
        "reference",
        "reference_answer",
        "expected_answer",
        "final_answer",
        "ground_truth",
        "gold",
        "reward_model.ground_truth",
        "answer",
        "solution",
    ),
    id=("id",),
)


_THOUSANDS = re.compile(r"\d,\d{3}(?!\d)")


@dataclass(frozen=True)
class _Columns:
    """Which column holds what; see `ProblemSource`."""

    prompt: str
    reference: str
    id: str | None
    context: str | None
    keep: tuple[str, ...]


class ProblemReader:
    """The problems of a source; each iteration reads them anew.

    Attributes:
        source: the settings.
        preset: what fills in those that are not given.
        name: what `Problem.source` says.
        path: the file that is read; None for the Hub.
        counts: of the last iteration: `rows` read, `other` rows that `where` leaves out, `duplicates` and
            `empty_answers` that were skipped, `problems` before and `drawn` after limit and sample.
        size: bytes of the file; None for the Hub.
        progress: called with the bytes of the file, or the rows of the Hub, that are read.

    Raises:
        DataError: the file is missing, a column is missing, or there are no rows; in an iteration also a bad row, named
            with its file, its row and its column, and a set without problems.
    """

    def __init__(self, source: ProblemSource, progress: Callable[[int], object] = lambda position: None) -> None:
        self.source = source
        self.preset = source.preset or _USUAL
        self.progress = progress
        self.counts: Counter[str] = Counter()
        self.path = self._file()
        self.name = source.dataset if self.path is None or source.preset else self.path.name.partition(".")[0]
        self.size = self.path.stat().st_size if self.path else None
        self._top = self._first_row()
        self._columns = self._choose(self._top)

    def __iter__(self) -> Iterator[Problem]:
        self.counts = Counter(rows=0, other=0, duplicates=0, empty_answers=0, problems=0, drawn=0)
        problems: Iterable[Problem] = islice(self._problems(), self.source.limit)
        for problem in self._drawn(problems) if self.sample else problems:
            self.counts["drawn"] += 1
            yield problem
        if not self.counts["problems"]:
            raise DataError(f"{self.path or self.source.dataset}: no problems; {dict(self.counts)}")

    @property
    def sample(self) -> int | None:
        """How many problems are drawn; None for all."""
        return self.source.sample or self.preset.sample

    @property
    def where(self) -> Mapping[str, Any]:
        """Column -> value of the rows that are used."""
        return self.preset.where if self.source.where is None else self.source.where

    @property
    def kept_columns(self) -> tuple[str, ...]:
        """The columns that `Problem.extra` has."""
        return self._columns.keep

    @cached_property
    def revision(self) -> str | None:
        """The commit of a Hub dataset as far as it can be told; None for a file."""
        if self.path:
            return None
        asked = self.source.revision or self.preset.revision
        return asked if asked and len(asked) == 40 else commit_of(self._hub_id, asked) or asked

    def identity(self) -> dict[str, Any]:
        """All that tells these problems from others, as JSON: the settings, and the file's or the commit's identity."""
        status = self.path.stat() if self.path else None
        return {
            "settings": self.source.model_dump(mode="json"),
            "sample": self.sample,
            "where": dict(self.where),
            "columns": vars(self._columns) | {"keep": list(self._columns.keep)},
            "file": [str(self.path.resolve()), status.st_size, status.st_mtime_ns] if self.path and status else None,
            "revision": self.revision,
        }

    @property
    def _hub_id(self) -> str:
        return self.preset.dataset or self.source.dataset

    def _file(self) -> Path | None:
        source = self.source.path or (None if self.source.preset else self.source.dataset)
        if source is None or not (self.source.path or is_file(source)):
            return None
        if not Path(source).is_file():
            raise DataError(f"{source}: {'a folder; name a file' if Path(source).is_dir() else 'no such file'}")
        return Path(source)

    def _dataset(self, columns: list[str] | None = None) -> Any:
        name = self.source.name or self.preset.name
        split = self.source.split or self.preset.split
        return hub_dataset(self._hub_id, name, split, self.revision, streaming=True, columns=columns)

    def _first_row(self) -> dict[str, Any]:
        """The columns of the source, with the values of its first row where that is at hand."""
        if self.path:
            with closing(read_rows(self.path)) as rows:
                for _, row in rows:
                    return row
            raise DataError(f"{self.path}: no rows")
        dataset = self._dataset()
        return dict.fromkeys(dataset.column_names) if dataset.column_names else next(iter(dataset.take(1)), {})

    def _choose(self, names: dict[str, Any]) -> _Columns:
        def one(asked: str | None, usual: tuple[str, ...], what: str) -> str:
            found = [name for name in ([asked] if asked else usual) if _holds(names, name, asked is not None)]
            if not found:
                wanted = repr(asked) if asked else f"of {', '.join(map(repr, usual))}"
                raise DataError(f"{self.path or self._hub_id}: no column {wanted} for {what}; it has {sorted(names)}")
            return found[0]

        source, preset = self.source, self.preset
        for column in (*self.where, *source.keep_columns, *filter(None, [source.id_column, source.context_column])):
            one(column, (), "a setting that names it")
        return _Columns(
            prompt=one(source.prompt_column, preset.prompt, "prompt_column"),
            reference=one(source.reference_column, preset.reference, "reference_column"),
            id=source.id_column or next((name for name in preset.id if name in names), None),
            context=source.context_column or (preset.context if preset.context in names else None),
            keep=tuple(source.keep_columns or (name for name in preset.keep if name in names)),
        )

    def _rows(self) -> Iterator[tuple[Place | str, dict[str, Any]]]:
        chosen = self._columns
        some = (chosen.prompt, chosen.reference, chosen.id, chosen.context, *chosen.keep, *self.where)
        columns = list(dict.fromkeys(outermost(column, self._top) for column in some if column))
        if self.path:
            yield from read_rows(self.path, columns, self.progress)
            return
        for number, row in enumerate(hub_rows(self._dataset(columns), self._hub_id, columns), start=1):
            self.progress(number)
            yield f"{self._hub_id} row {number}", row

    def _problems(self) -> Iterator[Problem]:
        """All problems, those that are no new ones counted."""
        seen: set[str] = set()
        for place, row in self._rows():
            self.counts["rows"] += 1
            if not self._is_wanted(row, place):
                self.counts["other"] += 1
                continue
            problem = self._problem(row, place)
            if problem is None:
                self.counts["empty_answers"] += 1
            elif problem.id in seen:
                self._refuse_duplicate(problem)
                self.counts["duplicates"] += 1
            else:
                seen.add(problem.id)
                self.counts["problems"] += 1
                yield problem

    def _refuse_duplicate(self, problem: Problem) -> None:
        if (self.source.duplicates or self.preset.duplicates) == "refuse":
            column = self._columns.id or self._columns.prompt
            raise DataError(
                f"{problem.place}: {column!r}: another row has it too (id {problem.id!r}); duplicates: skip takes the "
                "first of such rows"
            )

    def _is_wanted(self, row: dict[str, Any], place: Place | str) -> bool:
        for column, wanted in self.where.items():
            if field(row, column, place) not in (wanted if isinstance(wanted, list) else [wanted]):
                return False
        return True

    def _problem(self, row: dict[str, Any], place: Place | str) -> Problem | None:
        """The row's problem; None where it has no answer and that is no error."""
        chosen = self._columns
        value = field(row, chosen.prompt, place)
        reference = _reference(field(row, chosen.reference, place), chosen.reference, place)
        if reference is None:
            if (self.source.empty_answers or self.preset.empty_answers) == "refuse":
                raise DataError(
                    f"{place}: {chosen.reference!r} holds no answer; empty_answers: skip leaves such rows out"
                )
            return None
        messages = _messages(value, chosen.prompt, place)
        at = max(n for n, message in enumerate(messages) if message["role"] == "user")
        question = messages[at]["content"]
        context = row.get(chosen.context) if chosen.context else None
        if isinstance(context, str) and context.strip():
            question = f"{context.strip()}\n\n{question}"
        return Problem(
            id=as_text(field(row, chosen.id, place), chosen.id, place) if chosen.id else _hash(question),
            prompt=self._prompt(value, messages, at, question),
            reference=reference,
            source=self.name,
            question=question,
            extra={column: field(row, column, place) for column in chosen.keep if outermost(column, row) in row},
            place=place,
        )

    def _prompt(self, value: Any, messages: list[dict[str, str]], at: int, question: str) -> Text:
        asked = f"{question}\n{self.source.instruction}" if self.source.instruction else question
        if isinstance(value, str) and not self.source.system_prompt:
            return asked
        messages = [*messages[:at], messages[at] | {"content": asked}, *messages[at + 1 :]]
        if self.source.system_prompt:
            messages = [{"role": "system", "content": self.source.system_prompt}, *messages]
        return messages

    def _drawn(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems of the lowest ranks, in the order of the source; no more of them than wanted are held."""
        assert self.sample is not None
        heap: list[tuple[int, int, Problem]] = []
        for number, problem in enumerate(problems):
            entry = (-rank(problem.id, self.source.seed), -number, problem)
            if len(heap) < self.sample:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                heapq.heapreplace(heap, entry)
        return [problem for _, _, problem in sorted(heap, key=lambda entry: -entry[1])]


def read_problems(source: ProblemSource) -> Iterator[Problem]:
    """Stream the problems of a source; raises as `ProblemReader`."""
    return iter(ProblemReader(source))


def _holds(row: dict[str, Any], column: str, asked: bool) -> bool:
    """Whether there is such a column; a dotted name that was asked for is looked up in each row."""
    if asked or column in row:
        return outermost(column, row) in row
    outer, _, inner = column.partition(".")
    return isinstance(row.get(outer), dict) and inner in row[outer]


def _messages(value: Any, column: str, place: Place | str) -> list[dict[str, str]]:
    """A prompt as messages of which one at least is the user's."""
    if isinstance(value, str) and value.strip():
        return [{"role": "user", "content": value}]
    messages = value if isinstance(value, list) else []
    if not all(map(is_plain_message, messages)) or not any(
        m["role"] == "user" and m["content"].strip() for m in messages
    ):
        raise DataError(f"{place}: {column!r} must be text, or chat messages with one of the user, not {short(value)}")
    return [{"role": m["role"], "content": m["content"]} for m in messages]


def _reference(value: Any, column: str, place: Place | str) -> str | None:
    """The right answer as text; None where there is none.

    Of a list all are asked for, as in OlympiadBench. Commas join them, or semicolons, where a number has commas of its
    own: "1,000, 2" would be three numbers.
    """
    if isinstance(value, list):
        parts = [part for one in value if (part := _reference(one, column, place))]
        return ("; " if any(map(_THOUSANDS.search, parts)) else ", ").join(parts) or None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    text = as_text(value, column, place).strip()
    if column == "solution":
        boxes, _ = find_boxes(text)
        return (boxes[-1].content.strip() or None) if boxes else None
    return text


def _hash(question: str) -> str:
    text = " ".join(question.split()).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]
