"""`hero recipe` and `hero sft` as a user meets them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hero_lab.cli import main
from hero_rl.training.recipes import names

HERO = "verl/qwen3-4b/hard/hero"
GATED = "one-gpu/qwen3-0.6b/gsm8k/gated-hero"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))[0]


def samples(folder, number=8):
    path = folder / "samples.jsonl"
    rows = [{"prompt": f"{n} + {n} =", "completion": f"It is {2 * n}."} for n in range(number)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_list_names_them_all_or_those_that_begin_so(capsys):
    assert main(["recipe", "list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line and not line.startswith("#")] == names()
    assert main(["recipe", "list", "verl/octo", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    assert len(listed) == 13 and {one["engine"] for one in listed} == {"verl"}
    assert main(["recipe", "list", "one_gpu/qwen3-0.6b/gsm8k/gated_", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["recipes"]] == [GATED]
    assert main(["recipe", "list", "x"]) == 2
    assert "no recipe's name begins with 'x'; `hero recipe list` shows them all" in capsys.readouterr().err


def test_the_list_says_what_its_groups_and_their_parts_are(capsys):
    assert main(["recipe", "list"]) == 0
    one_gpu, paper = capsys.readouterr().out.split("\n\n")
    assert "# one-gpu/model/data/rule" in one_gpu and GATED in one_gpu and HERO not in one_gpu
    assert "# engine/model/regime/rule" in paper and HERO in paper and GATED not in paper
    assert "#           smollm2-360m       SmolLM2-360M-Instruct, all weights, 24 GB\n" in one_gpu
    assert "#   regime  easy               Easy to verify" in paper
    assert main(["recipe", "list", "verl/qwen3-4b/hard/hero"]) == 0
    said = capsys.readouterr().out
    assert "one-gpu" not in said and "Easy to verify" not in said and "Hard to verify" in said
    assert main(["recipe", "list", "trl/qwen3-4b/sft"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "trl/qwen3-4b/sft"


def test_show_prints_the_command_its_variables_and_the_settings(capsys):
    assert main(["recipe", "show", HERO, "--rule.alpha", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "#   DATA_TRAIN: 2,000 hard-to-verify problems" in said
    assert "python -m verl.trainer.main_ppo \\\n" in said and "  +hero.rule.alpha=0.2 \\\n" in said
    assert 'actor_rollout_ref.model.path="${MODEL_PATH:?}"' in said
    assert main(["recipe", "show", HERO, "--yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["verl"]["data"]["train_batch_size"] == 512
    assert main(["recipe", "show", HERO, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown["needs"]) == {"model.path", "data.train", "output_dir"} and "main_ppo" in shown["command"]
    assert shown["estimate"] is None and "Estimate" not in said


def test_a_recipe_for_one_gpu_is_shown_with_an_estimate_of_what_it_takes(capsys):
    assert main(["recipe", "show", GATED, "--trl.max_completion_length", "256", "--json"]) == 0
    half = json.loads(capsys.readouterr().out)["estimate"]
    assert main(["recipe", "show", GATED, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)["estimate"]
    assert whole["memory"]["logits"] == 2 * half["memory"]["logits"]
    assert whole["step"]["completions"] == 2 * half["step"]["completions"]
    assert main(["recipe", "show", GATED, "--gpus", "8"]) == 0
    said = capsys.readouterr().out
    more = 4 * 596_049_920 / 2**30  # gradients on their way to other GPUs
    assert f"#   memory: {sum(whole['memory'].values()) + more:.1f} of 24 GiB (weights and AdamW" in said
    assert "300 steps in" in said and "torchrun --standalone --nproc-per-node 8 -m hero_rl train" in said


def test_the_help_begins_with_recipes_for_one_gpu(capsys):
    with pytest.raises(SystemExit):
        main(["recipe", "--help"])
    said = capsys.readouterr().out
    examples = re.findall(r"hero recipe (?:show|run) (\S+)", said)
    assert examples[0] == GATED and set(examples) <= set(names())


@pytest.mark.slow
def test_the_evaluation_of_the_page_runs(policy, tmp_path, monkeypatch, capsys):
    """As it stands, but with a tiny model and problems of this machine."""
    page = (ROOT / "docs" / "guides" / "recipes.md").read_text().partition("### Did it learn?")[2]
    (settings,) = re.findall(r"```yaml title=\"evaluation.yaml\"\n(.*?)```", page, re.S)
    commands = re.findall(r"^hero (.*)$", page.partition("### Eight GPUs")[0], re.M)
    evaluation = yaml.safe_load(settings)
    asked = [{"question": f"{n} + {n} =", "answer": f"#### {2 * n}"} for n in range(3)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    evaluation["benchmarks"]["gsm8k"] = {"dataset": "problems.jsonl", "sample": 2}
    evaluation["generator"] |= {"path": str(policy), "device": "cpu", "dtype": "float32"}
    evaluation["sampling"]["max_tokens"] = 4
    (tmp_path / "evaluation.yaml").write_text(yaml.safe_dump(evaluation))
    for run in ("gated", "verifier"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "model").symlink_to(policy)
    monkeypatch.chdir(tmp_path)
    assert len(commands) == 4
    for command in commands:
        assert main(shlex.split(command)) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("before", "gated", "verifier-only"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", HERO, "--model.path", "m", "--output_dir", "x"], "data.train: missing; give --data.train: 2,000 hard"),
        (["run", HERO, "--dry-run"], "model.path: missing"),
        (["show", "verl/qwen3-4b/hrad/hero"], "did you mean 'verl/qwen3-4b/hard/hero'"),
        (["show"], "show: which recipe?"),
        (["show", HERO, "--rule.aplha", "1"], "rule.aplha: unknown setting; did you mean 'alpha'?"),
        (["show", HERO, "--trl.bf16", "true"], "trl: unknown setting"),
        (["show", HERO, "--gpus", "2"], "--gpus is for TRL"),
    ],
)
def test_mistakes_end_with_code_2_and_their_place(arguments, message, capsys):
    assert main(["recipe", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", [HERO, "trl/qwen3-4b/hard/hero", "trl/qwen3-4b/sft", "verl/octothinker-8b/sft"])
def test_a_dry_run_checks_the_data_and_writes_nothing(name, tmp_path, capsys):
    data = samples(tmp_path)
    data.write_text(data.read_text().replace("completion", "answer" if "/sft" not in name else "completion"))
    given = ["--data.train", str(data), "--output_dir", str(tmp_path / "run")]
    given += [] if "/sft" in name else ["--model.path", "some/model"]
    assert main(["recipe", "run", name, "--dry-run", *given]) == 0
    command = capsys.readouterr().out
    assert str(tmp_path / "run") in command and "${" not in command
    data.write_text("{}\n")
    assert main(["recipe", "run", name, "--dry-run", *given]) == 2
    assert "samples.jsonl:1: no column" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["samples.jsonl"]


SMALL = ["--trl.bf16", "false", "--trl.use_cpu", "true", "--trl.fsdp", "null", "--trl.fsdp_config", "null"]


@pytest.mark.slow
def test_a_cold_start_runs_resumes_and_keeps_its_record(policy, tmp_path, capsys):
    """The recipe itself, on one process and a tiny model."""
    run = tmp_path / "run"
    given = ["--data.train", str(samples(tmp_path)), "--output_dir", str(run), "--model.path", str(policy), *SMALL]
    given += ["--trl.gradient_accumulation_steps", "2"]
    assert main(["recipe", "run", "trl/octothinker-8b/sft", "--gpus", "1", "--json", *given]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": str(run / "model"), "output_dir": str(run)}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 9)), "two epochs of eight samples"
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["system_prompt"]
    assert "Solution: " in (run / "model" / "chat_template.jinja").read_text()
    sft = ["sft", "trl/octothinker-8b/sft", *given, "--json"]
    assert main(sft) == 2 and "holds a run" in capsys.readouterr().err
    assert main([*sft, "--resume"]) == 0 and len((run / "metrics.jsonl").read_text().splitlines()) == len(rows)
    assert main([*sft, "--resume", "--data.limit", "2"]) == 2
    assert "cannot resume with other settings; changed: data" in capsys.readouterr().err


def test_the_template_of_octothinker_is_the_same_in_training_and_generation(policy):
    """What the cold start teaches to end is what the RL runs begin."""
    from hero_rl.training import ModelConfig
    from hero_rl.training.recipes import compose
    from hero_rl.training.trl.loading import load_tokenizer

    template = compose("trl/octothinker-8b/sft").settings["model"]["chat_template"]
    assert template == compose("trl/octothinker-8b/hard/hero").settings["model"]["chat_template"]
    tokenizer = load_tokenizer(ModelConfig(path=str(policy), chat_template=template))
    asked = [{"role": "system", "content": "Think."}, {"role": "user", "content": "1 + 1 ="}]
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert prompt == f"{tokenizer.bos_token or ''}Think.\n\nProblem: 1 + 1 =\n\nSolution:"
    whole = [*asked, {"role": "assistant", "content": "2"}]
    assert tokenizer.apply_chat_template(whole, tokenize=False) == f"{prompt} 2{tokenizer.eos_token}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.completion_column", "text"], "samples.jsonl:1: no column 'text'"),
        (["--trl.learning_rat", "1"], "trl.learning_rat: SFTConfig has no such argument; did you mean"),
        (["--trl.seed", "1"], "trl.seed is set by seed"),
        (["--trl.chat_template_path", "x"], "trl.chat_template_path is set by model.chat_template"),
        (["--rule.alpha", "1"], "rule: unknown setting"),
        (["--model.path", "/no/such/folder"], "model.path: /no/such/folder: no such folder"),
        (["--data.train", os.devnull], "/dev/null: no such file"),
    ],
)
def test_mistakes_of_sft_end_with_code_2_and_their_place(arguments, message, policy, tmp_path, capsys):
    config = {"output_dir": str(tmp_path / "run"), "model": {"path": str(policy)}}
    config |= {"data": {"train": str(samples(tmp_path))}, "trl": {"bf16": False, "use_cpu": True}}
    path = tmp_path / "sft.yaml"
    path.write_text(yaml.safe_dump(config))
    assert main(["sft", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path(config["output_dir"]).exists()


def test_a_reader_that_has_enough_ends_the_list_in_silence():
    command = f"{sys.executable} -m hero_rl recipe list | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("# For one GPU") and not done.stderr
    assert done.returncode in (0, 141), "the list may be out before its reader is gone"
