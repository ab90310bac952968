"""The generator that asks an endpoint, against a real server that answers as badly as it is told to."""

import itertools
import time

import pytest
from misbehaving_server import MODEL, Server, answers, drips, hangs_up, says, sends, waits
from pydantic import TypeAdapter, ValidationError

from hero_rl.errors import ConfigError, GenerationError
from hero_rl.generation import Generated, GenerationRequest, GeneratorConfig, OpenAIGeneratorConfig, Sampling, seed_of


@pytest.fixture
def server():
    with Server() as server:
        server.script = [says(lambda prompt: f"re {prompt}")]
        yield server


def asked(count, start=0):
    return [GenerationRequest(f"k{n}", f"question {n}", n) for n in range(start, start + count)]


def build(server, sampling=None, **settings):
    settings = {"concurrency": 4, "seconds": 5.0, "retries": 0} | settings
    return OpenAIGeneratorConfig(url=server.url, **settings).build(sampling or Sampling(max_tokens=9))


def made(server, requests, sampling=None, **settings):
    with build(server, sampling, **settings) as generator:
        return {one.key: one for one in generator.generate(requests)}


def test_every_request_comes_back_once_with_its_own_text_and_seed(server):
    found = made(server, asked(25))
    assert {key: one.text for key, one in found.items()} == {f"k{n}": f"re question {n}" for n in range(25)}
    assert {one.finish_reason for one in found.values()} == {"stop"}
    assert {one.tokens for one in found.values()} == {3}
    assert all(one.failure is None and one.seconds > 0 for one in found.values())
    bodies = [body for _, _, body in server.posts]
    assert {body["messages"][0]["content"]: body["seed"] for body in bodies} == {f"question {n}": n for n in range(25)}
    assert {path for path, _, _ in server.posts} == {"/v1/chat/completions"}
    assert server.model_lookups == 1 and server.most_at_once <= 4


def test_the_request_says_what_the_settings_say(server):
    sampling = Sampling(temperature=0.3, top_p=0.8, max_tokens=77, stop=("\n\n", "Q:"))
    made(server, asked(1), sampling, model="m", extra_body={"top_k": 20, "max_tokens": None})
    (_, _, body), expected = server.posts[0], {"temperature": 0.3, "top_p": 0.8, "stop": ["\n\n", "Q:"], "top_k": 20}
    assert body == expected | {"model": "m", "seed": 0, "messages": [{"role": "user", "content": "question 0"}]}
    assert server.model_lookups == 0


def test_a_server_that_dies_of_seeds_is_sent_none(server):
    made(server, asked(1), model="m", extra_body={"seed": None})
    assert "seed" not in server.posts[0][2]


def test_messages_and_raw_text(server):
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    made(server, [GenerationRequest("a", messages, 1)])
    assert server.posts[0][2]["messages"] == messages
    assert made(server, asked(1), chat=False)["k0"].text == "re question 0"
    path, _, body = server.posts[-1]
    assert (path, body["prompt"]) == ("/v1/completions", "question 0")
    with pytest.raises(ConfigError, match="chat messages"):
        made(server, [GenerationRequest("a", messages, 1)], chat=False)


def test_requests_are_read_as_they_are_needed(server):
    endless, read = itertools.count(), []

    def requests():
        for number in endless:
            read.append(number)
            yield GenerationRequest(str(number), "q", number)

    with build(server, concurrency=3) as generator:
        results = generator.generate(requests())
        assert [next(results).text for _ in range(10)] == ["re q"] * 10
        results.close()
    assert len(read) <= 16
    time.sleep(0.05)
    assert server.at_once == 0


def test_requests_under_way_are_called_off(server):
    server.script = [says("now"), waits(20, says("late")), waits(20, says("late")), says("again")]
    with build(server, concurrency=3, seconds=60) as generator:
        results = generator.generate(asked(20))
        assert next(results).text == "now"
        results.close()
        assert generator._session.engine(3, 60).slots._value == 3
        server.script = [says("again")]
        assert [one.text for one in generator.generate(asked(3))] == ["again"] * 3


def test_no_request_asks_nothing(server):
    assert made(server, []) == {} and server.model_lookups == 0 and server.posts == []


def test_a_refused_request_is_a_failure_and_the_others_go_on(server):
    server.script = [says("one"), answers(400, "too long"), says("more")]
    found = made(server, asked(5), concurrency=1)
    assert found["k0"].text == "one" and found["k1"].text is None and "too long" in found["k1"].failure
    assert [found[f"k{n}"].text for n in (2, 3, 4)] == ["more"] * 3


def test_a_server_that_refuses_everything_is_a_setting(server):
    server.script = [answers(400, "max_tokens is too large")]
    with pytest.raises(ConfigError, match=r"refuses every request.*max_tokens is too large"):
        made(server, asked(100))
    assert len(server.posts) < 20


@pytest.mark.parametrize("bad", [answers(500), answers(429), hangs_up, sends(b"<html>"), sends({"choices": []})])
def test_what_may_pass_is_tried_again(server, bad):
    server.script = [bad, says("fine")]
    with build(server, retries=2) as generator:
        assert [one.text for one in generator.generate(asked(1))] == ["fine"]
        assert generator.counters["retries"] == 1 and generator.counters["calls"] == 1
        assert generator.counters["completion_tokens"] == 3


def test_an_attempt_that_failed_for_good_is_no_empty_text(server):
    server.script = [says("one"), answers(500, "broken"), says("two")]
    found = made(server, asked(3), concurrency=1)
    assert (found["k1"].text, found["k1"].finish_reason) == (None, None) and "broken" in found["k1"].failure


def test_a_dead_server_ends_the_call_and_keeps_what_came():
    with Server() as server:
        server.script = [says("fine")]
        with build(server, model="m", concurrency=2) as generator:
            results, got = generator.generate(asked(50)), []
            got += [next(results) for _ in range(5)]
            server.script = [answers(503, "restarting")]
            with pytest.raises(GenerationError, match=r"the server at http://127.* is gone: .*restarting"):
                got += list(results)
    assert [one.text for one in got[:5]] == ["fine"] * 5
    assert len(got) < 25 and all(one.failure for one in got[8:])


def test_nobody_listens():
    with Server() as server:
        pass
    with pytest.raises(GenerationError, match="no list of its models"):
        made(server, asked(3))
    with pytest.raises(GenerationError, match="is gone"):
        made(server, asked(30), model="m")


@pytest.mark.parametrize("silence", [waits(30, says("late")), drips])
def test_a_silent_server_is_given_up(server, silence):
    server.script = [silence]
    start = time.monotonic()
    with pytest.raises(GenerationError, match=r"said nothing for|is gone"):
        made(server, asked(30), seconds=0.3, retries=5, model="m")
    assert time.monotonic() - start < 10


def test_settings_that_can_never_work(server):
    server.script = [answers(404, "no such model")]
    with pytest.raises(ConfigError, match=r"denies.*no such model"):
        made(server, asked(3), model="other")
    server.models = ["a", "b"]
    with pytest.raises(ConfigError, match="lists 2 models: a, b"):
        made(server, asked(1))


def test_a_server_that_denies_after_its_first_reply_restarts(server):
    server.script = [says("one"), answers(404), answers(404), says("two")]
    assert [one.text for one in made(server, asked(2), concurrency=1, retries=3).values()] == ["one", "two"]


def test_the_key_goes_to_the_server_alone(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "s3cret")
    server.script = [answers(401, "bad key s3cret")]
    with pytest.raises(ConfigError) as raised:
        made(server, asked(1), model="m", api_key_env="MY_KEY")
    assert "s3cret" not in str(raised.value)
    assert server.posts[0][1]["Authorization"] == "Bearer s3cret"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ConfigError, match="MY_KEY"):
        made(server, asked(1), api_key_env="MY_KEY")


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says("x", reasoning_content="hm"), ("<think>hm</think>x", "stop")),
        (says(None, finish="length", reasoning="hm"), ("<think>hm", "length")),
        (says(None, finish="length"), ("", "length")),
        (says("", finish="stop"), ("", "stop")),
        (says("x", finish="eos_token"), ("x", "stop")),
        (says("x", finish=None), ("x", "unknown")),
    ],
)
def test_how_a_text_ends(server, behaviour, expected):
    server.script = [behaviour]
    found = made(server, asked(1))["k0"]
    assert (found.text, found.finish_reason) == expected


@pytest.mark.parametrize(("content", "finish"), [("half", "content_filter"), (None, "tool_calls"), (None, "stop")])
def test_ends_without_a_text_are_failures(server, content, finish):
    server.script = [says(content, finish=finish)]
    found = made(server, asked(1))["k0"]
    assert found.text is None and finish in found.failure


def test_a_completion_that_was_broken_off_is_asked_for_again(server):
    server.script = [says("ha", finish="abort"), says("half no more")]
    assert made(server, asked(1), retries=1)["k0"].text == "half no more"


def test_half_a_surrogate_pair_can_be_asked_about(server):
    assert made(server, [GenerationRequest("k", "a\ud800b", 0)])["k"].text == "re a?b"


def test_the_model_has_a_name(server):
    with build(server) as generator:
        assert generator.model == MODEL
    with build(server, model="m") as generator:
        assert generator.model == "m"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "ftp://x"}, "http"),
        ({"url": "http://key@x"}, "credentials"),
        ({"url": "http://x", "extra_body": {"temperature": 1}}, "temperature"),
        ({"url": "http://x", "extra_body": {"seed": 1}}, "seed"),
        ({"url": "http://x", "extra_body": {"messages": None}}, "messages"),
        ({"url": "http://x", "concurrency": 0}, "greater than 0"),
        ({"url": "http://x", "samples": 1}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_named(settings, said):
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(GeneratorConfig).validate_python({"type": "openai", **settings})


def test_identity_leaves_out_the_way_to_the_server():
    here, there = (
        OpenAIGeneratorConfig(url=url, model="m", seconds=s) for url, s in (("http://a", 1), ("http://b", 2))
    )
    assert here.identity == there.identity != OpenAIGeneratorConfig(url="http://a", model="n").identity


def test_seeds_depend_on_their_parts_alone():
    seeds = {seed_of(seed, name, n) for seed in range(5) for name in ("a", "b") for n in range(10)}
    assert len(seeds) == 100 and all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(0, "p1", 0) == 323531151
    assert seed_of(1, "2", 3) != seed_of(12, "", 3)


def test_either_text_or_failure():
    for text, failure in (("x", "y"), (None, None)):
        with pytest.raises(ValueError, match="either"):
            Generated("k", text, failure=failure)
