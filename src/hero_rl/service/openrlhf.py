"""OpenRLHF's remote reward model: `{query, prompts, labels}` in, `{rewards, scores, extra_logs}` out.

As in `SingleTurnAgentExecutor` of `openrlhf/utils/agent.py`: one POST a rollout, each field a list, `query` the decoded
tokens of prompt and completion with special tokens. `rewards` go into the advantage, `scores` into dynamic filtering,
`extra_logs` into the log, where every value must be a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hero_rl.service.messages import OpenRLHFRequest, OpenRLHFResponse, Signal, given_reference
from hero_rl.signals import Shaped

__all__ = ["NotIts", "groups_of", "response_of", "rollouts_of", "without_end"]


class NotIts(ValueError):
    """A query contains neither its prompt nor the end of it.

    Attributes:
        row: its number.
    """

    def __init__(self, row: int) -> None:
        super().__init__("the query does not contain its prompt, so where the completion begins cannot be told")
        self.row = row


def rollouts_of(request: OpenRLHFRequest, end_texts: Sequence[str]) -> list[tuple[str, str, str | list[str], bool]]:
    """Prompt, completion and reference of each row; what `end_texts` names is taken off the completion's end.

    Raises:
        NotIts: where the completion begins cannot be told.
    """
    rows = enumerate(zip(request.query, request.prompts, request.labels, strict=True))
    return [
        (prompt, _completion(row, query, prompt, end_texts), given_reference(label), False)
        for row, (query, prompt, label) in rows
    ]


def groups_of(request: OpenRLHFRequest) -> list[int]:
    """A group for each prompt with its label."""
    numbers: dict[tuple[str, str], int] = {}
    return [
        numbers.setdefault((prompt, str(label)), len(numbers))
        for prompt, label in zip(request.prompts, request.labels, strict=True)
    ]


def response_of(signals: Sequence[Signal], shaped: Shaped) -> OpenRLHFResponse:
    """The answer; a rollout without a reward has null, never 0."""
    return OpenRLHFResponse(
        rewards=shaped.reward.tolist(),
        scores=[signal.verdict for signal in signals],
        extra_logs={
            "accepted": [float(signal.verdict == 1) for signal in signals],
            "abstained": [float(signal.verdict is None) for signal in signals],
            "score_missing": [float(signal.score is None) for signal in signals],
        },
        reasons=[signal.reason for signal in signals],
    )


_ANCHOR = 8  # characters that a prompt keeps at the least, however much of it is cut
_TRIES = 64  # places where they may stand


def _completion(row: int, query: str, prompt: str, end_texts: Sequence[str]) -> str:
    _, found, completion = query.partition(prompt) if prompt else ("", "", query)
    if prompt and not found:
        end = _end_of_cut_prompt(query, prompt)
        if end is None:
            raise NotIts(row)
        completion = query[end:]
    return without_end(completion, end_texts)


def _end_of_cut_prompt(query: str, prompt: str) -> int | None:
    """Where the rest of a prompt that lost its beginning ends in the query, which begins with it; None if it does not.

    A prompt that is too long is cut to its last tokens, and the whole one is sent beside it. White space is
    passed over: decoding may add or lose it at the cut.
    """
    asked, said = "".join(prompt.split()), "".join(query.split())
    anchor = asked[-_ANCHOR:]
    at = said.find(anchor)
    for _ in range(_TRIES):
        if at < 0:
            return None
        end = at + len(anchor)
        if asked.endswith(said[:end]):
            place, spaces = _place_of(query, end), len(prompt) - len(prompt.rstrip())
            return place + spaces - len(query[place : place + spaces].lstrip())
        at = said.find(anchor, at + 1)
    return None


def _place_of(text: str, characters: int) -> int:
    """Where a text has had so many characters that are no white space."""
    places = (at for at, sign in enumerate(text) if not sign.isspace())
    return next(islice(places, characters - 1, None)) + 1


def without_end(completion: str, end_texts: Sequence[str]) -> str:
    """A completion without the tokens at its end that end a turn."""
    text = completion.rstrip()
    while ending := next((said for said in end_texts if text.endswith(said)), ""):
        completion = text = text[: -len(ending)].rstrip()
    return completion
