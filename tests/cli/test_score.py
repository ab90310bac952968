"""`hero score` as a user meets it."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hero_lab.cli import main
from hero_rl.rollouts import Rollout, read_rollouts, write_rollouts

HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]
GROUPED = [
    {"prompt": "1 + 1 =", "answer": 2, "completions": ["2", "3"], "labels": [True, False], "rm_scores": [2.0, 1.0]},
    {"prompt": "2 + 2 =", "answer": 4, "completions": ["4", "04"], "labels": [True, True], "rm_scores": [0.5, 2.5]},
    {"prompt": "3 + 3 =", "answer": 6, "completions": ["5", "7"], "labels": [False, False], "rm_scores": [0.5, None]},
]


@pytest.fixture
def grouped(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in GROUPED))
    return path


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory):
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))[1]


def score(capsys, *arguments):
    assert main(["score", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_the_file_has_is_kept(grouped, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    said = score(capsys, grouped, out)
    assert said["groups"] == {
        "total": 3,
        "mixed": 1,
        "all_correct": 1,
        "all_incorrect": 1,
        "all_partial": 0,
        "unjudged": 0,
    }
    assert (said["starved"], said["rescued"], said["auroc"], said["missing_scores"]) == (2, 2, 1.0, 1)
    assert (said["verdicts_from"], said["scores_from"]) == ("column labels", "column rm_scores")
    assert (said["format"], said["batches"], said["note"], said["output"]) == ("grouped", 1, None, str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["verdict"] for row in rows] == [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert {"reward", "advantage", "weight", "sigma"} <= set(rows[0])
    assert rows[2]["advantage"] == pytest.approx(-rows[3]["advantage"]) and rows[2]["advantage"] < 0


def test_rules_and_their_settings(grouped, tmp_path, capsys):
    said = score(capsys, grouped, tmp_path / "a.jsonl", "--rule.type", "verifier_only")
    assert (said["rule"], said["rescued"], said["state"]) == ("verifier_only", 0, {})
    for rule in ("reward_model_only", "weighted_sum", "gdpo"):
        assert score(capsys, grouped, tmp_path / "a.jsonl", "--rule.type", rule)["rule"] == rule
    wide = score(capsys, grouped, tmp_path / "b.jsonl", "--rule.beta=0.5", "--batch_groups", "1")
    assert wide["batches"] == 3
    assert 1.4 < max(r.reward / r.extra["weight"] for r in read_rollouts(tmp_path / "b.jsonl")) <= 1.5


def test_prompts_without_a_reference_are_ranked_on_the_users_word(tmp_path, capsys):
    said = [("p", "2", f"\\boxed{{{n}}}", float(n)) for n in range(4)] + [
        ("q", "", text, 1.0 * n) for n, text in enumerate("abc")
    ]
    rollouts = [Rollout(prompt, text, reference=wanted, score=score) for prompt, wanted, text, score in said]
    write_rollouts(tmp_path / "in.jsonl", rollouts)
    plain = score(capsys, tmp_path / "in.jsonl", tmp_path / "plain.jsonl", "--workers", "1")
    assert plain["unscorable"] == {"rows": 3, "reasons": {"no_verifier": 3}}
    assert plain["without_verifier"] == {"rows": 3, "ranked": 0}
    rank = ["--rule.without_reference", "rank"]
    ranked = score(capsys, tmp_path / "in.jsonl", tmp_path / "ranked.jsonl", "--workers", "1", *rank)
    assert ranked["without_verifier"] == {"rows": 3, "ranked": 3} and ranked["unscorable"]["rows"] == 0
    before, after = (list(read_rollouts(tmp_path / name)) for name in ("plain.jsonl", "ranked.jsonl"))
    assert [r.advantage for r in before[:4]] == [r.advantage for r in after[:4]]
    assert after[4].advantage < 0 < after[6].advantage and after[6].advantage <= 2 * 0.1 * 3
    # What was found out is kept in the file, and known without asking anew.
    again = score(capsys, tmp_path / "ranked.jsonl", tmp_path / "again.jsonl", *rank)
    assert again["without_verifier"] == {"rows": 3, "ranked": 3}
    assert main(["diagnose", str(tmp_path / "ranked.jsonl"), "--json"]) == 0
    source = json.loads(capsys.readouterr().out)["source"]
    assert (source["unverified"], source["abstained"]) == (3, 0)


def test_the_table_and_what_is_missing(tmp_path, capsys):
    write_rollouts(tmp_path / "in.jsonl", [Rollout("p", f"\\boxed{{{n}}}", reference="2") for n in range(4)])
    assert main(["score", str(tmp_path / "in.jsonl"), str(tmp_path / "out.parquet"), "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert "mixed" in said.out and "starved under verifier-only" in said.out and "rescued by hero" in said.out
    assert "verdicts from verifier math, scores from column score" in said.out
    assert "HERO falls back on the verdicts alone" in said.out.replace("\n", " ")
    assert f"written    {tmp_path / 'out.parquet'}" in said.err
    found = list(read_rollouts(tmp_path / "out.parquet"))
    assert [r.verdict for r in found] == [0.0, 0.0, 1.0, 0.0]
    assert [r.extra["verdict_answer"] for r in found] == ["0", "1", "2", "3"]
    other = score(capsys, tmp_path / "in.jsonl", tmp_path / "b.jsonl", "--rule.type", "reward_model_only")
    assert other["note"] == "no rollout has a score, which reward_model_only needs; name a column or a reward model"
    assert other["unscorable"] == {"rows": 4, "reasons": {"no_score": 4}}


def test_a_reward_model_and_a_verifier_make_everything_anew(grouped, tmp_path, capsys, reward_model):
    named = ["--reference_column", "answer", "--verifier.type", "exact", "--reward_model.path", reward_model]
    said = score(capsys, grouped, tmp_path / "out.jsonl", *named, "--reward_model.max_tokens", "8")
    assert (said["verdicts_from"], said["scores_from"]) == ("verifier exact", "local reward model")
    assert (said["missing_scores"], said["truncated"], said["groups"]["mixed"]) == (0, 6, 2)
    assert len({r.score for r in read_rollouts(tmp_path / "out.jsonl")}) > 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["IN", "out.txt"], "out.txt: the name must end in one of .jsonl, .jsonl.gz, .parquet"),
        (["nowhere", "out.jsonl"], "nowhere: No such file"),
        (["IN", "out.jsonl", "--rule.alpha", "0.95"], "--rule: alpha + beta must be below 1"),
        (["IN", "out.jsonl", "--rule.aplha", "0.1"], "--rule.aplha: unknown setting"),
        (["IN", "out.jsonl", "--rule.type", "heroic"], "--rule.type: 'heroic' is none of hero, gated_hero"),
        (["IN", "out.jsonl", "--batch_groups", "0"], "--batch_groups: Input should be greater than or equal to 1"),
        (["IN", "out.jsonl", "--seconds", "0"], "--seconds: Input should be greater than 0"),
        (["IN", "out.jsonl", "--trl.beta", "0"], "--trl.beta: unknown argument; see hero score --help"),
        (["IN", "out.jsonl", "--score_column", "mine"], "no column 'mine' for the score; the file has"),
        (
            ["IN", "out.jsonl", "--verdict_column", "labels", "--verifier.type", "math"],
            "--verdict_column keeps what the file has, --verifier.type makes it anew; give one of them",
        ),
        (["IN", "out.jsonl", "--reward_model.path", "/no/such/model"], "reward_model.path: "),
        (["IN", "out.jsonl", "--verifier.type", "exact"], "there are no references to verify against"),
    ],
)
def test_mistakes_end_with_code_2_and_leave_nothing(grouped, tmp_path, arguments, said, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["score", *(str(grouped) if a == "IN" else a for a in arguments)]) == 2
    assert said in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.fixture
def long(tmp_path):
    """Enough work to be interrupted in: 40 steps for the verifier and a reward model."""
    path = tmp_path / "long.jsonl"
    made = (
        Rollout("p", f"{'so ' * 5}\\boxed{{{step + n % 4}}}", reference=str(step), step=step, group=n // 4)
        for step in range(40)
        for n in range(8)
    )
    write_rollouts(path, made)
    return path


def started(arguments, partial, batches):
    """A process of `hero score` that has finished some batches and is at work."""
    process = subprocess.Popen([*HERO, "score", *arguments], stderr=subprocess.PIPE, text=True, cwd=partial.parent)
    for _ in range(60_000):
        if process.poll() is not None or (partial.exists() and partial.read_bytes().count(b'#{"batch"') >= batches):
            break
        time.sleep(0.002)
    assert process.poll() is None, process.communicate()[1]
    return process


@pytest.mark.slow
def test_kill_9_ctrl_c_and_the_same_bytes_in_the_end(long, tmp_path, reward_model, capsys):
    out = tmp_path / "out.jsonl"
    common = ["--reward_model.path", str(reward_model), "--verifier.type", "math", "--workers", "1"]
    arguments = [str(long), str(out), *common]
    process = started(arguments, tmp_path / "out.jsonl.partial", 3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    assert not out.exists()
    kept = (tmp_path / "out.jsonl.partial").read_bytes().count(b'#{"batch"')
    process = started(arguments, tmp_path / "out.jsonl.partial", kept + 3)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    again = shlex.join(["hero", "score", str(long), str(out), "--reward_model.path"])
    assert f"interrupted; go on with: {again}" in errors
    said = score(capsys, *arguments)
    assert kept * 8 < said["resumed_rows"] < said["rows"] == 320
    straight = score(capsys, long, tmp_path / "straight.jsonl", *common)
    assert out.read_bytes() == (tmp_path / "straight.jsonl").read_bytes()
    assert {k: v for k, v in said.items() if k not in ("output", "resumed_rows")} == {
        k: v for k, v in straight.items() if k not in ("output", "resumed_rows")
    }
    assert not list(tmp_path.glob("*.partial"))


def test_the_example(tmp_path, capsys):
    example = Path(__file__).parents[2] / "examples" / "rollouts.jsonl"
    said = score(capsys, example, tmp_path / "out.jsonl", "--workers", "1")
    assert said["groups"] == {
        "total": 4,
        "mixed": 2,
        "all_correct": 1,
        "all_incorrect": 1,
        "all_partial": 0,
        "unjudged": 0,
    }
    assert (said["batches"], said["rescued"], said["missing_scores"], said["format"]) == (2, 2, 1, "rollouts")


def test_real_rollouts(shared, tmp_path, capsys, reward_model):
    path = shared / "data" / "rollouts_math100.jsonl"
    said = score(capsys, path, tmp_path / "out.jsonl")
    assert said["groups"] == {
        "total": 100,
        "mixed": 10,
        "all_correct": 86,
        "all_incorrect": 4,
        "all_partial": 0,
        "unjudged": 0,
    }
    assert (said["rows"], said["starved"], said["rescued"], said["missing_scores"]) == (800, 90, 90, 0)
    named = score(capsys, path, tmp_path / "b.jsonl", "--verdict_column", "labels", "--score_column", "rm_scores")
    assert named["auroc"] == said["auroc"] > 0.5
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_help_says_what_is_read(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    assert "hero score rollouts.jsonl shaped.jsonl" in capsys.readouterr().out


def test_an_auditor_is_asked_about_a_few(tmp_path, capsys):
    rows = [
        Rollout(f"p{n // 4}", f"\\boxed{{{n % 4}}}", reference="2", verdict=0.0, score=float(n % 4 == 2), step=n // 8)
        for n in range(64)
    ]
    write_rollouts(tmp_path / "in.jsonl", rows)
    audited = ("--rule.type", "audited_hero", "--rule.audits", "2", "--auditor.type", "math")
    said = score(capsys, tmp_path / "in.jsonl", tmp_path / "out.jsonl", *audited, "--workers", "1")
    assert (said["audits"]["calls"], said["audits"]["failed"]) == (32, 0)
    assert said["audits"]["auroc"] == 1 and said["state"]["audit"]["evidence"] > 0
    found = list(read_rollouts(tmp_path / "out.jsonl"))
    assert sum(row.extra["audit"] is not None for row in found) == 32
    assert main(["score", str(tmp_path / "in.jsonl"), str(tmp_path / "b.jsonl"), *audited]) == 0
    assert "trust in uniform groups at the end" in capsys.readouterr().out
    assert main(["score", str(tmp_path / "in.jsonl"), str(tmp_path / "c.jsonl"), *audited[:2]]) == 2
    assert "needs an auditor" in capsys.readouterr().err
