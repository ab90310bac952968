import json

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from hero_lab.words.problems import GYM, MARKER, SPLITS, completion, read_word_problems
from hero_rl.errors import DataError
from hero_rl.verifiers import ExactVerifier, MathVerifier


def problems_of(tmp_path, *rows):
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_word_problems(str(path))


@pytest.mark.parametrize(
    ("answer", "equation", "value", "reference", "working"),
    [
        ("11 (plums)", "4+7=11", "11", "11 plums", "4+7"),
        ("26 apples", None, "26", "26 apples", ""),
        ("7.5 cups of rice", "15/2=7.5", "7.5", "7.5 cups of rice", "15/2"),
        ("322", "( 412 - 90 )", "322", "322", "412-90"),
        ("6", "( ( 26 - 10 ) - 10 )", "6", "6", "((26-10)-10)"),
        ("1.5 (kilograms of rice)", "6/4=1.5", "1.5", "1.5 kilograms of rice", "6/4"),
        ("12", None, "12", "12", ""),
        ("4 (dollars)", "y:Dollars of each; 4*1+6y=28", "4", "4 dollars", ""),
        ("9 (pens)", "10-2=8", "9", "9 pens", ""),
        ("In all <<48/2=24>>24, then <<48+24=72>>72.\n#### 1,072", None, "1072", "1072", "48/2=24\n48+24"),
    ],
)
def test_rows_of_the_known_sets(tmp_path, answer, equation, value, reference, working):
    row = {"question": "How many?", "answer": answer} | ({"equation": equation} if equation else {})
    (problem,) = problems_of(tmp_path, row)
    assert (problem.answer, problem.reference, problem.working) == (value, reference, working)
    assert problem.kind == ("easy" if reference == value else "hard")


SVAMP = {"ID": "chal-1", "Body": "Each pack is 76 dollars.", "Question": "What do 2 packs cost?", "Answer": "152.0"}
ASDIV = {"body": "Seven red apples and two green ones are in the basket.", "question": "How many apples?"}
GSM8K = {
    "question": "48 clips in April, half in May. How many?",
    "answer": "48/2 = <<48/2=24>>24\n<<48+24=72>>72\n#### 72",
}


@pytest.mark.parametrize(
    ("row", "question", "reference", "working"),
    [
        (SVAMP | {"Equation": "( 76.0 * 2.0 )"}, f"{SVAMP['Body']} {SVAMP['Question']}", "152.0", "76.0*2.0"),
        (ASDIV | {"answer": "9 (apples)", "formula": "7+2=9"}, f"{ASDIV['body']} How many apples?", "9 apples", "7+2"),
        (GSM8K, GSM8K["question"], "72", "48/2=24\n48+24"),
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "hub"])
def test_the_columns_of_svamp_asdiv_and_gsm8k(row, question, reference, working, suffix, tmp_path, monkeypatch):
    asked = []

    def stored(*arguments):
        asked.append(arguments)
        return Dataset.from_list([row])

    source = {"hub": "someone/somewhere"}.get(suffix, str(tmp_path / f"rows.{suffix}"))
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    Dataset.from_list([row]).to_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr("hero_rl.training.rows.prompts.hub_dataset", stored)
    (problem,) = read_word_problems(source, "main", "test")
    assert (problem.question, problem.reference, problem.working) == (question, reference, working)
    assert asked == ([("someone/somewhere", "main", "test")] if suffix == "hub" else [])


def test_a_row_of_the_hub_without_a_question_is_named(monkeypatch):
    monkeypatch.setattr(
        "hero_rl.training.rows.prompts.hub_dataset", lambda *arguments: Dataset.from_list([{"Answer": "1"}])
    )
    with pytest.raises(DataError, match=r"someone/somewhere\[train\] row 1: no column 'question'; it has \['answer'\]"):
        read_word_problems("someone/somewhere")


def test_answers_that_are_no_number_are_left_out(tmp_path):
    rows = [
        {"question": f"Who, {n}?", "answer": a} for n, a in enumerate(["Mrs. Hilt", "8:15", "3:4", "1.8333333333", "5"])
    ]
    assert [problem.answer for problem in problems_of(tmp_path, *rows)] == ["5"]
    said = []
    read_word_problems(str(tmp_path / "problems.jsonl"), say=said.append)
    assert said == [f"{tmp_path}/problems.jsonl: 4 of 5 rows are left out, whose answer is not read as a number"]
    with pytest.raises(DataError, match="no row has an answer that is a number"):
        problems_of(tmp_path, rows[0])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        read_word_problems(str(tmp_path / "none.jsonl"))


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_a_problem_with_other_numbers_lies_on_the_same_side(tmp_path_factory, first, second):
    rows = [{"question": f"Tom had {n} plums. How many?", "answer": str(n)} for n in (first, second)]
    assert len({problem.split for problem in problems_of(tmp_path_factory.mktemp("rows"), *rows)}) == 1


def test_splits_have_their_shares(tmp_path):
    rows = [{"question": f"{'plum ' * (n % 50)}{'pear ' * (n // 50)}?", "answer": "1"} for n in range(2500)]
    made = problems_of(tmp_path, *rows)
    for split, share in SPLITS.items():
        assert sum(problem.split == split for problem in made) / len(made) == pytest.approx(share, abs=0.03)


def test_demonstrations_come_in_forms_that_the_oracle_takes_and_the_exact_verifier_takes_in_part(tmp_path):
    rows = [
        {"question": f"How many {'ripe ' * n}plums?", "answer": f"{n} (plums)", "equation": f"{n}+0={n}"}
        for n in range(1, 200)
    ]
    made = problems_of(tmp_path, *rows)
    oracle, exact = MathVerifier(), ExactVerifier(marker=MARKER)
    assert all(oracle.verify(p.answer, completion(p)).value == 1.0 for p in made)
    taken = sum(exact.verify(p.reference, completion(p)).value for p in made) / len(made)
    assert 0.3 < taken < 0.5
    assert all(oracle.verify(p.answer + "1", completion(p)).value == 0.0 for p in made)


def test_generated_problems_are_worked_right():
    pytest.importorskip("reasoning_gym")
    made = read_word_problems(GYM, count=200)
    assert {problem.kind for problem in made} == {"easy", "hard"}
    oracle = MathVerifier()
    assert all(oracle.verify(problem.answer, completion(problem)).value == 1.0 for problem in made)
    assert all(oracle.verify(problem.answer, problem.working.splitlines()[-1]).value == 1.0 for problem in made)
    assert read_word_problems(GYM, count=200) == made
