"""A file's rollouts judged and taken in for a diagnosis, in one pass.

reader, label_column = labelled_reader(Path("dumps"), Columns(), None, settings)
collected, source = collect(reader, label_column, settings)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hero_rl.diagnosis import Collector
from hero_rl.errors import ConfigError, DataError
from hero_rl.rescoring.judging import Judged
from hero_rl.rescoring.settings import Rescoring
from hero_rl.rescoring.sources import JudgedBatches, scores_from, verdicts_from
from hero_rl.rollouts import Columns, Format, Rollout, RolloutReader
from hero_rl.rollouts.record import FIELDS
from hero_rl.rollouts.values import as_label

__all__ = ["collect", "labelled_reader"]

_LABELS = ("label", "labels")
_AUDIT = "audit"  # what a run's auditor said of the few rollouts that it was asked about


def labelled_reader(
    path: Path, columns: Columns, format: Format | None, settings: Rescoring, tokenizer: str | None = None
) -> tuple[RolloutReader, str | None]:
    """Open a file whose labels may stand beside its verdicts.

    Labels are known correctness: a column of the file, or what a run's auditor said. Where there is nothing else to
    take verdicts from they are the verdicts, and no labels are left to compare with.

    Returns:
        The reader and the column of labels, None where there are none beside the verdicts.

    Raises:
        ConfigError: a column that was asked for is not there.
    """
    reader = RolloutReader(path, replace(columns, label=None), format, tokenizer)
    verdict = reader.layout.source.get("verdict")
    if columns.label is not None:
        reader_of_labels = RolloutReader(
            path, replace(columns, verdict=None), format, tokenizer
        )  # it refuses a wrong name
        if verdict in (None, columns.label) and settings.verifier is None:
            return reader_of_labels, None
        return reader, columns.label
    if verdict in _LABELS:
        return reader, verdict if settings.verifier is not None else None
    return reader, next((name for name in (*_LABELS, _AUDIT) if name in _first(reader).extra), None)


def _first(reader: RolloutReader) -> Rollout:
    try:
        return next(iter(reader))
    except StopIteration:
        raise DataError(f"{reader.path}: no rollouts") from None


def collect(
    reader: RolloutReader,
    label_column: str | None,
    settings: Rescoring,
    progress: Callable[[float], object] = lambda position: None,
) -> tuple[Collector, dict[str, Any]]:
    """Judge and take in every rollout.

    Args:
        reader: the rollouts.
        label_column: column of known correctness to compare with.
        settings: verifier and reward model, and how many groups are a batch where there are no steps.
        progress: called with the bytes of the input that are done.

    Returns:
        The rollouts as numbers, and where they come from.

    Raises:
        ConfigError, DataError: as `JudgedBatches`; a bad row is named with its file, row and column.
    """
    collected = Collector()
    judged = JudgedBatches(reader, settings, progress)
    for batch, rows in judged:
        words = [_with_reason(row, rollout) for row, rollout in zip(rows, batch, strict=True)]
        collected.add(batch, words, [_label(rollout, label_column, reader) for rollout in batch])
    return collected, {
        "path": str(reader.path),
        "format": reader.layout.format,
        "columns": dict(reader.layout.source),
        "passed_over": dict(reader.passed_over),
        "verdicts_from": verdicts_from(reader, judged.verifier),
        "scores_from": scores_from(reader, settings),
        "labels_from": None if label_column is None else f"column {label_column}",
    }


def _label(rollout: Rollout, column: str | None, reader: RolloutReader) -> float | None:
    if column is None:
        return None
    if column == reader.layout.source.get("verdict"):
        verdict = rollout.verdict
        if verdict is not None and 0 < verdict < 1:
            raise DataError(f"{rollout.place}: {column!r} must be 0 or 1 to be a label, not {verdict:g}")
        return verdict
    name = f"input_{column}" if column in FIELDS else column
    if name not in rollout.extra:
        raise ConfigError(f"{rollout.place}: no column {column!r} is left for labels")
    assert rollout.place is not None
    if column == _AUDIT and rollout.extra[name] not in (0, 1):  # nobody was asked, or it gave a part
        return None
    return as_label(rollout.extra[name], column, rollout.place)


def _with_reason(row: Judged, rollout: Rollout) -> Judged:
    """With the reason and the answer that the file has, where its verdicts are kept."""
    if row.reason is not None:
        return row
    extra = rollout.extra
    reason = extra.get("verdict_reason", extra.get("reason"))
    # A column `answer` is the verifier's in files of `hero train`, and the reference's elsewhere.
    answer = extra.get("verdict_answer", extra.get("answers" if reason is None else "answer"))
    return row._replace(
        reason=reason if isinstance(reason, str) else None, answer=answer if isinstance(answer, str) else None
    )
