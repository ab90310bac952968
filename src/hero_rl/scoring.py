"""Verifier and reward model side by side over a batch of rollouts.

    >>> from hero_rl.scoring import Scorer
    >>> from hero_rl.verifiers import ExactVerifier
    >>> Scorer(ExactVerifier()).score(["2 + 2 ="], ["4"], ["4"]).verdict
    tensor([1.])

B is the number of rollouts in the batch. Infrastructure that fails gives NaN, never a reward; a batch that is put
together wrongly, or a reward model that returns the wrong number of scores, is a programming error and raises.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hero_rl.background import Background
from hero_rl.errors import HeroError
from hero_rl.files.messages import plain_message, text_of_content
from hero_rl.reward_models.base import Conversation, Message, RewardModel, Scores
from hero_rl.signals import Signals
from hero_rl.verifiers.asking import Asked, first_crash
from hero_rl.verifiers.base import BatchVerifier, Reason, Request, Verifier
from hero_rl.verifiers.domains import by_domain
from hero_rl.verifiers.math.text.thinking import (
    after_thinking,
    in_thought_text,
    leaves_in_thought,
    thinks_to_the_end,
)

__all__ = ["Scored", "Scorer", "Turns", "as_judged", "cut_off_in_thought", "says_nothing"]

Turns: TypeAlias = Literal["last", "all"]
"""What is judged of a completion with several assistant messages, between which tools or users speak.

`last` is the text of the last of them, `all` the texts of all without their thoughts, a blank line between two. Tool
calls and what tools answer are never part of it; a verifier that takes requests finds them in `Request.messages`.
"""

_logger = logging.getLogger(__name__)

# Supervised verifiers count these too, under names of their own; once is enough.
_COUNTED_BY_ROW = {"abstentions", "timeouts", "crashes"}


@dataclass(frozen=True)
class Scored:
    """What verifier and reward model said of a batch, row for row.

    Attributes:
        verdict: (B,) float32 on the CPU: 1 correct, 0 incorrect, NaN abstained.
        score: (B,) float32 on the CPU: raw logits, NaN where missing; all NaN without a reward model. With one, minus
            infinity where the completion is empty: there is nothing to score, and that is the policy's doing.
        reasons: why each verdict is what it is: one of `Reason`, or the verifier's own text.
        answers: the final answers that the verifier extracted, None where it has none.
        seconds: wall-clock time of each row's check.
        verifier_seconds: wall-clock time of all checks.
        reward_model_seconds: wall-clock time of the reward model, at the same time as the checks.
        counters: metric name -> count or seconds of this call, the same names in every call and all summable over
            ranks: `verifier/{abstained,not_applied,timed_out,crashed,seconds}`,
            `reward_model/{missing,truncated,seconds}`, and what both count themselves (`verifier/respawns`,
            `reward_model/timeouts`, ...). Without a reward model nothing counts as missing.
    """

    verdict: Float[Tensor, " B"]
    score: Float[Tensor, " B"]
    reasons: list[str]
    answers: list[str | None]
    seconds: list[float]
    verifier_seconds: float
    reward_model_seconds: float
    counters: dict[str, float]

    def signals(self, group: Sequence[int] | Int[Tensor, " B"]) -> Signals:
        """What a rule reads: verdict and score with the group of each rollout.

        Args:
            group: (B,) integer id of each rollout's prompt: any ids, in any order, in groups of any size.

        Raises:
            TypeError: an id is no integer.
            ValueError: there are not B ids.
        """
        ids = torch.as_tensor(group if len(group) else torch.zeros(0, dtype=torch.long))
        ids = ids.to(self.verdict.device)
        return Signals(verdict=self.verdict, score=self.score, group=ids, unverified=self.unverified)

    @property
    def unverified(self) -> Bool[Tensor, " B"]:
        """(B,) on which rollouts there is no verdict because no verifier applies."""
        return torch.tensor([reason == Reason.NO_VERIFIER for reason in self.reasons], dtype=torch.bool)


class Scorer:
    """Runs a verifier and, where there is one, a reward model over batches.

    The verifier runs in the calling thread (some need the main thread's signals), the reward model at the same time in
    a thread of its own. A verifier that takes batches gets the whole batch, with the question: a prompt's text, or its
    last user message. One that raises costs verdicts alone, see `hero_rl.verifiers.asking.Asked`. A reward model that
    raises makes the batch's scores NaN, and is logged with its traceback the first time. A part that says it can never
    work (an error of `hero_rl.errors`) ends the call.

    On an interrupt (Ctrl-C) or an error of the verifier, the reward model is called off: requests to an endpoint end at
    once, a model in this process after the forward pass that it is in. For any other the call waits a second at most.

    Attributes:
        verifier: judges each completion against its reference; given as a mapping, the verifier of each domain.
        reward_model: scores each conversation; None leaves all scores NaN.
        judged_turns: which assistant messages of a completion the verifier reads, see `Turns`.
    """

    def __init__(
        self,
        verifier: Verifier | BatchVerifier | Mapping[str, Verifier | BatchVerifier | None],
        reward_model: RewardModel | None = None,
        judged_turns: Turns = "last",
    ) -> None:
        self.verifier = verifier = by_domain(verifier)
        self.reward_model = reward_model
        self.judged_turns: Turns = judged_turns
        self._asked = Asked(verifier)
        self._has_logged = False
        # Once and for all: ranks whose counters had different names could not sum them.
        self._names = sorted(
            {("verifier", name) for name in getattr(verifier, "counters", {}) if name not in _COUNTED_BY_ROW}
            | {("reward_model", name) for name in (*getattr(reward_model, "counters", {}), "truncated") if reward_model}
        )

    def first_crash(self, reasons: Iterable[str | None]) -> str:
        """The end of a message about checks that failed for such reasons: what the first that crashed came to."""
        return first_crash(self._asked.first_failure, reasons)

    def score(
        self,
        prompts: Sequence[str | Sequence[Message]],
        completions: Sequence[str | Sequence[Message]],
        references: Sequence[Any],
        in_thought: Sequence[bool] | None = None,
        columns: Sequence[Mapping[str, Any]] | None = None,
        domains: Sequence[str] | None = None,
    ) -> Scored:
        """Judge and score a batch of B rollouts.

        Args:
            prompts: text, which becomes one user message, or chat messages.
            completions: text, which becomes one assistant message, or chat messages. The verifier reads the text of
                the last assistant message, or of all (`judged_turns`), the reward model prompt and completion as one
                conversation.
            references: what the verifier compares with: text, or several texts of which any one is right; of one that
                takes requests any JSON value.
            in_thought: of each completion, whether it begins inside of a thought that its chat template opened, so that
                only what follows the thought's end is judged. What a prompt's own text shows needs no word here.
            columns: the other columns of each rollout's row, for a verifier that takes requests.
            domains: the name of each rollout's domain, likewise.

        Raises:
            ValueError: these differ in length, or the reward model returned anything but B scores, or the verifier
                anything but B verdicts.
            TypeError: the verifier returned no `Verdict`.
            HeroError: verifier or reward model can never do their part: workers do not start, an endpoint refuses.
        """
        in_thought = [False] * len(prompts) if in_thought is None else in_thought
        columns = [{}] * len(prompts) if columns is None else columns
        domains = [""] * len(prompts) if domains is None else domains
        given = {"prompts": prompts, "completions": completions, "references": references}
        given |= {"in_thought": in_thought, "columns": columns, "domains": domains}
        _check_lengths(**given)
        counted_before = self._counted()
        requests = [self._request(*row) for row in zip(*given.values(), strict=True)]
        scoring = Background(lambda: self._score_conversations(prompts, completions), name="reward-model")
        try:
            scoring.start()
            start = time.perf_counter()
            verdicts = self._asked.verdicts(requests)
            verifier_seconds = time.perf_counter() - start
            score, reward_model_seconds = scoring.result()
        except BaseException:
            scoring.call_off()
            raise
        reasons = [verdict.reason for verdict in verdicts]
        not_applied = reasons.count(Reason.NO_VERIFIER)
        return Scored(
            verdict=torch.tensor([verdict.value for verdict in verdicts], dtype=torch.float32),
            score=score,
            reasons=reasons,
            answers=[verdict.answer for verdict in verdicts],
            seconds=[verdict.seconds for verdict in verdicts],
            verifier_seconds=verifier_seconds,
            reward_model_seconds=reward_model_seconds,
            counters={
                "reward_model/truncated": 0.0,
                **{name: count - counted_before[name] for name, count in self._counted().items()},
                "verifier/abstained": float(sum(verdict.abstained for verdict in verdicts) - not_applied),
                "verifier/not_applied": float(not_applied),
                "verifier/timed_out": float(reasons.count(Reason.TIMED_OUT)),
                "verifier/crashed": float(reasons.count(Reason.CRASHED)),
                "verifier/seconds": verifier_seconds,
                "reward_model/missing": float(score.isnan().sum()) if self.reward_model is not None else 0.0,
                "reward_model/seconds": reward_model_seconds,
            },
        )

    def _counted(self) -> dict[str, float]:
        """What both parts themselves have counted so far, under their own names."""
        parts = {"verifier": self.verifier, "reward_model": self.reward_model}
        return {
            f"{room}/{name}": float(getattr(parts[room], "counters", {}).get(name, 0)) for room, name in self._names
        }

    def _request(
        self,
        prompt: str | Sequence[Message],
        completion: str | Sequence[Message],
        reference: Any,
        began: bool,
        columns: Mapping[str, Any],
        domain: str,
    ) -> Request:
        text = _answer_text(completion, began or _leaves_in_thought(prompt), self.judged_turns)
        request = Request(reference, text, _question(prompt))
        if not self._asked.takes_requests:
            return request
        asked, said = _conversation(prompt, ()), _conversation((), completion)
        return request._replace(prompt=asked, messages=said, columns=columns, domain=domain)

    def _score_conversations(
        self, prompts: Sequence[str | Sequence[Message]], completions: Sequence[str | Sequence[Message]]
    ) -> tuple[Scores, float]:
        """Scores (B,) and seconds."""
        missing = torch.full((len(prompts),), float("nan"))
        if self.reward_model is None or not prompts:
            return missing, 0.0
        conversations = [_conversation(*pair) for pair in zip(prompts, completions, strict=True)]
        start = time.perf_counter()
        try:
            raw = self.reward_model.score(conversations)
        except HeroError:
            raise
        except Exception:
            if not self._has_logged:
                _logger.exception("the reward model raised; the batch has no scores (logged once, counted always)")
            self._has_logged = True
            score = missing
        else:
            score = _checked(raw, len(prompts))
        empty = torch.tensor([says_nothing(completion) for completion in completions])
        score = score.masked_fill(empty, -torch.inf)
        return score, time.perf_counter() - start


def says_nothing(completion: str | Sequence[Message]) -> bool:
    """Whether a completion has no text but white space, and calls no tool, in any of its turns."""
    if isinstance(completion, str):
        return not completion.strip()
    said = [message for message in completion if message.get("role") == "assistant"]
    return not any(message.get("tool_calls") or text_of_content(message.get("content")).strip() for message in said)


def cut_off_in_thought(completion: str | Sequence[Message], finish_reason: Any) -> bool:
    """Whether a completion was cut off, as its `finish_reason` of `length` says, while it still weighed its answer.

    See `in_thought` of `Scorer.score`, for where the prompt does not show that a thought was opened.
    """
    return finish_reason == "length" and thinks_to_the_end(_answer_text(completion))


def as_judged(prompt: Any, completion: str, finish_reason: Any) -> str:
    """A completion of a file, in the thought that it never left, where its prompt (if that is text) or its end says so.

    The prompt is taken as the policy read it.
    """
    began = isinstance(prompt, str) and leaves_in_thought(prompt)
    return in_thought_text(completion, began or cut_off_in_thought(completion, finish_reason))


def _check_lengths(**columns: Sequence[Any]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"all columns of a batch must have one length, but {said}")


def _checked(raw: Any, rows: int) -> Scores:
    """Scores as float32 on the CPU, NaN where not finite."""
    score = torch.as_tensor(raw, dtype=torch.float32).detach().cpu()
    if score.shape != (rows,):
        raise ValueError(f"the reward model returned scores of shape {tuple(score.shape)} for {rows} conversations")
    return score.where(score.isfinite(), torch.nan)


def _conversation(prompt: str | Sequence[Message], completion: str | Sequence[Message]) -> Conversation:
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    said = [{"role": "assistant", "content": completion}] if isinstance(completion, str) else completion
    return [plain_message(message) for message in (*asked, *said)]


def _question(prompt: str | Sequence[Message]) -> str:
    """The text of a prompt, or of its last user message; empty if it has none."""
    if isinstance(prompt, str):
        return prompt
    asked = (message for message in reversed(prompt) if message.get("role") == "user")
    return text_of_content(next(asked, {}).get("content"))


def _leaves_in_thought(prompt: str | Sequence[Message]) -> bool:
    """Whether a prompt's text, or an assistant message that it ends with, ends inside of a thought."""
    if isinstance(prompt, str):
        return leaves_in_thought(prompt)
    last = prompt[-1] if prompt else {}
    return last.get("role") == "assistant" and after_thinking(text_of_content(last.get("content"))) is None


def _answer_text(completion: str | Sequence[Message], began_in_thought: bool = False, turns: Turns = "last") -> str:
    """What of a completion is judged, its thought as it began; empty where it has no assistant message."""
    if isinstance(completion, str):
        return in_thought_text(completion, began_in_thought)
    said = [message for message in completion if message.get("role") == "assistant"]
    texts = [text_of_content(message.get("content")) for message in said]
    # The template opens the thought of the first turn; a server or a parser may have taken it out of the text.
    if said and began_in_thought and not any(said[0].get(name) for name in _THOUGHTS):
        texts[0] = in_thought_text(texts[0], True)
    if turns == "last" or len(texts) < 2:
        return texts[-1] if texts else ""
    # Each turn by itself: a thought of the last would swallow all that was said before it.
    spoken = (after_thinking(text) or "" for text in texts)
    return "\n\n".join(text.strip() for text in spoken if text.strip())


_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
