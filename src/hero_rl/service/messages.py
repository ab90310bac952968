"""What clients send and get: strict JSON, unknown names refused, numbers finite, null for what is missing.

A verdict is 1 correct, 0 incorrect, between them partial credit, null abstained; a score is the reward model's raw
logit, null if missing.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)

from hero_rl.scoring import cut_off_in_thought
from hero_rl.verifiers import Reason

__all__ = [
    "MOST_DOMAINS",
    "MOST_ROLLOUTS",
    "ChatMessage",
    "GivenRollout",
    "GroupedRollout",
    "Health",
    "OpenRLHFRequest",
    "OpenRLHFResponse",
    "Problem",
    "Rollout",
    "RunState",
    "ShapeRequest",
    "ShapeResponse",
    "ShapedRollout",
    "Signal",
    "SignalsRequest",
    "SignalsResponse",
    "SlimeRequest",
    "given_reference",
]


def _known(verdict: float) -> float:
    if not 0 <= verdict <= 1:
        raise ValueError("a verdict is a number from 0 to 1, false, true or null")
    return verdict


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, bool) else value


def _null_if_nan(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


_LARGEST = 1e100  # whose square is finite, and no reward model's logit
Finite = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Spread = Annotated[float, Field(ge=0, le=_LARGEST)]
Verdict = Annotated[
    float,
    AfterValidator(_known),
    BeforeValidator(_number),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "boolean"}]}),
]
Number = Annotated[float | None, BeforeValidator(_null_if_nan)]
Domain = Annotated[str, Field(max_length=200)]
GroupId = Annotated[str, Field(max_length=200)] | Annotated[int, Field(ge=-(2**63), lt=2**63)]
# A mistake in each of millions of items would cost far more to tell than the items themselves.
MOST_ROLLOUTS = 65_536
_MOST_NAMES = 64
MOST_DOMAINS = _MOST_NAMES
"""Domains of a request and of a state, which is sent back with the next request."""
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def _few_names(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > _MOST_NAMES:
        raise ValueError(f"{len(value)} names")
    return value


# What a rule remembers of each domain, in its state.
DomainEvidence = Annotated[
    dict[str, Annotated[dict[str, Spread], BeforeValidator(_few_names)]], BeforeValidator(_few_names)
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_size(cls, value: Any) -> Any:
        return _few_names(value)


class TextPart(_Strict):
    """A part of a message that is text."""

    type: Literal["text"]
    text: str


class ChatMessage(_Strict):
    """One chat message, as the API of chat completions has it.

    Attributes:
        content: text, parts that are text, or null beside tool calls.
        tool_calls: what an assistant calls; only a reward model's chat template reads them.
        tool_call_id: the call that a tool's message answers.
        name: of a tool or a user.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[TextPart], Field(max_length=1024, fail_fast=True)] | None
    tool_calls: Annotated[list[JsonValue], Field(max_length=256, fail_fast=True)] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def length(self) -> int:
        """Characters of all that it says."""
        said = [self.content] if isinstance(self.content, str) else [part.text for part in self.content or ()]
        more = [self.tool_call_id or "", self.name or "", json.dumps(self.tool_calls) if self.tool_calls else ""]
        return sum(map(len, said + more))


Answer = str | int | float
Reference = Answer | Annotated[list[Answer], Field(max_length=64, fail_fast=True)]
AnyReference = Reference | Annotated[dict[str, JsonValue], BeforeValidator(_few_names)]
Text = str | Annotated[list[ChatMessage], Field(max_length=1024, fail_fast=True)]


class Rollout(_Strict):
    """A rollout to judge and score.

    Attributes:
        prompt: text, or chat messages.
        completion: text, or chat messages, of which the last assistant's is judged.
        reference: the right answer, text or a number, or several of which any is right, or an object for a verifier
            that reads one; empty where there is none, so that no verifier applies.
        domain: names the verifier where the service has one for each domain.
        columns: what else a verifier of one's own reads of the row, by name.
        finish_reason: why the completion ends, as the server that wrote it says: one that was cut off (`length`) while
            it still weighed its answer has given none. Null if not known; any other changes nothing.
    """

    prompt: Text
    completion: Text
    reference: AnyReference
    domain: Domain = ""
    columns: dict[str, JsonValue] = {}
    finish_reason: Annotated[str, Field(max_length=64)] | None = None

    @property
    def lengths(self) -> dict[str, int]:
        """Characters of each text."""
        texts = {name: _characters(getattr(self, name)) for name in ("prompt", "completion")}
        reference = given_reference(self.reference)
        texts["reference"] = _length_of(reference)
        return texts | {"columns": len(json.dumps(self.columns))}

    @property
    def texts(self) -> tuple[Any, ...]:
        """Prompt, completion, reference, `in_thought`, columns and domain, as a scorer takes them."""
        completion = _plain(self.completion)
        began = cut_off_in_thought(completion, self.finish_reason)
        return _plain(self.prompt), completion, given_reference(self.reference), began, self.columns, self.domain


def _length_of(reference: str | list[str] | dict[str, Any]) -> int:
    if isinstance(reference, dict):
        return len(json.dumps(reference))
    return len(reference) if isinstance(reference, str) else sum(map(len, reference))


def given_reference(reference: AnyReference | None) -> Any:
    """Numbers as text, null as none, an object as it is."""
    if isinstance(reference, dict):
        return reference
    if isinstance(reference, list):
        return [str(one) for one in reference]
    return "" if reference is None else str(reference)


def _characters(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum(message.length for message in text)


def _plain(text: Text) -> str | list[dict[str, Any]]:
    if isinstance(text, str):
        return text
    return [message.model_dump(exclude_unset=True) for message in text]


_EXAMPLE: dict[str, Any] = {"prompt": "1/4 + 1/4 =", "completion": "It is \\boxed{0.5}", "reference": "\\frac{1}{2}"}


class SignalsRequest(_Strict):
    """Rollouts in any order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rollouts": [_EXAMPLE]}]})

    rollouts: Annotated[list[Rollout], Field(max_length=MOST_ROLLOUTS, fail_fast=True)]


class Signal(_Strict):
    """What verifier and reward model say of one rollout.

    Attributes:
        verdict: 1 correct, 0 incorrect, null abstained: the reference is unreadable, or the check failed.
        score: raw logit, null if missing.
        reason: why the verdict is what it is, for example `mismatch` or `timed_out`.
        answer: the final answer that the verifier read.
        seconds: time of the check; 0 where it had been made before.
        empty: whether the score is missing as the completion is empty.
    """

    verdict: Number
    score: Number
    reason: str
    answer: str | None
    seconds: float
    empty: bool = False

    @property
    def unverified(self) -> bool:
        """Whether there is no verdict because no verifier applies."""
        return self.reason == Reason.NO_VERIFIER


_SIGNAL: dict[str, Any] = {
    "verdict": 1.0,
    "score": 1.25,
    "reason": "matched_by_value",
    "answer": "0.5",
    "seconds": 0.0001,
}


class SignalsResponse(_Strict):
    """One signal a rollout, in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rollouts": [_SIGNAL]}]})

    rollouts: list[Signal]


class GroupedRollout(Rollout):
    """A rollout to judge, score and shape.

    Attributes:
        group: what the rollouts of one prompt share.
    """

    group: GroupId


class GivenRollout(_Strict):
    """A rollout whose signals are known.

    Attributes:
        group: what the rollouts of one prompt share.
        verdict: 1 or true, 0 or false, between them partial credit, null for abstained.
        score: raw logit, null if missing.
        empty: whether the score is missing as the completion is empty, which ranks it last.
        unverified: whether there is no verdict because no verifier applies: a rule whose `without_reference` is `rank`
            then ranks the group by its scores alone.
        domain: of the prompt, see `ShapeRequest.rollouts`.
    """

    group: GroupId
    verdict: Verdict | None
    score: Finite | None = None
    empty: bool = False
    unverified: bool = False
    domain: Domain = ""

    @model_validator(mode="after")
    def _one_word(self) -> GivenRollout:
        if self.unverified and self.verdict is not None:
            raise ValueError("unverified: there is a verdict, so that a verifier applies")
        return self


class ShapeRequest(_Strict):
    """Whole groups, in any order: all with texts, or all with signals.

    Attributes:
        rollouts: one batch. Where each of them names a domain, one for all of a group, a rule that trusts a reward
            model as far as it has earned keeps its trust by domain; else one for all.
        run: name of the run whose state the service keeps from batch to batch.
        state: the rule's state before this batch, as the last answer gave it. Without run and state, the rule starts
            anew.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"rollouts": [{"group": 7, "verdict": 1, "score": 3.0}, {"group": 7, "verdict": 0, "score": 1.0}]},
                {"rollouts": [{"group": "a", **_EXAMPLE}], "run": "my-run"},
            ]
        }
    )

    rollouts: (
        Annotated[list[GivenRollout], Field(max_length=MOST_ROLLOUTS, fail_fast=True)]
        | Annotated[list[GroupedRollout], Field(max_length=MOST_ROLLOUTS, fail_fast=True)]
    )
    run: RunId | None = None
    state: Annotated[dict[str, Spread | DomainEvidence | None] | None, BeforeValidator(_few_names)] = None

    @model_validator(mode="after")
    def _one_state(self) -> ShapeRequest:
        if self.run is not None and self.state is not None:
            raise ValueError("give a run, whose state is kept here, or a state; not both")
        return self


class ShapedRollout(_Strict):
    """Signals and what the rule makes of them.

    Attributes:
        verdict: as in a signal.
        score: as in a signal.
        reason: as in a signal; null where the verdict was given.
        answer: as in a signal.
        seconds: as in a signal.
        empty: as in a signal.
        reward: the shaped reward; null for a rollout that the rule can make none of.
        advantage: what the policy gradient sees; 0 where the rollout is unscorable or its group says nothing.
        weight: the prompt's weight.
        sigma: standard deviation of the group's scores.
    """

    verdict: Number
    score: Number
    reason: str | None = None
    answer: str | None = None
    seconds: float | None = None
    empty: bool = False
    reward: Number
    advantage: Number
    weight: Number
    sigma: Number


class RunState(_Strict):
    """What the service keeps of a run.

    Attributes:
        batches: batches that its state has seen, this one included.
    """

    run: str
    batches: int


class ShapeResponse(_Strict):
    """One shaped rollout a rollout, in the order of the request.

    Attributes:
        rollouts: the batch.
        state: the rule's state after this batch, to send with the next one.
        run: the kept run, if one was named.
        metrics: the batch in numbers, null where it does not define one.
    """

    rollouts: list[ShapedRollout]
    state: dict[str, Number | dict[str, dict[str, Number]]]
    run: RunState | None
    metrics: dict[str, Number]


class OpenRLHFRequest(_Strict):
    """What OpenRLHF sends to `--reward.remote_url`: lists of one length.

    Attributes:
        query: prompt and completion as one text, special tokens and all.
        prompts: the prompts.
        labels: the references; null or an empty text for none.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"query": ["1 + 1 = \\boxed{2}<|im_end|>"], "prompts": ["1 + 1 ="], "labels": ["2"]}]
        }
    )

    query: Annotated[list[str], Field(max_length=MOST_ROLLOUTS, fail_fast=True)]
    prompts: Annotated[list[str], Field(max_length=MOST_ROLLOUTS, fail_fast=True)]
    labels: Annotated[list[Reference | None], Field(max_length=MOST_ROLLOUTS, fail_fast=True)]

    @model_validator(mode="after")
    def _one_length(self) -> OpenRLHFRequest:
        if not len(self.query) == len(self.prompts) == len(self.labels):
            sizes = f"{len(self.query)}, {len(self.prompts)} and {len(self.labels)}"
            raise ValueError(f"query, prompts and labels must have one length, not {sizes}")
        return self


class OpenRLHFResponse(_Strict):
    """What OpenRLHF reads, and reasons that it passes over.

    Attributes:
        rewards: shaped rewards under the service's rule; null for a rollout that it can make none of.
        scores: verdicts, for dynamic filtering; null where the verifier abstained.
        extra_logs: a number a rollout: `accepted`, `abstained`, `score_missing`, each 0 or 1.
        reasons: why each verdict is what it is.
    """

    rewards: list[Number]
    scores: list[Number]
    extra_logs: dict[str, list[float]]
    reasons: list[str]


class SlimeRequest(_Strict):
    """What slime sends to `--rm-url`: one rollout.

    Attributes:
        prompt: text, or chat messages.
        response: what the policy wrote.
        label: the reference; null for none.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "1 + 1 =", "response": "\\boxed{2}", "label": "2"}]}
    )

    prompt: Text
    response: str
    label: Reference | None = None


class Problem(_Strict):
    """Why there is no answer.

    Attributes:
        detail: for people.
    """

    detail: str


class Health(_Strict):
    """Whether the service is up.

    Attributes:
        status: always `ok`.
        rule: name of its rule.
        verifier: type of its verifier.
        reward_model: type of its reward model, null if it has none.
    """

    status: Literal["ok"] = "ok"
    rule: str
    verifier: str
    reward_model: str | None
