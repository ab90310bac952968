"""The page of a comparison with a real model says what its table says."""

from pathlib import Path

import pytest

import hero_lab
from hero_lab.arena.demo import Arm
from hero_lab.arena.evaluation import PromptAccuracy
from hero_lab.cli import main
from hero_lab.words.demo import WordsResult
from hero_lab.words.report import words_page
from hero_lab.words.settings import WordsSettings
from hero_lab.words.table import read_words_table, write_words_table

PROBLEMS = 8


def accuracy(hard, easy):
    return {
        kind: PromptAccuracy([value, 1 - value] * (PROBLEMS // 2), [1.0, 0.0] * (PROBLEMS // 2))
        for kind, value in (("hard", hard), ("easy", easy))
    }


def arm(name, seed, hard):
    # Both problems of a pair gain, or the mean would not move.
    own = {
        "hard": PromptAccuracy([hard] * PROBLEMS, [1.0] * PROBLEMS),
        "easy": PromptAccuracy([0.5] * PROBLEMS, [1.0] * PROBLEMS),
    }
    fixed = {"step_time": 20.0, "reward_model/seconds": 4.0, "hero/frac_groups_all_correct": 0.1}
    fixed |= {"hero/frac_groups_all_incorrect": 0.3}
    steps = [{"step": s, "hero/frac_groups_mixed": 0.2 if s < 11 else 0.6} | fixed for s in range(1, 31)]
    return Arm(name, seed, Path(f"{name}-seed{seed}"), own, [{"step": 0, "easy": 0.1, "hard": 0.2}], steps)


def result_of(seeds, missing=()):
    settings = WordsSettings(arms=["hero", "verifier_only"], seeds=seeds, first_seed=1)
    arms = [arm("hero", s, 0.5 + 0.1 * s) for s in range(1, seeds + 1)]
    arms += [arm("verifier_only", s, 0.5) for s in range(1, seeds + 1)]
    aurocs = {("start", 1): {"hard": 0.7, "easy": None}, ("hero", 1): {"hard": 0.6, "easy": 0.8}}
    return WordsResult(settings, [accuracy(0.25, 0.5)] * seeds, arms, 1.0, tuple(missing), aurocs)


def lines_of(page, rule):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith(rule)
    ]


def test_differences_of_one_seed_are_over_problems():
    page = words_page(result_of(1, ["gated_hero (seed 1)"]))
    hero, ranks, course = lines_of(page, "| HERO |")
    assert hero[1:3] == ["60.0 ± 0.0", "100.0 ± 0.0"]
    assert hero[5:] == ["+10.0 ± 0.0", "+0.0 ± 0.0"]
    assert ranks[1:] == ["0.60", "0.80"]
    assert course[1] == "20% to 60%"
    assert lines_of(page, "| verifier only |")[0][5:] == ["", ""]
    assert "one seed, so luck in training is not covered" in page
    assert "not finished: gated_hero (seed 1)" in page
    assert "A step took 20 s of one core, of which the reward model 4.0 s." in page


def test_several_seeds_have_a_mean_and_a_table_each():
    page = words_page(result_of(2))
    whole, first, second = lines_of(page, "| HERO |")[:3]
    assert whole[5] == "+15.0 ± 63.5 (2/2)"
    assert (first[5], second[5]) == ("+10.0 ± 0.0", "+20.0 ± 0.0")
    assert [row[0] for row in lines_of(page, "| before RL |")] == ["before RL"] * 4


def test_a_table_comes_back_as_it_was_and_makes_one_page(tmp_path, capsys):
    result = result_of(2, ["gated_hero (seed 2)"])
    write_words_table(result, tmp_path / "words.parquet")
    again = read_words_table(tmp_path / "words.parquet")
    assert again == WordsResult(**vars(result) | {"seconds": 0.0, "arms": again.arms})
    assert sorted(again.arms, key=lambda a: (a.name, a.seed)) == sorted(result.arms, key=lambda a: (a.name, a.seed))
    made = []
    for name in ("a", "b"):
        assert main(["study", "words", str(tmp_path / "words.parquet"), "--out", str(tmp_path / name)]) == 0
        made.append([(tmp_path / name / file).read_bytes() for file in ("words.md", "words.svg", "words.parquet")])
    assert made[0] == made[1]
    assert made[0][0].decode() == words_page(result)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table"])
def test_a_file_that_is_no_table_is_named(content, tmp_path, capsys):
    path = tmp_path / "words.parquet"
    path.write_bytes(content)
    assert main(["study", "words", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_the_table_of_another_study_is_refused(tmp_path, capsys):
    other = Path(hero_lab.__file__).parents[2] / "docs/science/headroom.parquet"
    assert main(["study", "words", str(other), "--out", str(tmp_path)]) == 2
    assert "a table that hero demo --policy wrote is expected" in capsys.readouterr().err
