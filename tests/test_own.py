"""Classes of a user's own in configurations: the guide's files as they stand, in every verb, and from nowhere else."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import SecretStr
from safetensors.torch import load_file

from hero_lab.cli import main
from hero_rl.errors import ConfigError
from hero_rl.evaluation.settings import EvalConfig
from hero_rl.own import Own
from hero_rl.rescoring import Rescoring
from hero_rl.settings import resolve
from hero_rl.trainers.verl.settings import HeroSettings
from hero_rl.training.configs.verl import VerlTrainConfig
from hero_rl.training.verl.command import verl_words
from hero_rl.verifiers import Processes, Request, in_processes

PAGE = Path(__file__).parents[1] / "docs" / "guides" / "your_own.md"
HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]
TRAPS = """
from pathlib import Path
from pydantic import BaseModel, Field, SecretStr
from hero_rl.verifiers import Reason, Verdict
Path("imported").touch()

class NoVerifier:
    pass

class TakesThree:
    def verify(self, a, b, c): ...

class Stateless:
    needs_score = takes_graded = True
    type = "stateless"
    def model_dump(self): return {}
    def init(self): return None
    def update(self, signals, state): return None

class Wants(BaseModel):
    model_config = {"populate_by_name": True}
    token: SecretStr
    hidden: int = Field(0, exclude=True)
    within: int = Field(0, alias="at-most")
    def verify(self, reference, completion):
        same = len(completion) - len(reference) <= self.within + self.hidden
        right = same and self.token.get_secret_value() == "t"
        return Verdict.of(Reason.MATCHED_EXACTLY if right else Reason.MISMATCH)

class TakesMore:
    def __init__(self, words: tuple, **kwargs):
        self.words, self.more = words, kwargs
    def verify(self, reference, completion):
        return Verdict.of(Reason.MATCHED_EXACTLY, answer=repr((self.words, self.more)))

class Fails:
    def __init__(self, path: str): raise OSError(path)
    def verify(self, reference, completion): ...

number = 7
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the guide's files, in which the program is started."""
    files = dict(re.findall(r'^```python title="(\w+\.py)"\n(.*?)^```', PAGE.read_text(), re.M | re.S))
    assert {"same_length.py", "share_of_words.py", "tie_breaker.py", "warming_up.py", "brief.py"} <= files.keys()
    for name, text in (files | {"traps.py": TRAPS}).items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in files | {"traps.py": ""}:
        sys.modules.pop(name.removesuffix(".py"), None)


def settings(**blocks):
    return resolve(blocks, {}, "run.yaml", Rescoring)


def test_a_block_is_the_object_and_its_settings(folder):
    found = settings(
        verifier={"type": "same_length:SameLength", "within": "1"},
        rule={"type": "warming_up:WarmingUp"},
        reward_model={"type": "brief:Brief"},
    )
    said = found.model_dump(mode="json")
    assert said["verifier"] == {"type": "same_length:SameLength", "within": "1"}
    assert found.verifier.within == 1
    assert said["rule"] == {"type": "warming_up:WarmingUp"} and found.rule.room == 0.1
    assert said["reward_model"] == {"type": "brief:Brief"} and found.reward_model.weight == 1.0
    assert json.loads(found.model_dump_json()) == said
    assert isinstance(found.verifier, Own) and found.verifier.verify("12", "3").value == 1
    again = pickle.loads(pickle.dumps(found.verifier))
    assert again.model_dump() == found.verifier.model_dump() and again.verify("12", "3456").value == 0
    with in_processes(found.verifier, Processes(workers=1)) as running:
        assert [v.value for v in running.verify_batch([Request("12", "34"), Request("12", "3456")])] == [1, 0]


def test_within_a_verifier_by_domain(folder):
    block = {"type": "by_domain", "verifiers": {"n": {"type": "same_length:SameLength"}, "chat": None}}
    found = settings(verifier=block).verifier
    assert found.verify(Request("ab", "cd", domain="n")).value == 1
    assert found.model_dump()["verifiers"]["n"] == {"type": "same_length:SameLength"}


@pytest.mark.parametrize(
    "given",
    [
        {"type": "traps:Wants", "token": "t", "hidden": 1, "at-most": 2},
        {"type": "traps:TakesMore", "words": ["a"], "b": 5, "c": {"d": [1]}},
    ],
)
def test_settings_are_kept_as_they_were_given(folder, given):
    found = settings(verifier=given).verifier
    assert found.model_dump() == found.model_dump(mode="json") == given
    again = settings(verifier=yaml.safe_load(yaml.safe_dump(found.model_dump()))).verifier
    for other in (again, pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(found))))):
        assert other == found and other.model_dump() == given
        verdict = other.verify("1", "1234")
        assert verdict.value == 1 and verdict.answer in (None, "(('a',), {'b': 5, 'c': {'d': [1]}})")
    with in_processes(found, Processes(workers=1)) as running:
        assert running.verify_batch([Request("1", "1234")])[0].answer == verdict.answer
    assert found != settings(verifier=given | {"token" if "token" in given else "b": "7"}).verifier


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            {"verifier": {"type": "same_length:SameLength", "witin": 1}},
            "verifier: same_length:SameLength: .*witin.*within",
        ),
        (
            {"verifier": {"type": "same_length:SameLength", "within": "x"}},
            "verifier: .*: within: Input should be a valid int",
        ),
        (
            {"verifier": {"type": "nowhere.to_be:Found"}},
            "verifier: nowhere.to_be:Found: importing nowhere.to_be ends in",
        ),
        ({"verifier": {"type": "traps:Missing"}}, "verifier: traps:Missing: traps has no Missing"),
        ({"verifier": {"type": "traps:number"}}, "traps:number is a int, not a class"),
        (
            {"verifier": {"type": "traps:NoVerifier"}},
            "traps:NoVerifier is not a verifier: it has no verify or verify_batch",
        ),
        ({"verifier": {"type": "traps:TakesThree"}}, r"TakesThree: .*takes 3 arguments"),
        ({"verifier": {"type": "traps:Fails", "path": "p"}}, "traps:Fails: making it ends in OSError: p"),
        ({"verifier": {"type": "traps:Not A Name"}}, "names no class"),
        (
            {"verifier": {"type": "traps:TakesMore", "words": [], "more": {"key": SecretStr("k")}}},
            "verifier: traps:TakesMore: more: a SecretStr is written as asterisks",
        ),
        (
            {"verifier": {"type": "traps:TakesMore", "words": [], "more": object()}},
            "verifier: traps:TakesMore: more: cannot be written as JSON",
        ),
        ({"rule": {"type": "warming_up:WarmingUp", "room": 2}}, "rule: warming_up:WarmingUp: room: .*less than 0.5"),
        ({"rule": {"type": "warming_up:WarmingUp", "rom": 2}}, "rom: unknown setting; known here: over, room"),
        ({"rule": {"type": "traps:Stateless"}}, "init.. must return a pydantic model"),
        ({"rule": {"type": "same_length:SameLength"}}, "same_length:SameLength is not a rule: it has no update"),
        ({"reward_model": {"type": "same_length:SameLength"}}, "is not a reward model: it has no load or score"),
    ],
)
def test_a_mistake_names_class_and_setting(folder, block, said):
    with pytest.raises(ConfigError, match=said):
        settings(**block)


def test_no_code_runs_for_a_configuration_from_elsewhere(folder, capsys):
    block = {"verifier": {"type": "traps:NoVerifier"}}
    for read in (lambda: Rescoring(**block), lambda: resolve(block, {}, "record", Rescoring, foreign=True)):
        with pytest.raises(ValueError, match="would run code"):
            read()
    run = folder / "evaluation"
    run.mkdir()
    (folder / "problems.jsonl").write_text('{"prompt": "1 + 1 =", "answer": "2"}\n')
    record = EvalConfig(benchmarks={"sums": {"dataset": "problems.jsonl"}}).model_dump(mode="json") | block
    (run / "config.yaml").write_text(yaml.safe_dump(record))
    assert main(["eval", str(run)]) == 2
    assert "would run code" in capsys.readouterr().err
    (run / "hero_state.json").write_text(json.dumps({"rule": {"type": "traps:Stateless"}, "state": {}, "monitor": {}}))
    from hero_rl.rules import Hero
    from hero_rl.trainers.state import read_state

    with pytest.raises(ConfigError.__mro__[1], match="traps:Stateless"):
        read_state(run, Hero())
    assert not (folder / "imported").exists()


ROLLOUTS = [
    ("p", "12", "34", 1.0),
    ("p", "12", "3", 2.0),
    ("p", "12", "5678", 3.0),
    ("q", "1", "2", 1.0),
    ("q", "1", "3", 5.0),
]


def test_score_and_verify(folder, capsys):
    rows = [dict(zip(("prompt", "reference", "completion", "score"), row, strict=True)) for row in ROLLOUTS]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = ["--verifier.type", "same_length:SameLength", "--verifier.within", "1"]
    rule = ["--rule.type", "tie_breaker:TieBreaker", "--rule.room", "0.02", "--reward_model.type", "brief:Brief"]
    assert main(["score", "in.jsonl", "out.jsonl", *own, *rule, "--workers", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rule"] == "tie_breaker:TieBreaker" and said["verdicts_from"] == "verifier same_length:SameLength"
    shaped = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [row["verdict"] for row in shaped] == [1, 1, 0, 1, 1]
    assert [row["score"] for row in shaped] == [-2, -1, -4, -1, -1]
    assert shaped[1]["advantage"] > shaped[0]["advantage"] > 0 > shaped[2]["advantage"]
    assert main(["verify", "--reference", "12", "--completion", "34", *own[:2]]) in (0, 2)


def test_in_verls_block_and_on_its_command_line(folder):
    blocks = {"verifier": {"type": "same_length:SameLength"}, "rule": {"type": "warming_up:WarmingUp", "room": 0.05}}
    found = resolve(blocks, {}, "hero", HeroSettings)
    assert found.rule.init().batches == 0
    run = {
        "engine": "verl",
        "verl": {"data.train_files": "t.parquet", "data.val_files": "t.parquet"},
        "output_dir": "out",
        "model": {"path": "m"},
        "reward_model": {"type": "brief:Brief"},
        **blocks,
    }
    words = verl_words(resolve(run, {}, "run.yaml", VerlTrainConfig))
    assert {"+hero.rule.type=warming_up:WarmingUp", "+hero.rule.room=0.05"} <= set(words)
    assert {"+hero.verifier.type=same_length:SameLength", "+hero.reward_model.type=brief:Brief"} <= set(words)


def test_a_rule_of_ones_own_logs_saves_and_goes_on_after_a_kill(folder, tmp_path_factory):
    """kill -9 in the middle of a run, `--resume`, and the same to the bit as the run that nobody killed."""
    from tiny_models import write

    policy, reward_model = write(tmp_path_factory.mktemp("tiny"))
    (folder / "rows.jsonl").write_text("".join(f'{{"prompt": "{n} + {n} =", "answer": "{n}"}}\n' for n in range(9)))
    run = {
        "model": {"path": str(policy)},
        "data": {"train": "rows.jsonl"},
        "verifier": {"type": "same_length:SameLength", "within": 4},
        "reward_model": {"path": str(reward_model)},
        "rule": {"type": "warming_up:WarmingUp", "over": 5},
        "trl": {"max_steps": 6, "num_generations": 4, "per_device_train_batch_size": 8, "max_completion_length": 8}
        | {"bf16": False, "use_cpu": True, "save_strategy": "steps", "save_steps": 1, "logging_steps": 1},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run | {"output_dir": "straight"}))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    assert main(["train", "run.yaml"]) == 0
    killed = [*HERO, "train", "run.yaml", "--output_dir", "killed"]
    process = subprocess.Popen(killed, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (folder / "killed" / "checkpoint-2" / "trainer_state.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "killed" / "model").exists()
    assert main(["train", "run.yaml", "--output_dir", "killed", "--resume"]) == 0

    states = [
        json.loads((folder / name / "checkpoint-6" / "hero_state.json").read_text()) for name in ("straight", "killed")
    ]
    assert states[0] == states[1]
    assert states[0]["state"] == {"batches": 6, "room": 0.1}
    assert states[0]["rule"] == {"type": "warming_up:WarmingUp", "over": 5}
    weights = [load_file(folder / name / "model" / "model.safetensors") for name in ("straight", "killed")]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    logged = [json.loads(line) for line in (folder / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [row["hero/batches"] for row in logged if "hero/batches" in row] == list(range(6))
