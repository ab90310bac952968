"""OpenRLHF's remote reward model: `{query, prompts, labels}` in, `{rewards, scores, extra_logs}` out.

As in `SingleTurnAgentExecutor` of `openrlhf/utils/agent.py`: one POST a rollout, each field a list, `query` the decoded
tokens of prompt and completion with special tokens. `rewards` go into the advantage, `scores` into dynamic filtering,
`extra_logs` into the log, where every value must be a number.
"""

from __future__ import annotations

from collections.abc import Sequence

from hero_rl.service.messages import OpenRLHFRequest, OpenRLHFResponse, Signal
from hero_rl.signals import Shaped

__all__ = ["NotIts", "groups_of", "response_of", "rollouts_of"]


class NotIts(ValueError):
    """A query does not contain its prompt.

    Attributes:
        row: its number.
    """

    def __init__(self, row: int) -> None:
        super().__init__("the query does not contain its prompt, so where the completion begins cannot be told")
        self.row = row


def rollouts_of(request: OpenRLHFRequest, end_texts: Sequence[str]) -> list[tuple[str, str, str]]:
    """Prompt, completion and reference of each row; what `end_texts` names is taken off the completion's end.

    Raises:
        NotIts: where the completion begins cannot be told.
    """
    rows = enumerate(zip(request.query, request.prompts, request.labels, strict=True))
    return [
        (prompt, _completion(row, query, prompt, end_texts), "" if label is None else str(label))
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


def _completion(row: int, query: str, prompt: str, end_texts: Sequence[str]) -> str:
    _, found, completion = query.partition(prompt) if prompt else ("", "", query)
    if prompt and not found:
        raise NotIts(row)
    return _without_end(completion, end_texts)


def _without_end(completion: str, end_texts: Sequence[str]) -> str:
    text = completion.rstrip()
    while ending := next((said for said in end_texts if text.endswith(said)), ""):
        completion = text = text[: -len(ending)].rstrip()
    return completion
