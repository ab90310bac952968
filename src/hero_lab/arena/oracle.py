"""The oracle as an auditor: what a dear and good judge would say of a rollout, with as many errors as one asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_lab.arena.answers import is_correct
from hero_rl.training.configs.policy import TrainConfig
from hero_rl.verifiers import Reason, Request, Verdict

__all__ = ["ArenaTrainConfig", "Oracle"]


class Oracle(BaseModel):
    """Judges by every right spelling, whatever the reference says; it reads the problem from the question.

    Attributes:
        error: share of the texts that it judges wrongly. Which they are is drawn by a hash of question and completion:
            the same word for the same text, and no look at its score.
        seed: of that draw.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["oracle"] = "oracle"
    error: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    seed: int = 0

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]], /) -> list[Verdict]:
        """Judge a batch, one verdict a request; a question that is no problem of the arena makes it abstain."""
        return [self._judge(Request.of(request)) for request in requests]

    def _judge(self, request: Request) -> Verdict:
        try:
            right = is_correct(request.question, request.completion)
        except ValueError:
            return Verdict.of(Reason.REFERENCE_UNREADABLE)
        if self._errs(request):
            right = not right
        return Verdict.of(Reason.MATCHED_BY_JUDGE if right else Reason.REJECTED_BY_JUDGE)

    def _errs(self, request: Request) -> bool:
        text = f"{self.seed}\n{request.question}\n{request.completion}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") < self.error * 2**64


class ArenaTrainConfig(TrainConfig):
    """A training run in the arena, where the oracle can be the auditor."""

    auditor: Oracle | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
