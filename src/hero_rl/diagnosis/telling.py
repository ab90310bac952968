"""The rollouts on which verifier and reward model disagree most, picked while a file streams by."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from hero_rl.files.messages import text_of_content
from hero_rl.files.rows import Reference
from hero_rl.rollouts import Rollout
from hero_rl.rollouts.record import Text

__all__ = ["Candidate", "TellingRollouts", "Word", "excerpt", "plain"]

Kind = Literal["incorrect_high", "correct_low"]

_KINDS: tuple[tuple[Kind, float, int], ...] = (("incorrect_high", 0.0, 1), ("correct_low", 1.0, -1))
_EACH = 10  # rollouts of each kind
_PROMPT, _COMPLETION, _SHORT = 800, 2400, 200  # characters that are kept
# What a page or a terminal must not be given: control characters but line feed and tab, and lone surrogates.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Word(Protocol):
    """What is known of a rollout: the verdict, the score, the verifier's reason and the answer it extracted."""

    @property
    def verdict(self) -> float | None:
        """1.0, 0.0 or None."""
        ...

    @property
    def score(self) -> float | None:
        """The raw logit or None."""
        ...

    @property
    def reason(self) -> str | None:
        """The verifier's, or None."""
        ...

    @property
    def answer(self) -> str | None:
        """What the verifier extracted, or None."""
        ...

    @property
    def unverified(self) -> bool:
        """Whether there is no verdict because no verifier applies."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A rollout that may be shown: excerpts of its texts and what is known of it."""

    place: str
    step: int | None
    prompt: str
    completion: str
    reference: str | None
    answer: str | None
    reason: str | None
    score: float
    right: int
    wrong: int


class TellingRollouts:
    """Keeps the incorrect rollouts of highest and the correct ones of lowest score, one a prompt."""

    def __init__(self) -> None:
        self._kept: dict[Kind, dict[bytes, Candidate]] = {"incorrect_high": {}, "correct_low": {}}

    def add(self, batch: Sequence[Rollout], words: Sequence[Word]) -> None:
        """Take in one batch of whole groups."""
        groups: dict[object, list[int]] = {}
        for row, rollout in enumerate(batch):
            groups.setdefault(rollout.group, []).append(row)
        for rows in groups.values():
            counts = [sum(words[row].verdict == word for row in rows) for word in (1.0, 0.0)]
            for kind, verdict, sign in _KINDS:
                scored = [(sign * s, row) for row in rows if (s := _score(words[row], verdict)) is not None]
                if scored:
                    extremity, row = max(scored, key=lambda pair: pair[0])
                    self._offer(kind, extremity, batch[row], words[row], counts)

    def picked(self, kind: Kind) -> list[Candidate]:
        """The most extreme ones, the most extreme first."""
        return sorted(self._kept[kind].values(), key=lambda candidate: _extremity(kind, candidate), reverse=True)

    def _offer(self, kind: Kind, extremity: float, rollout: Rollout, word: Word, counts: Sequence[int]) -> None:
        kept = self._kept[kind]
        least = min(kept, key=lambda name: _extremity(kind, kept[name])) if len(kept) >= _EACH else None
        if least is not None and extremity <= _extremity(kind, kept[least]):
            return
        name = hashlib.sha256(plain(rollout.prompt).encode("utf-8", "replace")).digest()
        if name in kept:
            least = name
            if extremity <= _extremity(kind, kept[name]):
                return
        if least is not None:
            del kept[least]
        kept[name] = _candidate(rollout, word, counts)


def _score(word: Word, verdict: float) -> float | None:
    return word.score if word.verdict == verdict and word.score != -math.inf else None


def _extremity(kind: Kind, candidate: Candidate) -> float:
    return candidate.score if kind == "incorrect_high" else -candidate.score


def _candidate(rollout: Rollout, word: Word, counts: Sequence[int]) -> Candidate:
    assert word.score is not None
    return Candidate(
        place=excerpt(str(rollout.place or ""), _SHORT),
        step=rollout.step,
        prompt=excerpt(_question(rollout.prompt), _PROMPT),
        completion=excerpt(plain(rollout.completion), _COMPLETION),
        reference=None if rollout.reference is None else excerpt(_spelled(rollout.reference), _SHORT),
        answer=None if word.answer is None else excerpt(word.answer, _SHORT),
        reason=None if word.reason is None else excerpt(word.reason, _SHORT),
        score=word.score,
        right=counts[0],
        wrong=counts[1],
    )


def _spelled(reference: Reference | Mapping[str, Any]) -> str:
    if isinstance(reference, Mapping):
        return json.dumps(reference, ensure_ascii=False, default=str)
    return reference if isinstance(reference, str) else " or ".join(reference)


def plain(text: Text) -> str:
    """Text, or the contents of chat messages one after the other."""
    if isinstance(text, str):
        return text
    return "\n".join(text_of_content(message.get("content")) for message in text)


def _question(prompt: Text) -> str:
    """A prompt's text, or its last user message's."""
    if isinstance(prompt, str):
        return prompt
    asked = [message for message in prompt if message.get("role") == "user"]
    return plain(asked[-1:] or prompt)


def excerpt(text: str, length: int) -> str:
    """At most so many characters, the middle left out first, nothing unprintable."""
    if len(text) > length:
        text = f"{text[: length // 3]} … {text[len(text) - (length - length // 3 - 3) :]}"
    return _UNPRINTABLE.sub("\ufffd", text)
