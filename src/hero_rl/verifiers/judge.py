"""A language model as the verifier: it compares the candidate's final answer with the reference, or grades by a rubric.

    judge = JudgeVerifier(url="http://localhost:8000", preset="general-verifier")
    judge.verify("1/2", "so one half", question="What is 2/4?").value  # 1.0, 0.0, or NaN without a clear reply

The model is told to compare, never to solve: a judge that solves gives its own mistakes as verdicts. Any endpoint that
speaks OpenAI's protocol will do (vLLM, llama.cpp, OpenAI).

A candidate may try to talk the judge round, and a policy in training finds by chance what an attacker finds on purpose.
What it writes is delimited, delimiters and control tokens spelled in it are broken up, and the general prompt says that
instructions in it are text to be judged. That lowers the risk and does not end it: words alone can still persuade a
model, the small trained ones above all. Watch a training run for verdicts that only the judge gives.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, PrivateAttr, field_validator, model_validator

from hero_rl.clients.engine import MAX_QUOTED_CHARACTERS, Refused, Session
from hero_rl.clients.openai import Choice, Completions, Models, completions_path, options_besides, sendable
from hero_rl.clients.posting import Heard, JsonServer, ServerState, Unanswered
from hero_rl.errors import DataError
from hero_rl.files.rows import is_missing, json_columns
from hero_rl.verifiers.base import Reason, Request, Verdict, own_answer
from hero_rl.verifiers.judge_prompts import PRESETS, AnyRubric, Asking, asking_by, harmless, rubric_in
from hero_rl.verifiers.math.text.boxes import find_boxes
from hero_rl.verifiers.refusals import as_long_as, settled

__all__ = ["JudgeVerifier"]

_logger = logging.getLogger(__name__)

_CONTROLS_KEPT = 4096
_GRADED = "graded_by_judge"
_NOT_GIVEN = "(not given)"
_NO_OPTIONS = {"model", "messages", "prompt", "stream", "n"}


class _Check(NamedTuple):
    """What the judge is asked; equal checks are asked once."""

    question: str
    reference: str
    candidate: str
    answer: str | None
    """The candidate's text where it was extracted from a box."""
    rubric: AnyRubric | None
    """What it is graded by; None where it is compared."""


class _State(ServerState):
    """What a judge knows and has open in this process."""

    thread = "judge"
    counted = (*ServerState.counted, "prompt_tokens", "completion_tokens", "unreadable", "seconds")
    called = "judge"
    settings = "url, model, preset, api_key_env"

    def __init__(self, inherited: Session | None = None) -> None:
        super().__init__(inherited)
        self.model: str | None = None
        self.controls: dict[_Check, bool] = {}
        """Checks of references as their own candidates -> whether the judge had a verdict."""


class JudgeVerifier(JsonServer):
    """Correct if a language model, asked to compare, holds the completion's final answer equal to the reference.

    With a rubric the model grades the whole of what it sees by that, and the verdict is its grade in [0, 1].

    Two presets are for models trained to judge, with the prompt they were trained on: `general-verifier` for
    TIGER-Lab/general-verifier (asked at /v1/completions, as it knows no chat template) and `tinyv` for
    zhangchenxu/TinyV-1.5B. They are shown the content of the completion's last box where it has one. `general` is for
    any instruct or reasoning model. All read the question where they get one; a check without a question is made with
    `(not given)` (general) or an empty place (the trained two), which weakens the verdict.

    Safe to call from many threads, and from a thread that runs an event loop, which the call then blocks. A copy,
    pickled or not, and a forked process open connections of their own and count from zero. Proxies and certificates
    are read from the environment as httpx does it: where HTTP_PROXY is set, exempt a local judge by NO_PROXY.

    A judge that goes silent is given up, over all calls, as `hero_rl.clients.breaker.Breaker` has it: once no check got
    a reply for `2 * seconds`, or as many in a row as run at one time (eight at least) failed in all their attempts, the
    rest of the batch abstains; each later call then makes one check, in at most `seconds`, and the others only if it
    gets a reply. Whatever the server does, n checks take at most `(2 + ceil(n / concurrency)) * seconds`, and with
    `rpm` what their turns take besides; where some were refused or had no reply, to find out whose doing that is takes
    five times as long again at most.

    A judge that denies (401, 403, 404: load balancers say so while a server restarts) is an error before its first
    reply, and after it once it has denied for ten minutes and done nothing else; until then its checks abstain.

    Attributes:
        preset: how the model is asked to compare, and read.
        rubric: what it grades by in the place of comparing; any instruct or reasoning model will do.
        rubric_column: the column of the row's own rubric: a block like `rubric`, a list of criteria, or the JSON of
            either. Rows without one are graded by `rubric`.
        needs_reference: whether rows without a reference are left out; false grades them by their rubric alone.
        model: its name at the server; None asks /v1/models, which must then list one only.
        max_characters: what of the completion the judge sees at most: its end, after the last `</think>`.
        extra_body: added to each request, over what is there: `{"max_tokens": 8192}` for a judge that thinks long. A
            None leaves an option out.
    """

    type: Literal["judge"] = "judge"
    preset: Literal["general", "general-verifier", "tinyv"] = "general"
    rubric: AnyRubric | None = None
    rubric_column: Annotated[str, Field(min_length=1)] | None = None
    needs_reference: bool = True
    model: Annotated[str, Field(min_length=1)] | None = None
    max_characters: Annotated[int, Field(gt=0)] = 2048
    extra_body: dict[str, Any] = Field(default_factory=dict)

    _state: _State = PrivateAttr(default_factory=_State)

    @field_validator("extra_body")
    @classmethod
    def _options_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        return options_besides(_NO_OPTIONS, body)

    @model_validator(mode="after")
    def _asked_in_one_way(self) -> JudgeVerifier:
        if self.gives_grades and self.preset != "general":
            raise ValueError(
                f"preset {self.preset} is for a model that compares and knows no rubric: leave one of them out"
            )
        if not (self.gives_grades or self.needs_reference):
            raise ValueError("needs_reference: without a rubric there is nothing but a reference to judge by")
        return self

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.rubric is not None or self.rubric_column is not None

    @property
    def takes_requests(self) -> bool:
        """Whether it reads more of a row than texts: its rubric."""
        return self.rubric_column is not None

    @property
    def reads_columns(self) -> tuple[str, ...]:
        """The columns of a row that it reads."""
        return () if self.rubric_column is None else (self.rubric_column,)

    def check_columns(self, row: Mapping[str, Any], place: object) -> None:
        """Make sure that a row has a rubric that can be read, or needs none.

        Raises:
            DataError: it does not; names place and column.
        """
        column = self.rubric_column
        if column is None:
            return
        if column not in row and self.rubric is None:
            raise DataError(f"{place}: no column {column!r}, which rubric_column of the judge names")
        try:
            rubric = self._rubric_of(json_columns({column: row.get(column)}))
        except ValueError as error:
            raise DataError(f"{place}: {column!r} (rubric_column) holds no rubric: {error}") from None
        if rubric is None:
            raise DataError(f"{place}: {column!r} (rubric_column) is empty, and there is no rubric for such rows")

    def verify(self, reference: str | Request, completion: str = "", question: str = "") -> Verdict:
        """Judge one completion, of a request or of its texts; see `verify_batch`."""
        whole = reference if isinstance(reference, Request) else Request(reference, completion, question)
        return self.verify_batch([whole])[0]

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge many completions by concurrent requests; one verdict a request, in the order given.

        An empty completion is 0, and an empty reference (unless none is needed) and a rubric that cannot be read are an
        abstention, all without a call. The judge's reply must end
        with exactly one of the verdicts it was asked for, and hold no other one; only what follows its last `</think>`
        is read. Else the row is 0 (`UNREADABLE_ANSWER`) if the judge does give a verdict on the reference in the
        candidate's place, and abstains if not, as it does where no usable reply came. A text that the server refuses
        (400, 413, 422 and the like), or that breaks it in all attempts (500, or a reply of over 4 MiB), is 0
        (`ANSWER_REFUSED`) if the server then judges the reference and refuses the text, or breaks, once more. A text on
        which it gives no usable reply, again and again while it judges others, is 0 (`NO_REPLY_TO_ANSWER`); see
        `post_in_turn`. Equal checks are asked once. A grade between 0 and 1 has the reason `graded_by_judge`.

        Raises:
            ConfigError: no verdict can ever come: the server denies (see above), lists no model or several where none
                is named, or the variable of the key is not set.
        """
        checks = [self._check(Request.of(request)) for request in requests]
        asked = list(dict.fromkeys(check for check in checks if isinstance(check, _Check)))
        found = dict(zip(asked, self._ask(asked), strict=True))
        self._confirm_losses(found)
        self._blame(found)
        self._state.counts.add(unreachable=sum(map(_is_silence, found.values())))
        return [Verdict.of(check) if isinstance(check, Reason) else found[check] for check in checks]

    @property
    def counters(self) -> dict[str, float]:
        """Totals since the object was made.

        `calls`: checks put to the judge; `retries`: further attempts at them; `denied`: attempts that it denied;
        `refused`: checks that it refused or broke at, each time; `unanswered`: checks that alone had no reply;
        `prompt_tokens`, `completion_tokens`: as the server counts them; `unreadable`, `unreachable`: checks that
        abstained; `seconds`: time of the calls, summed also where they ran at once.
        """
        return self._state.counts.totals

    @property
    def asked(self) -> str | None:
        """The name of the model that is asked; None where the settings do not say and the server was not asked yet."""
        return self.model or self._state.model

    def _check(self, request: Request) -> _Check | Reason:
        reference = own_answer(request.reference).strip()
        if is_missing(request.reference):
            if self.needs_reference:
                return Reason.REFERENCE_UNREADABLE
            reference = _NOT_GIVEN
        try:
            rubric = self._rubric_of(request.columns)
        except ValueError:
            return Reason.REFERENCE_UNREADABLE
        if rubric is None and self.rubric_column is not None:
            return Reason.REFERENCE_UNREADABLE
        return self._check_by(rubric, Request(reference, request.completion, request.question))

    def _check_by(self, rubric: AnyRubric | None, request: Request) -> _Check | Reason:
        ending = request.completion.rpartition("</think>")[2]
        if "<think>" in ending:
            return Reason.NO_ANSWER  # a thought that never ends
        ending = ending[-self.max_characters :].strip()
        if not ending:
            return Reason.NO_ANSWER
        asking = self._asking(rubric)
        boxes = find_boxes(ending)[0] if asking.boxed else []
        answer = (boxes[-1].content.strip() or None) if boxes else None
        question = request.question.strip() or asking.no_question
        candidate = harmless(ending if answer is None else answer)
        return _Check(question, request.reference, candidate, answer, rubric)

    def _rubric_of(self, columns: Mapping[str, Any]) -> AnyRubric | None:
        """What a row is graded by; raises `ValueError` where its own rubric cannot be read."""
        given = None if self.rubric_column is None else columns.get(self.rubric_column)
        return self.rubric if is_missing(given) else rubric_in(given)

    def _asking(self, rubric: AnyRubric | None) -> Asking:
        return PRESETS[self.preset] if rubric is None else asking_by(rubric)

    @property
    def _path(self) -> str:
        return completions_path(PRESETS[self.preset].chat)  # by a rubric it is the chat's, as with the preset for it

    def _control(self, check: _Check) -> _Check | None:
        """The check of the reference in the candidate's place; None where it is no answer."""
        control = self._check_by(check.rubric, Request(check.reference, check.reference, check.question))
        return control if isinstance(control, _Check) else None

    def _confirm_losses(self, found: dict[_Check, Verdict]) -> None:
        """Find whose doing it is that checks were lost: they are 0, abstain, or have their verdict late."""
        lost = [check for check, verdict in found.items() if _is_lost(verdict)]
        if not lost or self.asked is None or self.is_out:
            return
        said, judged = settled(lost, self._control, self._ask, _is_judged, _is_silence, self._ask_in_turn)
        self._state.here().controls.update(dict.fromkeys(judged, True))
        for check in lost:
            found[check] = said.get(check, Verdict.of(Reason.JUDGE_UNREACHABLE, check.answer, found[check].seconds))

    def _blame(self, found: dict[_Check, Verdict]) -> None:
        """Make a 0 of each unreadable reply that is the candidate's doing.

        It is where the judge does give a verdict on the reference itself as the candidate: then it can be read, and a
        text that keeps it from its verdict must not escape a 0 by that.
        """
        known = self._state.here().controls
        controls = {check: self._control(check) for check in found}
        known.update({check: _is_judged(found[check]) for check, control in controls.items() if check == control})
        lost = [check for check, verdict in found.items() if verdict.reason is Reason.JUDGE_UNREADABLE]
        open_ones = dict.fromkeys(controls[check] for check in lost if controls[check] not in known)
        asked = [control for control in open_ones if control is not None]
        known.update({each: _is_judged(verdict) for each, verdict in zip(asked, self._ask(asked), strict=True)})
        for check in lost:
            control = controls[check]
            if control is not None and known.get(control):
                found[check] = replace(found[check], value=0.0, reason=Reason.UNREADABLE_ANSWER)
        while len(known) > _CONTROLS_KEPT:
            del known[next(iter(known))]

    def _ask(self, checks: Sequence[_Check]) -> list[Verdict]:
        """What the judge says of each; that a check was refused is for `_confirm_losses` to believe."""
        if not checks:
            return []
        model = self._model_name()
        if model is None:
            return [Verdict.of(Reason.JUDGE_UNREACHABLE, check.answer) for check in checks]
        bodies = [self._body(model, check) for check in checks]
        return self._heard(checks, self.post(self._path, bodies, Completions))

    def _ask_in_turn(self, checks: Sequence[_Check]) -> list[Verdict]:
        """What the judge says of each, in turn with the reference in its place."""
        model = self._model_name() if checks else None
        if model is None:
            return [Verdict.of(Reason.JUDGE_UNREACHABLE, check.answer) for check in checks]
        own = [harmless(as_long_as(check.candidate, check.reference)) for check in checks]
        controls = [check._replace(candidate=each) for check, each in zip(checks, own, strict=True)]
        asked = [
            (self._body(model, one), self._body(model, other)) for one, other in zip(checks, controls, strict=True)
        ]
        return self._heard(checks, self.post_in_turn(self._path, asked, Completions))

    def _heard(self, checks: Sequence[_Check], heard: Sequence[Heard[Completions]]) -> list[Verdict]:
        self._state.counts.add(seconds=sum(each.seconds for each in heard))
        return [
            replace(self._verdict(each.said, self._asking(check.rubric)), answer=check.answer, seconds=each.seconds)
            for check, each in zip(checks, heard, strict=True)
        ]

    def _model_name(self) -> str | None:
        """The name to ask by; None where the server does not say."""
        if self.model is not None:
            return self.model
        state = self._state = self._state.here()
        if state.model is None and (listed := self.get("/v1/models", Models)) is not None:
            state.model = listed.only("model", f"the judge at {self.url}")
        return state.model

    def _verdict(self, said: Completions | Refused | None, asking: Asking) -> Verdict:
        if said is None:
            return Verdict.of(Reason.JUDGE_UNREACHABLE)
        if isinstance(said, Refused):
            return Verdict.of(Reason.NO_REPLY_TO_ANSWER if isinstance(said, Unanswered) else Reason.ANSWER_REFUSED)
        counts, choice = self._state.counts, said.choices[0]
        counts.add(**{kind: said.tokens(kind) or 0 for kind in ("prompt_tokens", "completion_tokens")})
        verdict = _read(choice, asking)
        if verdict.abstained:
            quoted = (choice.content or "")[-MAX_QUOTED_CHARACTERS:]
            counts.add(unreadable=1)
            message = "the judge's reply ends with no verdict, or was cut off: %r"
            self._state.log_once(_logger, "unreadable", message, quoted)
        return verdict

    def _body(self, model: str, check: _Check) -> dict[str, Any]:
        asking = self._asking(check.rubric)
        text = asking.prompt.format(question=check.question, reference=check.reference, candidate=check.candidate)
        text = sendable(text)
        asked = {"messages": [{"role": "user", "content": text}]} if asking.chat else {"prompt": text}
        body = {"model": model, "temperature": 0, "max_tokens": asking.max_tokens, **self.extra_body, **asked}
        return {option: value for option, value in body.items() if value is not None}


def _read(choice: Choice, asking: Asking) -> Verdict:
    """What a reply says, after the thoughts of a judge that reasons."""
    # None where a reasoning judge got no further than its reasoning.
    text = (choice.content or "").rpartition("</think>")[2].strip()
    cut_off = choice.finish_reason == "length" or "<think>" in text
    grade = None if cut_off else asking.read(text)
    if grade is None:
        return Verdict.of(Reason.JUDGE_UNREADABLE)
    if grade in (0, 1):
        return Verdict.of(Reason.MATCHED_BY_JUDGE if grade else Reason.REJECTED_BY_JUDGE)
    return Verdict(grade, _GRADED)


def _is_lost(verdict: Verdict) -> bool:
    return verdict.reason is Reason.ANSWER_REFUSED or _is_silence(verdict)


def _is_silence(verdict: Verdict) -> bool:
    return verdict.reason is Reason.JUDGE_UNREACHABLE


def _is_judged(verdict: Verdict) -> bool:
    return not verdict.abstained and not _is_lost(verdict)
