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
from hero_lab.cli import main
from hero_lab.words.demo import WordsResult
from hero_lab.words.report import words_page
from hero_lab.words.settings import WordsArm, WordsSettings
from hero_lab.words.table import joined, read_words_table, write_words_table
from hero_rl.errors import DataError

PROBLEMS = 8
MADE_OF = {"weights": "model.safetensors (0123)", "asked": "4567", "prompts": "89ab"}
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
    # In one step a half of the groups is mixed, in another all are; their AUROCs weigh as much as their groups.
    for step, mixed, auroc in ((1, 0.5, 0.4), (2, 1.0, 0.7), (100, 0.5, 0.9)):
        steps[step - 1] |= {"hero/frac_groups_mixed": mixed, "hero/rm_auroc": auroc}
    curve = [{"step": 0, "easy": 0.1, "hard": 0.2}, {"step": 50, "easy": 0.3, "hard": 0.4}]
    return Arm(name, seed, Path(f"{name}-seed{seed}"), own, curve, steps)


def result_of(arms, missing=(), seeds=1):
    names = list(dict.fromkeys(one.name for one in arms))
    shared = {"problems": "problems.jsonl", "arm": WordsArm(split="report")}
    settings = WordsSettings(arms=names, seeds=seeds, first_seed=1, **shared)
    starts = [("start", seed) for seed in range(1, seeds + 1)]
    half = [0.5] * PROBLEMS
    exact = {key: {"hard": [0.0, 0.5] * (PROBLEMS // 2), "easy": half} for key in starts}
    exact |= {(one.name, one.seed): {"hard": half, "easy": half} for one in arms}
    bare = {key: {"hard": own["easy"], "easy": [1.0] * PROBLEMS} for key, own in exact.items()}
    near = {key: {"hard": [1.0, 0.0] * (PROBLEMS // 2), "easy": [0.0] * PROBLEMS} for key in starts[:1]}
    near |= {key: {kind: [0.0] * PROBLEMS for kind in ("hard", "easy")} for key in starts[1:]}
    aurocs = {(one.name, one.seed): [(1, 0.5), (2, 1.0), (2, 0.75), (50, 0.0), (100, 0.25)] for one in arms}
    accuracies = [accuracy(0.25, 0.5)] * seeds
    shares = {key: {"exact": exact[key], "bare": bare[key]} for key in exact}
    for key, flags in near.items():
        shares[key]["near"] = flags
    return WordsResult(settings, accuracies, arms, 1.0, tuple(missing), shares, aurocs, MADE_OF)


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
    hard, easy, exact_hard, exact_easy, forms, far, far_easy, ranks, course, *curves = lines_of(page, "| HERO |")
    assert hard[1:] == ["1", "60.0 ± 8.9", "100.0 ± 0.0", "+10.0 ± 13.4", "+10.0 ± 0.0"]
    assert easy[-1] == "+0.0 ± 0.0"
    assert exact_hard[1:] == ["1", "50.0 ± 0.0", "+25.0 ± 22.3", "+0.0 ± 0.0"]
    assert exact_easy[1:] == ["1", "50.0 ± 0.0", "+0.0 ± 0.0", "+0.0 ± 0.0"]
    assert forms[1:] == ["50.0 ± 0.0", "100.0 ± 0.0"]
    assert far[1:] == ["1", "70.0 ± 0.0", "-5.0 ± 0.0", "+10.0 ± 0.0"]
    assert far_easy[1:3] == ["1", "50.0 ± 0.0"] and "4 of 8 hard and 0 of 8 easy held-out problems share" in page
    assert ranks[1:] == ["1", "0.60 (9)", "0.90 (3)", "0.75 ± 0.62 (3)", "-"]
    assert curves == [["HERO", "20", "40"], ["HERO", "10", "30"]]
    assert "| weights before the cold start | model.safetensors (0123) |" in page
    assert course[1:4] == ["1", "10% to 30%", "24% to 60%"]
    assert lines_of(page, "| verifier only |")[0][-1] == ""
    assert lines_of(page, "| before RL |")[0][4:] == ["", ""]
    assert "one seed, so luck in training is not covered" in page
    assert "not finished: gated_hero (seed 1)" in page
    assert "20 s on average, of which the reward model 4.0 s" in page


def test_of_two_seeds_the_interval_is_over_problems_and_each_seed_is_shown():
    page = words_page(two_seeds())
    hard, _, exact, *_ = lines_of(page, "| HERO |")
    assert hard[1] == "2" and hard[2].endswith("(60.0, 70.0)") and hard[5] == "+15.0 ± 0.0 (+10.0, +20.0)"
    assert exact[2:4] == ["50.0 ± 0.0 (50.0, 50.0)", "+25.0 ± 22.3 (+25.0, +25.0)"]
    assert [line[:2] for line in lines_of(page, "| HERO |")[-4:-2]] == [["HERO", "1"], ["HERO", "2"]]
    assert "mean of 2 seeds" in page


def test_three_seeds_have_intervals_over_seeds_and_an_arm_of_fewer_has_none():
    three = [arm("hero", seed, 0.5 + 0.1 * seed) for seed in (1, 2, 3)]
    alone = [arm("verifier_only", seed, 0.5) for seed in (1, 2, 3)]
    whole = lines_of(words_page(result_of([*three, *alone], seeds=3)), "| HERO |")[0]
    assert (whole[1], whole[2], whole[5]) == ("3", "70.0 ± 24.8", "+20.0 ± 24.8 (3/3)")
    few = lines_of(words_page(result_of([*three[:2], *alone], seeds=3)), "| HERO |")[0]
    assert (few[1], few[2], few[5]) == ("2", "65.0", "+15.0")
    page = words_page(result_of([three[0], alone[1]], seeds=2))
    assert lines_of(page, "| HERO |")[0][5] == "", "no seed has both"


def test_a_kind_without_problems_is_left_out(tmp_path):
    empty = {"hard": PromptAccuracy([], [])}
    curve = [{"step": 0, "easy": 0.1}, {"step": 10, "easy": 0.2}]
    arms = [replace(one, accuracy=one.accuracy | empty, curve=curve) for one in one_seed().arms]
    result = replace(one_seed(), start=[accuracy(0.25, 0.5) | empty], arms=arms)
    page = words_page(result)
    assert "| hard problems |" not in page and "| easy problems |" in page and "| 8 easy (report split) |" in page
    write_words_table(result, tmp_path / "words.parquet")
    assert words_page(read_words_table(tmp_path / "words.parquet")) == page


def test_rankings_over_held_out_problems_are_not_taken_for_those_of_training(tmp_path):
    path = tmp_path / "words.parquet"
    write_words_table(one_seed(), path)
    table = pyarrow.parquet.read_table(path)
    kinds = [
        "hard" if measure == "auroc" else kind
        for measure, kind in zip(table["measure"].to_pylist(), table["kind"].to_pylist(), strict=True)
    ]
    at = table.column_names.index("kind")
    pyarrow.parquet.write_table(table.set_column(at, "kind", pyarrow.array(kinds)), path)
    assert read_words_table(path).aurocs["hero", 1] == []


def test_generated_problems_are_not_told_apart_by_nearness():
    result = one_seed()
    generated = replace(result, settings=result.settings.model_copy(update={"problems": "reasoning-gym"}))
    assert "share a run" in words_page(result) and "share a run" not in words_page(generated)


def test_without_the_verifier_alone_nothing_is_compared():
    assert lines_of(words_page(result_of([arm("hero", 1, 0.6)])), "| HERO |")[0][5] == ""


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
    assert b"groups by the verifier" in (tmp_path / "words.svg").read_bytes()


def one_of(result, seed):
    """What a machine that made one seed alone would have."""
    own = result.settings.model_copy(update={"seeds": 1, "first_seed": seed})
    arms = [arm for arm in result.arms if arm.seed == seed]
    parts = [
        {key: values for key, values in whole.items() if key[1] == seed} for whole in (result.shares, result.aurocs)
    ]
    return WordsResult(own, result.start[seed - 1 : seed], arms, 1.0, (), *parts, result.made_of)


def test_seeds_of_two_machines_make_the_page_of_one(tmp_path):
    whole = two_seeds()
    paths = [tmp_path / f"{seed}.parquet" for seed in (1, 2)]
    for seed, path in enumerate(paths, start=1):
        write_words_table(one_of(whole, seed), path)
    out = tmp_path / "page"
    assert main(["study", "words", str(paths[1]), "--also", str(paths[0]), "--out", str(out)]) == 0
    assert (out / "words.md").read_text() == words_page(whole)
    found = read_words_table(out / "words.parquet")
    assert found.shares == whole.shares
    assert found.aurocs == whole.aurocs
    assert sorted(found.arms, key=lambda arm: (arm.name, arm.seed)) == whole.arms


def test_tables_that_do_not_belong_together_are_refused():
    first, second = (one_of(two_seeds(), seed) for seed in (1, 2))
    with pytest.raises(DataError, match=r"b: seed 2 is expected"):
        joined([(Path("a"), first), (Path("b"), first)])
    arm = second.settings.arm.model_copy(update={"steps": 50})
    longer = replace(second, settings=second.settings.model_copy(update={"arm": arm}))
    with pytest.raises(DataError, match="b: differs from a in arm"):
        joined([(Path("a"), first), (Path("b"), longer)])
    for what, name in (
        ("weights", "the model's weights"),
        ("asked", "held-out problems"),
        ("prompts", "problems of RL"),
    ):
        for other in (MADE_OF | {what: "another"}, {key: value for key, value in MADE_OF.items() if key != what}):
            with pytest.raises(DataError, match=f"b: differs from a in {name}"):
                joined([(Path("a"), first), (Path("b"), replace(second, made_of=other))])


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
