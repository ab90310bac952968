"""A server that answers a reward, as a verifier.

    verifier = HttpVerifier(url="http://localhost:9000")
    verifier.verify(Request("4", "It is 4."))  # POST http://localhost:9000/verify -> {"reward": 1.0}

Two shapes of requests are known: a plain one, and that of NeMo Gym's resources servers. The environment servers of
`verifiers` speak ZeroMQ and run whole rollouts by themselves, so there is no answer of ours to judge for them.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hero_rl.clients.engine import Refused
from hero_rl.clients.openai import sendable
from hero_rl.clients.posting import JsonServer, Unanswered
from hero_rl.errors import ConfigError
from hero_rl.files.rows import is_missing
from hero_rl.verifiers.base import NOBODYS_ANSWER, Reason, Request, Verdict, as_messages, own_answer
from hero_rl.verifiers.math.text.thinking import after_thinking
from hero_rl.verifiers.refusals import as_long_as, settled

__all__ = ["HttpVerifier"]

_GRADED = "graded_by_server"
_SILENT = "no_opinion_of_server"

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Reply(BaseModel):
    """What a server says; `score` is another name for `reward`."""

    model_config = ConfigDict(populate_by_name=True)

    reward: Number | None = None
    score: Number | None = None
    failure: Any = Field(None, alias="_ng_failure_class")
    """NeMo Gym's: its judge failed, and the reward of 0 beside it says nothing."""

    @property
    def grade(self) -> float | None:
        """The reward; None where there is none."""
        return self.score if self.reward is None else self.reward


class HttpVerifier(JsonServer):
    """The reward that a server answers, as a verdict in [0, 1].

    The request is `POST` of JSON. In the shape `plain` it is a `Request`: `reference`, `completion`, `question`,
    `prompt` and `messages` (chat messages), `columns` and `domain`. In the shape `nemo_gym` it is a row of NeMo Gym as
    its resources servers take it at `/verify`: the row's columns, `responses_create_params` (of the row, or made of the
    prompt), and `response`, whose one message is the completion without its thinking. The reference goes beside them: a
    mapping key by key, anything else as `expected_answer`, none not at all. Servers that keep the state of a session
    are not for this.

    The reply is JSON with `reward` or `score`. A null says that the server has no opinion, and so does a reply with
    `_ng_failure_class`, in which NeMo Gym hands on that its judge failed. A reward outside `range` is an error. No
    usable reply is no verdict (`server_failed`); a text that the server refuses (400, 413, 422 and the like), or that
    breaks it in all attempts (500, or a reply of over 4 MiB), is 0 (`answer_refused`) if the server then judges the
    reference in its place, without one some text, and refuses this one, or breaks, once more. A text on which it gives
    no usable reply, again and again while it judges others, is 0 (`no_reply_to_answer`); see
    `JsonServer.post_in_turn`.

    Attributes:
        shape: how requests are written.
        path: what follows the address.
        range: the lowest and the highest reward of the server, which are 0 and 1 here.
        partial: whether a reward in between is partial credit; without it, only the highest is correct.
        needs_reference: whether rows without a reference are left out; false where the server judges by their columns.
    """

    takes_requests: ClassVar[bool] = True

    type: Literal["http"] = "http"
    shape: Literal["plain", "nemo_gym"] = "plain"
    path: Annotated[str, Field(pattern=r"^/[\w./-]*$")] = "/verify"
    range: tuple[Number, Number] = (0.0, 1.0)
    partial: bool = True
    needs_reference: bool = True

    @field_validator("range")
    @classmethod
    def _rises(cls, given: tuple[float, float]) -> tuple[float, float]:
        if not given[0] < given[1]:
            raise ValueError(f"must rise, and does not from {given[0]:g} to {given[1]:g}")
        return given

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.partial

    def verify(self, request: Request) -> Verdict:
        """Judge one completion; see `verify_batch`."""
        return self.verify_batch([request])[0]

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge many completions by concurrent requests; one verdict a request, in the order given.

        Equal requests are asked once.

        Raises:
            ConfigError: the server denies, or answers a reward outside `range`, or the variable of the key is not set.
        """
        start = time.perf_counter()
        rows = [Request.of(request) for request in requests]
        bodies = [self._body(row) for row in rows]
        found = self._ask(list(dict.fromkeys(bodies)))
        lost = [] if self.is_out else [body for body, verdict in found.items() if _is_lost(verdict)]
        row_of = dict(zip(bodies, rows, strict=True))

        def control(body: str) -> str:
            return self._body(_own(row_of[body]))

        def longer(body: str) -> str:
            return self._body(_own(row_of[body], row_of[body].completion))

        def again(asked: Sequence[str]) -> list[Verdict]:
            return list(self._ask(asked).values())

        def in_turn(asked: Sequence[str]) -> list[Verdict]:
            return list(self._ask(asked, longer).values())

        said, _ = settled(lost, control, again, _is_judged, _is_silence, in_turn)
        found |= {body: said.get(body, Verdict.of(Reason.SERVER_FAILED)) for body in lost}
        self._state.counts.add(unreachable=sum(map(_is_silence, found.values())))
        seconds = (time.perf_counter() - start) / max(1, len(found))
        return [Verdict(found[body].value, found[body].reason, None, seconds) for body in bodies]

    def _ask(self, bodies: Sequence[str], control: Callable[[str], str] | None = None) -> dict[str, Verdict]:
        """What the server says to each, in turn with its control where there are some.

        That it refused one is for `settled` to believe.
        """
        sent = [_as_json(body) for body in bodies]
        if control is None:
            heard = self.post(self.path, sent, _Reply)
        else:
            asked = [(body, _as_json(control(each))) for each, body in zip(bodies, sent, strict=True)]
            heard = self.post_in_turn(self.path, asked, _Reply, lambda reply: reply.failure is None)
        return {body: self._verdict(each.said) for body, each in zip(bodies, heard, strict=True)}

    def _verdict(self, reply: _Reply | Refused | None) -> Verdict:
        if reply is None:
            return Verdict.of(Reason.SERVER_FAILED)
        if isinstance(reply, Refused):
            return Verdict.of(Reason.NO_REPLY_TO_ANSWER if isinstance(reply, Unanswered) else Reason.ANSWER_REFUSED)
        if reply.failure is not None:
            return Verdict.of(Reason.SERVER_FAILED)
        grade = reply.grade
        if grade is None:
            return Verdict(math.nan, _SILENT)
        low, high = self.range
        if not low <= grade <= high:
            raise ConfigError(
                f"range: the server at {self.url} answers a reward of {grade:g}, outside {low:g} to {high:g}"
            )
        value = (grade - low) / (high - low)
        return Verdict(value if self.partial else float(value == 1.0), _GRADED)

    def _body(self, request: Request) -> str:
        """The request as JSON text."""
        body = request._asdict() if self.shape == "plain" else _nemo_gym(request)
        return sendable(json.dumps(body, ensure_ascii=False, sort_keys=True))


def _as_json(body: str) -> dict[str, Any]:
    """A request as it is sent: a column's NaN is no JSON, and goes as a null."""
    return json.loads(body, parse_constant=lambda _: None)


def _own(request: Request, text: str = "") -> Request:
    """The request with the reference as its answer, without one an answer that is nobody's; made as long as a text."""
    answer = as_long_as(text, NOBODYS_ANSWER if is_missing(request.reference) else own_answer(request.reference))
    return request._replace(completion=answer, messages=as_messages(answer))


def _is_judged(verdict: Verdict) -> bool:
    return not verdict.abstained and not _is_lost(verdict)


def _is_lost(verdict: Verdict) -> bool:
    return verdict.reason is Reason.ANSWER_REFUSED or _is_silence(verdict)


def _is_silence(verdict: Verdict) -> bool:
    return verdict.reason is Reason.SERVER_FAILED


def _nemo_gym(request: Request) -> dict[str, Any]:
    """The row that a resources server of NeMo Gym takes: its own columns, and the response as OpenAI's API has it."""
    prompt = request.prompt or [{"role": "user", "content": request.question}]
    said = [{"type": "output_text", "text": after_thinking(request.completion) or "", "annotations": []}]
    message = {"id": "message", "type": "message", "role": "assistant", "status": "completed", "content": said}
    response = {
        "id": "response",
        "object": "response",
        "created_at": 0,
        "model": "policy",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    reference = request.reference
    if not isinstance(reference, dict):
        reference = {} if is_missing(reference) else {"expected_answer": reference}
    return {"responses_create_params": {"input": list(prompt)}, **request.columns, **reference, "response": response}
