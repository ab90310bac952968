"""References that are objects, and domains, over files as `hero score`, `hero verify` and a rule's check meet them."""

import json

import pytest
from pydantic import ValidationError

from hero_lab.cli import main
from hero_rl.errors import ConfigError
from hero_rl.rescoring import Rescoring
from hero_rl.rollouts import read_rollouts
from hero_rl.service.settings import ServiceConfig
from hero_rl.settings import resolve
from hero_rl.trainers.verl.settings import HeroSettings
from hero_rl.training.configs.policy import TrainConfig

WORDS = """
from hero_rl.verifiers import Verdict

class Words:
    gives_grades = True

    def verify(self, request):
        wanted = request.reference["words"]
        assert request.columns.get("kind") == "list" and request.question == "Name some colours."
        return Verdict(sum(word in request.completion for word in wanted) / len(wanted), "words")

class Upper:
    needs_reference = False

    def verify(self, reference, completion):
        return Verdict(float(completion.isupper()), "upper case")
"""
ROWS = [
    {"prompt": "Name some colours.", "reference": {"words": ["red", "blue"]}, "completion": "red", "score": 1.0},
    {"prompt": "Name some colours.", "reference": {"words": ["red", "blue"]}, "completion": "red, blue", "score": 0.0},
    {"prompt": "1 + 1 =", "reference": "2", "completion": r"\boxed{2}", "score": 1.0},
    {"prompt": "1 + 1 =", "reference": "2", "completion": r"\boxed{3}", "score": 0.0},
    {"prompt": "Write a poem.", "reference": None, "completion": "The sea", "score": 2.0},
    {"prompt": "Write a poem.", "reference": None, "completion": "A rose", "score": 3.0},
]
DOMAINS = ["words", "words", "math", "math", "chat", "chat"]
MIXED = [
    "--verifier.type",
    "by_domain",
    "--verifier.verifiers",
    "{math: {type: math}, words: {type: 'words_of:Words'}, chat: null}",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "words_of.py").write_text(WORDS)
    rows = [row | {"domain": name, "kind": "list"} for row, name in zip(ROWS, DOMAINS, strict=True)]
    rows = [row | {"question": row["prompt"]} for row in rows]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_score_judges_each_row_by_its_domain_and_keeps_objects(folder, capsys, suffix):
    rank = ["--rule.type", "gated_hero", "--rule.without_reference", "rank"]
    assert main(["score", "in.jsonl", f"out.{suffix}", *MIXED, *rank, "--workers", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {name: one["verdict_mean"] for name, one in said["domains"].items()} == {
        "words": 0.75,
        "math": 0.5,
        "chat": None,
    }
    assert said["without_verifier"] == {"rows": 2, "ranked": 2}
    found = list(read_rollouts(folder / f"out.{suffix}"))
    assert [r.verdict for r in found] == [0.5, 1.0, 1.0, 0.0, None, None]
    assert found[0].reference == {"words": ["red", "blue"]}
    assert found[4].extra["verdict_reason"] == "no_verifier"


def test_score_needs_no_reference_where_the_verifier_needs_none(folder, capsys):
    rows = [{"prompt": "Shout.", "completion": said, "score": 1.0} for said in ("A", "b")]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["score", "in.jsonl", "out.jsonl", "--verifier.type", "words_of:Upper", "--workers", "1"]) == 0
    assert [r.verdict for r in read_rollouts(folder / "out.jsonl")] == [1.0, 0.0]
    capsys.readouterr()
    for block in (["--verifier.type", "exact"], MIXED):
        assert main(["score", "in.jsonl", "out.jsonl", *block]) == 2
        assert "there are no references to verify against" in capsys.readouterr().err


def test_verify_tells_domains_apart(folder, capsys):
    assert main(["verify", "in.jsonl", *MIXED, "--workers", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["domains"] == {
        "words": {"rows": 2, "verdict_mean": 0.75, "abstained": 0},
        "math": {"rows": 2, "verdict_mean": 0.5, "abstained": 0},
        "chat": {"rows": 2, "verdict_mean": None, "abstained": 2},
    }
    assert (
        main(["verify", "in.jsonl", "--verifier.type", "by_domain", "--verifier.verifiers", "{math: {type: math}}"])
        == 2
    )
    assert "in.jsonl:1 is of the domain 'words'" in capsys.readouterr().err


GRADED = [
    {"type": "instructions"},
    {"type": "by_domain", "verifiers": {"a": {"type": "math"}, "b": {"type": "instructions"}}},
    {"type": "code", "partial": True},
    {"type": "words_of:Words"},
]


@pytest.mark.parametrize("verifier", GRADED)
@pytest.mark.parametrize("kind", [Rescoring, HeroSettings, ServiceConfig, TrainConfig])
def test_a_rule_without_a_meaning_for_grades_and_a_verifier_that_gives_them_are_refused(folder, verifier, kind):
    more = {"output_dir": "o", "model": {"path": "m"}, "data": {"train": "t"}} if kind is TrainConfig else {}
    block = more | {"verifier": verifier, "reward_model": {"type": "local", "path": "rm"}}
    with pytest.raises(ConfigError, match=r"gives partial credit, and the rule 'papo'.*gated_hero"):
        resolve(block | {"rule": {"type": "papo"}}, {}, "run.yaml", kind)
    assert resolve(block | {"rule": {"type": "gated_hero"}}, {}, "run.yaml", kind)


def test_a_verifier_that_gives_none_goes_with_every_rule():
    assert Rescoring(rule={"type": "papo"}, verifier={"type": "instructions", "partial": False})
    with pytest.raises(ValidationError):
        Rescoring(rule={"type": "papo"}, verifier={"type": "instructions"})
