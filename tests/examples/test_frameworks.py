"""The adapters of examples/frameworks against stand-ins of the frameworks' shapes: none of the four is installed here.

Each stand-in does what the framework's source does around the hook (docs/guides/frameworks.md names the files): the
samples go in as it passes them, and what it makes of the answer is compared with the rule's own advantages over the
whole batch.
"""

import asyncio
import importlib
import math
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from hero_rl import ExactVerifier, Hero, Scorer
from hero_rl.monitoring import MonitorState
from hero_rl.rules import HeroState
from hero_rl.trainers.group_by_group import GroupByGroup
from hero_rl.trainers.state import read_state, write_state
from hero_rl.verifiers import Reason, Verdict

RULE = Hero()
GROUPS = {  # prompt: (reference, what the policy said); "?" makes the verifier abstain
    "1 + 1 =": ("2", ["2", "2", "3", "four"]),
    "2 + 2 =": ("4", ["5", "five", "a fish", "?"]),
    "3 + 3 =": ("6", ["6", "6", "?", "6"]),
}


class Abstaining(ExactVerifier):
    def verify(self, reference, completion):
        return Verdict.of(Reason.TIMED_OUT) if completion == "?" else super().verify(reference, completion)


class Wordy:
    """A reward model that likes length."""

    counters = {}  # noqa: RUF012

    def score(self, conversations):
        return torch.tensor([float(len(conversation[-1]["content"])) for conversation in conversations])


@pytest.fixture
def scorer():
    return Scorer(Abstaining(), Wordy())


def rows():
    return [(i, prompt, said, GROUPS[prompt][0]) for i, prompt in enumerate(GROUPS) for said in GROUPS[prompt][1]]


def whole_batch(scorer, state, rule=RULE, some=None):
    group, prompts, said, references = map(list, zip(*rows()[:some], strict=True))
    return rule.update(scorer.score(prompts, said, references).signals(group), state)


def load(name, monkeypatch, **modules):
    """The example as a fresh module, with stand-ins for what it imports."""
    for path, content in modules.items():
        stand_in = ModuleType(path.replace("__", "."))
        vars(stand_in).update(content)
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    monkeypatch.delitem(sys.modules, f"frameworks.{name}", raising=False)
    return importlib.import_module(f"frameworks.{name}")


def centred(rewards):
    rewards = torch.tensor(rewards, dtype=torch.float64)
    return (rewards - rewards.mean()).tolist()


# slime: a flat list of samples, and what the hook returns second is every token's advantage.


def slime_samples():
    # as slime/utils/types.py of slime has them; the batch arrives flat, groups need not be together
    return [
        SimpleNamespace(
            group_index=40 + i, index=n, prompt=prompt, response=said, label=reference, reward=0.0, metadata={}
        )
        for n, (i, prompt, said, reference) in enumerate(rows())
    ]


def test_slime_gets_the_rule_s_advantages(monkeypatch, scorer, tmp_path):
    example = load("hero_slime", monkeypatch)
    monkeypatch.setattr(example, "scorer", lambda: scorer)
    args = SimpleNamespace(save=str(tmp_path / "run"), load=None)
    state = HeroState()
    for some in (4, 12, 8):  # batches of other groups, so that sigma_bar is another for each
        expected, state = whole_batch(scorer, state, some=some)
        logged, advantages = example.post_process(args, slime_samples()[:some])
        assert advantages == pytest.approx(expected.advantage.tolist())
        assert not any(math.isnan(reward) for reward in logged)
    shuffled = slime_samples()[::-1]
    assert example.post_process(args, shuffled)[1][::-1] == pytest.approx(whole_batch(scorer, state)[0].advantage)


def test_slime_resumes_sigma_bar_from_the_folder_it_loads(monkeypatch, scorer, tmp_path):
    write_state(tmp_path, RULE, HeroState(sigma_bar=0.25), MonitorState())
    example = load("hero_slime", monkeypatch)
    monkeypatch.setattr(example, "scorer", lambda: scorer)
    expected, after = whole_batch(scorer, HeroState(sigma_bar=0.25))
    args = SimpleNamespace(save=str(tmp_path), load=str(tmp_path))
    assert example.post_process(args, slime_samples())[1] == pytest.approx(expected.advantage.tolist())
    assert read_state(tmp_path, RULE)[0] == after


# Tinker cookbook: rewards of one group, to which the trainer adds the steps' and then centres.


class ProblemEnv:
    convo_prefix = ()
    renderer = SimpleNamespace(parse_response=lambda tokens: ({"role": "assistant", "content": "".join(tokens)}, None))

    def __init__(self, question, answer):
        self.get_question, self.get_reference_answer = lambda: question, lambda: answer


def trajectory(said):
    step = SimpleNamespace(ac=SimpleNamespace(tokens=list(said)), reward=0.9 if said.isdigit() else -0.1)
    return SimpleNamespace(transitions=[step])


def test_tinker_centres_to_the_rule_s_advantages(monkeypatch, scorer):
    example = load(
        "hero_tinker",
        monkeypatch,
        tinker_cookbook__renderers={"get_text_content": lambda message: message["content"]},
        tinker_cookbook__rl__problem_env={"ProblemGroupBuilder": object},
    )
    shaper = GroupByGroup(RULE, groups_per_batch=len(GROUPS))
    shaper.state = state = HeroState(sigma_bar=1.5)
    monkeypatch.setattr(example, "shaper", lambda: shaper)
    monkeypatch.setattr(example, "scorer", lambda: scorer)
    made = []
    for prompt, (reference, completions) in GROUPS.items():
        trajectories = [trajectory(said) for said in completions]
        environments = [ProblemEnv(prompt, reference) for _ in completions]
        given = asyncio.run(example.HeroGroupBuilder().compute_group_rewards(trajectories, environments))
        # TrajectoryGroup.get_total_rewards, then data_processing.compute_advantages
        totals = [reward + t.transitions[0].reward for (reward, _), t in zip(given, trajectories, strict=True)]
        made += centred(totals)
        assert all(math.isfinite(value) for _, metrics in given for value in metrics.values())
    expected, after = whole_batch(scorer, state)
    assert made == pytest.approx(expected.advantage.tolist(), abs=1e-6)
    assert shaper.state.sigma_bar == pytest.approx(after.sigma_bar)


# OpenRLHF: every sample has an `execute` of its own, all of a prompt under one gather.


class SingleTurnAgentExecutor:
    async def execute(self, prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine, images=None):
        said = await llm_engine(prompt)
        return {"observation_tokens": [*prompt, *said], "action_ranges": [(len(prompt), len(prompt) + len(said))]}


class Engine:
    """Answers the samples of all prompts in an order of its own, one of them with an error if told so."""

    def __init__(self, failing=None):
        self.left = {prompt: list(said) for prompt, (_, said) in GROUPS.items()}
        self.failing = failing

    async def __call__(self, prompt):
        said = self.left[prompt].pop(0)
        await asyncio.sleep(0.002 * (7 * len(self.left[prompt]) % 4))  # the second ends last
        if said == self.failing:
            raise RuntimeError("the engine is gone")
        return said


def openrlhf_executor(monkeypatch, scorer, sigma_bar):
    stand_in = {"SingleTurnAgentExecutor": SingleTurnAgentExecutor}
    example = load("hero_openrlhf", monkeypatch, openrlhf__utils__agent=stand_in)
    shaper = GroupByGroup(RULE, groups_per_batch=len(GROUPS))
    shaper.state = HeroState(sigma_bar=sigma_bar)
    monkeypatch.setattr(example.AgentExecutor, "make_scorer", lambda self: scorer)
    monkeypatch.setattr(example.AgentExecutor, "make_shaper", lambda self: shaper)
    return example.AgentExecutor()


async def generate_responses(executor, engine, prompt):
    """RolloutRayActor.generate_responses of openrlhf/trainer/ray/vllm_engine.py."""
    tokenizer = SimpleNamespace(decode=lambda tokens, skip_special_tokens: "".join(tokens))
    reference, completions = GROUPS[prompt]
    one = {"sampling_params": None, "max_length": 64, "hf_tokenizer": tokenizer, "llm_engine": engine, "images": None}
    tasks = [executor.execute(prompt=prompt, label=reference, **one) for _ in completions]
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_openrlhf_under_dr_grpo_has_the_rule_s_advantages(monkeypatch, scorer):
    executor = openrlhf_executor(monkeypatch, scorer, sigma_bar=1.5)

    async def step():
        engine = Engine()
        return await asyncio.gather(*(generate_responses(executor, engine, prompt) for prompt in GROUPS))

    expected, after = whole_batch(scorer, HeroState(sigma_bar=1.5))
    advantage = iter(expected.advantage.tolist())
    for (_, completions), outputs in zip(GROUPS.values(), asyncio.run(step()), strict=True):
        assert len(outputs) == len(completions)
        said = ["".join(output["observation_tokens"][slice(*output["action_ranges"][-1])]) for output in outputs]
        assert said == completions
        wanted = [next(advantage) for _ in completions]
        assert centred([output["reward"] for output in outputs]) == pytest.approx(wanted, abs=1e-6)
        assert all(math.isfinite(output["scores"]) for output in outputs)
    assert executor.shaper.state.sigma_bar == pytest.approx(after.sigma_bar)
    assert executor.groups == {}


@pytest.mark.parametrize("failing", ["2", "four"])
def test_openrlhf_a_failed_sample_keeps_nobody_waiting(monkeypatch, scorer, failing):
    executor = openrlhf_executor(monkeypatch, scorer, sigma_bar=1.5)
    outputs = asyncio.run(asyncio.wait_for(generate_responses(executor, Engine(failing), "1 + 1 ="), timeout=10))
    for said, output in zip(GROUPS["1 + 1 ="][1], outputs, strict=True):
        if said == failing:
            assert isinstance(output, RuntimeError)
        else:
            assert math.isfinite(output["reward"])
    assert executor.groups == {}


# prime-rl: the episodes of a group, whose traces are annotated in place.


def prime_rl_modules(assigned):
    """Of prime_rl.orchestrator.algo at commit 559b4477: what the subclass takes from it."""

    class GRPOAlgorithm:
        async def finalize_group(self, episodes):
            await self.score_group(episodes)

    def iter_trainable_traces(episodes):
        for episode in episodes:
            for trace in episode.traces:
                if trace.ok and trace.agent.trainable and any(any(node.mask) for node in trace.nodes):
                    yield episode, trace

    return {
        "prime_rl__orchestrator__algo__base": {"iter_trainable_traces": iter_trainable_traces},
        "prime_rl__orchestrator__algo__grpo": {"GRPOAlgorithm": GRPOAlgorithm},
        "prime_rl__orchestrator__algo__routing": {
            "assign_advantages": lambda trace, value: assigned.append((trace, value))
        },
    }


def episode(metrics, ok=True):
    node = SimpleNamespace(mask=[False, True])
    trace = SimpleNamespace(metrics=metrics, ok=ok, agent=SimpleNamespace(trainable=True), nodes=[node])
    return SimpleNamespace(traces=[trace])


def test_prime_rl_gets_the_rule_s_advantages(monkeypatch, scorer, tmp_path):
    assigned = []
    example = load("hero_prime_rl", monkeypatch, **prime_rl_modules(assigned))
    write_state(tmp_path, RULE, HeroState(sigma_bar=1.5), MonitorState())
    shaper = GroupByGroup(RULE, groups_per_batch=len(GROUPS), folder=str(tmp_path))
    monkeypatch.setattr(example, "shaper", lambda: shaper)
    for prompt, (reference, completions) in GROUPS.items():
        scored = scorer.score([prompt] * len(completions), completions, [reference] * len(completions))
        columns = zip(scored.verdict.tolist(), scored.score.tolist(), strict=True)
        episodes = [
            episode({"score": score} if math.isnan(verdict) else {"verdict": verdict, "score": score})
            for verdict, score in columns
        ]
        asyncio.run(example.HeroAlgorithm().finalize_group([*episodes, episode({}, ok=False)]))
    expected, after = whole_batch(scorer, HeroState(sigma_bar=1.5))
    assert [value for _, value in assigned] == pytest.approx(expected.advantage.tolist(), abs=1e-6)
    assert read_state(tmp_path, RULE)[0].sigma_bar == pytest.approx(after.sigma_bar)
