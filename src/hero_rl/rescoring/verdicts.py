"""A verifier over a file of pairs: streamed, resumed where it was interrupted, nothing half-written."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.partial import Partial
from hero_rl.files.rows import Place, as_text, is_missing, json_columns, outermost, read_rows
from hero_rl.files.rows import field as column_of
from hero_rl.files.whole import replacing
from hero_rl.rescoring.quality import Quality, measure_quality
from hero_rl.scoring import as_judged
from hero_rl.verifiers import ByDomain
from hero_rl.verifiers.base import (
    BatchVerifier,
    Request,
    Verdict,
    Verifier,
    as_messages,
    own_answer,
    takes_requests,
    verdicts_of,
)
from hero_rl.verifiers.cascade import Cascade, CascadeVerifier
from hero_rl.verifiers.configured import check_columns, needs_reference

__all__ = ["FileVerdicts", "PairColumns", "verify_file"]

_AT_A_TIME = 256
_REFERENCES = ("reference", "gold")
_COMPLETIONS = ("completion", "response", "answer")


@dataclass(frozen=True)
class PairColumns:
    """Where a file keeps what is compared.

    Attributes:
        reference: the right answer; None takes `reference` or `gold`. A verifier that needs none does without.
        completion: the whole text of the policy; None takes `completion` or `response`, else `answer`. A column of
            that name holds the final answer alone.
        question: what was asked, for judges.
        label: whether the answer is right (1 or 0, true or false), read where there is such a column.
    """

    reference: str | None = None
    completion: str | None = None
    question: str = "question"
    label: str = "label"


@dataclass
class FileVerdicts:
    """What a verifier said of a file.

    Attributes:
        verdicts: one a row, in order.
        labels: the labels, of none or of all rows.
        places: where each row stands.
        references: the right answers, of any kind as text.
        domains: of the rows, by the column `domain`, of none or of all rows.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """How often each reason was given, most often first."""
        return dict(Counter(str(verdict.reason) for verdict in self.verdicts).most_common())

    @property
    def by_domain(self) -> dict[str, dict[str, Any]]:
        """Rows, mean verdict and abstentions of each domain; empty where a row names none."""
        if len(self.domains) != len(self.verdicts):
            return {}
        told: dict[str, dict[str, Any]] = {}
        for name in dict.fromkeys(self.domains):
            mine = [each for each, domain in zip(self.verdicts, self.domains, strict=True) if domain == name]
            known = [each.value for each in mine if not each.abstained]
            mean = sum(known) / len(known) if known else None
            told[name] = {"rows": len(mine), "verdict_mean": mean, "abstained": len(mine) - len(known)}
        return told

    @property
    def quality(self) -> Quality | None:
        """Recall, precision and false-positive rate; None for a file without labels."""
        return measure_quality(self.verdicts, self.labels) if self.labels else None

    @property
    def disagreements(self) -> list[int]:
        """Rows whose verdict is not their label, abstentions among them."""
        judged = enumerate(zip(self.verdicts, self.labels, strict=False))
        return [row for row, (verdict, label) in judged if verdict.value != float(label)]


def verify_file(
    path: Path,
    verifier: Verifier | BatchVerifier,
    columns: PairColumns,
    output: Path | None = None,
    settings: Any = None,
    restart: bool = False,
    progress: Callable[[int], object] = lambda rows: None,
) -> FileVerdicts:
    """Judge every row of a file.

    Args:
        path: JSON Lines (also gzipped) or Parquet.
        verifier: judges the rows, some hundreds at a time.
        columns: where the file keeps what is compared.
        output: written as JSON Lines, each row with `verdict` (null for an abstention), `verdict_reason` and
            `verdict_answer`; with a cascade also `rule_verdict` and `judge_verdict`. It appears whole or not at all:
            rows are collected in a file of the same name and `.partial`, from which the same call goes on after an
            interruption.
        settings: what else the verdicts depend on, as JSON.
        restart: begin anew, whatever an interrupted call left.
        progress: called with the number of rows that were just done.

    Raises:
        ConfigError: what an interrupted call left is of another file, or of other columns or settings.
        DataError: a row lacks a column or holds no text there; the message names file and row. Nothing is written.
    """
    found = FileVerdicts()
    rows = _checked_rows(path, columns, found, verifier)
    head = {"input": _identity(path), "columns": vars(columns), "settings": settings}
    with Partial(output, head, restart) if output else nullcontext() as partial:
        kept = [
            Verdict(math.nan if value is None else value, reason, answer)
            for note in (partial.batches if partial else ())
            for value, reason, answer in note["judged"]
        ]
        try:
            while chunk := list(islice(rows, _AT_A_TIME)):
                done = kept[len(found.verdicts) : len(found.verdicts) + len(chunk)]
                rest = chunk[len(done) :]
                fresh, opinions = _judge(verifier, [pair for _, pair in rest]) if rest else ([], [])
                if partial and rest:
                    judged = zip(rest, opinions, fresh, strict=True)
                    lines = [_line({**row, **said}, verdict) for (row, _), said, verdict in judged]
                    partial.add_batch(
                        lines, {"judged": [[_value(each), str(each.reason), each.answer] for each in fresh]}
                    )
                found.verdicts += [*done, *fresh]
                progress(len(chunk))
            if not found.verdicts:
                raise DataError(f"{path}: no rows")
        except DataError:
            if partial:
                partial.remove()
            raise
        if partial and output:
            with replacing(output) as file:
                file.writelines(partial.rows())
            partial.remove()
    return found


def _identity(path: Path) -> list[Any]:
    """What tells a file from a changed one."""
    if not path.exists():
        return [str(path)]
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def _judge(verifier: Verifier | BatchVerifier, pairs: Sequence[Request]) -> tuple[list[Verdict], list[dict[str, Any]]]:
    """The verdicts, and what a cascade's two parts said of each."""
    if isinstance(verifier, (Cascade, CascadeVerifier)):
        opinions = verifier.verify_batch_with_opinions(pairs)
        said = [{"rule_verdict": _value(each.rule), "judge_verdict": _value(each.judge)} for each in opinions]
        return [each.verdict for each in opinions], said
    return verdicts_of(verifier, pairs), [{}] * len(pairs)


def _value(verdict: Verdict | None) -> float | None:
    """A verdict as JSON has it: null for an abstention, and for a judge that was not asked."""
    return None if verdict is None or verdict.abstained else verdict.value


def _checked_rows(
    path: Path, columns: PairColumns, found: FileVerdicts, verifier: Verifier | BatchVerifier
) -> Iterator[tuple[dict[str, Any], Request]]:
    """Each row with what is asked of it; labels, places and domains are noted on the way."""
    whole = takes_requests(verifier)
    labelled: bool | None = None
    for place, row in read_rows(path):
        completion = columns.completion or _first(_COMPLETIONS, row, place)
        text = column_of(row, completion, place)
        if not isinstance(text, str):
            text = as_text(text, completion, place)
        if completion == "answer":
            text = f"\\boxed{{{text}}}"
        if labelled is None:
            labelled = columns.label in row
        if labelled:
            found.labels.append(_label(column_of(row, columns.label, place), columns.label, place))
        found.places.append(str(place))
        text = as_judged(row.get("prompt"), text, row.get("finish_reason"))
        question, domain = row.get(columns.question), row.get("domain")
        request = Request(None, text, question if isinstance(question, str) else "")
        if isinstance(domain, str):
            found.domains.append(domain)
            request = request._replace(domain=domain)
        if isinstance(verifier, ByDomain):
            verifier.check([request.domain], [place])
        check_columns(verifier, row, place, request.domain)
        reference, expected = _reference(row, columns, place, verifier, request.domain)
        found.references.append("" if expected is None else own_answer(expected))
        request = request._replace(reference=expected)
        if whole:
            request = request._replace(
                messages=as_messages(text), columns=json_columns(row, (reference, completion)), prompt=_asked(row)
            )
        yield row, request


def _reference(
    row: dict[str, Any], columns: PairColumns, place: Place, verifier: Verifier | BatchVerifier, domain: str
) -> tuple[str, Any]:
    """Its column and what stands there: nothing, as the verifier takes it, where there is none and it needs none."""
    needed, nothing = needs_reference(verifier, domain), None if takes_requests(verifier) else ""
    known = (columns.reference,) if columns.reference else _REFERENCES
    if not needed and not any(outermost(name, row) in row for name in known):
        return known[0], nothing
    column = columns.reference or _first(_REFERENCES, row, place)
    expected = column_of(row, column, place)
    if not needed and is_missing(expected):
        return column, nothing
    if not takes_requests(verifier) and expected != "":  # on which the verifier abstains
        expected = as_text(expected, column, place)
    return column, expected


def _asked(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The prompt's messages, where a row has a prompt."""
    prompt = row.get("prompt")
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return prompt if isinstance(prompt, list) and all(isinstance(message, dict) for message in prompt) else []


def _first(names: Sequence[str], row: dict[str, Any], place: Place) -> str:
    for name in names:
        if name in row:
            return name
    raise DataError(f"{place}: none of the columns {', '.join(map(repr, names))}; it has {sorted(row)}")


def _label(value: Any, column: str, place: Place) -> bool:
    if value in (0, 1):
        return bool(value)
    raise DataError(f"{place}: {column!r} must be 0, 1, true or false, not {value!r}")


def _line(row: dict[str, Any], verdict: Verdict) -> bytes:
    said = {"verdict": _value(verdict), "verdict_reason": str(verdict.reason), "verdict_answer": verdict.answer}
    return json.dumps({**row, **said}, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n"
