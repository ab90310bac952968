"""`hero train-rm` as a user meets it: a process, its output, its exit code."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from hero_lab.cli import main

ROOT = Path(__file__).parents[2]
HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())", "train-rm"]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))[0]


@pytest.fixture
def config(policy, tmp_path, monkeypatch):
    """The example's configuration on a tiny model, with a run folder of its own."""
    monkeypatch.chdir(ROOT)
    settings = yaml.safe_load((ROOT / "examples" / "reward_model.yaml").read_text())
    settings |= {"output_dir": str(tmp_path / "run"), "model": {"path": str(policy)}}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def losses(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"], row["accuracy"]) for row in rows if "loss" in row]


def test_check_counts_the_pairs_and_loads_no_model(config, tmp_path, capsys):
    assert main(["train-rm", str(config), "--check", "--model.path", "no-such/model", "--json"]) == 0
    said = capsys.readouterr()
    assert (
        "good; rollouts 27, unjudged 1, partial 0, duplicates 0, contradictory 0, prompts 7, uniform prompts 1, "
        in said.err
    )
    assert json.loads(said.out)["counts"] | {"pairs": 24, "train": 20, "held_out": 4} == json.loads(said.out)["counts"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.pairs_per_promt", "2"], "data.pairs_per_promt: unknown setting; did you mean 'pairs_per_prompt'?"),
        (["--data.pairs", "a.jsonl"], "data: one of pairs and rollouts is needed, and not both"),
        (["--trl.learning_rat", "1"], "trl.learning_rat: RewardConfig has no such argument; did you mean"),
        (["--rule.alpha", "1"], "rule: unknown setting"),
        (["--data.rollouts", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--data.rollouts", "examples/rollouts.jsonl"], "has neither verdicts nor labels"),
        (["--data.columns", "{label: lable}"], "no column 'lable' for the label"),
        (["--model.path", "/no/such/folder"], "model.path: /no/such/folder: no such folder"),
    ],
)
def test_mistakes_end_with_code_2_and_their_place(config, arguments, message, tmp_path, capsys):
    assert main(["train-rm", str(config), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists(), "a run that never began left its folder behind"


def test_a_bad_label_is_named_with_file_and_row(config, tmp_path, capsys):
    rows = [{"prompt": "p", "completion": "c", "label": label} for label in (1, 0.5)]
    (tmp_path / "bad.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["train-rm", str(config), "--data.rollouts", str(tmp_path / "bad.jsonl")]) == 2
    assert "bad.jsonl:2: 'label' must be 0, 1, true, false or null, not 0.5" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_as_if_nothing_had_happened(config, tmp_path, capsys):
    long = ["--trl.max_steps", "24", "--trl.save_steps", "6", "--json"]
    assert main(["train-rm", str(config), *long, "--output_dir", str(tmp_path / "straight")]) == 0
    told = json.loads(capsys.readouterr().out)
    run = tmp_path / "run"
    process = subprocess.Popen([*HERO, str(config), *long], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not list(run.glob("checkpoint-*/trainer_state.json")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert main(["train-rm", str(config), *long, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out)["eval_pairwise_accuracy"] == told["eval_pairwise_accuracy"]
    assert losses(run) == losses(tmp_path / "straight") and len(losses(run)) == 24

    assert main(["train-rm", str(config), *long, "--resume"]) == 0, "a finished run only says where it lies"
    assert json.loads(capsys.readouterr().out)["counts"] == told["counts"] and len(losses(run)) == 24
    assert main(["train-rm", str(config), *long]) == 2
    assert "holds a run" in capsys.readouterr().err
    assert main(["train-rm", str(config), *long, "--resume", "--data.pairs_per_prompt", "1"]) == 2
    assert "cannot resume with other settings; changed: data" in capsys.readouterr().err


def test_a_run_does_not_resume_on_other_data(config, tmp_path, capsys):
    copy = tmp_path / "rollouts.jsonl"
    text = (ROOT / "examples" / "labelled_rollouts.jsonl").read_text()
    copy.write_text(text)
    given = ["train-rm", str(config), "--data.rollouts", str(copy), "--trl.max_steps", "1", "--json"]
    assert main(given) == 0
    copy.write_text(text.replace("I do not know.", "No idea."))
    assert main([*given, "--resume"]) == 2
    assert "are others than when the run began" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(config, tmp_path):
    process = subprocess.Popen(
        [*HERO, str(config), "--trl.max_steps", "100000"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    while not list((tmp_path / "run").glob("checkpoint-*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert (
        f"interrupted; go on with: hero train-rm {shlex.quote(str(config))} --trl.max_steps 100000 --resume" in errors
    )
    assert "Warning" not in errors
