"""The command line as a user meets it: a process, its output, its exit code."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest
import yaml
from tqdm import tqdm

import hero_rl
from hero_lab.cli import main
from hero_rl.cli.arguments import moving

ROOT = Path(__file__).parents[2]
HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]


def hero(*arguments, **options):
    return subprocess.run(
        [*HERO, *map(str, arguments)], capture_output=True, text=True, timeout=600, cwd=ROOT, **options
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def config(tiny, tmp_path):
    """The smoke configuration on tiny models, with a run folder of its own."""
    settings = yaml.safe_load((ROOT / "examples" / "smoke.yaml").read_text())
    settings |= {"output_dir": str(tmp_path / "run"), "model": {"path": str(tiny[0])}}
    settings["reward_model"]["path"] = str(tiny[1])
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_help_names_every_verb_and_unknown_ones_are_refused(capsys):
    assert main([]) == main(["--help"]) == 0
    said = capsys.readouterr().out
    verbs = "data, train, sft, recipe, train-rm, preflight, eval, compare, verify, score, diagnose, serve, demo, study"
    begin, *rest = (re.findall(r"^  ([a-z-]+) ", part, re.M) for part in said.split("verbs:\n")[:2])
    assert begin == ["demo", "diagnose", "train"]
    assert rest == [[*verbs.split(", "), *begin]]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == hero_rl.__version__
    assert main(["tarin"]) == 2
    assert f"unknown verb 'tarin'; one of: {verbs}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "verb", ["train", "sft", "recipe", "train-rm", "preflight", "score", "diagnose", "serve", "demo", "study"]
)
def test_help_has_examples(verb, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    assert f"hero {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule.aplha", "0.1"], "rule.aplha: unknown setting; did you mean 'alpha'?"),
        (["--rule.alpha", "0.95"], "alpha + beta must be below 1"),
        (["--data.prompt_column", "promt"], "problems.jsonl:1: no column 'promt'; it has ['answer', 'problem']"),
        (["--data.train", os.devnull], "/dev/null"),
        (["--trl.num_generations", "1"], "trl.num_generations is 1"),
        (["--trl.num_generations", "3"], "must be divisible by num_generations"),
        (["--trl.learning_rat", "1"], "trl.learning_rat: HeroGRPOConfig has no such argument; did you mean"),
        (["--trl.max_steps", "three"], "trl.max_steps: 'three' is not int"),
        (["--trl.gradient_checkpointing", "--seed=7"], "--trl.gradient_checkpointing has no value"),
        (["--trl.rollouts_dir", "null"], "trl.rollouts_dir is set by output_dir, in whose folder `rollouts` they are"),
        (["surplus"], "unexpected argument 'surplus'"),
        ([], "model.path: "),
        (["--model.path", "/no/such/folder", "--check"], "model.path: /no/such/folder: no such folder"),
        (["--rule.type", "weighted_sum", "--rule.alpha", "0.1"], "rule.alpha: unknown setting; known here: eps, scale"),
    ],
)
def test_mistakes_end_with_code_2_and_their_place_before_a_model_loads(config, arguments, message, capsys):
    settings = yaml.safe_load(config.read_text()) | {"model": {"path": "no-such/model"}}
    config.write_text(yaml.safe_dump(settings))
    os.chdir(ROOT)
    assert main(["train", str(config), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path(settings["output_dir"]).exists(), "a run that never began left its folder behind"


@pytest.mark.parametrize(("bad", "code"), [(0, 0), (1, 0), (99, 1)])
def test_a_check_names_references_that_cannot_be_read(config, tmp_path, bad, code, capsys):
    settings = yaml.safe_load(config.read_text())
    path = tmp_path / "references.jsonl"
    rows = [{"problem": "1 + 1", "answer": str(number)} for number in range(8)]
    rows += [{"problem": "why?", "answer": f"{number}: as drawn (in b"} for number in range(bad)]
    path.write_text("\n".join(map(json.dumps, rows)))
    os.chdir(ROOT)
    words = ["--data.train", str(path), "--model.path", str(tmp_path), "--check"]
    assert main(["train", str(config), *words]) == code, settings
    said = capsys.readouterr().err
    assert ("cannot be read by the verifier" in said) == bool(bad) and ("error: " in said) == bool(code)


def test_a_check_names_a_verifier_that_fails_on_every_reference(config, tmp_path, capsys):
    path = tmp_path / "references.jsonl"
    path.write_text("".join(json.dumps({"problem": "why?", "answer": f"do:fail {n}"}) + "\n" for n in range(4)))
    os.chdir(ROOT)
    words = ["--data.train", str(path), "--model.path", str(tmp_path), "--verifier.type", "hostile_verifiers:Runner"]
    assert main(["train", str(config), *words, "--check"]) == 1
    said = capsys.readouterr().err
    assert "error: verifier: 100.0% of 4 references make the verifier fail" in said and "ValueError: no" in said
    assert "cannot be read" not in said


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    code = "import sys; sys.modules['trl'] = None; import hero_rl; hero_rl.HeroGRPOTrainer"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip().splitlines()[-1].endswith("pip install 'hero-rl[trl]'")


@pytest.mark.slow
def test_a_run_keeps_its_whole_record(config, tmp_path):
    done = hero("train", config)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert f"model      {run / 'model'}" in done.stdout
    assert "step 3/3" in done.stderr and "Warning" not in done.stderr
    resolved = yaml.safe_load((run / "config.yaml").read_text())
    assert resolved["rule"]["type"] == "gated_hero" and resolved["rule"]["w_max"] == 1.0
    environment = json.loads((run / "environment.json").read_text())
    assert environment["seed"] == 0 and environment["versions"]["trl"]
    logs = [row for row in rows(run / "metrics.jsonl") if "reward" in row]
    assert [row["step"] for row in logs] == [1, 2, 3]
    table = pandas.read_parquet(run / "rollouts" / "train_000003_000.parquet")
    assert {"prompt", "completion", "verdict", "score", "reason", "reward", "weight", "advantage"} <= set(table)
    finished = hero("train", config, "--resume")
    assert finished.returncode == 0 and str(run / "model") in finished.stdout
    assert [row["step"] for row in rows(run / "metrics.jsonl") if "reward" in row] == [1, 2, 3]
    again = hero("train", config)
    assert again.returncode == 2 and "holds a run; choose another folder, or continue it with --resume" in again.stderr
    changed = hero("train", config, "--resume", "--rule.alpha", "0.2")
    assert changed.returncode == 2 and "cannot resume with other settings; changed: rule" in changed.stderr


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_as_if_nothing_had_happened(config, tmp_path):
    long = ["--trl.max_steps", "40", "--trl.save_steps", "4", "--json"]
    straight = hero("train", config, *long, "--output_dir", tmp_path / "straight")
    assert straight.returncode == 0, straight.stderr
    assert json.loads(straight.stdout)["model"] == str(tmp_path / "straight" / "model")
    run = tmp_path / "run"
    process = subprocess.Popen([*HERO, "train", str(config), *long], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not list(run.glob("checkpoint-*/trainer_state.json")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = hero("train", config, *long, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    kept = ("reward", "hero/sigma_bar", "rewards/reward_model/mean", "hero/weight/mean")
    first, second = (
        [[row["step"], *(row[k] for k in kept)] for row in rows(folder / "metrics.jsonl") if "reward" in row]
        for folder in (tmp_path / "straight", run)
    )
    assert first == second


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(config, tmp_path):
    process = subprocess.Popen(
        [*HERO, "train", str(config), "--trl.max_steps", "100000"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "run" / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted; go on with: hero train" in errors and "--resume" in errors


@pytest.mark.slow
def test_two_processes_share_one_run_folder(config, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    script = tmp_path / "hero.py"
    script.write_text("import sys\nfrom hero_lab.cli import main\nsys.exit(main())\n")
    more = ["--trl.max_steps", "1", "--trl.ddp_backend", "gloo", "--trl.per_device_train_batch_size", "4"]
    done = subprocess.run(
        [*command, script, "train", config, *more, "--json"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == 1
    assert len(pandas.read_parquet(tmp_path / "run" / "rollouts" / "train_000001_000.parquet")) == 8


@pytest.mark.slow
def test_real_problems_with_math_verify(config, shared, tmp_path):
    """Three steps on MATH500 and a resumed fourth: every metric there, nothing abstained."""
    data = ["--data.train", shared / "data" / "benchmarks" / "math500.jsonl", "--rule.type", "hero"]
    assert hero("train", config, *data).returncode == 0
    resumed = hero("train", config, *data, "--resume", "--trl.max_steps", "4")
    assert resumed.returncode == 0, resumed.stderr
    logs = [row for row in rows(tmp_path / "run" / "metrics.jsonl") if "reward" in row]
    assert [row["step"] for row in logs] == [1, 2, 3, 4]
    for row in logs:
        assert row["verifier/abstained"] == row["reward_model/missing"] == 0
        assert row["hero/sigma_bar"] > 0 and row["hero/frac_groups_rescued"] == 1


@pytest.mark.slow
def test_other_rules_algorithms_and_adapters_from_the_same_file(config, tmp_path):
    more = ["--trl.max_steps", "1", "--output_dir"]
    evaluated = ["--data.eval", "examples/problems.jsonl", "--trl.eval_strategy", "steps", "--trl.eval_steps", "1"]
    evaluated += ["--trl.per_device_eval_batch_size", "40"]
    done = hero("train", config, *more, tmp_path / "a", "--rule.type", "verifier_only", *evaluated)
    assert done.returncode == 0, done.stderr
    assert any("eval_reward" in row for row in rows(tmp_path / "a" / "metrics.jsonl"))
    rloo = ["--algorithm", "rloo", "--trl.loss_type", "null"]
    refused = hero("train", config, *more, tmp_path / "b", *rloo)
    assert refused.returncode == 2 and "trl.loss_type: HeroRLOOConfig has no such argument" in refused.stderr
    adapter = ["--peft", "{r: 2, target_modules: [q_proj]}"]
    assert hero("train", config, *more, tmp_path / "c", *adapter).returncode == 0
    assert (tmp_path / "c" / "model" / "adapter_config.json").is_file()


def test_the_time_left_of_a_resumed_call_is_told_from_its_own_work():
    shown = tqdm(total=1000, file=io.StringIO(), mininterval=0)
    moved = moving(shown)
    moved(900)
    time.sleep(0.05)
    moved(901)
    told = shown.format_dict
    assert (told["n"], told["initial"]) == (901, 900)
    assert told["rate"] is None or told["rate"] < 100
    shown.close()
