r"""The references of a data set, before a run: what is taken for text, and whether a verifier can read it.

    check_references(["72", r"\frac{1}{2}", "see the figure"], MathVerifier()).unreadable  # ("see the figure",)

A reference that the verifier cannot read gives no verdict on any rollout of its prompt, so the prompt teaches nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from hero_rl.errors import ConfigError
from hero_rl.verifiers.asking import Asked
from hero_rl.verifiers.base import (
    NOBODYS_COMPLETION,
    BatchVerifier,
    Reason,
    Request,
    Verdict,
    Verifier,
    takes_requests,
)
from hero_rl.verifiers.cascade import Cascade, CascadeVerifier
from hero_rl.verifiers.configured import needs_reference
from hero_rl.verifiers.judge import JudgeVerifier

__all__ = ["ReferenceCheck", "check_references", "reference_text"]

_SAMPLE = 500
_FIRST = 4  # a check that crashes costs two processes, so that a verifier that always does is known by these
_SHOWN = 3
_SHORT = 80
_GROUND_TRUTH = ("ground_truth", "answer", "target")


@dataclass(frozen=True)
class ReferenceCheck:
    """What came of judging references.

    Attributes:
        checked: different references that were judged.
        unreadable: those of them that give no verdict, or are not right by themselves; in their order.
        crashed: those that the verifier failed on; in their order.
        failure: what its first failure came to; empty where it is not known.
    """

    checked: int
    unreadable: tuple[str, ...]
    crashed: tuple[str, ...] = ()
    failure: str = ""

    @property
    def share(self) -> float:
        """Share of the references that cannot be used; 0 where none was judged."""
        return (len(self.unreadable) + len(self.crashed)) / self.checked if self.checked else 0.0

    @property
    def works(self) -> bool:
        """Whether the verifier did its work on any reference, if there was one."""
        return not self.checked or len(self.crashed) < self.checked

    def __str__(self) -> str:
        """One sentence: the shares, up to three examples of each, and what to change."""
        said = []
        if self.crashed:
            said.append(
                f"{self._listed(self.crashed, 'make the verifier fail, each judged against itself')}"
                f"{f'; its first failure: {self.failure:.500}' if self.failure else ''}"
            )
        if self.unreadable:
            said.append(
                f"{self._listed(self.unreadable, 'cannot be read by the verifier')}; name the column with the final "
                "answers, leave these rows out, or set verifier.type to cascade, so that a judge reads them"
            )
        return ". ".join(said) or f"all of {self.checked} references can be read"

    def _listed(self, some: tuple[str, ...], what: str) -> str:
        examples = ", ".join(repr(_shortened(reference)) for reference in some[:_SHOWN])
        share = f"{len(some) / self.checked:.1%} of {self.checked} references"
        return f"{share} {what}, so their prompts teach nothing: {examples}"


def check_references(
    references: Iterable[object], verifier: Verifier | BatchVerifier, most: int = _SAMPLE
) -> ReferenceCheck:
    """Judge references by themselves: each must be right in the place of an answer, and make another answer wrong.

    A judge reads any text and costs a request, so nothing is checked where one decides; nor where a verifier reads
    more of a row than its reference, or nothing of it. Where the verifier fails on all of the first few, spread over
    the others, it is asked no more.

    Args:
        references: as the data set has them; anything that `reference_text` takes.
        verifier: the run's verifier; it may be supervised.
        most: so many different references at most, spread evenly over all.

    Raises:
        ConfigError: the verifier returned no `Verdict`.
    """
    if (
        isinstance(verifier, (JudgeVerifier, Cascade, CascadeVerifier))
        or takes_requests(verifier)
        or not needs_reference(verifier)
    ):
        return ReferenceCheck(0, ())
    texts = list(dict.fromkeys(_as_text(reference) for reference in references))
    chosen = texts[:: max(1, math.ceil(len(texts) / most))]
    asked = Asked(verifier)
    few = chosen[:: max(1, math.ceil(len(chosen) / _FIRST))]
    try:
        found = _judged(asked, few)
        return _judged(asked, chosen) if found.works and len(few) < len(chosen) else found
    except TypeError as error:
        raise ConfigError(f"verifier: {error}") from None


def _judged(asked: Asked, references: list[str]) -> ReferenceCheck:
    boxed = asked.verdicts([Request(text, rf"\boxed{{{text}}}") for text in references])
    whole = asked.verdicts([Request(text, text) for text in references])
    other = asked.verdicts([Request(text, NOBODYS_COMPLETION) for text in references])
    bad = {
        text: any(verdict.reason is Reason.CRASHED for verdict in (*itself, another))
        for text, *itself, another in zip(references, boxed, whole, other, strict=True)
        if another.abstained or not _taken(itself)
    }
    crashed = tuple(text for text, has_crashed in bad.items() if has_crashed)
    unreadable = tuple(text for text in bad if text not in crashed)
    return ReferenceCheck(len(references), unreadable, crashed, asked.first_failure if crashed else "")


def _taken(itself: list[Verdict]) -> bool:
    """Whether a reference is right by itself, or was not tried: a verifier may want its answers behind a marker."""
    return any(v.value == 1 for v in itself) or all(v.reason is Reason.NO_ANSWER for v in itself)


def reference_text(value: object) -> str:
    """A reference as text: text as it is, a number's digits, a list or mapping as JSON.

    A mapping with the answer under `ground_truth`, `answer` or `target` stands for that.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for name in _GROUND_TRUTH:
            if name in value:
                return reference_text(value[name])
    if isinstance(value, (int, float, list, tuple, dict)):  # True is "true"
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"a reference must be text, a number, a list or a mapping, not {type(value).__name__}")


def _as_text(value: object) -> str:
    try:
        return reference_text(value)
    except TypeError:
        return ""  # blank, hence unreadable


def _shortened(text: str) -> str:
    return text if len(text) <= _SHORT else text[:_SHORT] + "..."
