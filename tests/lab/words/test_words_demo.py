"""The whole second floor with a model of a few thousand weights: the same code, seconds."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from threading import Barrier

import pandas
import pytest
from rich.console import Console

from hero_lab.arena.demo import summary
from hero_lab.arena.page import pm, print_table
from hero_lab.arena.results import estimate
from hero_lab.cli import main
from hero_lab.words import looks
from hero_lab.words.demo import gather, run_words
from hero_lab.words.oracle import by_value
from hero_lab.words.report import words_page
from hero_lab.words.settings import ColdStart, RewardModelStage, WordsArm, WordsSettings
from hero_lab.words.stages import Stages, problems_of
from hero_lab.words.table import read_words_table, write_words_table
from hero_rl.errors import ConfigError, DataError, HeroError


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
    assert set(result.aurocs) == {("hero", 1), ("verifier_only", 1)}
    assert {key: set(own) for key, own in result.shares.items()} == {
        ("start", 1): {"exact", "bare", "near"},
        ("hero", 1): {"exact", "bare"},
        ("verifier_only", 1): {"exact", "bare"},
    }
    pairs = json.loads((folder / "seed1" / "reward_model" / "pairs.json").read_text())
    assert pairs["train"] > 0
    assert set(result.made_of) == {"weights", "asked", "prompts"}
    assert result.made_of["weights"].startswith("model.safetensors (")


@pytest.mark.slow
def test_a_script_and_the_terminal_see_what_is_paid_and_what_is_missing(finished, settings):
    folder, result = finished
    said = summary(gather(settings.model_copy(update={"arms": ["hero", "gated_hero"]}), folder))
    assert said["missing"] == ("gated_hero (seed 1)",) and "not finished" in said["intervals"]
    console = Console(record=True, width=80, file=StringIO())
    print_table(result, console)
    table = console.export_text()
    assert "exact match" in table
    assert pm(estimate([result.exact("hero")[0]["hard"]])) in table


@pytest.mark.slow
def test_a_shorter_run_does_not_take_the_longer_one_s_model(finished, settings):
    folder, _ = finished
    shorter = settings.model_copy(update={"arm": settings.arm.model_copy(update={"steps": 1})})
    with pytest.raises(ConfigError, match=r"--steps: 1, and .* is of a longer run"):
        run_words(shorter, folder)


@pytest.mark.slow
def test_the_reward_model_s_ranking_is_counted_pair_by_pair(finished, settings):
    _, result = finished
    value = {problem.question: problem.answer for problem in problems_of(settings)}
    for arm in result.arms:
        shares = []
        for file in sorted(arm.folder.glob("rollouts/*.parquet")):
            groups = {}
            for row in pandas.read_parquet(file).to_dict("records"):
                verdict = by_value(value[row["prompt"][0]["content"]], row["completion"][0]["content"])
                groups.setdefault(row["group"], []).append((verdict, row["score"], row["step"]))
            for group in groups.values():
                right, wrong = ([score for verdict, score, _ in group if verdict == of] for of in (1.0, 0.0))
                wins = [(a > b) + (a == b) / 2 for a in right for b in wrong]
                shares += [(group[0][2], pytest.approx(sum(wins) / len(wins)))] if wins else []
        assert shares, "no group of this run was mixed, so nothing is compared"
        assert result.aurocs[arm.name, arm.seed] == shares


@pytest.mark.slow
def test_answers_are_judged_when_they_are_gathered(finished, settings, monkeypatch):
    folder, result = finished
    assert gather(settings, folder) == replace(result, seconds=0.0)
    monkeypatch.setattr(looks, "by_value", lambda answer, said: 0.25)
    assert set(gather(settings, folder).arms[0].accuracy["easy"].sampled) == {0.25}
    other = replace(problems_of(settings)[0], question="Another?")
    with pytest.raises(DataError, match=r"hard\.jsonl: 0 answers to 'Another\?', and 2 are expected"):
        looks.judged({"hard": [other]}, folder / "seed1/answers-development-start", 2)
    asked = {"easy": looks.held_out(problems_of(settings), settings.arm)["easy"][:3]}
    fewer = looks.judged(asked, folder / "seed1/answers-development-start", 1)
    assert len(fewer.exact["easy"]) == 3, "fewer than were asked"


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
    cold_start = ColdStart(examples=100, epochs=6, learning_rate=2e-2)
    other = settings.model_copy(update={"cold_start": cold_start, "arms": ["verifier_only"]})
    with pytest.raises((ConfigError, HeroError), match="made with another rows"):
        run_words(other, folder)


@pytest.mark.slow
def test_the_page_says_what_is_there_and_what_is_missing(finished, settings, capsys):
    folder, _ = finished
    arguments = ["demo", "--policy", settings.model, "--problems", settings.problems, "--out", str(folder), "--gather"]
    own = settings.model_dump(include={"arm": True, "cold_start": True, "reward_model": True})
    for stands_elsewhere in ("regime", "trl", "steps", "split"):
        del own["arm"][stands_elsewhere]
    block = [
        part
        for stage, values in own.items()
        for name, value in values.items()
        for part in (f"--{stage}.{name}", str(value))
    ]
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
def test_seeds_that_are_not_measured_yet_are_missing(finished, settings):
    folder, _ = finished
    alone = settings.model_copy(update={"arms": ["verifier_only"]})
    gathered = gather(alone.model_copy(update={"seeds": 2}), folder)
    assert gathered == replace(gather(alone, folder), missing=("verifier_only (seed 2)",))
    with pytest.raises(HeroError, match=r"seed2: the policy before RL is not measured yet"):
        gather(settings.model_copy(update={"first_seed": 2}), folder)


@pytest.mark.slow
def test_the_table_gives_back_what_the_page_says(finished, tmp_path):
    _, result = finished
    write_words_table(result, tmp_path / "words.parquet")
    again = read_words_table(tmp_path / "words.parquet")
    assert again.start == result.start
    assert again.aurocs == result.aurocs
    assert again.shares == result.shares
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


@pytest.mark.parametrize(
    ("name", "value", "own"),
    [("regime", "easy", "regime"), ("steps", "3", "steps"), ("trl.seed", "1", "trl"), ("split", "report", "report")],
)
def test_what_has_an_argument_of_its_own_is_not_overruled_in_silence(name, value, own, capsys):
    assert main(["demo", "--policy", "smollm2", f"--arm.{name}", value]) != 0
    assert f"--arm.{name.partition('.')[0]}: say --{own}" in capsys.readouterr().err


def test_no_workers_are_refused(capsys):
    assert main(["demo", "--policy", "smollm2", "--workers", "0"]) != 0
    assert "--workers: 0, and 1 is needed at least" in capsys.readouterr().err
