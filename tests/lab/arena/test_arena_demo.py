import io
import json
import math
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hero_lab.arena.arms import ARMS, ArmSettings, arm_rule
from hero_lab.arena.demo import Arm, DemoResult, DemoSettings
from hero_lab.arena.evaluation import Measured, PromptAccuracy
from hero_lab.arena.page import print_table, write_image, write_page
from hero_lab.arena.results import differences, rows
from hero_lab.arena.settings import ArenaSettings, tiny_settings
from hero_lab.cli import main
from hero_lab.cli.demo import _Arguments, _settings
from hero_rl.errors import ConfigError


def accuracy(hard, easy):
    return {
        k: PromptAccuracy(sampled=v, greedy=[float(x > 0.5) for x in v]) for k, v in (("hard", hard), ("easy", easy))
    }


@pytest.fixture
def result(tmp_path):
    """Two arms, two seeds, four prompts of each kind, made up so that HERO wins on hard prompts only."""
    arms = []
    for name, hard in (("hero", [0.5, 0.75, 1.0, 0.75]), ("verifier_only", [0.25, 0.5, 0.75, 0.5])):
        for seed in (0, 1):
            curve = [{"step": s, "hard": 0.1 * s, "easy": 0.2} for s in (0, 1, 2)]
            groups = {"hero/frac_groups_mixed": 0.2, "hero/frac_groups_all_correct": 0.1}
            logs = [{"step": s, "hero/frac_groups_all_incorrect": 0.7, **groups} for s in (1, 2)]
            folder = tmp_path / f"{name}-seed{seed}"
            arms.append(Arm(name, seed, folder, accuracy(hard, [0.5, 0.25 * seed, 0.5, 0.5]), curve, logs))
    settings = DemoSettings(arms=["hero", "verifier_only"], seeds=2, arm=ArmSettings(prompts=4))
    return DemoResult(settings, [accuracy([0.0] * 4, [0.25] * 4)], arms, 12.0)


def three_seeds(result):
    """The second seed once more, as a third."""
    arms = [*result.arms, *(replace(arm, seed=2) for arm in result.arms if arm.seed == 1)]
    return replace(result, arms=arms, settings=result.settings.model_copy(update={"seeds": 3}))


def test_the_table_is_the_mean_over_seeds_with_an_interval_over_seeds(result):
    start, hero, verifier = rows(three_seeds(result))
    assert [row.label for row in (start, hero, verifier)] == ["before RL", "HERO", "verifier only"]
    assert hero.sampled["hard"].mean == 0.75 and verifier.sampled["hard"].mean == 0.5
    easy = hero.sampled["easy"]  # 0.375 and twice 0.4375, 4.302653 standard errors
    assert easy.mean == pytest.approx(5 / 12) and easy.half_width == pytest.approx(4.302653 * 0.0625 / 3, rel=1e-5)
    assert start.sampled["easy"] == Measured(0.25, 0.0), "the start has one seed, so its interval is over prompts"


def test_with_two_seeds_the_interval_is_over_prompts(result):
    easy = rows(result)[1].sampled["easy"]  # a prompt's mean over seeds: 0.5, 0.125, 0.5, 0.5
    assert easy.mean == pytest.approx(0.40625) and easy.half_width == pytest.approx(3.182446 * 0.1875 / 2, rel=1e-5)
    assert "mean of 2 seeds" in result.caveat and "luck in training is not covered" in result.caveat
    assert "95% interval over 3 seeds" in three_seeds(result).caveat


def test_with_one_seed_the_interval_is_over_prompts(result):
    one = replace(
        result, arms=[a for a in result.arms if a.seed == 0], settings=result.settings.model_copy(update={"seeds": 1})
    )
    hero = rows(one)[1].sampled["hard"]
    assert hero.half_width == pytest.approx(3.182446 * math.sqrt(0.125 / 3) / 2, rel=1e-5)
    assert "luck in training is not covered" in one.caveat


def test_differences_are_paired_by_prompt(result):
    hard, easy = differences(result)
    assert (hard.kind, hard.gap.mean, hard.gap.half_width, hard.seeds_won, hard.seeds) == ("hard", 0.25, 0.0, 2, 2)
    assert (easy.kind, easy.gap.mean, easy.seeds_won) == ("easy", 0.0, 0)


def test_terminal_image_and_page_say_the_same(result, tmp_path):
    console = Console(record=True, width=80, file=io.StringIO())
    print_table(result, console)
    said = console.export_text()
    assert "hard: HERO is ahead of verifier only (+25.0 ± 0.0, ahead in 2 of 2 seeds)" in said
    assert "easy: HERO is level with verifier only" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    write_image(result, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    write_page(result, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    assert "HERO is ahead of verifier only" in page and page.count("<svg") == 1 and "currentColor" in page
    loaded = re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"", page)
    assert not loaded, "the page loads something"


def test_a_kind_without_prompts_is_not_shown(result, tmp_path):
    empty = {"hard": PromptAccuracy([], [])}
    arms = [replace(arm, accuracy=arm.accuracy | empty) for arm in result.arms]
    result = replace(result, start=[start | empty for start in result.start], arms=arms)
    console = Console(record=True, width=120, file=io.StringIO())
    print_table(result, console)
    said = console.export_text()
    write_page(result, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    for text in (said, page):
        assert re.search(r"│ easy +│|<td>easy<", text) and not re.search(r"│ hard +│|<td>hard<", text)
        assert "nan" not in text and "inf" not in text


def test_arms_take_the_settings_they_have():
    overrides = {"alpha": 0.05, "scale": "group"}
    assert arm_rule("hero", overrides).alpha == 0.05
    assert arm_rule("verifier_only", overrides).scale == "group"
    with pytest.raises(ConfigError, match="no arm 'heroo'; one of: hero, gated_hero, audited_hero, verifier_only"):
        arm_rule("heroo", {})
    with pytest.raises(ConfigError, match=r"arm hero: rule: alpha . beta must be below 1"):
        arm_rule("hero", {"alpha": 0.95})
    assert all(kind.model_fields["type"].default == name for name, kind in ARMS.items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arms", "heroo"], "no arm 'heroo'"),
        (
            ["--rule.aplha", "1"],
            "--rule.aplha: none of the arms hero, verifier_only, ",
        ),
        (["--zzz", "1"], "--zzz: unknown argument"),
        (["--seeds", "0"], "seeds"),
        (["--arena.reward_model.stepz", "1"], "--arena.reward_model.stepz: unknown setting; did you mean 'steps'?"),
        (["--rule", "1"], "--rule: unknown argument"),
        (["--rule.alpha", "2"], "arm hero: rule.alpha: Input should be less than or equal to 1"),
        (["--trl.learning_rat", "1"], "trl.learning_rat: HeroGRPOConfig has no such argument; did you mean"),
    ],
)
def test_mistakes_end_before_anything_is_trained(arguments, message, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_one_number_of_a_model_leaves_its_others_as_they_are():
    arguments = _Arguments(tiny=True)
    arena = _settings(arguments, ["--arena.reward_model.bounded", "false", "--arena.policy.steps=7"]).arena
    assert not arena.reward_model.bounded and arena.policy.steps == 7
    tiny = tiny_settings()
    assert arena.reward_model == tiny.reward_model.model_copy(update={"bounded": False})
    full = _settings(_Arguments(), ["--arena.reward_model.backbone.steps", "9"]).arena.reward_model.backbone
    assert full == ArenaSettings().reward_model.backbone.model_copy(update={"steps": 9})


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    code = (
        "import time, sys\nfrom hero_lab.arena.workers import worker_pool\n"
        "if __name__ == '__main__':\n    import os, signal\n    pool = worker_pool(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n    pool.submit(time.sleep, 600)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True, timeout=120)
    worker = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")


@pytest.mark.slow
def test_the_whole_demo_in_small(tmp_path, capsys):
    """Models, arms in processes of their own, results, image and page; then again from what is kept."""
    command = ["demo", "--tiny", "--json", "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert main([*command, "--arms", "hero", "verifier_only", "--rule.alpha", "0.05"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert [(arm["name"], arm["seed"]) for arm in first["arms"]] == [("hero", 0), ("verifier_only", 0)]
    assert set(first["arms"][0]["accuracy"]["hard"]["sampled"]) == {"mean", "half_width"}
    folder = tmp_path / "out" / "hard"
    hero = Path(first["arms"][0]["folder"])
    for name in ("config.yaml", "environment.json", "metrics.jsonl", "curve.jsonl", "log.txt", "model/config.json"):
        assert (hero / name).is_file(), name
    assert "alpha: 0.05" in (hero / "config.yaml").read_text()
    steps = [json.loads(line)["step"] for line in (hero / "curve.jsonl").read_text().splitlines()]
    assert steps == [0, 1, 2, 3]
    assert hero.parent == folder and first["arms"][1]["folder"] != str(hero)
    made = {path: (path / "result.json").stat().st_mtime_ns for path in folder.glob("*-seed0-*")}
    assert main([*command, "--arms", "hero", "verifier_only", "--rule.alpha", "0.1"]) == 0
    after = {path: (path / "result.json").stat().st_mtime_ns for path in folder.glob("*-seed0-*")}
    assert len(after) == 3, "HERO with another setting has another folder, verifier only has the same"
    assert made.items() <= after.items(), "a result was overwritten"
