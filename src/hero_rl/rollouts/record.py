"""One rollout as every file format is read into it and written from it.

    >>> from hero_rl.rollouts import Rollout
    >>> Rollout(prompt="1 + 1 =", completion="2", verdict=1.0).row()["verdict"]
    1.0

A number that is missing is None here and null in files. NaN means the same, so that it is read as None and written as
null, as is the score of an empty completion, minus infinity; an infinite number that is read is an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hero_rl.files.rows import Place, Reference, Text

__all__ = ["FIELDS", "NUMBERS", "Rollout", "Text"]

NUMBERS = ("verdict", "score", "reward", "advantage")
"""The fields that hold a number or None."""


@dataclass(frozen=True)
class Rollout:
    """One completion of one prompt, and what is known of it.

    Attributes:
        prompt: text or chat messages.
        completion: text or chat messages.
        id: the rollout's own name; None where its file has none.
        reference: the right answer, or several of which any one is right, or an object, which a verifier that takes
            requests reads; None where it is not known.
        group: what the rollouts of one prompt in one step share.
        verdict: 1.0 correct, 0.0 incorrect, None not judged or abstained.
        score: the reward model's raw logit; None not scored or failed.
        reward: what the trainer, or a rule, made of both; None unscorable or not yet made.
        advantage: what the policy gradient sees; None not yet made.
        step: the optimiser step that the rollout was made for; None where its file has no steps.
        extra: every other column of its file, as JSON holds it.
        place: where it was read. Neither written nor compared.

    Raises:
        ValueError: `extra` has a key with the name of a field.
    """

    prompt: Text
    completion: Text
    id: str | None = None
    reference: Reference | Mapping[str, Any] | None = None
    group: str | int | None = None
    verdict: float | None = None
    score: float | None = None
    reward: float | None = None
    advantage: float | None = None
    step: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in self.extra:
            if name in FIELDS:
                raise ValueError(f"extra has {name!r}, which is a field of its own")

    def row(self) -> dict[str, Any]:
        """The rollout as one flat row: the fields in a fixed order, then the other columns."""
        row = {name: getattr(self, name) for name in FIELDS}
        for name in NUMBERS:
            row[name] = None if row[name] is None or math.isnan(row[name]) else float(row[name])
        if row["score"] == -math.inf:  # of an empty completion; any other infinity is a mistake, which the writers name
            row["score"] = None
        return row | dict(self.extra)


_ORDER = ("id", "step", "group", "prompt", "completion", "reference", *NUMBERS)
FIELDS = tuple(sorted({f.name for f in fields(Rollout)} - {"extra", "place"}, key=_ORDER.index))
"""The columns of our own files, in their order; all other columns of a file are `extra`."""
