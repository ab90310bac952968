"""What a comparison with a real model refuses before it begins, and how it shares the cores; nothing is trained."""

import json
from concurrent.futures import Future
from pathlib import Path

import pytest

from hero_lab.arena.demo import raise_failures
from hero_lab.cli import main
from hero_lab.words import demo
from hero_lab.words.arms import arm_config, check_length, digests, is_by
from hero_lab.words.nearness import near
from hero_lab.words.problems import GYM, chosen
from hero_lab.words.settings import WordsArm, WordsSettings
from hero_lab.words.stages import Models, Stages, check_problems, problems_of, trained_on
from hero_rl.errors import ConfigError, DataError, HeroError


def rows(count=400, unit="", equation="1+1"):
    """Problems of so many texts: about 180 of them are for demonstrations, 140 for training, 60 held out."""
    answers = {"answer": f"2{unit}"} | ({"equation": equation} if equation else {})
    names = ["".join("abcdefghij"[int(digit)] for digit in f"{n:03}") for n in range(count)]
    return [{"question": f"{name} had a plum. How many?"} | answers for name in names]


def settings_of(folder, given, **arm):
    path = folder / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return WordsSettings(model=str(folder / "no-model"), problems=str(path), arm=WordsArm(**arm))


@pytest.mark.parametrize(
    ("given", "regime", "lacking"),
    [
        (
            rows(),
            "hard",
            r"6 hard to verify, for a step of RL \(there are 0\), 2 hard to verify, held out \(there are 0",
        ),
        (rows(unit=" (plums)"), "easy", r"1 easy to verify, for the reward model \(there are 0\), 6 easy to verify"),
        (rows(unit=" (plums)"), "hard", r"1 easy to verify, for the reward model \(there are 0\)\."),
        (rows(equation=""), "easy", r"1 with a calculation, to show how \(there are 0\)\."),
    ],
)
def test_problems_that_a_later_stage_would_lack_are_refused_at_once(given, regime, lacking, tmp_path):
    settings = settings_of(tmp_path, given, regime=regime)
    with pytest.raises(DataError, match=r"problems\.jsonl: too few problems; needed are at least " + lacking):
        demo.run_words(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_kind_is_enough_where_no_other_is_trained_on(tmp_path):
    settings = settings_of(tmp_path, rows(), regime="easy")
    check_problems(problems_of(settings), settings)


@pytest.mark.parametrize(
    ("prompts", "generations", "micro_batch", "part"), [(6, 8, 64, 48), (12, 8, 64, 48), (16, 8, 64, 64), (3, 5, 4, 3)]
)
def test_no_prompt_of_a_step_is_lost_where_its_rollouts_are_cut(prompts, generations, micro_batch, part, tmp_path):
    arm = {"prompts_per_step": prompts, "num_generations": generations, "micro_batch": micro_batch}
    stages = Stages(settings_of(tmp_path, rows(unit=" (plums)"), **arm), 1, tmp_path / "seed1")
    trl = arm_config(stages, Models(Path("policy"), Path("judge")), "hero", tmp_path / "arm").trl
    assert trl["per_device_train_batch_size"] == part
    assert part * trl["gradient_accumulation_steps"] == prompts * generations


@pytest.mark.parametrize(("workers", "seeds", "before"), [(2, 1, (1, 4)), (2, 3, (2, 2)), (1, 2, (1, 4))])
def test_every_core_has_work_before_rl_too(workers, seeds, before, tmp_path, monkeypatch):
    said = []

    class Pool:
        def submit(self, work, *arguments):
            said.append(work.__name__)
            done = Future()
            done.set_result(None)
            return done

        def shutdown(self, wait=True, cancel_futures=False):
            said.append("ended" if wait else "left")

    def pool(workers, kernels, threads):
        said.append((workers, threads))
        return Pool()

    monkeypatch.setattr(demo, "worker_pool", pool)
    monkeypatch.setattr(demo, "gather", lambda *arguments: None)
    monkeypatch.setattr(demo.torch, "get_num_threads", lambda: 4)
    given = settings_of(tmp_path, rows(), regime="easy").model_copy(update={"seeds": seeds, "arms": ["hero"]})
    demo.run_words(given, tmp_path / "run", workers=workers)
    pipelines, arms = ["_prepare_seed"] * seeds, ["run_arm"] * seeds
    assert said == [before, *pipelines, "ended", (workers, 4 // workers), *arms, "ended"]


def test_all_arms_that_failed_are_named(tmp_path):
    jobs = {tmp_path / name: Future() for name in ("hero", "gated_hero", "verifier_only")}
    for folder, running in jobs.items():
        running.set_result(None) if folder.name == "hero" else running.set_exception(OSError(f"no {folder.name}"))
    with pytest.raises(HeroError) as raised:
        raise_failures(jobs)
    assert str(raised.value).splitlines() == [
        f"the arm in {tmp_path / name} failed: no {name}; its output is in {tmp_path / name / 'log.txt'}"
        for name in ("gated_hero", "verifier_only")
    ]


@pytest.mark.parametrize(("given", "first"), [([], 1), (["--first_seed", "0"], 0)])
def test_seeds_are_counted_from_one_unless_told_otherwise(given, first, monkeypatch):
    asked = []
    monkeypatch.setattr(demo, "run_words", lambda settings, *rest, **more: asked.append(settings))
    monkeypatch.setattr("hero_lab.cli.words._show", lambda *arguments: 0)
    assert main(["demo", "--policy", "smollm2", "--json", *given]) == 0
    assert [settings.first_seed for settings in asked] == [first]


def test_a_set_of_the_hub_is_named_as_elsewhere(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(demo, "run_words", lambda settings, *rest, **more: asked.append(settings))
    monkeypatch.setattr("hero_lab.cli.words._show", lambda *arguments: 0)
    own = ["demo", "--policy", "smollm2", "--json", "--problems", "openai/gsm8k", "--problems.name", "main"]
    assert main(own) == main([*own, "--problems.split", "test"]) == 0
    assert [(each.problems, each.problems_name, each.problems_split) for each in asked] == [
        ("openai/gsm8k", "main", "train"),
        ("openai/gsm8k", "main", "test"),
    ]
    for file in ("problems.jsonl", "reasoning-gym"):
        assert main(["demo", "--policy", "smollm2", "--problems", file, "--problems.name", "main"]) != 0
        assert "--problems.name and --problems.split are for a dataset of the Hub" in capsys.readouterr().err
    assert main([*own, "--problems.revision", "main"]) != 0
    assert "--problems.revision: Extra inputs are not permitted" in capsys.readouterr().err


def test_problems_are_told_by_what_they_ask_and_by_their_answer(tmp_path):
    """And not by the file's name, or by problems that are for something else."""

    def changed(name, given, **arm):
        (tmp_path / name).mkdir()
        settings = settings_of(tmp_path / name, given, **({"regime": "easy", "split": "report"} | arm))
        told = digests(problems_of(settings), settings)
        return {what for what in told if told[what] != usual[what]} if usual else told

    def other(split):
        there = {problem.question for problem in problems_of(settings_of(tmp_path, given)) if problem.split == split}
        return [row | ({"answer": "3"} if row["question"] in there else {}) for row in given]

    given, usual = rows(), {}
    usual = changed("usual", given)
    assert changed("cold", other("cold")) == changed("development", other("development")) == set()
    assert changed("report", other("report")) == {"asked"}
    assert changed("train", other("train")) == {"prompts"}
    assert changed("fewer", given, prompts=20) == {"asked"}
    assert changed("split", given, split="development") == {"asked"}
    assert changed("regime", given, regime="hard") == {"prompts"}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"seeds": 3, "arms": ["hero"], "problems": "a/copy.jsonl"}, True),
        ({"model": "another"}, False),
        ({"cold_start": {"epochs": 5}}, False),
        ({"reward_model": {"samples": 5}}, False),
        ({"arm": {"max_completion_length": 99}}, False),
    ],
)
def test_a_finished_arm_is_taken_where_it_was_made_and_asked_alike(change, same):
    told = {"asked": "one", "prompts": "two"}
    recorded = {"settings": WordsSettings().model_dump(mode="json"), **told}
    now = WordsSettings.model_validate(change)
    assert is_by(recorded, now, told) == same
    for what in told:
        assert not is_by(recorded, now, told | {what: "another"})
        assert not is_by({name: value for name, value in recorded.items() if name != what}, now, told)


@pytest.mark.parametrize(
    ("begun", "reached", "asked", "schedule", "refused"),
    [
        (100, 100, 50, None, r"--steps: 50, and .*checkpoint-100 is of a longer run"),
        (100, 40, 50, None, None),
        (100, 40, 200, None, None),
        (100, 100, 200, "constant_with_warmup", None),
        (100, 40, 100, "linear", None),
        (100, 40, 200, "linear", r"--steps: 200, and .* was begun as a run of 100, which its learning rate \(linear\)"),
    ],
)
def test_a_run_that_is_no_beginning_of_the_one_asked_for_is_refused(
    begun, reached, asked, schedule, refused, tmp_path, monkeypatch
):
    checkpoint = tmp_path / f"checkpoint-{reached}"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": reached, "max_steps": begun}))
    monkeypatch.setattr("hero_lab.words.arms.newest_whole", lambda folder: checkpoint)
    trl = {"lr_scheduler_type": schedule} if schedule else {}
    settings = WordsSettings(arm=WordsArm(steps=asked, trl=trl))
    if refused is None:
        check_length(tmp_path, settings)
    else:
        with pytest.raises(ConfigError, match=refused):
            check_length(tmp_path, settings)


def test_nothing_near_a_held_out_problem_is_trained_on(tmp_path):
    alike = " had 7 plums and gave 3 of them to a friend who lives in the next street. How many are left?"
    given = [{"question": f"{row['question'].split()[0]}{alike}", "answer": "4", "equation": "7-3"} for row in rows()]
    settings = settings_of(tmp_path, given + rows(), regime="easy")
    every = problems_of(settings)
    kept = trained_on(every, settings)
    assert {len(chosen(every, split)) - len(chosen(kept, split)) for split in ("development", "report")} == {0}
    for split in ("cold", "train"):
        assert any("street" in problem.question for problem in chosen(every, split))
        assert chosen(kept, split) == [problem for problem in chosen(every, split) if "street" not in problem.question]
    generated = settings.model_copy(update={"problems": GYM})
    assert trained_on(every, generated) == every, "of few templates, all are near each other"


def test_near_are_problems_that_share_thirteen_words_whatever_the_numbers():
    words = "a b c d e f g h i j k l"
    others = [f"x {words} 1,200 y"]
    asked = [f"{words} 7.5 z", f"{words} z", words, "a short one", f"{words.upper()} 3."]
    assert near(asked, others) == [True, False, False, False, True]
    assert near(["a short one", "one"], ["A short one!"]) == [True, False]


@pytest.mark.parametrize(
    ("changed", "taken"),
    [
        ({}, True),
        ({"max_completion_length": 32}, False),
        ({"prompts": 100}, False),
        ({"split": "report"}, False),
        ({"reward_model": {"problems": 1}}, False),
        ({"asked": "others"}, False),
    ],
)
def test_the_start_is_gathered_where_all_that_its_record_says_agrees(changed, taken, tmp_path, monkeypatch):
    def judged(asked, place, samples):
        raise InterruptedError(place)

    monkeypatch.setattr(demo, "judged", judged)
    settings = settings_of(tmp_path, rows(), regime="easy")
    recorded = {"prompts": 200, "samples": 4, "split": "development", "max_completion_length": 48}
    recorded |= settings.model_dump(mode="json", include={"model", "cold_start", "reward_model"})
    recorded |= {"asked": digests(problems_of(settings), settings)["asked"]} | changed
    (tmp_path / "seed1").mkdir()
    (tmp_path / "seed1/start.json").write_text(json.dumps({"looked": recorded}))
    said = "answers-development-start" if taken else "not measured"
    with pytest.raises(InterruptedError if taken else HeroError, match=said):
        demo.gather(settings, tmp_path)
