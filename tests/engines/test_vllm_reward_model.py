"""A reward model behind vLLM's own server, against the same one in this process."""

import json
import random
import threading
from contextlib import ExitStack

import pytest
import torch
from engine_processes import HERO, Server

from hero_rl.errors import ConfigError
from hero_rl.reward_models import LocalRewardModelConfig, RemoteRewardModelConfig, protocols

POOLING = ("--runner", "pooling")
FLOAT32 = 1e-4  # logits; a forward pass in float32 in another order


@pytest.fixture(scope="module")
def servers(engines, models):
    """Two servers in float32 and one in bfloat16, all of the same reward model."""
    with ExitStack() as stack:

        def start(*flags):
            return stack.enter_context(engines.serving(models["reward_model"], *POOLING, *flags))

        started = {"first": start(), "bfloat16": start("--dtype", "bfloat16"), "second": start()}
        for server in started.values():
            server.wait()
        yield started


@pytest.fixture(scope="module")
def local(models):
    """The scores of the model in this process."""

    def score(conversations, dtype="float32"):
        return LocalRewardModelConfig(path=str(models["reward_model"]), dtype=dtype).load().score(conversations)

    return score


@pytest.fixture
def remotely(models):
    """A client of some servers."""
    with ExitStack() as stack:

        def client(*servers: Server, **settings):
            urls = [server.url for server in servers]
            config = RemoteRewardModelConfig(urls=urls, tokenizer=str(models["reward_model"]), **settings)
            model = config.load()
            stack.callback(model.close)
            return model

        yield client


def conversations(number):
    """Questions with answers of one to several hundred characters."""
    made = random.Random(number)
    return [
        [
            {"role": "user", "content": f"What is {n} + {n}?"},
            {"role": "assistant", "content": "".join(made.choices("0123456789 =+\n", k=made.choice([1, 9, 80, 500])))},
        ]
        for n in range(number)
    ]


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
def test_scores_are_those_of_the_model_here(servers, remotely, local, protocol):
    texts = conversations(60)
    expected = local(texts)
    assert expected.std() > 1, "else agreement says little"
    found = remotely(servers["first"], protocol=protocol, batch_size=7).score(texts)
    torch.testing.assert_close(found, expected, atol=FLOAT32, rtol=1e-5)


def test_bfloat16_costs_what_it_costs_here(servers, remotely, local):
    texts = conversations(60)
    exact = local(texts)
    here = (local(texts, "bfloat16") - exact).abs()
    there = (remotely(servers["bfloat16"]).score(texts) - exact).abs()
    print(f"\nbfloat16 against float32: here {here.max():.3f}, served {there.max():.3f} logits")
    assert 0 < there.max() < 4 * here.max(), "kernels differ, but not in kind"


def test_servers_in_float32_and_bfloat16_are_the_same_reward_model(servers, remotely):
    """The usual tolerance lets rounding pass; one that is tighter names both servers."""
    remotely(servers["first"], servers["bfloat16"]).check()
    with pytest.raises(ConfigError, match=r"scores a text .*, and that at .* scored it .*\(or raise tolerance\)"):
        remotely(servers["first"], servers["bfloat16"], tolerance=1e-4).check()


def test_a_server_that_squeezes_is_found_out(servers, remotely, monkeypatch):
    """With vLLM's own sigmoid."""
    asked = protocols.PROTOCOLS["vllm_classify"].options
    monkeypatch.setitem(asked, "use_activation", True)
    with pytest.raises(ConfigError, match=r"all lie between 0 and 1 .*, so probabilities, no logits"):
        remotely(servers["first"]).check()


def test_hero_score_is_the_same_with_the_model_here_and_there(servers, engines, models, tmp_path):
    rows = [
        {"prompt": f"{n} + {n} =", "completion": said, "reference": str(2 * n)}
        for n in range(1, 13)
        for said in (str(2 * n), f"{n}", f"{n}.0", "I do not know")
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    where = {
        "local": ["--reward_model.path", models["reward_model"], "--reward_model.dtype", "float32"],
        "remote": ["--reward_model.type", "remote", "--reward_model.urls", servers["first"].url],
    }
    where["remote"] += ["--reward_model.tokenizer", models["reward_model"]]
    columns = {}
    for name, words in where.items():
        out = tmp_path / f"{name}.jsonl"
        done = engines.run(*HERO, "score", tmp_path / "in.jsonl", out, "--verifier.type", "math", *words, seconds=150)
        assert done.returncode == 0, done.stdout
        read = [json.loads(line) for line in out.read_text().splitlines()]
        columns[name] = [torch.tensor([row[column] for row in read]) for column in ("score", "advantage")]
    for here, there in zip(*columns.values(), strict=True):
        torch.testing.assert_close(there, here, atol=FLOAT32, rtol=1e-5)
    assert columns["local"][1].abs().min() > 0, "no group without a gradient"


def test_a_server_that_is_killed_in_the_middle_costs_no_score(servers, remotely, local):
    """The second server is gone after it."""
    texts = conversations(400)
    model = remotely(servers["first"], servers["second"], batch_size=4, concurrency=2, seconds=30)
    model.check()
    killer = threading.Timer(0.3, servers["second"].kill)
    killer.start()
    found = model.score(texts)
    killer.join()
    torch.testing.assert_close(found, local(texts), atol=FLOAT32, rtol=1e-5)
    counted = dict(model.counters)
    print(f"\na server killed among {len(texts)} conversations: {counted}")
    assert counted["missing"] == 0
    assert counted["retries"] > 0, "or it was killed when all was over"


def test_the_only_server_is_killed(servers, remotely):
    """Last in this file, for the first server is gone after it."""
    model = remotely(servers["first"], batch_size=4, concurrency=2, seconds=5, retries=1)
    model.check()
    servers["first"].kill()
    found = model.score(conversations(20))
    print(f"\nthe only server killed: {dict(model.counters)}")
    assert found.isnan().all(), "no score is made up"
    assert model.counters["missing"] == 20
    with pytest.raises(ConfigError, match=servers["first"].url):
        model.check()
