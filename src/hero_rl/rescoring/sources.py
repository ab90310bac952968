"""What gives a file's verdicts and scores: its own columns, or a verifier and a reward model that are asked anew.

for batch, judged in JudgedBatches(RolloutReader("dumps"), Rescoring()):
...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from hero_rl.auditing import auditor_for
from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import is_missing
from hero_rl.rescoring.batches import batches
from hero_rl.rescoring.judging import Judge, Judged, domain_of
from hero_rl.rescoring.settings import Rescoring
from hero_rl.reward_models import load_and_check
from hero_rl.rollouts import Rollout, RolloutReader
from hero_rl.rollouts.writers import row_line
from hero_rl.rules import AuditableRule, RewardModelOnly, ranks_unverified
from hero_rl.verifiers import AnyVerifier, BatchVerifier, MathVerifier, Verifier, held, in_processes
from hero_rl.verifiers.configured import check_columns, needs_reference

__all__ = [
    "AT_A_TIME",
    "JudgedBatches",
    "check_rows",
    "judge_of",
    "needs_verdict",
    "scores_from",
    "verdicts_from",
    "verifier_of",
]

AT_A_TIME = 128
"""Rollouts that are judged in one call."""

_CANDIDATES = 8  # columns that a message names


class JudgedBatches:
    """The batches of a file with verdict and score of each rollout; each iteration reads and judges them anew.

    Attributes:
        reader: the rollouts.
        settings: where verdicts and scores come from, and how many groups are a batch where there are no steps.
        verifier: the verifier that is asked; None where the file's verdicts are kept.
        progress: called with the bytes of the input that are done.

    Raises:
        ConfigError: there is nothing to take verdicts from.
        DataError: a row is bad.
        UnscorableError: in an iteration, verifier or reward model failed on too many rollouts.
    """

    def __init__(
        self,
        reader: RolloutReader,
        settings: Rescoring,
        progress: Callable[[float], object] = lambda position: None,
    ) -> None:
        self.reader = reader
        self.settings = settings
        self.progress = progress
        self.verifier = verifier_of(reader, settings, self._has_verdicts())

    def _has_verdicts(self) -> bool:
        """Whether there is a verdict to keep; where work is to be done, all rows are checked before it."""
        if self.settings.verifier is not None or self.settings.reward_model is not None:
            return check_rows(self.reader, self.settings.batch_groups, self.settings.verifier, self.settings.auditor)
        return any(rollout.verdict is not None for rollout in self.reader)

    def __iter__(self) -> Iterator[tuple[list[Rollout], list[Judged]]]:
        with ExitStack() as stack:
            judge, before = judge_of(self.settings, self.verifier, stack), 0
            for batch in batches(self.reader, self.settings.batch_groups):
                each = (self.reader.position - before) / len(batch)
                yield batch, self._judged(batch, judge, before, each)
                before = self.reader.position
                self.progress(before)

    def _judged(self, batch: Sequence[Rollout], judge: Judge, before: int, each: float) -> list[Judged]:
        rows: list[Judged] = []
        for start in range(0, len(batch), AT_A_TIME):
            judged = judge.judge(batch[start : start + AT_A_TIME])["rows"]
            judge.refuse_failures(judged)
            rows += judged
            self.progress(before + len(rows) * each)
        return rows


def verdicts_from(reader: RolloutReader, verifier: AnyVerifier | None) -> str:
    """What gives the verdicts, as a summary says it."""
    return f"verifier {verifier.type}" if verifier else _column(reader, "verdict")


def scores_from(reader: RolloutReader, settings: Rescoring) -> str:
    """What gives the scores, as a summary says it."""
    return f"{settings.reward_model.type} reward model" if settings.reward_model else _column(reader, "score")


def _column(reader: RolloutReader, name: str) -> str:
    return f"column {reader.layout.source[name]}" if name in reader.layout.source else "nothing"


def check_rows(reader: RolloutReader, groups: int, *verifiers: AnyVerifier | None) -> bool:
    """Read all rows, so that a bad one costs no work on the others; returns whether there is a verdict to keep.

    Our own files have a column of verdicts whether or not anything was judged.

    Raises:
        DataError: a row is bad, cannot be written, or stands in the wrong place; or there is none.
    """
    rows, judged = 0, False
    for batch in batches(reader, groups):
        rows += len(batch)
        judged = judged or any(rollout.verdict is not None for rollout in batch)
        for rollout in batch:
            row_line(rollout)
            for verifier in verifiers:
                check_columns(verifier, rollout.extra, rollout.place, domain_of(rollout) or "")
    if not rows:
        raise DataError(f"{reader.path}: no rollouts")
    return judged


def verifier_of(reader: RolloutReader, settings: Rescoring, judged: bool) -> AnyVerifier | None:
    """The verifier to ask; None where the file's verdicts are kept.

    Args:
        reader: the rollouts.
        settings: the verifier, if one is asked for; it may judge without references.
        judged: whether the file has a verdict to keep.

    Raises:
        ConfigError: there are neither verdicts to keep nor references to verify against; the message names the columns
            that may hold them.
    """
    source = reader.layout.source
    if settings.verifier is None and (judged or not needs_verdict(settings.rule)):
        return None
    verifier = settings.verifier or MathVerifier()
    if needs_reference(verifier) and not _has_references(reader, settings.rule):
        what = "no" if settings.verifier else "neither verdicts nor"
        empty = f" ({source['reference']!r} is empty in every row)" if "reference" in source else ""
        raise ConfigError(
            f"{reader.path}: there are {what} references to verify against{empty}; name their column "
            f"(--verdict_column, --label_column or --reference_column). The file is read as {reader.layout.format!r} "
            f"and has {reader.columns}{_candidates(reader)}"
        )
    return verifier


def _has_references(reader: RolloutReader, rule: AuditableRule) -> bool:
    """Whether any row has one; a rule that ranks rollouts without reference goes without, if the file says so."""
    if "reference" not in reader.layout.source:
        return False
    return ranks_unverified(rule) or any(not is_missing(rollout.reference) for rollout in reader)


def _candidates(reader: RolloutReader) -> str:
    """The columns that may be verdicts or scores by what they hold, with the flags that name them."""
    verdicts, scores = [], []
    for name, values in _numbers(reader).items():
        if values <= {0, 1} or values <= {-1, 1}:
            verdicts.append(f"{name} holds only {'-1' if -1 in values else '0'} and 1: --verdict_column {name}")
        elif name != reader.layout.source.get("score"):
            scores.append(f"{name} holds numbers: --score_column {name}")
    said = "; ".join([*verdicts, *scores][:_CANDIDATES])
    return said and f". {said}"


def _numbers(reader: RolloutReader) -> dict[str, set[float]]:
    """Column -> three of its values at most, for the columns that hold nothing but numbers."""
    source = reader.layout.source
    values: dict[str, set[float]] = {}
    others: set[str] = set()
    for rollout in reader:
        known = {source[name]: getattr(rollout, name) for name in ("score", "reward") if name in source}
        for column, value in {**rollout.extra, **known}.items():
            # A column with a field's name that is not that field comes out of the reader with another.
            name = column if column in reader.columns else column.removeprefix("input_")
            if isinstance(value, (int, float)):
                seen = values.setdefault(name, set())
                seen |= {value} if len(seen) < 3 else set()
            elif value is not None:
                others.add(name)
    return {name: seen for name, seen in values.items() if name not in others}


def needs_verdict(rule: AuditableRule) -> bool:
    """Whether the rule can do nothing without a verdict."""
    return not isinstance(rule, RewardModelOnly)


def judge_of(settings: Rescoring, verifier: AnyVerifier | None, stack: ExitStack) -> Judge:
    """Start the processes of verifier and auditor, and load the reward model; the stack ends both.

    Raises:
        ConfigError: the reward model cannot be loaded.
    """
    running, asked = (_running(one, settings, stack) for one in (verifier, settings.auditor))
    reward_model = load_and_check(settings.reward_model, stack) if settings.reward_model else None
    return Judge(running, reward_model, settings.max_missing, auditor_for(settings.rule, asked))


def _running(verifier: AnyVerifier | None, settings: Rescoring, stack: ExitStack) -> Verifier | BatchVerifier | None:
    return held(in_processes(verifier, settings.verifier_processes), stack) if verifier else None
