"""The service as its clients meet it: a process, HTTP, answers. None of them may stop it."""

import json
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import torch
from serving import HERO, obedient, running

import hero_rl
from hero_lab.cli import main
from hero_rl import GatedHero, Hero
from hero_rl.signals import Signals

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

TOKEN = "a token of the test"
LIMITS = {
    "body_mb": 0.5,
    "rollouts": 64,
    "groups": 4,
    "characters": 5000,
    "requests": 6,
    "seconds": 60,
    "body_seconds": 0.7,
    "runs": 2,
}


@pytest.fixture(scope="module")
def service():
    config = {"token_env": "HERO_TEST_TOKEN", "limits": LIMITS}
    with running(obedient(config, "scores"), TOKEN, HERO_TEST_TOKEN=TOKEN) as started:
        yield started


@pytest.fixture(scope="module")
def plain():
    """`hero serve` as it comes."""
    with running([*HERO, "--port", "0", "--json"]) as started:
        yield started


def test_signals_of_each_rollout_in_order(service):
    said = service.signals("x", "y", "score:missing", "do:loop ", "do:segfault ", "do:gossip ")
    assert said.status_code == 200
    rows = said.json()["rollouts"]
    assert [row["verdict"] for row in rows] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert [row["score"] for row in rows] == [1.0, 1.0, None, 8.0, 12.0, 10.0]
    reasons = ["matched_exactly", "mismatch", "mismatch", "too_slow", "unreadable_answer", "unreadable_answer"]
    assert [row["reason"] for row in rows] == reasons
    assert rows[0]["answer"] == "x" and rows[3]["answer"] is None
    assert 0 < rows[0]["seconds"] < rows[3]["seconds"]


def test_chat_messages_and_nothing_at_all(service):
    messages = [{"role": "user", "content": "?"}], [{"role": "assistant", "content": "x"}]
    rollout = {"prompt": messages[0], "completion": messages[1], "reference": "x"}
    assert service.post("/v1/signals", {"rollouts": [rollout]}).json()["rollouts"][0]["verdict"] == 1
    for path in ("/v1/signals", "/v1/shape"):
        assert service.post(path, {"rollouts": []}).json()["rollouts"] == []


def test_a_reward_model_that_fails_leaves_the_verdicts(service):
    rows = service.signals("x", "score:raise").json()["rollouts"]
    assert [(row["verdict"], row["score"]) for row in rows] == [(1.0, None), (0.0, None)]


GIVEN = [(7, 1, 3.0), ("7", True, None), (7, 0, 1.0), ("7", False, 2.0), (7, None, 5.0), (7, 0, -1.0), ("7", 0, 0.5)]


def given(rows=GIVEN, **more):
    return {"rollouts": [dict(zip(("group", "verdict", "score"), row, strict=True)) for row in rows], **more}


def test_shape_is_the_rule(service):
    said = service.post("/v1/shape", given()).json()
    groups = [0 if group == 7 else 1 for group, *_ in GIVEN]
    expected = hero_rl.shape([row[1] for row in GIVEN], [row[2] for row in GIVEN], groups)
    for name in ("advantage", "weight", "sigma"):
        assert [row[name] for row in said["rollouts"]] == getattr(expected, name).tolist()
    rewards = [row["reward"] for row in said["rollouts"]]
    assert rewards[4] is None and said["rollouts"][4]["advantage"] == 0
    assert [r for r in rewards if r is not None] == [r for r in expected.reward.tolist() if r == r]
    assert said["run"] is None and said["metrics"]["hero/frac_groups_mixed"] == 1


def test_groups_without_a_reference_are_ranked_where_the_rule_says_so(service):
    config = {"rule": {"type": "hero", "without_reference": "rank"}, "verifier": {"type": "exact"}}
    texts = [{"group": 1, "prompt": "p", "completion": text, "reference": ""} for text in ("x", "yy", "zzzz")]
    told = [(1, None, 1.0), (1, None, 2.0), (1, None, 4.0)]
    known = [row | {"unverified": True} for row in given(told)["rollouts"]]
    with running(obedient(config, "scores")) as ranking:
        for rollouts in (texts, known):
            rows = ranking.post("/v1/shape", {"rollouts": rollouts}).json()["rollouts"]
            ours = hero_rl.shape([None] * 3, [1, 2, 4], [1] * 3, Hero(without_reference="rank"), unverified=[True] * 3)
            assert [row["advantage"] for row in rows] == ours.advantage.tolist()
            assert rows[0]["advantage"] < 0 < rows[2]["advantage"]
        wrong = [{"group": 1, "verdict": 1, "score": 1.0, "unverified": True}]
        assert ranking.post("/v1/shape", {"rollouts": wrong}).status_code == 422
    assert [row["reward"] for row in service.post("/v1/shape", {"rollouts": texts}).json()["rollouts"]] == [None] * 3


def test_shape_from_texts(service):
    texts = [{"group": "a", "prompt": "p", "completion": text, "reference": "x"} for text in ("x", "yy", "zzz", "zzzz")]
    rows = service.post("/v1/shape", {"rollouts": texts}).json()["rollouts"]
    expected = hero_rl.shape([1, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0])
    assert [row["advantage"] for row in rows] == expected.advantage.tolist()
    assert [row["reason"] for row in rows] == ["matched_exactly", *["mismatch"] * 3]
    assert [row["score"] for row in rows] == [1, 2, 3, 4]


def test_a_run_and_a_state_that_is_sent_along_are_the_same(service):
    rule, state, sent = Hero(), Hero().init(), None
    for number, factor in enumerate((1.0, 5.0, 0.1), start=1):
        rows = [(7, verdict, factor * score) for verdict, score in ((1, 3.0), (0, 1.0), (0, 2.5))]
        columns = [torch.tensor([row[n] for row in rows], dtype=torch.float64) for n in (1, 2)]
        shaped, state = rule.update(Signals(*columns, torch.zeros(3, dtype=torch.long)), state)
        kept = service.post("/v1/shape", given(rows, run="run.1")).json()
        carried = service.post("/v1/shape", given(rows, **({"state": sent} if sent else {}))).json()
        sent = carried["state"]
        assert kept["state"] == carried["state"] == state.model_dump()
        assert kept["rollouts"] == carried["rollouts"]
        assert [row["advantage"] for row in kept["rollouts"]] == shaped.advantage.tolist()
        assert kept["run"] == {"run": "run.1", "batches": number}
    assert service.metric("hero_runs") == 1
    assert service.post("/v1/shape", given(run="run.2")).status_code == 200
    full = service.post("/v1/shape", given(run="run.3"))
    assert full.status_code == 429 and full.headers["retry-after"]
    assert service.client.delete("/v1/runs/run.1").status_code == 204
    assert service.client.delete("/v1/runs/run.1").status_code == 404
    assert service.post("/v1/shape", given(run="run.3")).json()["run"]["batches"] == 1


def test_gated_hero_keeps_its_trust(tmp_path):
    rows = [(7, verdict, score) for verdict, score in ((1, 3.0), (0, 1.0), (0, 2.5))]
    with running([*HERO, "--port", "0", "--json", "--rule.type", "gated_hero"]) as gated:
        said = gated.post("/v1/shape", given(rows)).json()
        assert said["state"]["evidence"] == 1.0 and said["state"]["domains"] == {}
        said["state"]["domains"] = {"code": {"trust": 0.5, "evidence": 9.0, "auroc": 0.8, "auroc_squared": 0.65}}
        again = gated.post("/v1/shape", given(rows, state=said["state"])).json()
        assert again["state"]["evidence"] > 1.0 and set(again["state"]["domains"]) == {"code"}
        assert gated.post("/v1/shape", {"rollouts": []}).status_code == 200
        wrong = gated.post("/v1/shape", given(rows, state={"domains": {"code": {"trust": 2.0}}}))
        assert wrong.status_code == 422 and "trust" in wrong.text


def test_trust_is_earned_in_each_domain(tmp_path):
    good, bad = [(1, 1, 3.0), (1, 0, 1.0), (1, 0, 2.5)], [(2, 0, 3.0), (2, 1, 1.0), (2, 0, 2.5)]
    rows = [row | {"domain": "ab"[row["group"] - 1]} for row in given(good + bad)["rollouts"]]
    rule, state = GatedHero(), GatedHero().init()
    verdict, score = (torch.tensor([row[n] for row in good + bad], dtype=torch.float64) for n in (1, 2))
    signals = Signals(verdict, score, torch.tensor([0] * 3 + [1] * 3), domain=tuple("aaabbb"))
    with running([*HERO, "--port", "0", "--json", "--rule.type", "gated_hero", "--verifier.type", "exact"]) as gated:
        for _ in range(12):
            shaped, state = rule.update(signals, state)
            said = gated.post("/v1/shape", {"rollouts": rows, "run": "r"}).json()
        assert state.domains["a"].trust > 0 == state.domains["b"].trust
        assert said["state"] == state.model_dump()
        assert [row["advantage"] for row in said["rollouts"]] == shaped.advantage.tolist()
        assert said["metrics"]["hero/domains/b/rm_auroc"] == 0.0
        texts = [{"group": 1, "prompt": "p", "completion": "x", "reference": "x", "domain": "c"}] * 2
        assert "hero/domains/c/verdict" in gated.post("/v1/shape", {"rollouts": texts}).json()["metrics"]
        pooled = gated.post("/v1/shape", {"rollouts": [rows[0] | {"group": 3, "domain": ""}, *rows]}).json()
        assert pooled["state"]["domains"] == {} and pooled["state"]["evidence"] == 2.0
        two = gated.post("/v1/shape", {"rollouts": [rows[0], rows[1] | {"domain": "b"}]})
        assert two.status_code == 422 and two.json()["detail"][0]["loc"] == ["body", "rollouts", 1, "domain"]

        def several(names):
            numbered = enumerate(names)
            rows = [row | {"group": n, "domain": name} for n, name in numbered for row in given(good)["rollouts"]]
            return gated.post("/v1/shape", {"rollouts": rows, "run": "r"})

        assert several(map(str, range(65))).status_code == 422
        assert several(map(str, range(62))).status_code == 200
        full = several(["one more"])
        assert full.status_code == 422 and "64 domains" in full.text
        assert several(["a"]).json()["run"]["batches"] == 14


def test_openrlhf(service):
    asked = {
        "query": ["<s>2 + 2 = x<|im_end|>\n", "<s>2 + 2 = do:abstain ", "2 + 2 = yyy</s><|endoftext|>", "3 x"],
        "prompts": ["2 + 2 = "] * 3 + ["3 "],
        "labels": ["x", "x", "x", None],
    }
    said = service.post("/openrlhf", asked).json()
    expected = hero_rl.shape([1, None, 0, None], [1, 11, 3, 1], [0, 0, 0, 1])
    assert [r is None for r in said["rewards"]] == [False, True, False, True]
    assert said["rewards"][::2] == expected.reward.tolist()[::2]
    assert said["scores"] == [1.0, None, 0.0, None]
    assert said["extra_logs"] == {
        "accepted": [1.0, 0.0, 0.0, 0.0],
        "abstained": [0.0, 1.0, 0.0, 1.0],
        "score_missing": [0.0] * 4,
    }
    assert said["reasons"] == ["matched_exactly", "reference_unreadable", "mismatch", "no_verifier"]
    one = service.post("/openrlhf", {"query": ["p x"], "prompts": ["p "], "labels": ["x"]}).json()
    # What OpenRLHF makes of an answer.
    assert all(torch.tensor([one[name]]).shape == (1, 1) for name in ("rewards", "scores"))
    assert all(torch.tensor([value]).isfinite().all() for value in one["extra_logs"].values())
    empty = service.post("/openrlhf", {"query": [], "prompts": [], "labels": []})
    assert empty.status_code == 200 and empty.json()["rewards"] == []
    other = service.post("/openrlhf", {"query": ["p x"], "prompts": ["q"], "labels": ["x"]})
    assert other.status_code == 422 and other.json()["detail"][0]["loc"] == ["body", "query", 0]


def test_openrlhf_s_prompts_that_lost_their_beginning(service):
    prompt = "<|im_start|>user\nWhat is 3 + 4, and why?<|im_end|>\n<|im_start|>assistant\n"
    queries = {
        "4, and why?<|im_end|>\n<|im_start|>assistant\nx<|im_end|>": 1.0,
        "and why?<|im_end|> <|im_start|>assistant x<|return|>": 1.0,  # decoding changed the white space
        "assistant\ny": 0.0,
    }
    asked = {"query": [*queries], "prompts": [prompt] * 3, "labels": ["x"] * 3}
    assert service.post("/openrlhf", asked).json()["scores"] == [*queries.values()]
    other = {"query": ["What is 3?x"], "prompts": [prompt], "labels": ["x"]}
    assert service.post("/openrlhf", other).status_code == 422


@pytest.mark.parametrize("ending", ["", "<|im_end|>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<|return|>", "[EOS]"])
def test_slime_posts_one_rollout_at_a_time(service, ending):
    said = service.post("/slime", {"prompt": "3 + 4 =", "response": f"x{ending}", "label": "x"}).json()
    assert (said["verdict"], said["score"], said["reason"]) == (1.0, 1.0, "matched_exactly")
    chat = {"prompt": [{"role": "user", "content": "3 + 4"}], "response": "y", "label": None}
    assert service.post("/slime", chat).json()["verdict"] in (0.0, None)


def test_slime_asks_again_where_a_check_failed(service):
    failed = service.post("/slime", {"prompt": "p", "response": "do:leave ", "label": "do:leave "})
    assert failed.status_code == 503 and failed.json()["detail"] == "no verdict: crashed"
    assert failed.headers["retry-after"] == "5"
    unread = service.post("/slime", {"prompt": "p", "response": "do:abstain ", "label": "x"})
    assert (unread.status_code, unread.json()["verdict"]) == (200, None)
    blamed = service.post("/slime", {"prompt": "p", "response": "do:leave ", "label": "x"})
    assert (blamed.status_code, blamed.json()["verdict"]) == (200, 0.0)


def test_references_that_are_numbers_or_several(service):
    def of(*references):
        rows = [{"prompt": "p", "completion": "7", "reference": one} for one in references]
        return [row["verdict"] for row in service.post("/v1/signals", {"rollouts": rows}).json()["rollouts"]]

    assert of(7, ["x", "7"], [7], 8, ["x", "y"]) == [1, 1, 1, 0, 0]


def test_a_thought_that_was_cut_off_is_no_answer(plain):
    thinking = r"Perhaps \boxed{4}. Wait, let me check that"
    done = r"So the answer is \boxed{4}"
    rows = [(thinking, "length"), (thinking, "stop"), (thinking, None), (done, "length"), (done, "abort")]
    as_chat = [([{"role": "assistant", "content": text}], end) for text, end in rows]
    for texts in (rows, as_chat):
        rollouts = [
            {"prompt": "2 + 2 =", "completion": text, "reference": "4", "finish_reason": end} for text, end in texts
        ]
        for path, more in (("/v1/signals", {}), ("/v1/shape", {"group": 1})):
            said = plain.post(path, {"rollouts": [rollout | more for rollout in rollouts]}).json()["rollouts"]
            assert [row["verdict"] for row in said] == [0.0, 1.0, 1.0, 1.0, 1.0]
            assert said[0]["reason"] == "no_answer"
    wrong = plain.post("/v1/signals", {"rollouts": [rollouts[0] | {"finish_reason": "x" * 65}]})
    assert wrong.status_code == 422 and "finish_reason" in wrong.json()["detail"][0]["loc"]


def test_messages_with_tool_calls_and_parts(service):
    call = {"id": "1", "type": "function", "function": {"name": "times", "arguments": '{"a": 3}'}}
    completion = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "12"},
        {"role": "assistant", "content": [{"type": "text", "text": "x"}]},
    ]
    rollout = {"prompt": "3 * 4", "completion": completion, "reference": "x"}
    (row,) = service.post("/v1/signals", {"rollouts": [rollout]}).json()["rollouts"]
    assert (row["verdict"], row["score"]) == (1.0, 1.0)
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    assert service.post("/v1/signals", {"rollouts": [rollout | {"prompt": image}]}).status_code == 422
    long = [completion[0] | {"tool_calls": [call | {"id": "1" * 5001}]}]
    assert service.post("/v1/signals", {"rollouts": [rollout | {"completion": long}]}).status_code == 422


def test_the_examples_of_its_own_description_work(service):
    description = service.client.get("/openapi.json").json()
    asked = 0
    for path, methods in description["paths"].items():
        for operation in methods.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                schema = description["components"]["schemas"][body["$ref"].rpartition("/")[2]]
                for example in schema["examples"]:
                    assert service.post(path, {**example}).status_code in (200, 429)
                    asked += 1
    assert asked == 5


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/signals", {"rollouts": [{"prompt": "p", "completion": 5, "reference": "x"}]}, "completion"),
        ("/v1/signals", {"rollouts": [{"prompt": "p", "completion": "c"}]}, "reference"),
        ("/v1/signals", {"rollouts": [], "more": 1}, "more"),
        ("/v1/signals", {"rollouts": [{"prompt": "p", "completion": "c", "reference": "x"}] * 65}, "rollouts"),
        ("/v1/signals", {"rollouts": [{"prompt": "p", "completion": "c" * 5001, "reference": "x"}]}, "completion"),
        ("/v1/shape", given([(n, 1, 1.0) for n in range(5)]), "groups"),
        ("/v1/shape", given([(1, 1.5, 1.0)]), "verdict"),
        ("/v1/shape", given([(1, 1, "2")]), "score"),
        ("/v1/shape", given([(1, 1, True)]), "score"),
        ("/v1/shape", given([(True, 1, 1.0)]), "group"),
        ("/v1/shape", given([(1.5, 1, 1.0)]), "group"),
        ("/v1/shape", given([(1, 1, 1e300)]), "score"),
        ("/v1/shape", given([(1, 1, 1.0)], run="../etc"), "run"),
        ("/v1/shape", given([(1, 1, 1.0)], state={"sigma": 1.0}), "sigma"),
        ("/v1/shape", given([(1, 1, 1.0)], state={"sigma_bar": -1.0}), "sigma_bar"),
        ("/v1/shape", given([(1, 1, 1.0)], state={"sigma_bar": "much"}), "sigma_bar"),
        ("/v1/shape", given([(1, 1, 1.0)], run="a", state={"sigma_bar": 1.0}), "body"),
        ("/openrlhf", {"query": ["a"], "prompts": ["a", "b"], "labels": ["c"]}, "body"),
    ],
)
def test_what_is_wrong_is_named(service, path, body, place):
    refused = service.post(path, body)
    assert refused.status_code == 422
    assert place in [part for mistake in refused.json()["detail"] for part in mistake["loc"]]
    assert all(mistake.keys() == {"loc", "msg", "type"} for mistake in refused.json()["detail"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"rollouts"',
        b"\xff\xfe\x00",
        b'{"rollouts": NaN}',
        b'{"rollouts": [{"group": 1, "verdict": NaN, "score": 1}]}',
        b'{"rollouts": [{"group": 1, "verdict": 1, "score": Infinity}]}',
        b'{"rollouts": [{"group": 1, "verdict": 1, "score": 1e999}]}',
        b'{"rollouts": [{"group": 1, "verdict": 1, "score": ' + b"9" * 5000 + b"}]}",
        b'{"rollouts": [{"group": 1' + b"0" * 400 + b', "verdict": 1, "score": 1}]}',
        b'{"rollouts": [{"group": "\\ud800", "prompt": "\\ud800", "completion": "\\udfff", "reference": "x"}]}',
        b'{"rollouts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 80_000,
        b'{"rollouts": [], "rollouts": []}',
        b"{" + b",".join([b'"' + b"a" * 100_000 + b'": 0'] * 2) + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/v1/signals", "/v1/shape", "/openrlhf"])
def test_no_body_breaks_it(service, path, body):
    said = service.client.post(path, content=body, headers={"content-type": "application/json"})
    assert said.status_code in (400, 422)
    assert len(said.content) < 20_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"rollouts": [{"prompt": "p", "completion": "x", "reference": "y", "reference": "x"}]}',
        b'{"rollouts": [{"prompt": "p", "completion": "x", "reference": "y", "ref\\u0065rence": "x"}]}',
    ],
    ids=["plain", "escaped"],
)
def test_a_key_that_is_there_twice_is_named(service, body):
    """Of two references some readers take the first and some the last."""
    for path in ("/v1/signals", "/v1/shape"):
        said = service.client.post(path, content=body, headers={"content-type": "application/json"})
        assert said.status_code == 400
        assert said.json()["detail"] == "the body is no JSON that can be read: 'reference' is there twice"


@pytest.mark.parametrize(
    "body",
    [
        b'{"rollouts": [' + b"{}," * 2_000_000 + b"{}]}",
        b'{"rollouts": [{"prompt": [' + b"0," * 3_000_000 + b'0], "completion": "c", "reference": "r"}]}',
        b'{"rollouts": [' + b'{"group":0,"verdict":1},' * 300_000 + b'{"group":0,"verdict":1}]}',
        b"{" + b",".join(b'"%d":0' % n for n in range(600_000)) + b"}",
        b'{"rollouts": [], "state": {' + b",".join(b'"%d":""' % n for n in range(500_000)) + b"}}",
        b'{"query": [' + b"0," * 3_000_000 + b'0], "prompts": [], "labels": []}',
    ],
    ids=range(6),
)
def test_a_million_mistakes_are_told_in_few_words(plain, body):
    for path in ("/v1/signals", "/v1/shape", "/openrlhf"):
        said = plain.client.post(path, content=body, headers={"content-type": "application/json"})
        assert said.status_code == 422 and len(said.content) < 20_000
    assert plain.client.get("/healthz").status_code == 200


def test_what_a_policy_may_write_is_judged(service):
    texts = ["\0", "\x1b[2J", "\u202e", "𝔁" * 1000, "x" * 5000, "{{7*7}}", "%s%n", "'; DROP TABLE"]
    assert [row["verdict"] for row in service.signals(*texts).json()["rollouts"]] == [0.0] * len(texts)


def test_sizes(service):
    large = b'{"rollouts": [' + b" " * 600_000
    announced = service.client.post("/v1/signals", content=large)
    streamed = service.client.post("/v1/signals", content=iter([b" " * 50_000] * 20))
    assert announced.status_code == streamed.status_code == 413
    with service.connect() as connection:
        connection.sendall(head(service, "Content-Length: 99999999999999999999999"))
        assert connection.recv(1000).split()[1] in (b"413", b"400")


def head(service, *lines):
    start = ["POST /v1/signals HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json"]
    return "\r\n".join([*start, *lines, "", ""]).encode()


def read_all(connection):
    received = b""
    try:
        while chunk := connection.recv(4096):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def test_slow_and_half_requests_end_and_keep_nobody_from_asking(service):
    slow = [service.connect() for _ in range(20)]
    for number, connection in enumerate(slow):
        connection.sendall([b"", b"POST /v1/sig", head(service)[:-2], head(service)[:50]][number % 4])
    halves = [service.connect() for _ in range(4)]
    for connection in halves:
        connection.sendall(head(service, "Content-Length: 1000") + b'{"rollouts"')
    assert service.signals("x").json()["rollouts"][0]["verdict"] == 1
    with ThreadPoolExecutor() as pool:
        assert all(said == b"" for said in pool.map(read_all, slow))
        assert all(said.split()[1] == b"408" for said in pool.map(read_all, halves))
    for connection in slow + halves:
        connection.close()


def test_bytes_that_trickle_in_do_not_keep_a_connection(service):
    with service.connect() as connection:
        start = time.monotonic()
        try:
            for byte in head(service, "X-Long: " + "y" * 500):
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - start < 8


def test_garbage_is_refused(service):
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"\0" * 100_000):
        with service.connect() as connection:
            connection.sendall(garbage)
            assert read_all(connection)[:12] in (b"HTTP/1.1 400", b"")
    assert service.client.put("/v1/signals").status_code == 405
    assert service.client.get("/no/such/page").status_code == 404


def test_clients_that_leave_give_their_place_back(service):
    body = json.dumps({"rollouts": [{"prompt": "p", "completion": "do:sleep 1", "reference": "x"}]}).encode()
    gone = [service.connect() for _ in range(LIMITS["requests"])]
    for connection in gone:
        connection.sendall(head(service, f"Content-Length: {len(body)}") + body)
    wait_until(lambda: service.metric("hero_requests_in_flight") == LIMITS["requests"])
    busy = service.signals("x")
    assert busy.status_code == 429 and busy.headers["retry-after"] == "1"
    for connection in gone:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    wait_until(lambda: service.metric("hero_requests_in_flight") == 0)
    assert service.signals("x").status_code == 200
    wait_until(lambda: service.metric('hero_requests_total{path="/v1/signals",status="499"}') >= LIMITS["requests"])


def test_two_lengths_close_the_connection(service):
    with service.connect() as connection:
        connection.sendall(
            head(service, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + head(service)
        )
        said = read_all(connection)
    assert said.split()[1] == b"400" and said.count(b"HTTP/1.1") == 1


def test_a_client_that_closes_its_side_gets_its_answer_and_one_address_not_all_places():
    config = {"token_env": "HERO_TEST_TOKEN", "limits": {"requests": 6, "peer_requests": 4, "body_seconds": 30.0}}
    with running(obedient(config), TOKEN, HERO_TEST_TOKEN=TOKEN) as service:
        body = json.dumps({"rollouts": [{"prompt": "p", "completion": "do:sleep 0.5", "reference": "x"}]}).encode()
        with service.connect() as connection:
            connection.sendall(head(service, f"Content-Length: {len(body)}") + body)
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection).split()[1] == b"200"
        with service.connect() as connection:  # the rest of this one never comes
            connection.sendall(head(service, "Content-Length: 1000") + b"{")
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == b""
        wait_until(lambda: service.metric("hero_requests_in_flight") == 0)
        holding = [service.connect() for _ in range(4)]
        for connection in holding:
            connection.sendall(head(service, "Content-Length: 1000") + b"{")
        wait_until(lambda: service.metric("hero_requests_in_flight") == 4)
        said = service.signals("x")
        assert said.status_code == 429 and "one address" in said.json()["detail"]
        assert said.headers["retry-after"] == "1"
        for connection in holding:
            connection.close()
        wait_until(lambda: service.signals("x").status_code == 200)


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_answers_are_not_mixed_up(service):
    """Requests that wait are merged into one call of the reward model; each gets its own rows back."""
    before = service.metric("hero_batch_rollouts_count")

    def ask(number):
        texts = [f"{'y' * number}{n}" for n in range(number % 4 + 1)]
        said = service.signals("score:sleep", *texts, reference=texts[-1])
        rows = said.json()["rollouts"][1:] if said.status_code == 200 else []
        assert [row["score"] for row in rows] == [len(text) for text in texts[: len(rows)]]
        assert [row["answer"] for row in rows] == texts[: len(rows)]
        assert not rows or [row["verdict"] for row in rows] == [0.0] * (len(texts) - 1) + [1.0]
        return said.status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(1, 7))) == [200] * 6
    assert service.metric("hero_batch_rollouts_count") - before < 6


def test_the_token(service):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        with httpx.Client(base_url=service.url, headers=headers, trust_env=False) as other:
            for path in ("/metrics", "/openapi.json", "/v1/signals", "/no/such/page"):
                refused = other.get(path)
                assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
            assert other.get("/healthz").json()["status"] == "ok"


def test_metrics(service):
    service.signals("x", "y")
    service.client.get("/no/such/page")
    page = service.client.get("/metrics").text
    assert 'hero_verdicts_total{reason="matched_exactly"}' in page
    assert "hero_verifier_respawns_total" in page and "hero_reward_model_missing_total" in page
    assert 'hero_requests_total{path="other",status="404"}' in page
    assert "/no/such/page" not in page and "token of" not in page


def test_settings_that_would_let_anybody_in_are_refused(capsys, monkeypatch):
    assert main(["serve", "--host", "0.0.0.0", "--check"]) == 2
    assert "0.0.0.0 can be reached from other machines, so token_env must name a token" in capsys.readouterr().err
    assert main(["serve", "--host", "::1", "--check"]) == 0
    monkeypatch.setenv("SHORT", "abc")
    for name, message in (("UNSET_TOKEN", "is not set, or no token"), ("SHORT", "is shorter than 16 characters")):
        assert main(["serve", "--host", "0.0.0.0", "--token_env", name]) == 2
        assert message in capsys.readouterr().err
    assert main(["serve", "--rule.aplha", "0.1"]) == 2
    assert "hero serve: --rule.aplha: unknown setting; did you mean 'alpha'?" in capsys.readouterr().err


def test_a_port_that_is_taken_and_pages_of_other_hosts(plain, capsys):
    assert main(["serve", "--port", str(plain.port)]) == 2
    assert "in use" in capsys.readouterr().err
    assert plain.client.get("/healthz", headers={"host": "evil.example"}).status_code == 400
    assert plain.client.get("/healthz", headers={"host": f"LOCALHOST:{plain.port}"}).status_code == 200


def test_no_answer_in_time_and_sigterm_lets_what_is_at_work_end():
    with running(obedient({"limits": {"seconds": 3}})) as service, ThreadPoolExecutor(2) as pool:
        late = service.signals(*[f"do:sleep 1.{n}" for n in range(6)])
        assert late.status_code == 504 and "within 3 s" in late.json()["detail"]
        wait_until(lambda: service.metric("hero_verifier_checks") == 6)
        asked = [pool.submit(service.signals, f"do:sleep 0.{n + 8}") for n in range(2)]
        wait_until(lambda: service.metric("hero_requests_in_flight") == 2)
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(service.port))
        assert [answer.result().json()["rollouts"][0]["verdict"] for answer in asked] == [1.0, 1.0]
        workers = service.workers()
        assert service.process.wait(20) == 0, service.process.stderr.read()
        assert all(not os.path.exists(f"/proc/{pid}") for pid in workers)


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_ctrl_c_is_clean(plain):
    """The last test of this service."""
    plain.signals("x")
    plain.process.send_signal(signal.SIGINT)
    assert plain.process.wait(20) == 130
    assert plain.process.stderr.read().strip() == "interrupted"


def test_help_says_how():
    said = subprocess.run([*HERO, "--help"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and "hero serve --reward_model.path nvidia/AceMath-7B-RM" in said.stdout
