"""A verifier for tasks with one spelling of the answer.

>>> from hero_rl.verifiers import ExactVerifier
>>> ExactVerifier(marker="####").verify("72", "6 * 12 = 72, so #### 72").value
1.0
"""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.verifiers.base import Reason, Verdict
from hero_rl.verifiers.math.text.thinking import after_thinking

__all__ = ["ExactVerifier"]


class ExactVerifier(BaseModel):
    """Correct if the answer is the reference, character for character after whitespace is normalised.

    Attributes:
        marker: the answer is the text after the last marker, up to the end of the completion; a completion without
            one has no answer, nor has a thought that never ends. Searched for as it stands, spaces included. None takes
            the whole completion.
        max_characters: an answer longer than this is wrong without being compared.
        case_sensitive: whether "Paris" and "paris" differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["exact"] = "exact"
    marker: Annotated[str, Field(min_length=1)] | None = None
    max_characters: Annotated[int, Field(gt=0)] = 4096
    case_sensitive: bool = True

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion; an empty reference makes the verifier abstain."""
        start = time.perf_counter()
        reason, answer = self._judge(reference, completion)
        return Verdict.of(reason, answer, time.perf_counter() - start)

    def _judge(self, reference: str, completion: str) -> tuple[Reason, str | None]:
        expected = self._normal_form(reference)
        if not expected:
            return Reason.REFERENCE_UNREADABLE, None
        answer = self._answer(completion)
        if not answer:
            return Reason.NO_ANSWER, None
        if len(answer) > self.max_characters:
            return Reason.ANSWER_TOO_LONG, answer[: self.max_characters]
        return (Reason.MATCHED_EXACTLY if self._normal_form(answer) == expected else Reason.MISMATCH), answer

    def _answer(self, completion: str) -> str:
        if self.marker is None:
            return completion.strip()
        _, found, answer = (after_thinking(completion) or "").rpartition(self.marker)
        return answer.strip() if found else ""

    def _normal_form(self, text: str) -> str:
        text = " ".join(text.split())
        return text if self.case_sensitive else text.casefold()
