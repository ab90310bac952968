"""The whole second floor with a model of a few thousand weights: the same code, seconds."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hero_lab.cli import main
from hero_lab.words.demo import gather, run_words
from hero_lab.words.oracle import by_value
from hero_lab.words.report import words_page
from hero_lab.words.settings import ColdStart, RewardModelStage, WordsArm, WordsSettings
from hero_lab.words.stages import Stages
from hero_lab.words.table import read_words_table, write_words_table
from hero_rl.errors import ConfigError, HeroError
from hero_rl.reward_models import LocalRewardModelConfig


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """Answers that nobody can tell from the question: a policy that has learnt the form is right half of the time."""
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("problems") / "problems.jsonl"
    rows = []
    for n in range(400):
        words = "".join(rng.choice("abcdefgh") for _ in range(6))
        value = rng.choice("78")
        rows.append({"question": words, "answer": f"{value}{' (m)' * (n % 2)}", "equation": f"{value}"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def settings(backbone, problems):
    arm = WordsArm(steps=2, prompts_per_step=2, num_generations=4, max_completion_length=24, micro_batch=4)
    looks = {"curve_every": 1, "curve_prompts": 4, "prompts": 8, "samples": 2, "save_every": 1, "learning_rate": 1e-3}
    return WordsSettings(
        model=str(backbone),
        problems=str(problems),
        arms=["hero", "verifier_only"],
        cold_start=ColdStart(examples=160, epochs=6, learning_rate=2e-2),
        reward_model=RewardModelStage(problems=24, samples=6),
        arm=arm.model_copy(update=looks),
    )


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    return folder, run_words(settings, folder)


def steps_of(folder):
    return [json.loads(line)["step"] for line in (folder / "curve.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_every_stage_and_every_arm_is_there(finished, settings):
    folder, result = finished
    assert [(arm.name, arm.seed) for arm in result.arms] == [("hero", 1), ("verifier_only", 1)]
    assert not result.missing
    for arm in result.arms:
        assert steps_of(arm.folder) == [0, 1, 2]
        for kind in ("easy", "hard"):
            assert len(arm.accuracy[kind].sampled) == 8
            assert set(arm.accuracy[kind].greedy) <= {0.0, 1.0}
    assert set(result.aurocs) == {("start", 1), ("hero", 1), ("verifier_only", 1)}
    pairs = json.loads((folder / "seed1" / "reward_model" / "pairs.json").read_text())
    assert pairs["train"] > 0


@pytest.mark.slow
def test_the_reward_model_s_ranking_is_counted_pair_by_pair(finished):
    folder, result = finished
    model = LocalRewardModelConfig(path=str(folder / "seed1/reward_model/model"), device="cpu").load()
    for kind in ("easy", "hard"):
        file = folder / f"seed1/answers-start-sampled/rollouts/{kind}.jsonl"
        groups = {}
        for row in map(json.loads, file.read_text().splitlines()):
            said = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]
            verdict = by_value(row["reference"], row["completion"])
            groups.setdefault(row["group"], []).append((verdict, model.score([said]).item()))
        shares = []
        for group in groups.values():
            right, wrong = ([score for verdict, score in group if verdict == of] for of in (1.0, 0.0))
            wins = [(a > b) + (a == b) / 2 for a in right for b in wrong]
            shares += [sum(wins) / len(wins)] if wins else []
        assert result.aurocs["start", 1][kind] == pytest.approx(shares, abs=1e-6)


@pytest.mark.slow
def test_a_longer_run_goes_on_where_a_shorter_one_ended(finished, settings):
    folder, result = finished
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("seed1/*/model/model.safetensors")}
    metrics = result.arms[0].folder / "metrics.jsonl"
    before = metrics.read_text().splitlines()[:2]
    longer = settings.model_copy(update={"arm": settings.arm.model_copy(update={"steps": 3}), "arms": ["hero"]})
    with pytest.raises(HeroError, match="no arm is finished"):
        gather(longer, folder)
    again = run_words(longer, folder)
    assert again.arms[0].folder == result.arms[0].folder
    assert steps_of(again.arms[0].folder) == [0, 1, 2, 3]
    assert metrics.read_text().splitlines()[:2] == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_seeds_side_by_side_begin_with_one_model(settings, tmp_path):
    stages = [Stages(settings, seed, tmp_path / f"seed{seed}") for seed in (1, 2, 3, 4)]
    together = Barrier(len(stages))

    def make(own):
        together.wait()
        return own.backbone()

    with ThreadPoolExecutor(len(stages)) as pool:
        assert set(pool.map(make, stages)) == {tmp_path / "backbone"}
    assert (tmp_path / "backbone/model.safetensors").is_file()


@pytest.mark.slow
def test_other_settings_of_a_stage_are_refused(finished, settings):
    folder, _ = finished
    other = settings.model_copy(update={"cold_start": ColdStart(examples=100, epochs=6, learning_rate=2e-2)})
    with pytest.raises((ConfigError, HeroError), match="made with another rows"):
        run_words(other, folder)


@pytest.mark.slow
def test_the_page_says_what_is_there_and_what_is_missing(finished, settings, capsys):
    folder, _ = finished
    arguments = ["demo", "--policy", settings.model, "--problems", settings.problems, "--out", str(folder), "--gather"]
    own = settings.arm.model_dump(exclude={"regime", "trl", "steps"})
    block = [part for name, value in own.items() for part in (f"--arm.{name}", str(value))]
    arms = ["--arms", "verifier_only", "gated_hero", "--steps", "2", "--first_seed", "1", "--json"]
    assert main([*arguments, *arms, *block]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [arm["name"] for arm in said["arms"]] == ["verifier_only"]
    page = (folder / "index.html").read_text()
    assert "not finished: gated_hero (seed 1)" in page
    assert "Word problems" in page
    assert "rollouts of training" in page
    assert said["table"] == str(folder / "words.parquet")
    assert read_words_table(folder / "words.parquet").missing == ("gated_hero (seed 1)",)


@pytest.mark.slow
def test_a_seed_that_is_not_measured_is_named(finished, settings):
    folder, _ = finished
    with pytest.raises(HeroError, match=r"seed2: the policy before RL is not measured yet"):
        gather(settings.model_copy(update={"seeds": 2}), folder)


@pytest.mark.slow
def test_the_table_gives_back_what_the_page_says(finished, tmp_path):
    _, result = finished
    write_words_table(result, tmp_path / "words.parquet")
    again = read_words_table(tmp_path / "words.parquet")
    assert again.start == result.start
    assert again.aurocs == result.aurocs
    assert again.exact == result.exact
    for ours, theirs in zip(again.arms, result.arms, strict=True):
        assert (ours.name, ours.seed, ours.accuracy, ours.curve) == (
            *(theirs.name, theirs.seed, theirs.accuracy),
            *([{"step": look["step"], "easy": look["easy"], "hard": look["hard"]} for look in theirs.curve],),
        )
        assert [line["entropy"] for line in ours.steps] == [line["entropy"] for line in theirs.steps]
    assert words_page(again) == words_page(result)
    assert str(again.settings.problems) == "problems.jsonl"


def test_settings_of_the_arena_are_refused_with_a_policy(capsys):
    assert main(["demo", "--policy", "smollm2", "--tiny"]) != 0
    assert "--tiny is for the arena" in capsys.readouterr().err
    assert main(["demo", "--quick"]) != 0
    assert "--quick is for --policy" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("regime", "easy"), ("steps", "3"), ("trl.seed", "1")])
def test_what_has_an_argument_of_its_own_is_not_overruled_in_silence(name, value, capsys):
    assert main(["demo", "--policy", "smollm2", f"--arm.{name}", value]) != 0
    own = name.partition(".")[0]
    assert f"--arm.{own}: say --{own}" in capsys.readouterr().err
