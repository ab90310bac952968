import dataclasses
import logging
import math
import threading
import time
from collections import Counter

import pytest
import torch

from hero_rl.errors import ConfigError
from hero_rl.monitoring.unscorable import lost_of
from hero_rl.reward_models.batching import MicroBatches
from hero_rl.rules import Hero
from hero_rl.scoring import Scorer, says_nothing
from hero_rl.signals import Signals
from hero_rl.verifiers import ExactVerifier, MathVerifier, MathVerify, Reason, Supervised, Verdict


class Lengths:
    """A reward model for tests: the score is the length of the last message."""

    def __init__(self):
        self.counters = Counter()
        self.seen = []
        self.thread = None

    def score(self, conversations):
        self.seen = conversations
        self.thread = threading.current_thread()
        self.counters["truncated"] += 2
        return torch.tensor([float(len(conversation[-1]["content"])) for conversation in conversations])


class Returns:
    """A reward model for tests: returns what it is given, or raises it."""

    def __init__(self, result):
        self.counters = Counter()
        self.result = result

    def score(self, conversations):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Raises:
    def __init__(self, on=("bad",)):
        self.on = on

    def verify(self, reference, completion):
        if completion in self.on:
            raise RuntimeError("broken")
        return Verdict.of(Reason.MATCHED_EXACTLY)


COUNTERS = {
    "verifier/abstained",
    "verifier/not_applied",
    "verifier/timed_out",
    "verifier/crashed",
    "verifier/seconds",
    "reward_model/missing",
    "reward_model/truncated",
    "reward_model/seconds",
}


def test_a_supervised_verifier_is_counted_under_one_name():
    with Supervised(ExactVerifier(), workers=1) as verifier:
        counters = Scorer(verifier).score(["a"], ["b"], ["c"]).counters
    assert {"verifier/abstained", "verifier/timed_out", "verifier/crashed", "verifier/respawns"} <= counters.keys()
    assert not {"verifier/abstentions", "verifier/timeouts", "verifier/crashes"} & counters.keys()


def test_a_batch_is_judged_and_scored_row_for_row():
    judge = Lengths()
    scored = Scorer(ExactVerifier(), judge).score(["1+1", "1+1", "?"], ["2", "three", "x"], ["2", "2", ""])
    assert scored.verdict[:2].tolist() == [1.0, 0.0]
    assert scored.verdict[2].isnan()
    assert scored.score.tolist() == [1.0, 5.0, 1.0]
    assert scored.verdict.dtype == scored.score.dtype == torch.float32
    assert scored.reasons == [Reason.MATCHED_EXACTLY, Reason.MISMATCH, Reason.NO_VERIFIER]
    assert scored.answers == ["2", "three", None]
    assert judge.seen[1] == [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "three"}]
    with pytest.raises(dataclasses.FrozenInstanceError):
        scored.verdict = scored.score


def test_counters_of_one_call_are_summable_numbers():
    scorer = Scorer(ExactVerifier(), Lengths())
    for _ in range(2):
        scored = scorer.score(["p"] * 3, ["a"] * 3, ["a", "", "b"])
        counters = dict(scored.counters)
        assert counters.keys() == COUNTERS
        assert all(type(value) is float for value in counters.values())
        assert counters.pop("verifier/seconds") == scored.verifier_seconds > 0
        assert counters.pop("reward_model/seconds") == scored.reward_model_seconds > 0
        assert {name: value for name, value in counters.items() if value} == {
            "verifier/not_applied": 1.0,
            "reward_model/truncated": 2.0,
        }


def test_without_a_reward_model_scores_are_nan_and_none_counts_as_missing():
    scored = Scorer(ExactVerifier()).score(["p"], ["a"], ["a"])
    assert scored.verdict.tolist() == [1.0]
    assert scored.score.isnan().all()
    assert scored.reward_model_seconds == 0.0
    assert scored.counters["reward_model/missing"] == 0.0
    assert scored.counters.keys() == COUNTERS


def test_an_empty_batch():
    scored = Scorer(ExactVerifier(), Returns(RuntimeError("not asked"))).score([], [], [])
    assert scored.verdict.shape == scored.score.shape == (0,)
    assert scored.counters.keys() == COUNTERS


BLOCKS = [{"type": "text", "text": "the answer"}, {"type": "text", "text": ": 4"}]


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("4", "4"),
        ([{"role": "assistant", "content": "4"}], "4"),
        ([{"role": "assistant", "content": BLOCKS}], "the answer: 4"),
        ([{"role": "assistant", "content": [{"type": "image"}, *BLOCKS]}], "the answer: 4"),
        ([{"role": "assistant", "content": "3"}, {"role": "assistant", "content": "4"}], "4"),
        ([{"role": "assistant", "content": "4"}, {"role": "tool", "content": "5"}], "4"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], None),
        ([{"role": "tool", "content": "5"}], None),
        ([], None),
    ],
)
def test_the_verifier_reads_the_last_assistant_message(completion, answer):
    scored = Scorer(ExactVerifier()).score(["p"], [completion], ["4"])
    assert scored.answers == [answer]
    assert scored.reasons[0] is not Reason.CRASHED


@pytest.mark.parametrize("prompt", ["q", [{"role": "user", "content": "q"}]])
@pytest.mark.parametrize(
    "completion",
    ["a: 4", [{"role": "assistant", "content": [{"type": "text", "text": "a: "}, {"type": "text", "text": "4"}]}]],
)
def test_text_and_messages_make_the_same_conversation(prompt, completion):
    judge = Lengths()
    Scorer(ExactVerifier(), judge).score([prompt], [completion], ["4"])
    assert judge.seen == [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a: 4"}]]


def test_messages_are_concatenated_as_they_are():
    judge = Lengths()
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    picture = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "look"}], "name": "n"}
    Scorer(ExactVerifier(), judge).score([[*prompt, picture]], [[{"role": "assistant", "content": "a"}]], ["a"])
    assert judge.seen == [[*prompt, picture, {"role": "assistant", "content": "a"}]]


@pytest.mark.parametrize(("broken", "reason"), [("bad", Reason.UNREADABLE_ANSWER), ("bad r", Reason.CRASHED)])
def test_a_verifier_that_raises_is_tried_on_the_reference_and_logged_once(caplog, broken, reason):
    """One that can judge the reference raises of the answer's doing; one that cannot is broken itself."""
    scorer = Scorer(Raises(broken.split()))
    for _ in range(2):
        scored = scorer.score(["p"] * 3, ["good", "bad", "bad"], ["r"] * 3)
        assert scored.reasons == [Reason.MATCHED_EXACTLY, reason, reason]
        crashes = 2.0 * (reason is Reason.CRASHED)
        assert (scored.counters["verifier/crashed"], scored.counters["verifier/abstained"]) == (crashes, crashes)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "broken" in caplog.text


def test_a_reward_model_that_raises_gives_a_batch_without_scores(caplog):
    scorer = Scorer(ExactVerifier(), Returns(ConnectionError("gone")))
    for _ in range(2):
        scored = scorer.score(["p"] * 2, ["a", "b"], ["a", "a"])
        assert scored.score.isnan().all()
        assert scored.verdict.tolist() == [1.0, 0.0]
        assert scored.counters["reward_model/missing"] == 2.0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "gone" in caplog.text


def test_nonfinite_scores_are_missing():
    scored = Scorer(ExactVerifier(), Returns(torch.tensor([1.5, math.inf, -math.inf, math.nan]))).score(
        ["p"] * 4, ["a"] * 4, ["a"] * 4
    )
    assert scored.score[0] == 1.5
    assert scored.score[1:].isnan().all()
    assert scored.counters["reward_model/missing"] == 3.0


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 1), ()])
def test_a_wrong_number_of_scores_is_an_error(shape):
    with pytest.raises(ValueError, match="2 conversations"):
        Scorer(ExactVerifier(), Returns(torch.zeros(shape))).score(["p"] * 2, ["a"] * 2, ["a"] * 2)


def test_a_verifier_that_returns_no_verdict_is_an_error():
    class Bool:
        def verify(self, reference, completion):
            return True

    with pytest.raises(TypeError, match="bool"):
        Scorer(Bool()).score(["p"], ["a"], ["a"])


@pytest.mark.parametrize("group", [[7, -1, 7], torch.tensor([7, -1, 7], dtype=torch.int32)])
def test_signals_are_what_was_said_with_the_groups(group):
    scored = Scorer(ExactVerifier(), Lengths()).score(["p"] * 3, ["a", "bb", ""], ["a", "a", ""])
    signals = scored.signals(group)
    torch.testing.assert_close(signals.verdict, torch.tensor([1.0, 0.0, math.nan]), equal_nan=True)
    assert signals.score.tolist()[:2] == [1.0, 2.0]
    assert signals.empty.tolist() == [False, False, True]
    assert signals.group.tolist() == [7, -1, 7]


def test_signals_of_groups_that_do_not_fit():
    scored = Scorer(ExactVerifier()).score(["p"] * 2, ["a", "b"], ["a", "a"])
    with pytest.raises(ValueError, match="group has shape"):
        scored.signals([1])
    with pytest.raises(TypeError, match="integers"):
        scored.signals([1.0, 1.5])
    assert len(Scorer(ExactVerifier()).score([], [], []).signals([])) == 0


def test_lengths_that_differ_are_named():
    with pytest.raises(ValueError, match="prompts has 1, completions has 2, references has 3"):
        Scorer(ExactVerifier()).score(["p"], ["a"] * 2, ["a"] * 3)


def test_verifier_in_the_calling_thread_reward_model_beside_it():
    meet = threading.Barrier(2, timeout=20)

    class Meets(Lengths):
        def score(self, conversations):
            meet.wait()
            return super().score(conversations)

    class MeetsToo:
        def verify(self, reference, completion):
            meet.wait()
            assert threading.current_thread() is threading.main_thread()
            return Verdict.of(Reason.MATCHED_EXACTLY)

    judge = Meets()
    scored = Scorer(MeetsToo(), judge).score(["p"], ["a"], ["a"])
    assert scored.verdict.tolist() == [1.0]
    assert scored.score.tolist() == [1.0]
    assert judge.thread is not threading.main_thread()


class Interrupted:
    """A verifier for tests: Ctrl-C comes once the reward model is at work."""

    def __init__(self, working):
        self.working = working

    def verify(self, reference, completion):
        assert self.working.wait(20)
        raise KeyboardInterrupt


class Hangs(Lengths):
    """A reward model for tests: does not come back, whoever calls it off."""

    def __init__(self):
        super().__init__()
        self.working, self.end = threading.Event(), threading.Event()

    def score(self, conversations):
        self.thread = threading.current_thread()
        self.working.set()
        self.end.wait(20)
        return super().score(conversations)


def test_an_interrupt_waits_for_no_reward_model():
    model = Hangs()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Scorer(Interrupted(model.working), model).score(["p"], ["a"], ["a"])
    assert time.monotonic() - start < 15  # it would wait 20 s
    assert model.thread.daemon
    model.end.set()
    model.thread.join(5)


def test_an_interrupt_ends_a_reward_model_here_after_its_forward_pass():
    class Slow(Lengths):
        def __init__(self):
            super().__init__()
            self.working, self.passes = threading.Event(), 0

        def forward(self, sequences):
            self.passes += 1
            self.working.set()
            time.sleep(1.5)
            return torch.zeros(len(sequences))

        def score(self, conversations):
            self.thread = threading.current_thread()
            return MicroBatches(self.forward, token_budget=1).scores([[1]] * len(conversations))

    model = Slow()
    with pytest.raises(KeyboardInterrupt):
        Scorer(Interrupted(model.working), model).score(["p"] * 50, ["a"] * 50, ["a"] * 50)
    assert not model.thread.is_alive()
    assert model.passes == 1


# An alarm that strikes within a callback of the garbage collector is lost there, and Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_maths_with_a_timeout():
    MathVerify(seconds=60).verify("1", r"\boxed{1}")  # what it imports takes no time of the checks below
    scored = Scorer(MathVerify(seconds=1), Lengths()).score(
        ["p"] * 3, [r"\boxed{9}", r"\boxed{8}", r"\boxed{9^{9^{9^9}}}"], ["9"] * 3
    )
    assert scored.reasons == [Reason.MATCHED_EXACTLY, Reason.MISMATCH, Reason.TOO_SLOW]
    assert scored.counters["verifier/abstained"] == 0.0
    assert scored.verifier_seconds >= 0.9


class Batches:
    """Takes whole batches and notes what it was given."""

    def __init__(self, verdicts=None, error=None):
        self.verdicts, self.error, self.pairs = verdicts, error, []
        self.counters = {"calls": 0}

    def verify_batch(self, pairs):
        self.pairs += pairs
        self.counters = {"calls": self.counters["calls"] + 1}
        if self.error:
            raise self.error
        return self.verdicts if self.verdicts is not None else [Verdict.of(Reason.MISMATCH) for _ in pairs]


def test_a_verifier_of_batches_gets_the_batch_with_its_questions():
    verifier = Batches()
    prompts = ["2 + 2?", [{"role": "system", "content": "be brief"}, {"role": "user", "content": "3 + 3?"}]]
    scorer = Scorer(verifier)
    scored = scorer.score(prompts, ["4", "6"], ["4", "6"])
    assert [tuple(pair[:3]) for pair in verifier.pairs] == [("4", "4", "2 + 2?"), ("6", "6", "3 + 3?")]
    assert scored.verdict.tolist() == [0.0, 0.0]
    assert scored.counters["verifier/calls"] == 1
    assert scorer.score(prompts, ["4", "6"], ["4", "6"]).counters["verifier/calls"] == 1


def test_a_batch_that_raises_abstains(caplog):
    scored = Scorer(Batches(error=OSError("gone"))).score(["a", "b"], ["1", "2"], ["1", "2"])
    assert scored.verdict.isnan().all()
    assert scored.reasons == [Reason.CRASHED] * 2
    assert "its batch abstains" in caplog.text


def test_a_verifier_that_can_never_judge_ends_the_call():
    with pytest.raises(ConfigError, match="no key"):
        Scorer(Batches(error=ConfigError("no key"))).score(["a"], ["1"], ["1"])


@pytest.mark.parametrize(("verdicts", "error"), [([], ValueError), ([1.0], TypeError)])
def test_a_batch_of_the_wrong_kind_is_refused(verdicts, error):
    with pytest.raises(error, match="the verifier returned"):
        Scorer(Batches(verdicts=verdicts)).score(["a"], ["1"], ["1"])


def test_any_of_several_references_is_right():
    scored = Scorer(ExactVerifier()).score(["2 + 2 ="] * 3, ["4", "four", "5"], [["4", "four"], ["4", "four"], ["4"]])
    assert scored.verdict.tolist() == [1, 1, 0]
    assert scored.counters["verifier/abstained"] == 0


CUT_OFF = "Maybe \\boxed{7}. Wait, let me check that once more: 3 + 4 is"
CLOSED = "Maybe \\boxed{8}.</think>It is \\boxed{7}."
OPENING_PROMPTS = [
    "<|User|>What is 3+4?<|Assistant|><think>\n",
    "<|im_start|>user\nPut it in <think> </think> first.<|im_end|>\n<|im_start|>assistant\n<think>\nOkay, ",
    [{"role": "user", "content": "3+4?"}, {"role": "assistant", "content": "<think>"}],
]
OTHER_PROMPTS = [
    "<|im_start|>user\nBegin with <think> and end it.<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "What is 3+4?",
    [{"role": "user", "content": "3+4? Think in <think>"}],
]


@pytest.mark.parametrize("verifier", [MathVerifier(), MathVerify(), ExactVerifier(marker="so ")])
def test_a_thought_that_the_prompt_opened_must_end(verifier):
    cut_off, closed = CUT_OFF + " so 7", CLOSED + " so 7"
    for prompt in OPENING_PROMPTS:
        scored = Scorer(verifier).score([prompt, prompt], [cut_off, closed], ["7", "7"])
        assert scored.verdict.tolist() == [0, 1], prompt
        assert scored.reasons[0] is Reason.NO_ANSWER
    for prompt in OTHER_PROMPTS:
        assert Scorer(verifier).score([prompt], ["It is \\boxed{7}, so 7"], ["7"]).verdict.tolist() == [1], prompt


def test_a_trainer_that_knows_the_template_says_so():
    prompt = [{"role": "user", "content": "3+4?"}]
    said = [[{"role": "assistant", "content": text}] for text in (CUT_OFF, CLOSED)]
    taken_out = [{"role": "assistant", "content": "It is \\boxed{7}.", "reasoning_content": "Maybe 8."}]
    scorer = Scorer(MathVerifier(), Lengths())
    scored = scorer.score([prompt] * 3, [*said, taken_out], ["7"] * 3, in_thought=[True] * 3)
    assert scored.verdict.tolist() == [0, 1, 1]
    assert scorer.reward_model.seen[0][-1]["content"] == CUT_OFF  # which reads what was written
    assert scorer.score([prompt], said[:1], ["7"]).verdict.tolist() == [1]
    with pytest.raises(ValueError, match="in_thought has 1"):
        scorer.score([prompt] * 2, said, ["7"] * 2, in_thought=[True])


@pytest.mark.parametrize(
    ("turns", "texts", "judged"),
    [
        ("last", ["3", "4"], "4"),
        ("all", ["3", "4"], "3\n\n4"),
        ("all", ["3", None, " ", "4"], "3\n\n4"),
        ("all", ["<think>8</think>3", "<think>so is it 4"], "3"),
        ("all", ["<think>8</think>3"], "<think>8</think>3"),
        ("all", [], ""),
    ],
)
def test_turns_are_judged_as_the_setting_says(turns, texts, judged):
    said = [{"role": "assistant", "content": text} for text in texts]
    tool = {"role": "tool", "content": "5"}
    completion = [message for one in said for message in (one, tool)] or [tool]
    verifier = Batches()
    Scorer(verifier, judged_turns=turns).score(["q"], [completion], ["4"])
    assert [request.completion for request in verifier.pairs] == [judged]
    assert says_nothing(completion) is not any(text.strip() for text in texts)


def test_a_call_is_something_to_score():
    """A turn that only calls a tool says something: the reward model's score of it stands."""
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": {}}}]}
    assert not says_nothing([call])
    assert says_nothing([{"role": "assistant", "content": " \n"}, {"role": "tool", "content": "5"}])


def test_only_what_failed_counts_as_lost():
    nan = float("nan")
    signals = Signals(
        verdict=torch.tensor([1.0, 0.0, nan, nan]),
        score=torch.tensor(
            [nan, -torch.inf, 2.0, 1.0]
        ),  # failed, nothing to score, no verifier applies, verifier failed
        group=torch.tensor([0, 0, 1, 2]),
        unverified=torch.tensor([False, False, True, False]),
    )
    shaped, _ = Hero().update(signals, Hero().init())
    assert lost_of(signals, shaped, needs_score=True) == 2
    assert lost_of(signals, shaped, needs_score=False) == 1
