"""Rollouts in the batches that a rule sees one at a time.

    for batch in batches(read_rollouts("dumps"), groups=128):
        ...

A batch is one step of one file, or, in a file without steps, so many groups in their order. A group never spans files:
trainers number the groups of every batch from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        DataError: a step or a group goes on after its batch has ended; the message names the place.
    """
    batch: list[Rollout] = []
    inside: set[Any] = set()  # groups of the batch
    ended: set[int] = set()  # hashes of the steps and groups of the file that are over
    for rollout in rollouts:
        last = batch[-1] if batch else rollout
        new_file, new_step = _file(rollout) != _file(last), rollout.step != last.step
        full = rollout.step is None and len(inside) == groups and rollout.group not in inside
        if batch and (new_file or new_step or full):
            yield batch
            if new_file:
                ended.clear()
            else:
                ended.update(map(hash, _keys(last, inside)))
            batch, inside = [], set()
        if rollout.group not in inside:
            _refuse_what_ended(rollout, ended, groups)
        batch.append(rollout)
        inside.add(rollout.group)
    if batch:
        yield batch


def _file(rollout: Rollout) -> Path | None:
    return rollout.place.file if rollout.place else None


def _keys(last: Rollout, inside: set[Any]) -> set[tuple[str, Any]]:
    return {("group", group) for group in inside} if last.step is None else {("step", last.step)}


def _refuse_what_ended(rollout: Rollout, ended: set[int], groups: int) -> None:
    if rollout.step is not None and hash(("step", rollout.step)) in ended:
        raise DataError(f"{rollout.place}: step {rollout.step} goes on here; rows of one step must stand together")
    if rollout.step is None and hash(("group", rollout.group)) in ended:
        raise DataError(
            f"{rollout.place}: group {rollout.group!r} goes on here, after the {groups} groups of its batch; rows of "
            "one group must stand together, and prompts that come back need a column of groups or of steps"
        )
