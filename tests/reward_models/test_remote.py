import asyncio
import logging
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from reward_server import RewardServer, answers, changed, drips, hangs_up, logit, says, sends, waits
from tiny_reward_models import ALTERNATING_TEMPLATE, BOS, BOS_TEMPLATE, chat, model, tokenizer

from hero_rl.clients import breaker
from hero_rl.errors import ConfigError
from hero_rl.reward_models import (
    AnyRewardModel,
    LocalRewardModel,
    LocalRewardModelConfig,
    RemoteRewardModel,
    RemoteRewardModelConfig,
    RewardModel,
)
from hero_rl.scoring import Scorer
from hero_rl.verifiers import ExactVerifier

CHATS = [chat(f"What is {n} + {n}?", "It is " + "so " * (7 * n % 40) + str(2 * n)) for n in range(12)]
PROTOCOLS = {"vllm_classify": "/classify", "vllm_pooling": "/pooling", "sglang_embeddings": "/v1/embeddings"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server():
    with RewardServer() as server:
        yield server


@pytest.fixture
def second():
    with RewardServer() as server:
        yield server


@pytest.fixture
def remote(server):
    """Makes clients of the server that are patient for a moment only."""
    made = []

    def make(template=BOS_TEMPLATE, max_tokens=None, **settings):
        config = RemoteRewardModelConfig(
            **{"urls": server.url, "tokenizer": "-", "seconds": 5.0, "retries": 0, "batch_size": 4, **settings}
        )
        made.append(RemoteRewardModel(config, tokenizer(template, adds_bos=True), max_tokens=max_tokens))
        return made[-1]

    yield make
    for reward_model in made:
        reward_model.close()


def tokens_of(conversations, template=BOS_TEMPLATE):
    words = tokenizer(template, adds_bos=True)
    return [words.apply_chat_template(list(chat), tokenize=True)["input_ids"] for chat in conversations]


EXPECTED = torch.tensor([logit(tokens) for tokens in tokens_of(CHATS)])


def counted(reward_model):
    return {name: count for name, count in reward_model.counters.items() if count}


# What is asked and how it is read


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_come_in_input_order(server, remote, protocol):
    reward_model = remote(protocol=protocol)
    assert isinstance(reward_model, RewardModel)
    scores = reward_model.score(CHATS)
    assert scores.dtype == torch.float32
    assert torch.equal(scores, EXPECTED)
    assert server.sizes == [4, 4, 4, 4]  # the probe and three batches
    assert {path for path, _, _ in server.posts} == {PROTOCOLS[protocol]}
    assert counted(reward_model) == {}


def test_what_is_sent(server, remote):
    remote(model="rm").score(CHATS[:1])
    _, headers, body = server.posts[-1]
    assert body == {"input": tokens_of(CHATS[:1]), "use_activation": False, "model": "rm"}
    assert "Authorization" not in headers
    remote(protocol="sglang_embeddings").score(CHATS[:1])
    assert server.posts[-1][2] == {"input": tokens_of(CHATS[:1]), "encoding_format": "float"}


def test_the_server_gets_what_the_local_model_gets(server, remote):
    local = LocalRewardModel(model(max_positions=64), tokenizer(BOS_TEMPLATE, adds_bos=True))
    conversations = [*CHATS, chat("<eos><bos>", "fine<eos><assistant>perfect<eos>")]
    reward_model = remote(max_tokens=64, batch_size=100)
    reward_model.score(conversations)
    assert server.posts[-1][2]["input"] == local._tokenize(conversations)
    assert reward_model.counters["truncated"] == local.counters["truncated"] > 0
    assert all(tokens.count(BOS) == 1 for tokens in server.posts[-1][2]["input"])


def test_rows_go_by_their_index(server, remote):
    server.always = changed(lambda data: data[::-1])
    assert torch.equal(remote().score(CHATS), EXPECTED)


def test_token_wise_rewards_are_read_at_the_last_token(server, remote):
    def token_wise(handler, body):
        rows = [[[logit(tokens[: end + 1])] for end in range(len(tokens))] for tokens in body["input"]]
        handler.send({"data": [{"index": at, "data": row} for at, row in enumerate(rows)]})

    server.always = token_wise
    assert torch.equal(remote(protocol="vllm_pooling").score(CHATS), EXPECTED)


def test_token_wise_rewards_of_other_tokens_are_none(server, remote):
    reward_model = remote(protocol="vllm_pooling")
    reward_model.score([])
    reward_model.check()
    server.script = [changed(lambda data: [{**item, "data": [item["data"]] * 3} for item in data])]
    assert reward_model.score(CHATS[:4]).isnan().all()


def test_one_of_several_labels(server, remote):
    server.always = changed(lambda data: [{**item, "probs": [9.0, *item["probs"], -9.0]} for item in data])
    assert torch.equal(remote(labels=3, label=1).score(CHATS), EXPECTED)


def test_an_empty_batch(server, remote):
    assert remote().score([]).shape == (0,)
    assert not server.posts


def test_what_cannot_be_rendered_is_not_sent(server, remote):
    reward_model = remote(ALTERNATING_TEMPLATE)
    scores = reward_model.score([CHATS[0], list(reversed(CHATS[0])), [], CHATS[1]])
    assert scores.isnan().tolist() == [False, True, True, False]
    assert torch.equal(scores[[0, 3]], EXPECTED[:2])
    assert counted(reward_model) == {"missing": 2, "unrenderable": 2}
    assert server.sizes == [4, 2]


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"null", b"1e300"])
def test_a_number_that_is_none_costs_its_row_only(server, remote, value):
    reward_model = remote(batch_size=12)
    reward_model.check()
    items = [b'{"index": %d, "probs": [%s]}' % (row, value if row == 3 else b"1.5") for row in range(12)]
    server.script = [sends(b'{"data": [' + b", ".join(items) + b"]}")]
    scores = reward_model.score(CHATS)
    assert scores.isnan().nonzero().flatten().tolist() == [3]
    assert counted(reward_model) == {"missing": 1, "nonfinite": 1}


# Failures


@pytest.mark.parametrize(
    "behaviour",
    [
        says(500),
        says(503),
        says(429),
        says(408),
        sends(b"<html>not JSON</html>"),
        sends({"hello": 1}),
        sends({"data": []}),
        sends({"data": [{"index": 0, "probs": [1.0]}]}),
        changed(lambda data: [{**item, "index": 0} for item in data]),
        changed(lambda data: [{**item, "index": item["index"] + 1} for item in data]),
        changed(lambda data: [{**item, "probs": []} for item in data]),
        changed(lambda data: [{**item, "probs": item["probs"] * 2} for item in data]),
        changed(lambda data: [{**item, "probs": ["1.0"]} for item in data]),
        changed(lambda data: [{**item, "probs": [True]} for item in data]),
        changed(lambda data: [*data, {"index": 4, "probs": [1.0]}]),
        sends(b"[" * 100_000),
        hangs_up,
    ],
)
def test_one_bad_reply_costs_its_rows_only_and_a_retry_nothing(server, remote, behaviour):
    for retries, lost in ((0, 4), (1, 0)):
        reward_model = remote(retries=retries, concurrency=1)
        reward_model.check()
        server.script = [answers, behaviour]
        scores = reward_model.score(CHATS)
        assert scores.isnan().tolist() == [False] * 4 + [lost > 0] * 4 + [False] * 4
        assert torch.equal(scores[~scores.isnan()], EXPECTED[~scores.isnan()])
        expected = {"missing": 4, "failed_requests": 1} if lost else {"retries": 1}
        assert counted(reward_model) == expected


@pytest.mark.parametrize("behaviour", [waits(20), drips])
def test_one_limit_holds_over_the_whole_request(server, remote, behaviour):
    reward_model = remote(seconds=1.0)
    reward_model.check()
    server.script = [behaviour]
    start = time.monotonic()
    assert reward_model.score(CHATS[:4]).isnan().all()
    assert 1.0 <= time.monotonic() - start < 15  # the server would take 20 s
    assert counted(reward_model) == {"missing": 4, "timeouts": 1, "failed_requests": 1}


def test_a_refused_conversation_costs_itself_only(server, remote):
    long = 200

    def refuses_long_ones(handler, body):
        if any(len(tokens) > long for tokens in body["input"]):
            handler.send({"error": {"message": "context too long"}}, 400)
        else:
            answers(handler, body)

    server.always = refuses_long_ones
    conversations = [*CHATS[:5], chat("x", "y" * long), *CHATS[5:]]
    reward_model = remote(batch_size=16)
    scores = reward_model.score(conversations)
    assert scores.isnan().nonzero().flatten().tolist() == [5]
    assert torch.equal(scores[~scores.isnan()], EXPECTED)
    assert counted(reward_model) == {"missing": 1, "failed_requests": 1}


def test_a_server_that_is_not_there(remote, caplog):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    reward_model = remote(urls=f"http://127.0.0.1:{port}", concurrency=8, batch_size=1)
    with caplog.at_level(logging.WARNING):
        assert reward_model.score(CHATS * 4).isnan().all()
    assert counted(reward_model) == {"missing": 48, "failed_requests": 48}
    assert len(caplog.records) == 3  # that it rests, that rows are lost, and that no more are asked for; once each
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port} does not answer"):
        reward_model.check()


def test_a_batch_gives_up_on_servers_that_are_silent(server, remote):
    reward_model = remote(seconds=0.4, retries=6, batch_size=1, concurrency=4)
    reward_model.check()
    server.always = waits(20)
    start = time.monotonic()
    assert reward_model.score(CHATS * 20).isnan().all()
    # Nothing was answered for twice the time of a request; one after another, the requests would take 24 s.
    assert 0.8 <= time.monotonic() - start < 15
    for calls in range(1, 4):
        asked = len(server.posts)
        assert reward_model.score(CHATS * 20).isnan().all()
        assert server.sizes[asked:] == [4]  # the fixed texts, once
        assert reward_model.counters["missing"] == reward_model.counters["failed_requests"] == 240 * (calls + 1)
    server.always = None
    assert torch.equal(reward_model.score(CHATS), EXPECTED)  # the next batch asks anew


def hangs_but_for_the_probe(handler, body):
    (answers if len(body["input"]) == 4 else waits(20))(handler, body)


def test_silent_servers_that_answer_the_fixed_texts(server, remote):
    server.always = hangs_but_for_the_probe
    reward_model = remote(seconds=0.4, retries=6, batch_size=1, concurrency=4)
    for asked_at_most in (20, 2, 2):
        asked = len(server.posts)
        assert reward_model.score(CHATS * 20).isnan().all()
        assert len(server.posts) - asked <= asked_at_most
    server.always = None
    assert torch.equal(reward_model.score(CHATS), EXPECTED)


def test_a_call_takes_so_long_at_most_whatever_the_server_does(server, remote):
    def answers_one_in_five(handler, body):
        (answers if len(server.posts) % 5 == 0 else waits(20))(handler, body)

    reward_model = remote(seconds=0.3, retries=50, batch_size=1, concurrency=4)
    reward_model.check()
    server.always = answers_one_in_five
    start = time.monotonic()
    scores = reward_model.score(CHATS)
    assert time.monotonic() - start < 15  # with all its attempts, one request alone would take as long
    assert 0 < scores.isnan().sum() < 12
    found = ~scores.isnan()
    assert torch.equal(scores[found], EXPECTED[found])


def test_an_interrupt_does_not_wait_for_the_servers(server):
    server.always = hangs_but_for_the_probe
    program = f"""
import sys, threading
sys.path.insert(0, {os.path.dirname(__file__)!r})
from tiny_reward_models import BOS_TEMPLATE, tokenizer
from hero_rl.reward_models import RemoteRewardModel, RemoteRewardModelConfig
from hero_rl.scoring import Scorer
from hero_rl.verifiers import ExactVerifier
config = RemoteRewardModelConfig(urls={server.url!r}, tokenizer="-")
scorer = Scorer(ExactVerifier(), RemoteRewardModel(config, tokenizer(BOS_TEMPLATE)))
try:
    scorer.score(["q"] * 64, ["a"] * 64, ["a"] * 64)
except KeyboardInterrupt:
    print(sorted(thread.name for thread in threading.enumerate()))
"""
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(server.posts) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    start = time.monotonic()
    run.send_signal(signal.SIGINT)
    said, complaints = run.communicate(timeout=60)
    assert time.monotonic() - start < 30  # a request may take 120 s
    assert said == "['MainThread', 'reward-model-client']\n"
    assert complaints == ""
    assert run.returncode == 0


def test_an_error_of_the_verifier_does_not_wait_for_the_servers(server, remote):
    class Broken(ExactVerifier):
        def verify(self, reference, completion):
            raise ConfigError("broken")

    server.always = hangs_but_for_the_probe
    reward_model = remote(seconds=60)
    start = time.monotonic()
    with pytest.raises(ConfigError, match="broken"):
        Scorer(Broken(), reward_model).score(["q"] * 64, ["a"] * 64, ["a"] * 64)
    assert time.monotonic() - start < 15  # the server would take 20 s
    server.always = None
    assert torch.equal(reward_model.score(CHATS), EXPECTED)


def test_a_server_restarted_in_the_middle_of_a_batch_loses_nothing(remote):
    with RewardServer() as first:
        port = first.server_port
        reward_model = remote(urls=first.url, retries=8, batch_size=1, concurrency=2)
        reward_model.check()
        first.always = waits(0.05)
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(reward_model.score, CHATS * 3)
            while len(first.posts) < 8:
                time.sleep(0.01)
            first.__exit__()
            time.sleep(0.3)
            with RewardServer(port) as back:
                scores = pending.result(60)
                assert torch.equal(scores, EXPECTED.repeat(3))
                assert 4 in back.sizes  # it was checked before it got anything
    assert reward_model.counters["retries"] > 0
    assert reward_model.counters["missing"] == 0


def test_retry_after_is_honoured(server, remote):
    reward_model = remote(retries=1)
    reward_model.check()
    server.script = [says(429, Retry_After="1.2")]
    start = time.monotonic()
    assert torch.equal(reward_model.score(CHATS[:4]), EXPECTED[:4])
    assert time.monotonic() - start >= 1.1


# Several servers


def test_work_goes_to_the_server_with_the_least_to_do(server, second, remote):
    server.always = waits(0.2)
    reward_model = remote(urls=[server.url, second.url], batch_size=1, concurrency=2)
    assert torch.equal(reward_model.score(CHATS * 3), EXPECTED.repeat(3))
    assert 1 < len(server.posts) < len(second.posts)
    assert server.most_at_once <= 2
    assert second.most_at_once <= 2


def test_another_server_takes_the_requests_of_one_that_fails(server, second, remote):
    reward_model = remote(urls=[server.url, second.url], batch_size=1, concurrency=2, retries=3)
    reward_model.check()
    server.always = says(500)
    assert torch.equal(reward_model.score(CHATS * 3), EXPECTED.repeat(3))
    assert counted(reward_model).keys() == {"retries"}
    assert len(server.posts) < 10 < len(second.posts)
    assert second.most_at_once <= 2


def test_a_server_that_came_back_is_checked_and_used_again(server, second, remote):
    reward_model = remote(urls=[server.url, second.url], retries=3)
    server.always = says(503)
    assert torch.equal(reward_model.score(CHATS), EXPECTED)
    server.always = None
    server.posts.clear()
    until = time.monotonic() + 20
    while len(server.posts) < 2 and time.monotonic() < until:
        assert torch.equal(reward_model.score(CHATS), EXPECTED)
        time.sleep(0.05)
    assert len(server.posts) >= 2


def test_retry_after_of_one_does_not_hold_up_the_other(server, second, remote):
    reward_model = remote(urls=[server.url, second.url], retries=2, seconds=30)
    reward_model.check()
    server.always = says(429, Retry_After="20")
    start = time.monotonic()
    assert torch.equal(reward_model.score(CHATS), EXPECTED)
    assert time.monotonic() - start < 15


def test_nobody_waits_for_a_server_that_hangs_while_another_works(server, second, remote):
    reward_model = remote(urls=[server.url, second.url], retries=2, seconds=1.0)
    reward_model.check()
    server.always = waits(20)
    assert torch.equal(reward_model.score(CHATS), EXPECTED)
    times, until = [], time.monotonic() + 3
    while time.monotonic() < until:
        start = time.monotonic()
        assert torch.equal(reward_model.score(CHATS), EXPECTED)
        times.append(time.monotonic() - start)
    assert sorted(times)[len(times) // 2] < 1.0  # as long as a request may hang
    assert server.sizes.count(4) > 4  # three of the batches are as large as the probe; it was probed again


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_denies_after_the_start_rests(server, second, remote, caplog, status):
    reward_model = remote(urls=[server.url, second.url], batch_size=1, retries=2)
    reward_model.check()
    server.always = says(status, "default backend")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert torch.equal(reward_model.score(CHATS), EXPECTED)
    counts = counted(reward_model)
    assert counts.keys() == {"denied", "retries"}
    assert 1 <= counts["denied"] <= 8
    assert [record.message.count(f"{status}: ") for record in caplog.records] == [1]


def test_a_server_that_denies_for_a_while_comes_back(server, remote):
    reward_model = remote(retries=0, batch_size=12)
    reward_model.check()
    server.script = [says(404)]
    assert reward_model.score(CHATS).isnan().all()
    assert torch.equal(reward_model.score(CHATS), EXPECTED)
    assert counted(reward_model) == {"missing": 12, "failed_requests": 1, "denied": 1}
    patient = remote(retries=3)
    patient.check()
    server.script = [says(404), says(404)]
    assert torch.equal(patient.score(CHATS[:4]), EXPECTED[:4])
    assert counted(patient) == {"denied": 2, "retries": 2}


def test_servers_that_deny_for_good_are_an_error(server, second, remote, monkeypatch):
    monkeypatch.setattr(breaker, "_SECONDS_TO_COME_BACK", 0.5)
    reward_model = remote(urls=[server.url, second.url])
    reward_model.check()
    server.always = says(404)
    second.always = says(403, "no such key")
    start = time.monotonic()
    with pytest.raises(ConfigError, match="no server of the reward model is left"):
        while time.monotonic() < start + 20:
            assert reward_model.score(CHATS).isnan().all()
            time.sleep(0.05)
    assert time.monotonic() - start >= 0.5


def test_a_server_that_fails_and_denies_by_turns_is_no_error(server, remote, monkeypatch):
    monkeypatch.setattr(breaker, "_SECONDS_TO_COME_BACK", 0.1)
    reward_model = remote()
    reward_model.check()
    server.script = [says(404), says(503)] * 20
    for _ in range(20):
        assert reward_model.score(CHATS[:4]).isnan().all()
        time.sleep(0.01)


def test_a_server_that_comes_back_as_another_is_not_used(server, second, remote, caplog):
    reward_model = remote(urls=[server.url, second.url], retries=3)
    reward_model.check()
    server.model = lambda tokens: -logit(tokens)
    server.always = says(503)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(reward_model.score(CHATS), EXPECTED)
        server.always = None
        until = time.monotonic() + 20
        while not reward_model.counters["denied"] and time.monotonic() < until:
            assert torch.equal(reward_model.score(CHATS), EXPECTED)
            time.sleep(0.05)
    assert reward_model.counters["denied"] == 1
    assert len([record for record in caplog.records if "same model" in record.message]) == 1
    second.model = server.model
    second.script = [says(503)]
    with pytest.raises(ConfigError, match="same model"):
        reward_model.score(CHATS[:1])
    server.model = second.model = logit
    reward_model.check()  # forgets what was
    assert torch.equal(reward_model.score(CHATS), EXPECTED)


# The probe


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (changed(lambda d: [{**i, "probs": [1 / (1 + math.exp(-i["probs"][0]))]} for i in d]), "use_activation"),
        (changed(lambda d: [{**i, "probs": [1.0]} for i in d]), "the same score"),
        (changed(lambda d: [{**i, "probs": [-1.0]} for i in d]), "the same score"),
        (changed(lambda d: [{**i, "probs": i["probs"] * 2} for i in d]), "2 numbers for a text, where 1 are expected"),
        (changed(lambda d: [{**i, "probs": [None]} for i in d]), "nan"),
        (says(401, "bad key"), "401.*bad key"),
        (says(403), "403"),
        (says(404, "no such model"), "404.*no such model"),
        (says(400, "input should be a valid string"), "400.*a valid string"),
    ],
)
@pytest.mark.parametrize("way", ["check", "score"])
def test_servers_that_are_refused(server, remote, behaviour, said, way):
    server.always = behaviour
    reward_model = remote()
    with pytest.raises(ConfigError, match=rf"{server.url}.*{said}"):
        reward_model.check() if way == "check" else reward_model.score(CHATS)
    assert server.sizes == [4]


def test_logits_that_do_lie_in_the_unit_interval(server, remote):
    server.model = lambda tokens: (logit(tokens) + 16) / 32
    with pytest.raises(ConfigError, match="within_unit_interval"):
        remote().check()
    remote(within_unit_interval=True).check()


def test_servers_that_disagree(server, second, remote):
    second.model = lambda tokens: logit(tokens) + 2.5
    with pytest.raises(ConfigError, match="same model") as error:
        remote(urls=[server.url, second.url]).check()
    assert server.url in str(error.value)
    assert second.url in str(error.value)
    remote(urls=[server.url, second.url], tolerance=3).check()


def test_a_server_that_comes_back_as_another_is_refused(server, remote):
    reward_model = remote(retries=2)
    reward_model.check()
    server.model = lambda tokens: -logit(tokens)
    server.script = [says(503)]
    with pytest.raises(ConfigError, match="same model"):
        reward_model.score(CHATS[:1])


def test_a_server_down_at_the_start_fails_the_check_and_not_the_scores(server, second, remote):
    server.always = says(503)
    reward_model = remote(urls=[server.url, second.url], retries=1)
    with pytest.raises(ConfigError, match=rf"{server.url} does not answer.*503"):
        reward_model.check()
    assert torch.equal(reward_model.score(CHATS), EXPECTED)


def test_every_server_is_probed_once(server, second, remote):
    reward_model = remote(urls=[server.url, second.url])
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(scores, EXPECTED[:1]) for scores in pool.map(reward_model.score, [CHATS[:1]] * 8))
    assert server.sizes.count(4) == second.sizes.count(4) == 1


def test_a_template_that_fails_on_the_probe(remote):
    with pytest.raises(ConfigError, match="tokenizer"):
        remote("{{ raise_exception('never') }}").check()


# The key


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(server, remote, monkeypatch, caplog):
    monkeypatch.setenv("RM_KEY", " sk-s3cret\n")
    reward_model = remote(api_key_env="RM_KEY")
    with caplog.at_level(logging.DEBUG):
        reward_model.score(CHATS[:1])
        server.script = [says(400, "bad sk-s3cret")]
        reward_model.score(CHATS[:1])
        server.script = [says(401, "bad key: sk-s3cret")]
        reward_model.score(CHATS[:1])
        server.script = [says(401, "bad key: sk-s3cret")]
        with pytest.raises(ConfigError) as error:
            reward_model.check()
    assert "bad key: ***" in caplog.text
    assert server.posts[0][1]["Authorization"] == "Bearer sk-s3cret"
    assert "s3cret" not in str(error.value) + caplog.text + repr(reward_model.config)
    assert b"s3cret" not in pickle.dumps(reward_model)


def test_a_key_that_is_missing(remote, monkeypatch):
    monkeypatch.delenv("RM_KEY", raising=False)
    with pytest.raises(ConfigError, match="RM_KEY"):
        remote(api_key_env="RM_KEY").score(CHATS)


# Threads, processes, settings


def test_concurrency_is_bounded_over_all_threads(server, remote):
    server.always = waits(0.02)
    reward_model = remote(concurrency=3, batch_size=1)
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(scores, EXPECTED) for scores in pool.map(reward_model.score, [CHATS] * 4))
    assert server.most_at_once == 3


def test_inside_a_running_event_loop(remote):
    async def main():
        return remote().score(CHATS)

    assert torch.equal(asyncio.run(main()), EXPECTED)


def test_a_pickled_copy_has_nothing_of_the_first(remote):
    reward_model = remote()
    reward_model.score([[], *CHATS])
    copy = pickle.loads(pickle.dumps(reward_model))
    assert copy.config == reward_model.config
    assert counted(copy) == {}
    assert torch.equal(copy.score(CHATS), EXPECTED)
    copy.close()


def test_a_closed_one_opens_again(remote):
    reward_model = remote(batch_size=1, concurrency=1)
    assert torch.equal(reward_model.score(CHATS), EXPECTED)
    reward_model.close()
    reward_model.close()
    assert torch.equal(reward_model.score(CHATS), EXPECTED)


def test_the_thread_goes_with_the_object(server):
    before = set(threading.enumerate())
    config = RemoteRewardModelConfig(urls=server.url, tokenizer="-")
    reward_model = RemoteRewardModel(config, tokenizer(BOS_TEMPLATE))
    reward_model.score(CHATS)
    (thread,) = (t for t in set(threading.enumerate()) - before if t.name == "reward-model-client")
    del reward_model
    import gc

    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_opens_connections_of_its_own(server):
    program = f"""
import os, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from tiny_reward_models import BOS_TEMPLATE, chat, tokenizer
from hero_rl.reward_models import RemoteRewardModel, RemoteRewardModelConfig
config = RemoteRewardModelConfig(urls={server.url!r}, tokenizer="-", seconds=5, retries=0)
reward_model = RemoteRewardModel(config, tokenizer(BOS_TEMPLATE))
scores = reward_model.score([chat("a", "b"), []])
child = os.fork()
if child == 0:
    again = reward_model.score([chat("a", "b"), []])
    os._exit(0 if again[0] == scores[0] and reward_model.counters["missing"] == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
assert reward_model.score([chat("a", "b")])[0] == scores[0]
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout == "fine\n", done.stderr


def test_load_takes_tokenizer_template_and_limit_from_a_checkpoint(server, tmp_path):
    tokenizer(BOS_TEMPLATE, adds_bos=True).save_pretrained(tmp_path)
    config = RemoteRewardModelConfig(urls=server.url, tokenizer=str(tmp_path))
    bare = config.load()
    assert bare.max_tokens is None
    assert torch.equal(bare.score(CHATS), EXPECTED)
    model(max_positions=77).config.save_pretrained(tmp_path)
    assert config.load().max_tokens == 77
    assert config.model_copy(update={"max_tokens": 33}).load().max_tokens == 33
    bare.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"urls": []},
        {"urls": "localhost:8000"},
        {"urls": ["http://host", "http://host/v1/"]},
        {"urls": "http://host", "label": 1},
        {"urls": "http://host", "protocol": "openai"},
        {"urls": "http://host", "api_key": "sk-1"},
        {"urls": "http://host", "seconds": 0},
    ],
)
def test_settings_that_are_refused(settings):
    with pytest.raises(ValidationError):
        RemoteRewardModelConfig(tokenizer="x", **settings)


def test_credentials_in_a_url_are_refused_and_not_repeated():
    with pytest.raises(ValidationError) as error:
        RemoteRewardModelConfig(tokenizer="x", urls="http://me:s3cret@host")
    assert "s3cret" not in str(error.value)


def test_a_configuration_block_is_told_by_its_type():
    any_block = TypeAdapter(AnyRewardModel)
    block = any_block.validate_python({"type": "remote", "urls": "http://host/v1", "tokenizer": "x"})
    assert isinstance(block, RemoteRewardModelConfig)
    assert block.urls == ["http://host"]
    assert any_block.validate_json(block.model_dump_json()) == block
    assert isinstance(any_block.validate_python({"type": "local", "path": "x"}), LocalRewardModelConfig)
