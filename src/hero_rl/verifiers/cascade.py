r"""A rule first, and a judge for what the rule does not accept.

    judge = JudgeVerifier(url="http://localhost:8000")
    cascade = Cascade(MathVerifier(), judge, budget=256)
    cascade.verify("1/2", r"so \boxed{one half}", question="What is 2/4?").value  # 1.0, by the judge

Rules hardly ever accept a wrong answer and often reject a right one that is written otherwise, so the judge is asked
only about what the rule rejects or cannot decide. It can never take back the rule's 1. What it can do is turn a 0 into
a 1, so a completion that talks the judge round is rewarded: that is the known risk of any judge, and `overturned` in
the counters is the number to watch. A rule that works with a person's or a test's certainty needs no cascade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from hero_rl.counters import Counters
from hero_rl.verifiers.base import BatchVerifier, Reason, Request, Verdict, Verifier, own_answer, verdicts_of
from hero_rl.verifiers.exact import ExactVerifier
from hero_rl.verifiers.judge import JudgeVerifier
from hero_rl.verifiers.math import MathVerifier
from hero_rl.verifiers.math_verify import MathVerify

__all__ = ["Cascade", "CascadeVerifier", "Opinions"]

AnyRule = Annotated[ExactVerifier | MathVerifier | MathVerify, Field(discriminator="type")]
"""The rules that a configuration file may put before a judge; a new one is added here."""


class Opinions(NamedTuple):
    """What each of the two says of a completion.

    Attributes:
        rule: the rule's verdict.
        judge: the judge's, None where it was not asked.
        verdict: what counts.
    """

    rule: Verdict
    judge: Verdict | None
    verdict: Verdict


def _new_counters() -> Counters:
    return Counters("asked", "overturned", "upheld", "decided", "judge_abstained", "over_budget")


class Cascade:
    """Asks a judge about what a rule does not accept.

    Takes any verifiers, so that a rule may run in supervised processes or a judge be one's own; `CascadeVerifier` is
    the same as a block of a configuration file. The rule runs in the calling thread.

    The rule's 1 stands. Its 0 and its abstentions (a reference that it cannot read may well be readable for a judge)
    go to the judge, except completions without an answer and blank references, where there is nothing to compare. What
    the judge says then counts. Where it abstains, the row abstains: a rule's 0 is known to be incomplete, and an
    endpoint's failure is not evidence about the policy. Rows beyond the budget keep the rule's verdict.

    Attributes:
        rule: judges all completions.
        judge: judges some of them again.
        budget: rows sent to the judge in one batch at most, None for no limit; those in which the rule found an answer
            come first, in the order given. The judge may merge equal rows into fewer calls.
    """

    def __init__(
        self, rule: Verifier | BatchVerifier, judge: Verifier | BatchVerifier, budget: int | None = None
    ) -> None:
        if budget is not None and budget < 0:
            raise ValueError(f"budget must be None or at least 0, not {budget}")
        _refuse_columns(judge)
        self.rule = rule
        self.judge = judge
        self.budget = budget
        self._counts = _new_counters()

    @property
    def counters(self) -> dict[str, float]:
        """Totals since the object was made.

        `asked`: rows sent to the judge, which are `overturned` (the judge gives more), `upheld` (it does not),
        `decided` (the rule abstained, the judge did not) or `judge_abstained`. `over_budget`: rows that were not sent
        for it.
        """
        return self._counts.totals

    @property
    def first_failure(self) -> str:
        """What the rule's first failure came to; empty where none is known."""
        return str(getattr(self.rule, "first_failure", ""))

    def verify(self, reference: str, completion: str, question: str = "") -> Verdict:
        """Judge one completion, as a batch of one: a budget above 0 is no limit here."""
        return self.verify_batch([Request(reference, completion, question)])[0]

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge many completions; one verdict a request, in the order given."""
        return [opinions.verdict for opinions in self.verify_batch_with_opinions(requests)]

    def verify_batch_with_opinions(self, requests: Sequence[Request | tuple[str, str]]) -> list[Opinions]:
        """Judge many completions and keep what rule and judge said of each; in the order given."""
        full = [Request.of(request) for request in requests]
        ruled = verdicts_of(self.rule, full)
        sent = self._choose(full, ruled)
        judged = dict(zip(sent, verdicts_of(self.judge, [full[row] for row in sent]), strict=True))
        opinions = [_combine(rule, judged.get(row)) for row, rule in enumerate(ruled)]
        self._counts.add(**_counted(opinions))
        return opinions

    def _choose(self, requests: Sequence[Request], ruled: Sequence[Verdict]) -> list[int]:
        """The rows that go to the judge."""
        rows = [row for row, rule in enumerate(ruled) if _comparable(requests[row], rule)]
        rows.sort(key=lambda row: ruled[row].answer is None)  # stable: otherwise in the order given
        sent = rows[: self.budget]
        self._counts.add(over_budget=len(rows) - len(sent))
        return sent


class CascadeVerifier(BaseModel):
    """A `Cascade` as a block of a configuration file: a rule, a judge, and how often the judge may be asked.

    Attributes:
        rule: judges all completions.
        judge: judges those that the rule does not accept.
        budget: rows sent to the judge in one batch at most, None for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["cascade"] = "cascade"
    rule: AnyRule = Field(default_factory=MathVerifier)
    judge: JudgeVerifier
    budget: Annotated[int, Field(ge=0)] | None = None

    _counts: Counters = PrivateAttr(default_factory=_new_counters)

    @field_validator("judge")
    @classmethod
    def _reads_texts(cls, judge: JudgeVerifier) -> JudgeVerifier:
        _refuse_columns(judge)
        return judge

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.judge.gives_grades

    @property
    def counters(self) -> dict[str, float]:
        """Totals since the object was made; see `Cascade.counters`. The judge has its own."""
        return self._counts.totals

    def verify(self, reference: str, completion: str, question: str = "") -> Verdict:
        """Judge one completion; see `Cascade.verify`."""
        return self._cascade().verify(reference, completion, question)

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge many completions; one verdict a request, in the order given."""
        return self._cascade().verify_batch(requests)

    def verify_batch_with_opinions(self, requests: Sequence[Request | tuple[str, str]]) -> list[Opinions]:
        """Judge many completions and keep what rule and judge said of each; in the order given."""
        return self._cascade().verify_batch_with_opinions(requests)

    def _cascade(self) -> Cascade:
        # Made anew for each call, so that it follows the settings of a changed copy; only the counts last.
        cascade = Cascade(self.rule, self.judge, self.budget)
        cascade._counts = self._counts
        return cascade

    def __copy__(self) -> CascadeVerifier:
        copied = super().__copy__()
        copied._counts = _new_counters()
        return copied


def _refuse_columns(judge: Any) -> None:
    if getattr(judge, "rubric_column", None) is not None:
        raise ValueError(
            "rubric_column: a cascade's judge sees no columns; give it one rubric, or make it the verifier"
        )


def _comparable(request: Request, rule: Verdict) -> bool:
    return rule.value != 1 and rule.reason is not Reason.NO_ANSWER and bool(own_answer(request.reference).strip())


def _combine(rule: Verdict, judge: Verdict | None) -> Opinions:
    if judge is None:
        return Opinions(rule, None, rule)
    answer = judge.answer if rule.answer is None else rule.answer
    return Opinions(rule, judge, replace(judge, answer=answer, seconds=rule.seconds + judge.seconds))


def _counted(opinions: Sequence[Opinions]) -> dict[str, int]:
    asked = [(rule, judge) for rule, judge, _ in opinions if judge is not None]
    heard = [(rule, judge) for rule, judge in asked if not judge.abstained]
    return {
        "asked": len(asked),
        "overturned": sum(judge.value > rule.value for rule, judge in heard),
        "upheld": sum(judge.value <= rule.value for rule, judge in heard),
        "decided": sum(rule.abstained for rule, _ in heard),
        "judge_abstained": len(asked) - len(heard),
    }
