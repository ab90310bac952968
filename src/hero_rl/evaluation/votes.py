r"""What the responses to a problem vote for: one vote for one value, however it is spelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from hero_rl.verifiers import Reason, Verdict
from hero_rl.verifiers.math.text.spelling import key, respell

__all__ = ["votes"]

_MOST_COMPARED = 32
"""Spellings of wrong answers to a problem that are compared by value, the most given ones: 496 pairs at most."""

_TOO_DEAR = (Reason.TOO_SLOW, Reason.CRASHED)

Judge = Callable[[str, str | None], Verdict]


def votes(answers: Sequence[str | None], verdicts: Sequence[float | None], judge: Judge) -> list[str | None]:
    r"""What each response to one problem votes for: equal votes are equal answers.

    Marks and sizes make no difference (`\dfrac{1}{2}` is `\frac{1}{2}`). All spellings of which one was found right are
    the right answer. Any other joins the most given spelling that the verifier holds equal to it, each being taken for
    the reference of the other once.

    Args:
        answers: the final answers; None votes for nothing.
        verdicts: of the responses, aligned with them.
        judge: the verifier's verdict on a reference and an answer.
    """
    keys = [None if answer is None else key(respell(answer)) for answer in answers]
    right = {said for said, verdict in zip(keys, verdicts, strict=True) if verdict == 1}
    spelled: dict[str, str] = {}
    for said, answer in zip(keys, answers, strict=True):
        if said is not None and answer is not None and said not in right:
            spelled.setdefault(said, answer)
    given = Counter(said for said in keys if said in spelled)
    joined = _joined([said for said, _ in given.most_common(_MOST_COMPARED) if said is not None], spelled, judge)
    return [said and ("right" if said in right else f"={joined.get(said, said)}") for said in keys]


def _joined(keys: Sequence[str], spelled: dict[str, str], judge: Judge) -> dict[str, str]:
    """The key that stands for each; two that take the verifier too long are both compared no further."""
    stands_for: dict[str, str] = {}
    heads: list[str] = []
    for said in keys:
        for head in list(heads):
            there = judge(spelled[head], spelled[said])
            if there.value == 1 and judge(spelled[said], spelled[head]).value == 1:
                stands_for[said] = head
                break
            if there.reason in _TOO_DEAR:
                heads.remove(head)
                break
        else:
            heads.append(said)
    return stands_for
