"""A file of rollouts judged, scored and shaped anew, batch by batch, and resumed where it was killed.

    found = rescore(RolloutReader("dumps"), Path("shaped.jsonl"), Rescoring(rule=Hero(alpha=0.05)))
    print(found.summary["groups"]["mixed"])

The rule's state passes from batch to batch in the order of the file, as it does in training. What was finished before a
kill is kept beside the output, with the state, so that the output is the same to the byte as without the kill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from hero_rl.errors import ConfigError, DataError, UnscorableError
from hero_rl.files.partial import Partial
from hero_rl.rescoring.batches import batches
from hero_rl.rescoring.judging import Judge, Judged, domain_of
from hero_rl.rescoring.settings import Rescoring
from hero_rl.rescoring.sources import (
    AT_A_TIME,
    check_rows,
    judge_of,
    needs_verdict,
    scores_from,
    verdicts_from,
    verifier_of,
)
from hero_rl.rescoring.tally import summary, tally
from hero_rl.reward_models.cached import key_of
from hero_rl.rollouts import Rollout, RolloutReader
from hero_rl.rollouts.writers import check_suffix, row_line, write_lines
from hero_rl.rules import State
from hero_rl.signals import Shaped, Signals
from hero_rl.verifiers import AnyVerifier

__all__ = ["Rescored", "rescore"]


@dataclass(frozen=True)
class Rescored:
    """What came of a file.

    Attributes:
        summary: the account of the file; see `hero_rl.rescoring.tally.summary`.
        state: the rule's state after the last batch.
        resumed: rows that an earlier call had done.
        verdicts_from: what gave the verdicts.
        scores_from: what gave the scores.
    """

    summary: dict[str, Any]
    state: State
    resumed: int
    verdicts_from: str
    scores_from: str


def rescore(
    reader: RolloutReader,
    output: Path,
    settings: Rescoring,
    restart: bool = False,
    progress: Callable[[float], object] = lambda position: None,
) -> Rescored:
    """Give every rollout its verdict, score, reward, advantage, weight and sigma, and write them all.

    Args:
        reader: the rollouts.
        output: ends in .jsonl, .jsonl.gz or .parquet. It appears whole or not at all: results are collected in a file
            of the same name and `.partial`, from which the same call goes on after an interruption.
        settings: rule, verifier and reward model.
        restart: begin anew, whatever an interrupted call left.
        progress: called with the bytes of the input that are done.

    Raises:
        ConfigError: there is nothing to take verdicts from, or the partial file is of another input or other settings.
        DataError: a bad row, named with its file and column, before any is judged.
        UnscorableError: verifier, reward model or auditor failed on too many rollouts.
    """
    check_suffix(output)
    if output.resolve().parent == reader.path.resolve() or output.resolve() in map(Path.resolve, reader.files):
        raise ConfigError(f"{output} is the input, or lies in its folder; give another name")
    judged = check_rows(reader, settings.batch_groups, settings.verifier, settings.auditor)
    verifier = verifier_of(reader, settings, judged)
    with ExitStack() as stack:
        partial = stack.enter_context(Partial(output, _head(reader, settings, verifier), restart))
        resumed = sum(note["rows"] for note in partial.batches)
        judge = judge_of(settings, verifier, stack)
        state = _go_through(reader, settings, judge, partial, progress)
        write_lines(output, partial.rows())
        partial.remove()
    account = summary([note["tally"] for note in partial.batches])
    return Rescored(account, state, resumed, verdicts_from(reader, verifier), scores_from(reader, settings))


def _head(reader: RolloutReader, settings: Rescoring, verifier: AnyVerifier | None) -> dict[str, Any]:
    """All that the output depends on; a partial file of anything else is of no use."""
    stats = [(file, file.stat()) for file in reader.files]
    return {
        "input": [[str(file.resolve()), stat.st_size, stat.st_mtime_ns] for file, stat in stats],
        "layout": [reader.layout.format, dict(reader.layout.source), reader.tokenizer],
        "rule": settings.rule.model_dump(mode="json"),
        "verifier": verifier.model_dump(mode="json") if verifier else None,
        "time or memory limit": settings.verifier_processes.model_dump(exclude={"workers"}),
        "reward_model": settings.reward_model.model_dump(mode="json") if settings.reward_model else None,
        "state of the reward model's files": key_of(settings.reward_model) if settings.reward_model else None,
        "auditor": settings.auditor.model_dump(mode="json") if settings.auditor else None,
        "batch_groups": settings.batch_groups,
    }


def _go_through(
    reader: RolloutReader, settings: Rescoring, judge: Judge, partial: Partial, progress: Callable[[float], object]
) -> State:
    """Shape the batches that are not done yet; returns the rule's state after the last one."""
    state, before = settings.rule.init(), 0
    done = list(partial.batches)
    for number, batch in enumerate(batches(reader, settings.batch_groups)):
        if number < len(done):
            if len(batch) != done[number]["rows"]:
                raise DataError(
                    f"{reader.path} has changed since {partial.path} was written; begin anew with --restart"
                )
            state = type(state).model_validate(done[number]["state"])
        else:
            progress(before)
            step = (reader.position - before) / len(batch)
            try:
                judged, truncated = _judged(batch, judge, partial, lambda n, a=before, b=step: progress(a + n * b))
                signals, counted = judge.audited(batch, _signals(batch, judged), state)
            except UnscorableError as error:
                raise UnscorableError(
                    f"{error}; what was judged before is kept, and the same command goes on there"
                ) from None
            shaped, state = settings.rule.update(signals, state)  # pyright: ignore[reportArgumentType]
            note = {
                "rows": len(batch),
                "state": state.model_dump(mode="json"),
                "tally": tally(
                    signals, shaped, [row.reason for row in judged], truncated, needs_verdict(settings.rule), counted
                ),
            }
            partial.add_batch(_lines(batch, judged, shaped, signals.audit), note)
        before = reader.position
    progress(before)
    return state


def _judged(
    batch: Sequence[Rollout], judge: Judge, partial: Partial, progress: Callable[[int], object]
) -> tuple[list[Judged], int]:
    """Verdicts and scores of a batch, and the number of truncated conversations."""
    notes = list(partial.judged)
    partial.judged = []
    rows = [Judged(*row) for note in notes for row in note["rows"]]
    truncated = sum(note["truncated"] for note in notes)
    rest = iter(batch[len(rows) :])
    while chunk := list(islice(rest, AT_A_TIME)):
        note = judge.judge(chunk)
        judge.refuse_failures(note["rows"])
        if not judge.idle:
            partial.add_judged(note)
        rows += note["rows"]
        truncated += note["truncated"]
        progress(len(rows))
    return rows, truncated


def _signals(batch: Sequence[Rollout], judged: Sequence[Judged]) -> Signals:
    numbers: dict[Any, int] = {}
    return Signals(
        verdict=torch.tensor([_float(row.verdict) for row in judged], dtype=torch.float64),
        score=torch.tensor([_float(row.score) for row in judged], dtype=torch.float64),
        group=torch.tensor([numbers.setdefault(rollout.group, len(numbers)) for rollout in batch]),
        domain=_domains(batch),
        unverified=torch.tensor([row.unverified for row in judged]),
    )


def _domains(batch: Sequence[Rollout]) -> tuple[str, ...] | None:
    """The domain of each rollout; None where a row names none."""
    named = [domain_of(rollout) for rollout in batch]
    return None if None in named else tuple(map(str, named))


def _float(value: float | None) -> float:
    return float("nan") if value is None else value


def _lines(
    batch: Sequence[Rollout], judged: Sequence[Judged], shaped: Shaped, audit: torch.Tensor | None
) -> list[bytes]:
    columns = (shaped.reward.tolist(), shaped.advantage.tolist(), shaped.weight.tolist(), shaped.sigma.tolist())
    audits = [None] * len(batch) if audit is None else audit.tolist()
    lines = []
    for rollout, said, reward, advantage, weight, sigma, audited in zip(batch, judged, *columns, audits, strict=True):
        known = {"verdict": said.verdict, "score": said.score, "reward": reward, "advantage": advantage}
        before = {name: getattr(rollout, name) for name in known}
        kept = {f"input_{name}": old for name, old in before.items() if old is not None and old != known[name]}
        extra = {**rollout.extra, **kept, "weight": weight, "sigma": sigma}
        if said.reason is not None:
            extra |= {"verdict_reason": said.reason, "verdict_answer": said.answer}
        if audit is not None:
            extra["audit"] = None if audited != audited else audited
        lines.append(row_line(replace(rollout, **known, extra=extra)))
    return lines
