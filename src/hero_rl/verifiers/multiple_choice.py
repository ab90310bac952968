"""A verifier for questions with lettered choices.

>>> from hero_rl.verifiers import MultipleChoiceVerifier
>>> MultipleChoiceVerifier().verify("C", "Two of them are even, so the answer is (C).").value
1.0
"""

from __future__ import annotations

import time
from typing import Annotated, Literal

import regex
from pydantic import BaseModel, ConfigDict, Field

from hero_rl.verifiers.base import Reason, Verdict
from hero_rl.verifiers.math.text.boxes import find_boxes
from hero_rl.verifiers.math.text.thinking import after_thinking

__all__ = ["MultipleChoiceVerifier"]

_READ = 4096  # characters of the end of a completion, where answers stand
_CHOICE = r"[(\[]?\*{0,2}\$?(?:\\(?:text|mathrm|textbf|mathbf)\{)?[(\[]?([A-Za-z])[)\]]?\}?\$?\*{0,2}[)\]]?"
_WHOLE = regex.compile(rf"\s*{_CHOICE}\s*[.:]?\s*")
_FOLLOWED = regex.compile(rf"\s*{_CHOICE}(?:[.):]|,|\s|$).{{0,500}}", regex.DOTALL)
# A letter after the words that announce an answer; the last announcement counts.
_WORD_FOLLOWS = regex.compile(r"\s+\w")
_SAID = regex.compile(
    rf"\b(?:answer|choice|option)\b\*{{0,2}}(?:\s+is)?\s*:?\*{{0,2}}\s*(?:(?:option|choice)\s+)?{_CHOICE}(?![A-Za-z'])",
    regex.IGNORECASE,
)


class MultipleChoiceVerifier(BaseModel):
    """Correct if the letter that a completion chooses is the reference's.

    The choice is read, in this order, from the last box; from the last "answer is C", "Answer: (C)", "option C" or the
    like; from a last line that is a letter and nothing else. A completion with none, and a thought that never
    ends, has no answer. Only the last 4096 characters are read.

    Attributes:
        choices: how many letters there are, from A on; another letter is no answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["multiple_choice"] = "multiple_choice"
    choices: Annotated[int, Field(ge=2, le=26)] = 10

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion; abstains if the reference is no letter that can be chosen."""
        start = time.perf_counter()
        wanted = self._letter(_WHOLE.fullmatch(reference.strip()[:100]))
        if wanted is None:
            return Verdict.of(Reason.REFERENCE_UNREADABLE, None, time.perf_counter() - start)
        chosen = self._chosen((after_thinking(completion) or "")[-_READ:])
        reason = Reason.NO_ANSWER if chosen is None else Reason.MISMATCH
        reason = Reason.MATCHED_EXACTLY if chosen == wanted else reason
        return Verdict.of(reason, chosen, time.perf_counter() - start)

    def _chosen(self, text: str) -> str | None:
        boxes, _ = find_boxes(text)
        if boxes:
            inside = boxes[-1].content.strip()
            return self._letter(_WHOLE.fullmatch(inside) or _FOLLOWED.fullmatch(inside))
        announced = [said for said in _SAID.finditer(text) if not _is_article(said, text)]
        if announced:
            return self._letter(announced[-1])
        lines = text.strip().splitlines()
        return self._letter(_WHOLE.fullmatch(lines[-1])) if lines else None

    def _letter(self, match: regex.Match[str] | None) -> str | None:
        letter = match[1].upper() if match else None
        return letter if letter is not None and ord(letter) - ord("A") < self.choices else None


def _is_article(said: regex.Match[str], text: str) -> bool:
    """Whether the letter is the "a" of "the answer is a cat"."""
    return said[1].islower() and _WORD_FOLLOWS.match(text, said.end()) is not None
