"""The reward manager in verl's own reward worker, with a verifier in processes and a reward model behind HTTP."""

import asyncio
import math

import pytest

pytest.importorskip("verl.trainer")

import numpy as np
import ray
import torch
from reward_server import RewardServer, changed, hangs_up, logit, says, waits
from tensordict import TensorDict
from torch.nn.utils.rnn import pad_sequence
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl.protocol import DataProto
from verl_parts import composed, overrides

from hero_rl.reward_models import RemoteRewardModelConfig

REFERENCES = ["4", "5", "6", 7]
SAID = [["so #### 4"], ["so #### 4"], ["first I say 6", "#### 6"], ["#### 7"]]


def remote(server, tiny, **changes):
    settings = {"type": "remote", "urls": f"[{server.url}]", "tokenizer": tiny[1], "retries": 0, "seconds": 1.0}
    return {f"+hero.reward_model.{name}": value for name, value in (settings | changes).items()}


@pytest.fixture
def config(tiny, problems, tmp_path):
    marker = {"+hero.verifier.marker": "'####'"}
    return lambda changes: composed(overrides(tiny[0], problems, tmp_path, **(marker | changes)))


@pytest.fixture(scope="module")
def tokenizer(tiny):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny[0])


def prompt(reference):
    return [{"role": "user", "content": f"half of {reference} doubled?"}]


def data_of(tokenizer, reference, outputs, **columns):
    """One rollout as verl's agent loop hands it over (`AgentLoopWorker._compute_score`)."""
    prompts = [tokenizer(f"asked {i}", return_tensors="pt").input_ids[0] for i in range(len(outputs))]
    responses = [tokenizer(text + "<|end|>", return_tensors="pt").input_ids[0] for text in outputs]
    ordinary = tokenizer("x")["input_ids"][0]  # verl pads with 0, which is no special token of a Qwen's
    masks = [torch.ones(len(p) + len(r), dtype=torch.int64) for p, r in zip(prompts, responses, strict=True)]
    batch = {
        "prompts": pad_sequence(prompts, batch_first=True, padding_value=ordinary),
        "responses": pad_sequence(responses, batch_first=True, padding_value=ordinary),
        "attention_mask": pad_sequence(masks, batch_first=True),
    }
    facts = {"raw_prompt": prompt(reference), "reward_model": {"ground_truth": reference, "style": "rule"}} | columns
    n = len(outputs)
    return DataProto(
        batch=TensorDict(batch, batch_size=n),
        non_tensor_batch={k: np.array([v] * n) for k, v in facts.items()}
        | {"response_len": np.array([len(r) for r in responses])},
    )


def expected_score(tiny, reference, said):
    model = RemoteRewardModelConfig(urls=["http://unasked"], tokenizer=str(tiny[1])).load()
    (tokens,), _ = model._renderer.tokenize([[*prompt(reference), {"role": "assistant", "content": said}]])
    return logit(tokens)


def test_a_ray_worker_scores_as_it_should_and_survives_what_the_server_does(cluster, config, tiny, tokenizer):
    """One actor through a server's bad day: NaN with a count each time, the verdict never touched, then a clear end."""
    with RewardServer() as server:
        worker = ray.remote(RewardLoopWorker).remote(config(remote(server, tiny)), None)
        asked = [data_of(tokenizer, r, s) for r, s in zip(REFERENCES, SAID, strict=True)]

        def score():
            return ray.get([worker.compute_score.remote(data) for data in asked])

        found = score()
        assert [one["reward_score"] for one in found] == [1.0, 0.0, 1.0, 1.0]
        facts = [one["reward_extra_info"] for one in found]
        assert [one["answer"] for one in facts] == ["4", "4", "6", "7"]
        for one, reference, said in zip(facts, REFERENCES, SAID, strict=True):
            assert one["score"] == pytest.approx(expected_score(tiny, reference, said[-1]), abs=1e-6)
        assert len({frozenset(one) for one in facts}) == 1, "verl stacks them by the first one's names"
        without_numbers = changed(lambda items: [item | {"probs": [None]} for item in items])
        for trouble in (without_numbers, says(500), waits(3), hangs_up, changed(lambda items: items[:-1])):
            server.always = trouble
            facts = [one["reward_extra_info"] for one in score()]
            assert [one["verdict"] for one in facts] == [1.0, 0.0, 1.0, 1.0]
            assert all(math.isnan(one["score"]) and not one["error"] for one in facts)
            assert sum(one["reward_model/missing"] for one in facts) == 4
        server.always = changed(lambda items: [i | {"probs": [1 / (1 + math.exp(-i["probs"][0]))]} for i in items])
        facts = [one["reward_extra_info"] for one in score()]
        assert all(math.isnan(one["verdict"]) and math.isnan(one["score"]) for one in facts)
        assert all("all lie between 0 and 1" in one["error"] for one in facts)
        ray.kill(worker)


def run(worker, *asked):
    """Facts of rollouts that come all at once, in a worker of this process."""

    async def all_at_once():
        return await asyncio.gather(*(worker.compute_score(data) for data in asked))

    try:
        return [one["reward_extra_info"] for one in worker.loop.run_until_complete(all_at_once())]
    finally:
        worker.loop.close()
        asyncio.set_event_loop(None)


def test_the_reward_model_that_verl_serves_is_asked_for_raw_logits(config, tiny, tokenizer):
    pool = {
        "reward.reward_model.enable": True,
        "reward.reward_model.enable_resource_pool": True,
        "reward.reward_model.model_path": tiny[1],
        "reward.reward_model.rollout.name": "vllm",
        "+hero.rule.type": "hero",
    }
    with RewardServer() as server:
        worker = RewardLoopWorker(config(pool), server.url.removeprefix("http://"))
        (facts,) = run(worker, data_of(tokenizer, "4", ["#### 4"]))
        assert (facts["verdict"], facts["score"]) == (1.0, pytest.approx(expected_score(tiny, "4", "#### 4"), abs=1e-6))
        for path, _, body in server.posts:
            assert path == "/classify"
            assert body["use_activation"] is False
            assert body["model"] == str(tiny[1])


def test_a_rollout_that_waits_is_scored_with_those_that_wait_beside_it(config, tiny, tokenizer):
    with RewardServer() as server:
        worker = RewardLoopWorker(config(remote(server, tiny)), None)
        facts = run(worker, *(data_of(tokenizer, str(n), [f"#### {n}"]) for n in range(20)))
        assert [one["verdict"] for one in facts] == [1.0] * 20
        assert len({one["score"] for one in facts}) > 10
        assert len(server.posts) <= 5, "four texts to check it by, the first rollout, the nineteen others"


def test_an_abstention_stays_one(config, tiny, tokenizer):
    """The reference is no formula: nothing can be said of any answer."""
    worker = RewardLoopWorker(config({"+hero.verifier.type": "math", "+hero.verifier.marker": None}), None)
    unreadable, right = run(
        worker, data_of(tokenizer, "", [r"\boxed{4}"]), data_of(tokenizer, r"\frac{8}{2}", [r"so \boxed{4}"])
    )
    assert math.isnan(unreadable["verdict"])
    assert unreadable["reason"] == "no_verifier"
    assert right["verdict"] == 1.0


def test_a_thought_that_the_prompt_opened_must_end(config, tiny, tokenizer):
    worker = RewardLoopWorker(config({"+hero.verifier.type": "math", "+hero.verifier.marker": None}), None)
    asked = [data_of(tokenizer, "4", [said]) for said in (r"so \boxed{4}. Wait", r"so 5</think>\boxed{4}")]
    for data in asked:
        data.batch["prompts"] = tokenizer("asked <think>", return_tensors="pt").input_ids
    facts = run(worker, *asked, data_of(tokenizer, "4", [r"so \boxed{4}. Wait"]))
    assert [one["verdict"] for one in facts] == [0.0, 1.0, 1.0]
    assert facts[0]["reason"] == "no_answer"


def test_a_row_without_a_reference_says_so(config, tokenizer):
    worker = RewardLoopWorker(config({}), None)
    (facts,) = run(worker, data_of(tokenizer, None, ["#### 4"]))
    assert "DataError: reward_model.ground_truth must hold an answer in every row, not None" in facts["error"]


def test_a_row_without_a_reference_is_kept_for_a_rule_that_ranks_it(config, tokenizer):
    worker = RewardLoopWorker(config({"+hero.rule.type": "hero", "+hero.rule.without_reference": "rank"}), None)
    (facts,) = run(worker, data_of(tokenizer, None, ["#### 4"]))
    assert (facts["reason"], facts["error"]) == ("no_verifier", "") and math.isnan(facts["verdict"])


def test_verifier_processes_are_shared_out_between_reward_workers(config):
    import os

    from hero_rl.trainers.verl.reward_manager import HeroRewardManager

    cores = len(os.sched_getaffinity(0))
    for workers, expected in ((1, cores), (cores, 1), (10 * cores, 1)):
        changes = {"+hero.verifier.type": "math", "+hero.verifier.marker": None, "reward.num_workers": workers}
        assert HeroRewardManager(config(changes), None).scorer.verifier.workers == expected
