"""Problems that Reasoning Gym makes, and what is done with them."""

import json

import pytest

from hero_rl.cli import main
from hero_rl.errors import ConfigError
from hero_rl.problems import GeneratedProblems, generated_rows
from hero_rl.training.configs.policy import DataConfig
from hero_rl.training.rows.prompts import load_prompts
from hero_rl.verifiers import ReasoningGymVerifier, Request

pytest.importorskip("reasoning_gym")

SUMS = {"chain_sum": {"max_terms": 2}, "leg_counting": {"size": 1}}


def test_problems_come_in_turn_with_references_that_judge(monkeypatch):
    # The other two draw from the order of sets, and from Python's global state.
    source = GeneratedProblems(generators=SUMS | {"isomorphic_strings": {}, "list_functions": {}}, size=3, seed=1)
    rows = list(generated_rows(source))
    assert [row["id"] for row in rows[:5]] == [*(f"{name}-0" for name in source.generators), "chain_sum-1"]
    assert len(rows) == 10
    for row in rows:
        assert (
            row["prompt"].endswith(source.instruction) and row["domain"] == row["answer"]["metadata"]["source_dataset"]
        )
        right = f"It is <answer>{row['answer']['answer']}</answer>."
        assert ReasoningGymVerifier().verify(Request(row["answer"], right, row["prompt"])).value == 1
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert list(generated_rows(source)) == rows


@pytest.mark.parametrize(
    ("generators", "message"),
    [
        ("chain_sums", "no 'chain_sums'; did you mean 'chain_sum'"),
        ("countdown", "countdown: its scoring evaluates answers as code"),
        ({"chain_sum": {"max_tems": 3}}, "chain_sum: .*max_tems"),
        ({"chain_sum": {"min_terms": 9, "max_terms": 3}}, "chain_sum: max_terms"),
    ],
)
def test_what_cannot_be_made_is_named(generators, message):
    with pytest.raises(ConfigError, match=rf"generators.*{message}"):
        list(generated_rows(GeneratedProblems(generators=generators, size=2)))


def test_training_takes_them_in_the_place_of_a_file():
    data = DataConfig.model_validate({"train": {"generators": SUMS, "size": 2}, "domain_column": "domain"})
    rows = load_prompts(data, "train", ReasoningGymVerifier()).to_list()
    assert [row["domain"] for row in rows] == ["chain_sum", "leg_counting", "chain_sum"]
    whole = json.loads(rows[0]["hero_row"])
    assert whole["reference"]["metadata"]["source_dataset"] == "chain_sum"


@pytest.mark.parametrize(
    ("train", "evaluation", "name"),
    [
        ({"generators": SUMS, "size": 4}, {"generators": SUMS, "size": 2}, "chain_sum"),
        ({"generators": SUMS, "size": 4}, {"generators": SUMS, "size": 2, "seed": 3}, "chain_sum"),
        ({"generators": "chain_sum"}, {"generators": {"chain_sum": {"seed": 499}}, "seed": 900}, "chain_sum"),
        ({"generators": "chain_sum,leg_counting"}, {"generators": SUMS | {"chain_sum": {}}}, "chain_sum"),
        ({"generators": "leg_counting"}, {"generators": SUMS}, "leg_counting"),
        ({"generators": SUMS, "size": 4}, {"generators": SUMS, "size": 2, "seed": 4}, None),
        ({"generators": SUMS, "size": 4, "seed": 2}, {"generators": SUMS, "size": 2}, None),
        ({"generators": "chain_sum"}, {"generators": {"chain_sum": {"max_terms": 2}}}, None),
        ({"generators": "chain_sum"}, {"generators": "leg_counting"}, None),
        ({"generators": {"chain_sum": {"size": "x"}}}, {"generators": {"chain_sum": {"size": "x"}}}, None),
    ],
)
def test_evaluation_is_on_other_problems_than_training(train, evaluation, name):
    given = {"train": train, "eval": evaluation}
    if name is None:
        DataConfig.model_validate(given)
    else:
        with pytest.raises(ValueError, match=rf"eval.generators.{name}: makes problems that are trained on"):
            DataConfig.model_validate(given)


def test_a_problem_is_made_of_the_seed_and_its_number():
    first = list(generated_rows(GeneratedProblems(generators={"chain_sum": {}}, size=4)))
    later = list(generated_rows(GeneratedProblems(generators={"chain_sum": {}}, size=2, seed=3)))
    assert later[0]["prompt"] == first[3]["prompt"]


def test_an_unknown_setting_of_theirs_is_named(tmp_path, capsys):
    path = tmp_path / "run.yaml"
    path.write_text("data: {train: {generators: chain_sum, sed: 1}}")
    assert main(["train", str(path), "--check"]) != 0
    assert "data.train.sed: unknown setting" in capsys.readouterr().err


def test_hero_data_writes_them_with_a_card(tmp_path):
    folder = tmp_path / "gym"
    assert main(["data", "gym", "--generators", "chain_sum", "--size", "3", "--output_dir", str(folder), "--json"]) == 0
    rows = [json.loads(line) for line in (folder / "problems.jsonl").read_text().splitlines()]
    assert len(rows) == 3 and set(rows[0]) == {"prompt", "answer", "domain", "id"}
    card = json.loads((folder / "card.json").read_text())
    assert card["counts"]["chain_sum"] == 3 and card["kind"] == "gym"
