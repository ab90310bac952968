"""The page of a comparison with a real model says what its table says."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

import hero_lab
from hero_lab.arena.demo import Arm
from hero_lab.arena.evaluation import PromptAccuracy
from hero_lab.arena.page import write_image
from hero_lab.arena.results import differences
from hero_lab.cli import main
from hero_lab.words.demo import WordsResult
from hero_lab.words.report import words_page
from hero_lab.words.settings import WordsSettings
from hero_lab.words.table import joined, read_words_table, write_words_table
from hero_rl.errors import DataError

PROBLEMS = 8
GROUPS = {f"hero/frac_groups_{kind}": 0.25 for kind in ("mixed", "all_correct", "all_incorrect")}


def accuracy(hard, easy):
    return {
        kind: PromptAccuracy([value, 1 - value] * (PROBLEMS // 2), [1.0, 0.0] * (PROBLEMS // 2))
        for kind, value in (("hard", hard), ("easy", easy))
    }


def arm(name, seed, hard):
    own = {
        "hard": PromptAccuracy([hard - 0.1, hard + 0.1] * (PROBLEMS // 2), [1.0] * PROBLEMS),
        "easy": PromptAccuracy([0.5] * PROBLEMS, [1.0] * PROBLEMS),
    }
    fixed = {"step_time": 20.0, "reward_model/seconds": 4.0, "hero/frac_groups_all_correct": 0.1}
    fixed |= {"hero/frac_groups_all_incorrect": 0.3}
    moving = [(0.2, 0.1) if step <= 25 else (0.6, 0.3) for step in range(1, 101)]
    steps = [
        {"step": step, "hero/frac_groups_mixed": mixed, "rewards/verifier/mean": right} | fixed
        for step, (mixed, right) in enumerate(moving, 1)
    ]
    return Arm(name, seed, Path(f"{name}-seed{seed}"), own, [{"step": 0, "easy": 0.1, "hard": 0.2}], steps)


def result_of(arms, missing=(), seeds=1):
    names = list(dict.fromkeys(one.name for one in arms))
    aurocs = {("start", seed): {"hard": [0.5, 1.0, 0.75], "easy": []} for seed in range(1, seeds + 1)}
    aurocs |= {(one.name, one.seed): {"hard": [0.5], "easy": [1.0, 0.5]} for one in arms}
    settings = WordsSettings(arms=names, seeds=seeds, first_seed=1)
    exact = {key: {"hard": [0.0, 0.5], "easy": [0.5, 0.5]} for key in aurocs}
    exact |= {key: {"hard": [0.5, 0.5], "easy": [0.5, 0.5]} for key in aurocs if key[0] == "hero"}
    return WordsResult(settings, [accuracy(0.25, 0.5)] * seeds, arms, 1.0, tuple(missing), aurocs, exact)


def one_seed(missing=()):
    return result_of([arm("hero", 1, 0.6), arm("verifier_only", 1, 0.5)], missing)


def two_seeds(missing=()):
    arms = [
        arm(name, seed, 0.5 + gain * seed) for name, gain in (("hero", 0.1), ("verifier_only", 0)) for seed in (1, 2)
    ]
    return result_of(arms, missing, 2)


def lines_of(page, rule):
    lines = [line for line in page.splitlines() if line.startswith(rule)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_differences_of_one_seed_are_over_problems():
    page = words_page(one_seed(["gated_hero (seed 1)"]))
    hero, exact, ranks, course = lines_of(page, "| HERO |")
    assert hero[1:4] == ["1", "60.0 ± 8.9", "100.0 ± 0.0"]
    assert hero[6:] == ["+10.0 ± 0.0", "+0.0 ± 0.0"]
    assert exact[1:] == ["50.0 ± 0.0", "50.0 ± 0.0", "+25.0 ± 317.7", "+0.0 ± 0.0"]
    assert ranks[1:] == ["-", "0.75 ± 3.18 (2)"]
    assert course[1:3] == ["10% to 30%", "20% to 60%"]
    assert lines_of(page, "| verifier only |")[0][6:] == ["", ""]
    assert lines_of(page, "| before RL |")[2][1:] == ["0.75 ± 0.62 (3)", "-"]
    assert "one seed, so luck in training is not covered" in page
    assert "not finished: gated_hero (seed 1)" in page
    assert "A step took 20 s on average, of which the reward model 4.0 s." in page


def test_several_seeds_have_a_mean_and_a_table_each():
    page = words_page(two_seeds())
    whole, first, second = lines_of(page, "| HERO |")[:3]
    assert whole[1] == "2" and whole[6] == "+15.0 ± 0.0 (+10.0, +20.0)"
    assert (first[6], second[6]) == ("+10.0 ± 0.0", "+20.0 ± 0.0")
    assert lines_of(page, "| before RL |")[4][1] == "0.75 ± 0.23 (6)"


def test_three_seeds_have_intervals_over_seeds_and_an_arm_of_fewer_has_none():
    three = [arm("hero", seed, 0.5 + 0.1 * seed) for seed in (1, 2, 3)]
    alone = [arm("verifier_only", seed, 0.5) for seed in (1, 2, 3)]
    whole = lines_of(words_page(result_of([*three, *alone], seeds=3)), "| HERO |")[0]
    assert (whole[1], whole[2], whole[6]) == ("3", "70.0 ± 24.8", "+20.0 ± 24.8 (3/3)")
    few = lines_of(words_page(result_of([*three[:2], *alone], seeds=3)), "| HERO |")[0]
    assert (few[1], few[2], few[6]) == ("2", "65.0", "+15.0")
    page = words_page(result_of([three[0], alone[1]], seeds=2))
    assert [row[6] for row in lines_of(page, "| HERO |")[:2]] == ["", ""], "no seed has both"
    assert differences(result_of([three[0], alone[1]], seeds=2)) == []


def test_without_the_verifier_alone_nothing_is_compared():
    assert lines_of(words_page(result_of([arm("hero", 1, 0.6)])), "| HERO |")[0][6:] == ["", ""]


def test_a_table_comes_back_as_it_was_and_makes_one_page(tmp_path):
    result = two_seeds(["gated_hero (seed 2)"])
    write_words_table(result, tmp_path / "words.parquet")
    assert read_words_table(tmp_path / "words.parquet") == replace(result, seconds=0.0)
    made = []
    for name in ("a", "b"):
        assert main(["study", "words", str(tmp_path / "words.parquet"), "--out", str(tmp_path / name)]) == 0
        made.append([(tmp_path / name / file).read_bytes() for file in ("words.md", "words.svg", "words.parquet")])
    assert made[0] == made[1]
    assert made[0][0].decode() == words_page(result)


def test_a_run_that_went_on_is_shown_up_to_its_steps_and_seeds_where_both_were_looked_at(tmp_path):
    for seed, looks in ((1, (0, 10, 20)), (2, (0, 20, 30))):
        (tmp_path / f"{seed}").mkdir()
        lines = [json.dumps({"step": step, "easy": 0.1, "hard": 0.2}) for step in looks]
        (tmp_path / f"{seed}/curve.jsonl").write_text("\n".join(lines))
        lines = [json.dumps({"step": step, "rewards/verifier/mean": 0.5} | GROUPS) for step in range(1, 31)]
        (tmp_path / f"{seed}/metrics.jsonl").write_text("\n".join([*lines, json.dumps({"step": 30, "train_loss": 0})]))
    arms = [Arm.read("hero", seed, tmp_path / f"{seed}", accuracy(0.5, 0.5), 20) for seed in (1, 2)]
    assert [look["step"] for look in arms[1].curve] == [0, 20]
    assert arms[0].steps[-1]["step"] == 20
    write_image(result_of(arms, seeds=2), tmp_path / "words.svg")
    assert b"groups under HERO" in (tmp_path / "words.svg").read_bytes()


def one_of(result, seed):
    """What a machine that made one seed alone would have."""
    own = result.settings.model_copy(update={"seeds": 1, "first_seed": seed})
    arms = [arm for arm in result.arms if arm.seed == seed]
    aurocs = {key: ranked for key, ranked in result.aurocs.items() if key[1] == seed}
    exact = {key: shares for key, shares in result.exact.items() if key[1] == seed}
    return WordsResult(own, result.start[seed - 1 : seed], arms, 1.0, (), aurocs, exact)


def test_seeds_of_two_machines_make_the_page_of_one(tmp_path):
    whole = two_seeds()
    paths = [tmp_path / f"{seed}.parquet" for seed in (1, 2)]
    for seed, path in enumerate(paths, start=1):
        write_words_table(one_of(whole, seed), path)
    out = tmp_path / "page"
    assert main(["study", "words", str(paths[1]), "--also", str(paths[0]), "--out", str(out)]) == 0
    assert (out / "words.md").read_text() == words_page(whole)
    found = read_words_table(out / "words.parquet")
    assert found.aurocs == whole.aurocs
    assert found.exact == whole.exact
    assert sorted(found.arms, key=lambda arm: (arm.name, arm.seed)) == whole.arms


def test_tables_that_do_not_belong_together_are_refused():
    first, second = (one_of(two_seeds(), seed) for seed in (1, 2))
    with pytest.raises(DataError, match=r"b: seed 2 is expected"):
        joined([(Path("a"), first), (Path("b"), first)])
    arm = second.settings.arm.model_copy(update={"steps": 50})
    longer = replace(second, settings=second.settings.model_copy(update={"arm": arm}))
    with pytest.raises(DataError, match="b: differs from a in arm"):
        joined([(Path("a"), first), (Path("b"), longer)])


def test_a_rule_that_one_machine_did_not_run_is_named_as_missing():
    first, second = (one_of(two_seeds(), seed) for seed in (1, 2))
    alone = [arm for arm in second.arms if arm.name == "verifier_only"]
    settings = second.settings.model_copy(update={"arms": ["verifier_only"]})
    second = replace(second, arms=alone, settings=settings, missing=("gated_hero (seed 2)",))
    found = joined([(Path("b"), second), (Path("a"), first)])
    assert found.missing == ("gated_hero (seed 2)", "hero (seed 2)")
    assert found.settings.arms == ["hero", "verifier_only"]


def test_a_table_is_never_written_over_by_what_is_made_of_it(tmp_path, capsys):
    paths = [tmp_path / name for name in ("words.parquet", "other.parquet")]
    for seed, path in enumerate(paths, start=1):
        write_words_table(one_of(two_seeds(), seed), path)
    before = paths[0].read_bytes()
    assert main(["study", "words", str(paths[0]), "--also", str(paths[1])]) == 2
    assert "words.parquet is one of the tables" in capsys.readouterr().err
    assert paths[0].read_bytes() == before
    assert main(["study", "alarms", str(paths[0]), "--also", str(paths[1])]) == 2
    assert "--also is for hero study words and hero study bench" in capsys.readouterr().err


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


@pytest.mark.parametrize("head", [b"{", b"{}", b'{"settings": {"colour": 1}, "missing": []}', b"[]"])
def test_metadata_of_another_version_are_refused_by_the_file_s_name(head, tmp_path, capsys):
    path = tmp_path / "words.parquet"
    write_words_table(one_seed(), path)
    table = pyarrow.parquet.read_table(path).replace_schema_metadata({b"hero_words": head})
    pyarrow.parquet.write_table(table, path)
    assert main(["study", "words", str(path)]) == 2
    assert f"{path}: its metadata is not what this version writes" in capsys.readouterr().err


def test_a_page_needs_a_table(capsys):
    assert main(["study", "words"]) == 2
    assert "hero demo --policy writes runs/words/words.parquet" in capsys.readouterr().err
