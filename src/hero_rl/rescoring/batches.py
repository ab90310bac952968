"""Rollouts in the batches that a rule sees one at a time.

    for batch in batches(read_rollouts("dumps"), groups=128):
        ...

A batch is one step of one file, or, in a file without steps, so many groups in their order. A group never spans files:
trainers number the groups of every batch from the start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError
from hero_rl.rollouts import Rollout

__all__ = ["batches"]


def batches(rollouts: Iterable[Rollout], groups: int) -> Iterator[list[Rollout]]:
    """Cut a stream of rollouts into batches; no more than one is in memory.

    Args:
        rollouts: in the order of their files.
        groups: how many groups are a batch where there are no steps.

    Raises:
        DataError: a step or a group goes on after its batch, or in another file; the message names the place.
    """
    batch: list[Rollout] = []
    inside: set[Any] = set()  # groups of the batch
    over = _Over(groups)
    for rollout in rollouts:
        last = batch[-1] if batch else rollout
        new_file, new_step = _file(rollout) != _file(last), rollout.step != last.step
        full = rollout.step is None and len(inside) == groups and rollout.group not in inside
        if batch and (new_file or new_step or full):
            yield batch
            over.add(last, inside, new_file)
            batch, inside = [], set()
        if rollout.group not in inside:
            over.refuse(rollout)
        batch.append(rollout)
        inside.add(rollout.group)
    if batch:
        yield batch


class _Over:
    """The steps and groups whose rows are over: those of the file by name, and every group of any file by its digest.

    Trainers number groups from the start in each file, so that the same number is another group if its prompt is.
    """

    def __init__(self, groups: int) -> None:
        self.groups = groups
        self._in_file: set[tuple[str, Any]] = set()
        self._in_other_files: set[bytes] = set()
        self._begun: set[bytes] = set()

    def add(self, last: Rollout, inside: set[Any], new_file: bool) -> None:
        self._in_file |= {("group", group) for group in inside} if last.step is None else {("step", last.step)}
        if new_file:
            self._in_file.clear()
            self._in_other_files |= self._begun
            self._begun.clear()

    def refuse(self, rollout: Rollout) -> None:
        """Raise a `DataError` where a step or a group that is over goes on with this rollout."""
        step, group = rollout.step, rollout.group
        if step is not None and ("step", step) in self._in_file:
            raise DataError(f"{rollout.place}: step {step} goes on here; rows of one step must stand together")
        if step is None and ("group", group) in self._in_file:
            raise DataError(
                f"{rollout.place}: group {group!r} goes on here, after the {self.groups} groups of its batch; rows of "
                "one group must stand together, and prompts that come back need a column of groups or of steps"
            )
        digest = blake2b(json.dumps([step, group, rollout.prompt]).encode(), digest_size=16).digest()
        if digest in self._in_other_files:
            raise DataError(
                f"{rollout.place}: group {group!r} has rows in another file of the folder; all rows of a group must "
                "stand in one file, and a prompt that comes back needs a column of steps"
            )
        self._begun.add(digest)


def _file(rollout: Rollout) -> Path | None:
    return rollout.place.file if rollout.place else None
