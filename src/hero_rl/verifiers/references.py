r"""The references of a data set, before a run: what is taken for text, and whether a verifier can read it.

    check_references(["72", r"\frac{1}{2}", "see the figure"], MathVerifier()).unreadable  # ("see the figure",)

A reference that the verifier cannot read gives no verdict on any rollout of its prompt, so the prompt teaches nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from hero_rl.verifiers.base import (
    NOBODYS_COMPLETION,
    BatchVerifier,
    Reason,
    Request,
    Verdict,
    Verifier,
    takes_requests,
    verdicts_of,
)
from hero_rl.verifiers.cascade import Cascade, CascadeVerifier
from hero_rl.verifiers.configured import needs_reference
from hero_rl.verifiers.judge import JudgeVerifier

__all__ = ["ReferenceCheck", "check_references", "reference_text"]

_SAMPLE = 500
_SHOWN = 3
_SHORT = 80
_GROUND_TRUTH = ("ground_truth", "answer", "target")


@dataclass(frozen=True)
class ReferenceCheck:
    """What came of judging references.

    Attributes:
        checked: different references that were judged.
        unreadable: those of them that give no verdict, or are not right by themselves; in their order.
    """

    checked: int
    unreadable: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of the references that cannot be used; 0 where none was judged."""
        return len(self.unreadable) / self.checked if self.checked else 0.0

    def __str__(self) -> str:
        """One sentence: the share, up to three examples, and what to change."""
        if not self.unreadable:
            return f"all of {self.checked} references can be read"
        examples = ", ".join(repr(_shortened(reference)) for reference in self.unreadable[:_SHOWN])
        return (
            f"{self.share:.1%} of {self.checked} references cannot be read by the verifier, so their prompts teach "
            f"nothing: {examples}; name the column with the final answers, leave these rows out, or set verifier.type "
            f"to cascade, so that a judge reads them"
        )


def check_references(
    references: Iterable[object], verifier: Verifier | BatchVerifier, most: int = _SAMPLE
) -> ReferenceCheck:
    """Judge references by themselves: each must be right in the place of an answer, and make another answer wrong.

    A judge reads any text and costs a request, so nothing is checked where one decides; nor where a verifier reads
    more of a row than its reference, or nothing of it.

    Args:
        references: as the data set has them; anything that `reference_text` takes.
        verifier: the run's verifier; it may be supervised.
        most: so many different references at most, spread evenly over all.
    """
    if (
        isinstance(verifier, (JudgeVerifier, Cascade, CascadeVerifier))
        or takes_requests(verifier)
        or not needs_reference(verifier)
    ):
        return ReferenceCheck(0, ())
    texts = list(dict.fromkeys(_as_text(reference) for reference in references))
    chosen = texts[:: max(1, math.ceil(len(texts) / most))]
    boxed = verdicts_of(verifier, [Request(text, rf"\boxed{{{text}}}") for text in chosen])
    whole = verdicts_of(verifier, [Request(text, text) for text in chosen])
    other = verdicts_of(verifier, [Request(text, NOBODYS_COMPLETION) for text in chosen])
    bad = [
        text
        for text, *itself, another in zip(chosen, boxed, whole, other, strict=True)
        if another.abstained or not _taken(itself)
    ]
    return ReferenceCheck(len(chosen), tuple(bad))


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
