"""A server that answers rewards: real requests, right, wrong and broken replies."""

import json
import math
import pickle
import time

import pytest
from misbehaving_server import Server, answers, hangs_up, is_huge, sends, waits
from pydantic import TypeAdapter, ValidationError

from hero_rl.errors import ConfigError
from hero_rl.verifiers import AnyVerifier, HttpVerifier, Processes, Reason, Request, in_processes
from hero_rl.verifiers.asking import Asked
from hero_rl.verifiers.base import NOBODYS_ANSWER, BatchVerifier, Verifier, takes_requests


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with Server() as server:
        server.script = [sends({"reward": 1.0})]
        yield server


@pytest.fixture
def verifier_of(server):
    made = []

    def make(**settings):
        made.append(HttpVerifier(**{"url": server.url, "seconds": 5.0, "retries": 0, **settings}))
        return made[-1]

    yield make
    for verifier in made:
        verifier.close()


def by_completion(graded):
    """A server that looks the reward of a completion up, and refuses what it does not know."""

    def behaviour(handler, body):
        reward = graded.get(body["completion"], answers(400, "what is that"))
        (reward if callable(reward) else sends({"reward": reward}))(handler, body)

    return behaviour


WHOLE = Request(
    {"words": ["red"]},
    "a red door",
    "Which?",
    [{"role": "user", "content": "Which?"}],
    [{"role": "assistant", "content": "a red door"}],
    {"level": 3, "weight": math.nan, "text": "\ud800"},
    "chat",
)


def test_a_plain_server_gets_the_whole_request(server, verifier_of):
    verdict = verifier_of(path="/score").verify(WHOLE)
    assert (verdict.value, verdict.reason) == (1.0, "graded_by_server")
    ((path, _, body),) = server.posts
    assert path == "/score"
    assert body == {
        "reference": {"words": ["red"]},
        "completion": "a red door",
        "question": "Which?",
        "prompt": [{"role": "user", "content": "Which?"}],
        "messages": [{"role": "assistant", "content": "a red door"}],
        "columns": {"level": 3, "weight": None, "text": "?"},
        "domain": "chat",
    }


def test_a_row_without_a_reference_is_judged_where_the_server_needs_none(server, verifier_of):
    row = Request(None, "4", columns={"verifier_metadata": {"id": 1}, "expected_answer": "of the row"})
    for shape in ("plain", "nemo_gym"):
        asked = Asked(verifier_of(shape=shape, needs_reference=False))
        assert asked.verdicts([row])[0].value == 1.0
        assert Asked(verifier_of(shape=shape)).verdicts([row])[0].reason is Reason.NO_VERIFIER
    body = server.posts[-1][2]
    assert body["verifier_metadata"] == {"id": 1} and body["expected_answer"] == "of the row"
    server.script = [by_completion({NOBODYS_ANSWER: 0.0})]
    assert verifier_of(needs_reference=False).verify(row).reason is Reason.ANSWER_REFUSED


@pytest.mark.parametrize(
    ("reply", "settings", "value"),
    [
        ({"reward": 0}, {}, 0.0),
        ({"reward": 0.25, "other": [1]}, {}, 0.25),
        ({"score": 0.5}, {}, 0.5),
        ({"reward": -1.0}, {"range": (-1, 1)}, 0.0),
        ({"reward": 0.0}, {"range": (-1, 1)}, 0.5),
        ({"reward": 10}, {"range": (0, 10)}, 1.0),
    ],
)
def test_rewards(server, verifier_of, reply, settings, value):
    server.script = [sends(reply)]
    assert verifier_of(**settings).verify(Request("4", "4")).value == value


@pytest.mark.parametrize("reply", [{"reward": None}, {"score": None}, {}])
def test_a_server_may_have_no_opinion(server, verifier_of, reply):
    server.script = [sends(reply)]
    verdict = verifier_of().verify(Request("4", "4"))
    assert verdict.abstained
    assert verdict.reason == "no_opinion_of_server"


@pytest.mark.parametrize("reward", [1.01, -0.5, 3])
def test_a_reward_that_is_no_verdict_is_an_error(server, verifier_of, reward):
    server.script = [sends({"reward": reward})]
    with pytest.raises(ConfigError, match=r"range: .* answers a reward of .* outside 0 to 1"):
        verifier_of().verify(Request("4", "4"))


@pytest.mark.parametrize(
    "behaviour",
    [
        sends({"reward": "1"}),
        sends({"reward": True}),
        sends({"reward": [1]}),
        sends(b'{"reward": NaN}'),
        sends(b'{"reward": 1e999}'),
        sends([1.0]),
        sends(b"ok"),
        answers(500),
        answers(429),
        hangs_up,
        is_huge,
        waits(9, sends({"reward": 1.0})),
    ],
)
def test_no_usable_reply_is_no_verdict(server, verifier_of, behaviour):
    server.script = [behaviour]
    verifier = verifier_of(seconds=1.0)
    assert verifier.verify(Request("4", "4")).reason is Reason.SERVER_FAILED
    assert verifier.counters["unreachable"] == 1


def test_requests_that_a_silent_server_is_spared_count_too(server, verifier_of):
    server.script = [waits(9, sends({"reward": 1.0}))]
    verifier = verifier_of(seconds=0.3, concurrency=2)
    verdicts = verifier.verify_batch([Request("4", str(row)) for row in range(40)])
    assert {verdict.reason for verdict in verdicts} == {Reason.SERVER_FAILED}
    assert len(server.posts) < 40
    assert verifier.counters["unreachable"] == 40


def test_a_failure_in_between_goes_unnoticed(server, verifier_of):
    server.script = [answers(503), sends({"reward": 0.5})]
    verifier = verifier_of(retries=2)
    assert verifier.verify(Request("4", "4")).value == 0.5
    assert verifier.counters["retries"] == 1


def test_a_server_that_is_not_there_denies_or_has_no_key(server, verifier_of, monkeypatch):
    assert verifier_of(url="http://127.0.0.1:9").verify(Request("4", "4")).reason is Reason.SERVER_FAILED
    server.script = [answers(404)]
    with pytest.raises(ConfigError, match="404"):
        verifier_of().verify(Request("4", "4"))
    with pytest.raises(ConfigError, match="REWARD_KEY"):
        verifier_of(api_key_env="REWARD_KEY").verify(Request("4", "4"))
    monkeypatch.setenv("REWARD_KEY", "s3cret")
    server.script = [sends({"reward": 1})]
    assert verifier_of(api_key_env="REWARD_KEY").verify(Request("4", "4")).value == 1
    assert server.posts[-1][1]["Authorization"] == "Bearer s3cret"


def test_a_text_that_only_the_server_refuses_is_wrong(server, verifier_of):
    server.script = [by_completion({"4": 1.0, "5": 0.0})]
    requests = [Request("4", each) for each in ("4", "5", "boom", "5", "boom!")]
    verdicts = verifier_of().verify_batch(requests)
    assert [verdict.value for verdict in verdicts] == [1, 0, 0, 0, 0]
    assert [verdicts[row].reason for row in (2, 4)] == [Reason.ANSWER_REFUSED] * 2
    assert len(server.posts) == 7  # four different ones, the reference, and the refused ones once more


def test_a_server_that_refuses_the_reference_too_has_failed(server, verifier_of):
    server.script = [by_completion({"5": 0.0})]
    verdicts = verifier_of().verify_batch([Request("4", "boom"), Request("4", "5"), Request("4", "4")])
    assert [verdict.reason for verdict in verdicts] == [
        Reason.SERVER_FAILED,
        "graded_by_server",
        Reason.SERVER_FAILED,
    ]


def test_a_refusal_that_does_not_come_again_costs_nothing(server, verifier_of):
    server.script = [answers(422), sends({"reward": 1.0}), sends({"reward": 0.25})]
    assert verifier_of().verify(Request("4", "5")).value == 0.25


def breaks(text, how=None):
    """A server that fails at what holds the text, and gives 1 to a 4 and 0 to all else."""

    def behaviour(handler, body):
        graded = sends({"reward": float(body["completion"] == "4")})
        ((how or answers(500)) if text in body["completion"] else graded)(handler, body)

    return behaviour


@pytest.mark.parametrize("how", [answers(500), is_huge])
def test_texts_that_break_the_server_are_wrong_and_cost_no_other_its_verdict(server, verifier_of, how):
    server.script = [breaks("boom", how)]
    texts = [f"boom {row}" for row in range(40)] + [f"wrong {row}" for row in range(20)] + ["4"]
    verifier = verifier_of(retries=1, concurrency=8)
    verdicts = verifier.verify_batch([Request("4", text) for text in texts])
    assert [verdict.value for verdict in verdicts] == [0] * 60 + [1]
    reasons = [verdict.reason for verdict in verdicts]
    assert reasons == [Reason.ANSWER_REFUSED] * 40 + ["graded_by_server"] * 21
    assert verifier.counters["unreachable"] == 0
    assert verifier.counters["refused"] == 80


SILENCES = [
    answers(502),
    answers(504),
    sends(b"<html>"),
    sends({"reward": "1"}),
    sends({"reward": 0.0, "_ng_failure_class": "judge_failed"}),
    hangs_up,
    waits(9, sends({"reward": 1.0})),
]


@pytest.mark.parametrize("how", SILENCES)
def test_a_text_on_which_alone_the_server_says_nothing_is_wrong(server, verifier_of, how):
    server.script = [breaks("boom", how)]
    verifier = verifier_of(seconds=1.0)
    verdicts = verifier.verify_batch([Request("4", text) for text in ("4", "boom", "5", "boom")])
    assert [verdict.value for verdict in verdicts] == [1, 0, 0, 0]
    assert [verdicts[row].reason for row in (1, 3)] == [Reason.NO_REPLY_TO_ANSWER] * 2
    assert verifier.counters["unanswered"] == 1
    assert verifier.counters["unreachable"] == 0


def test_a_server_that_is_asked_too_much_is_no_verdict(server, verifier_of):
    server.script = [breaks("boom", answers(429))]
    verdicts = verifier_of().verify_batch([Request("4", text) for text in ("boom", "boom!", "4")])
    assert [verdict.reason for verdict in verdicts] == [Reason.SERVER_FAILED] * 2 + ["graded_by_server"]


def test_a_text_that_hangs_the_server_costs_no_other_its_verdict(server, verifier_of):
    server.script = [breaks("boom", waits(9, sends({"reward": 1.0})))]
    texts = [f"boom {row}" for row in range(3)] + [str(row) for row in range(8)]
    verdicts = verifier_of(seconds=0.5, concurrency=2).verify_batch([Request("4", text) for text in texts])
    assert [verdict.value for verdict in verdicts] == [0, 0, 0, *(float(row == 4) for row in range(8))]


def test_a_server_that_answers_nothing_of_that_length_is_no_verdict(server, verifier_of):
    def behaviour(handler, body):
        long = len(body["completion"]) > 1000
        (answers(504) if long else sends({"reward": float(body["completion"] == "4")}))(handler, body)

    server.script = [behaviour]
    verdicts = verifier_of().verify_batch([Request("4", "5" * 2000), Request("4", "5")])
    assert [verdict.reason for verdict in verdicts] == [Reason.SERVER_FAILED, "graded_by_server"]


def test_silent_texts_are_asked_in_turn_as_long_as_a_call_may_take(server, verifier_of):
    server.script = [breaks("boom", waits(9, sends({"reward": 1.0})))]
    verifier = verifier_of(seconds=0.3)
    start = time.monotonic()
    verdicts = verifier.verify_batch([Request("4", f"boom {row}") for row in range(30)])
    assert time.monotonic() - start < 12  # all of them in turn: 18
    reasons = [verdict.reason for verdict in verdicts]
    assert set(reasons) == {Reason.NO_REPLY_TO_ANSWER, Reason.SERVER_FAILED}
    assert verifier.counters["unanswered"] == reasons.count(Reason.NO_REPLY_TO_ANSWER)
    assert verifier.counters["unreachable"] == reasons.count(Reason.SERVER_FAILED)


def test_a_server_that_breaks_at_everything_is_no_verdict_and_soon_tried_no_more(server, verifier_of):
    server.script = [answers(500)]
    verifier = verifier_of(retries=3, concurrency=8, seconds=20.0)
    verdicts = verifier.verify_batch([Request("4", f"wrong {row}") for row in range(200)])
    assert {verdict.reason for verdict in verdicts} == {Reason.SERVER_FAILED}
    assert verifier.counters["unreachable"] == 200
    assert verifier.counters["retries"] <= 3 * 15  # for all of them, 600
    server.script = [breaks("boom")]
    verdicts = verifier.verify_batch([Request("4", "4"), Request("4", "wrong"), Request("4", "boom")])
    assert [verdict.value for verdict in verdicts] == [1, 0, 0]


def test_a_reference_that_breaks_the_server_too_is_no_verdict(server, verifier_of):
    server.script = [breaks("boom")]
    verdicts = verifier_of().verify_batch([Request("boom", "boom!"), Request("4", "boom!"), Request("boom", "5")])
    assert [verdict.reason for verdict in verdicts] == [
        Reason.SERVER_FAILED,
        Reason.ANSWER_REFUSED,
        "graded_by_server",
    ]


def test_a_server_that_breaks_for_a_moment_costs_nothing(server, verifier_of):
    server.script = [answers(500), sends({"reward": 1.0}), sends({"reward": 0.25})]
    assert verifier_of().verify(Request("4", "5")).value == 0.25
    server.script = [answers(500), sends({"reward": 1.0}), answers(503)]
    assert verifier_of().verify(Request("4", "5")).reason is Reason.SERVER_FAILED


def test_order_is_kept_at_any_number_at_a_time(server, verifier_of):
    def behaviour(handler, body):
        time.sleep(0.01 * (int(body["completion"]) % 3))
        sends({"reward": int(body["completion"]) / 40})(handler, body)

    server.script = [behaviour]
    verdicts = verifier_of(concurrency=4).verify_batch([Request("x", str(row % 40)) for row in range(50)])
    assert [verdict.value for verdict in verdicts] == [row % 40 / 40 for row in range(50)]
    assert len(server.posts) == 40
    assert server.most_at_once <= 4
    assert verifier_of().verify_batch([]) == []


def test_requests_a_minute(server, verifier_of):
    start = time.monotonic()
    verdicts = verifier_of(rpm=300).verify_batch([Request("x", str(row)) for row in range(6)])
    assert {verdict.value for verdict in verdicts} == {1.0}
    assert time.monotonic() - start > 0.95


# NeMo Gym

ROW = {"expected_answer": "B", "options": [{"A": "x"}, {"B": "y"}], "verifier_metadata": {"grade": "strict"}}


def test_a_resources_server_of_nemo_gym_gets_a_row_of_its_own(server, verifier_of):
    prompt = [{"role": "user", "content": "A or B?"}]
    request = Request("B", "<think>A?</think>\\boxed{B}", "A or B?", prompt, (), ROW)
    assert verifier_of(shape="nemo_gym").verify(request).value == 1
    ((path, _, body),) = server.posts
    assert path == "/verify"
    response = body.pop("response")
    assert body == {**ROW, "responses_create_params": {"input": prompt}}
    # What OpenAI's `Response` cannot do without.
    assert {"id", "created_at", "model", "object", "output", "parallel_tool_calls", "tool_choice", "tools"} == set(
        response
    )
    (message,) = response["output"]
    assert message["role"] == "assistant"
    assert message["content"] == [{"type": "output_text", "text": "\\boxed{B}", "annotations": []}]


def test_the_row_keeps_its_own_parameters_and_a_mapping_is_spread(server, verifier_of):
    verifier = verifier_of(shape="nemo_gym")
    verifier.verify(Request("4", "4", "2 + 2?", columns={"responses_create_params": {"input": "2 + 2?"}}))
    verifier.verify(Request(ROW, "B", "A or B?"))
    first, second = (body for _, _, body in server.posts)
    assert first["responses_create_params"] == {"input": "2 + 2?"}
    assert first["expected_answer"] == "4"
    assert second["options"] == ROW["options"]
    assert second["responses_create_params"] == {"input": [{"role": "user", "content": "A or B?"}]}


def test_a_zero_with_a_failure_beside_it_is_no_verdict(server, verifier_of):
    server.script = [sends({"reward": 0.0, "_ng_failure_class": "judge_failed", "_ng_failure_judge_error": "no"})]
    assert verifier_of(shape="nemo_gym").verify(Request("4", "4")).reason is Reason.SERVER_FAILED


# As a verifier and a block


def test_it_is_a_verifier_of_requests(verifier_of):
    verifier = verifier_of()
    assert isinstance(verifier, Verifier)
    assert isinstance(verifier, BatchVerifier)
    assert takes_requests(verifier)
    assert in_processes(verifier, Processes()) is verifier
    assert pickle.loads(pickle.dumps(verifier)) == verifier
    assert verifier.verify_batch([("4", "4")])[0].value == 1


def test_a_configuration_block_survives_a_round_trip():
    block = {"type": "http", "url": "http://host/", "shape": "nemo_gym", "range": [-1, 1], "rpm": 60}
    verifier = TypeAdapter(AnyVerifier).validate_python(block)
    assert TypeAdapter(AnyVerifier).validate_json(verifier.model_dump_json()) == verifier
    assert json.loads(verifier.model_dump_json(exclude_defaults=True))["url"] == "http://host"
    for wrong in ({"range": [1, 1]}, {"range": [0, float("inf")]}, {"path": "verify"}, {"path": "/v?k=1"}, {"rpm": 0}):
        with pytest.raises(ValidationError):
            HttpVerifier(**{"url": "http://host", **wrong})
