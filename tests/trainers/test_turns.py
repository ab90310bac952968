"""Tools and environments on the real TRL: completions of several messages, and rewards that environments bring."""

import asyncio
import copy
import json

import pandas
import pytest
import trl
from datasets import Dataset
from parts import LoudnessModel, config
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl import chat_template_utils

from hero_rl import GatedHero, VerifierOnly
from hero_rl.errors import ConfigError
from hero_rl.trainers.dataset import check_datasets
from hero_rl.trainers.trl import HeroGRPOTrainer
from hero_rl.verifiers import ByDomain, EnvironmentVerifier, ExactVerifier, Verdict

CALL = '{before}<tool_call>\n{{"name": "{tool}", "arguments": {arguments}}}\n</tool_call><|im_end|>'


@pytest.fixture(autouse=True)
def experimental(monkeypatch):
    """TRL warns that rollout functions and environments may change."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")


@pytest.fixture(scope="module")
def tokenizer():
    """One token a byte, and Qwen's chat template, which renders tools."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: n for n, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    bytes_alone = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone,
        pad_token=special[0],
        eos_token=special[2],
        additional_special_tokens=special[1:2],
        chat_template=chat_template_utils.qwen3_chat_template,
        padding_side="left",
    )


class Judge:
    """Keeps its requests; correct where the completion is long."""

    def __init__(self):
        self.seen = []

    def verify(self, request):
        self.seen.append(request)
        return Verdict(float(len(request.completion) % 2), "length")


def first_turns(tokenizer, turns):
    """TRL's `rollout_func`: the first turn of each rollout is one of these, in their order; the tiny policy goes on."""

    def rollout(prompts, trainer):
        texts = [turns[number % len(turns)] for number in range(len(prompts))]
        said = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        asked = tokenizer.apply_chat_template(
            prompts, tools=trainer.tools, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return {"prompt_ids": asked, "completion_ids": said, "logprobs": None}

    return rollout


def call(tool="add", before="", **arguments):
    return CALL.format(tool=tool, before=before, arguments=json.dumps(arguments))


def asking(number=4, **columns):
    rows = [{"prompt": [{"role": "user", "content": f"{n} plus {n}?"}], "answer": str(2 * n)} for n in range(number)]
    return Dataset.from_list([row | columns for row in rows])


def run(policy, tokenizer, tmp_path, verifier, turns=None, rows=None, score=False, length=100, **changes):
    extra = {name: changes.pop(name) for name in ("tools", "environment_factory") if name in changes}
    if turns is not None:
        extra["rollout_func"] = first_turns(tokenizer, turns)
    return HeroGRPOTrainer(
        model=str(policy),
        processing_class=tokenizer,
        verifier=verifier,
        reward_model=LoudnessModel() if score else None,
        rule=GatedHero() if score else VerifierOnly(),
        args=config(
            output_dir=str(tmp_path),
            max_steps=1,
            max_completion_length=length,
            rollouts_dir=str(tmp_path / "rollouts"),
            **changes,
        ),
        train_dataset=asking() if rows is None else rows,
        **extra,
    )


def add(a: int, b: int) -> int:
    """Adds.

    Args:
        a: one number.
        b: another one.

    Returns:
        The sum.
    """
    return a + b


MIXED = [call(a=1, b=2, before="Let me add."), call(a="one", b=[2]), call("none", a={"b": 1}), "It is 4.<|im_end|>"]


@pytest.mark.parametrize("turns", ["last", "all"])
def test_a_completion_with_tool_calls_is_judged_by_its_last_turn_or_by_all(policy, tokenizer, tmp_path, turns):
    judge = Judge()
    trainer = run(policy, tokenizer, tmp_path, judge, MIXED, tools=[add], judged_turns=turns, score=True, length=200)
    trainer.train()
    called = [request for request in judge.seen if any(m["role"] == "tool" for m in request.messages)]
    assert len(called) == 6 and len(judge.seen) == 8
    for request in judge.seen:
        said = [m["content"].strip() for m in request.messages if m["role"] == "assistant"]
        several = turns == "all" and len(said) > 1
        assert request.completion.strip() == ("\n\n".join(filter(None, said)) if several else said[-1])
    results = {m["content"] for request in called for m in request.messages if m["role"] == "tool"}
    assert "3" in results  # a tool was really run
    starts = {request.completion.startswith("Let me add.") for request in called}
    assert starts == ({True, False} if turns == "all" else {False})
    stored = rollouts(tmp_path)
    assert {m["content"] for c in stored["completion"] for m in c} >= {"3", "It is 4."}


def rollouts(tmp_path):
    return pandas.concat(map(pandas.read_parquet, sorted((tmp_path / "rollouts").glob("*.parquet"))))


class Counter:
    """A counter that the policy may move; worth what it shows, or what its row says of the reward."""

    def __init__(self):
        self.total, self.says = 0, None

    def reset(self, says=None, **row):
        self.total, self.says = 0, says
        return " The counter shows 0."

    def move(self, by: int) -> str:
        """Moves the counter.

        Args:
            by: how far.

        Returns:
            What it shows.
        """
        self.total += by
        return f"It shows {self.total}."

    def get_reward(self):
        return self._reward()

    def _reward(self):
        if self.says == "raise":
            raise OSError("the world is gone")
        return None if self.says == "nothing" else self.total


class SlowCounter(Counter):
    async def get_reward(self):
        await asyncio.sleep(0.01)
        return self._reward()


MOVES = [call("move", by=1), call("move", by=0), call("move", by=0.5), "No.<|im_end|>"]


@pytest.mark.parametrize("factory", [Counter, SlowCounter])
def test_an_environment_s_reward_is_the_verdict(policy, tokenizer, tmp_path, factory):
    rows = asking().remove_columns("answer")
    trainer = run(policy, tokenizer, tmp_path, EnvironmentVerifier(), MOVES, rows, environment_factory=factory)
    trainer.train()
    table = rollouts(tmp_path)
    assert table["verdict"].tolist() == [1.0, 0.0, 0.5, 0.0] * 2
    assert set(table["reason"]) == {"the environment's reward"}
    assert all(prompt[-1]["content"].endswith(" The counter shows 0.") for prompt in table["prompt"])
    # The rule's alone: TRL would add a column of its own, of weight 1.
    assert table["advantage"].tolist() == pytest.approx(table["verdict"].sub(0.375).tolist())
    assert not any(name.startswith(f"rewards/{factory.__name__}") for row in trainer.state.log_history for name in row)


@pytest.mark.skipif(trl.__version__.startswith("1.8."), reason="a data set could not be left out yet")
def test_an_environment_may_bring_the_prompts_and_rewards_of_any_range(policy, tokenizer, tmp_path):
    verifier = EnvironmentVerifier(lowest=-1, highest=3)
    trainer = HeroGRPOTrainer(
        model=str(policy),
        processing_class=tokenizer,
        verifier=verifier,
        rule=VerifierOnly(),
        args=config(output_dir=str(tmp_path), max_steps=1, rollouts_dir=str(tmp_path / "rollouts")),
        environment_factory=Counter,
        rollout_func=first_turns(tokenizer, [call("move", by=2), "No.<|im_end|>"]),
    )
    trainer.train()
    table = rollouts(tmp_path)
    assert set(table["verdict"]) <= {0.75, 0.25}
    assert table["reference"].isna().all()


@pytest.mark.parametrize("says", ["raise", "nothing"])
def test_an_environment_that_fails_or_is_silent_is_an_abstention(policy, tokenizer, tmp_path, says, caplog):
    rows = asking(says=says)
    verifier = EnvironmentVerifier()
    trainer = run(policy, tokenizer, tmp_path, verifier, MOVES, rows, environment_factory=Counter, max_unscorable=1)
    trainer.train()
    assert rollouts(tmp_path)["verdict"].isna().all()
    assert ("the world is gone" in caplog.text) is (says == "raise")
    assert trainer.state.log_history[0]["verifier/abstained"] == 8


def test_a_reward_outside_of_the_range_ends_the_run(policy, tokenizer, tmp_path):
    trainer = run(policy, tokenizer, tmp_path, EnvironmentVerifier(0, 0.5), MOVES, environment_factory=Counter)
    with pytest.raises(ConfigError, match=r"reward is 1.*lowest and the highest"):
        trainer.train()


def test_a_reward_that_nobody_reads_is_refused_and_one_that_nobody_gives(policy, tokenizer, tmp_path):
    with pytest.raises(ConfigError, match=r"Counter has a get_reward.*verifier=EnvironmentVerifier\(\)"):
        run(policy, tokenizer, tmp_path, ExactVerifier(), environment_factory=Counter)
    with pytest.raises(ConfigError, match="environment_factory makes none"):
        run(policy, tokenizer, tmp_path, EnvironmentVerifier())
    with pytest.raises(ConfigError, match=r"lowest \(1\) must be below"):
        EnvironmentVerifier(lowest=1)


def mixed():
    sums = asking(1, topic="sums", environment="none").to_list()
    moves = [row | {"answer": None, "topic": "moves", "environment": "counter"} for row in asking(1).to_list()]
    return Dataset.from_list([*sums, *moves])


class Nothing:
    def reset(self, **row):
        return None


def test_environments_judge_their_own_domain(policy, tokenizer, tmp_path):
    verifier = {"sums": ExactVerifier(), "moves": EnvironmentVerifier()}
    factory = {"none": Nothing, "counter": Counter}
    settings = {"environment_factory": factory, "domain_column": "topic"}
    run(policy, tokenizer, tmp_path, verifier, MOVES, mixed(), **settings).train()
    table = rollouts(tmp_path)
    compared = table["reference"].notna()
    assert compared.equals(table["domain"] == "sums") and compared.nunique() == 2
    assert (table["verdict"][compared] == 0).all()
    assert table["verdict"][~compared].tolist() == [1.0, 0.0, 0.5, 0.0]


def test_a_row_that_a_verifier_compares_is_left_out_without_its_reference(caplog):
    rows = mixed().to_list()[::-1]
    rows[1]["answer"] = None
    verifier = ByDomain({"sums": ExactVerifier(), "moves": EnvironmentVerifier()})
    checked = check_datasets(Dataset.from_list(rows), None, "answer", "topic", verifier)
    assert len(checked.train) == len(rows) - 1
    assert f"no verifier applies to 1 of {len(rows)} rows" in caplog.text


@pytest.mark.parametrize(("ending", "judged"), [("hm\n</think>\n\n8", "8"), ("\n</think>\n\n8", "8"), ("is it 8", "")])
def test_a_thought_that_was_parsed_away_is_not_put_back(policy, tokenizer, tmp_path, ending, judged):
    thinking = copy.deepcopy(tokenizer)
    thinking.chat_template = chat_template_utils.qwen3_5_think_chat_template
    judge = Judge()
    run(policy, thinking, tmp_path, judge, [ending + "<|im_end|>"], tools=[add]).train()
    assert {request.completion for request in judge.seen} == {judged}
