"""Problem sets: what is read, what is refused, and that a draw depends on seed and ids alone."""

import gzip
import json
import random

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_rl.errors import DataError
from hero_rl.problems import PRESETS, ProblemReader, ProblemSource, draw, hub, read_problems, reading
from hero_rl.verifiers import verify_math


def jsonl(tmp_path, *rows, name="rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def read(dataset, **settings):
    return list(read_problems(ProblemSource(dataset=dataset, **settings)))


def test_columns_are_told_from_the_first_row(tmp_path):
    (problem,) = read(jsonl(tmp_path, {"question": "2 + 2 =", "gold": 4, "id": 7, "level": "easy"}))
    assert (problem.id, problem.prompt, problem.reference, problem.source) == ("7", "2 + 2 =", "4", "rows")
    assert (problem.question, problem.extra, str(problem.place)) == ("2 + 2 =", {}, f"{tmp_path}/rows.jsonl:1")


def test_named_columns_instruction_system_prompt_and_context(tmp_path):
    source = jsonl(tmp_path, {"a": "q", "b": ["1", " 2 "], "c": "given this", "d": 1})
    named = {"prompt_column": "a", "reference_column": "b", "context_column": "c", "keep_columns": ["d"]}
    (problem,) = read(source, **named, instruction="Box it.", system_prompt="Be brief.")
    assert problem.prompt == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "given this\n\nq\nBox it."},
    ]
    assert (problem.reference, problem.question, problem.extra) == ("1, 2", "given this\n\nq", {"d": 1})


@pytest.mark.parametrize(
    ("answers", "right", "wrong"),
    [
        (["1,000", "2"], "2 and 1000", "1, 0, 2"),
        (["2,000", "1,500"], "1500, 2000", "2000"),
        (["(1, 2)", "(3, 4)"], "(3, 4), (1, 2)", "(1, 2)"),
        (["x, y", "z"], "x, y, z", "x, y"),
    ],
)
def test_of_a_list_of_answers_all_are_asked_for_whatever_commas_they_have(tmp_path, answers, right, wrong):
    (problem,) = read(jsonl(tmp_path, {"prompt": "q", "answer": answers}))
    said = [verify_math(problem.reference, rf"\boxed{{{answer}}}") for answer in (right, wrong)]
    assert said == [True, False]


def test_messages_keep_their_roles_and_the_last_question_counts(tmp_path):
    messages = [{"role": r, "content": c} for r, c in [("system", "s"), ("user", "q")]]
    (problem,) = read(jsonl(tmp_path, {"prompt": messages, "answer": "1"}), instruction="i")
    assert problem.prompt == [messages[0], {"role": "user", "content": "q\ni"}]
    assert problem.question == "q"
    (plain,) = read(jsonl(tmp_path, {"prompt": "q", "answer": "1"}))
    assert plain.messages == [{"role": "user", "content": "q"}]


def test_a_solution_gives_the_content_of_its_last_box(tmp_path):
    rows = [{"problem": "q", "solution": r"first \boxed{1}, so \boxed{\frac{1}{2}} m"}]
    assert read(jsonl(tmp_path, *rows))[0].reference == r"\frac{1}{2}"
    with pytest.raises(DataError, match=r"rows.jsonl:2: 'solution' holds no answer"):
        read(jsonl(tmp_path, *rows, {"problem": "r", "solution": "no box"}))


def test_parquet_gzip_and_where(tmp_path):
    rows = [{"problem": f"p{n}", "answer": float(n), "kind": "odd" if n % 2 else "even"} for n in range(6)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    problems = read(str(tmp_path / "rows.parquet"), where={"kind": "odd"})
    assert [(p.question, p.reference) for p in problems] == [("p1", "1"), ("p3", "3"), ("p5", "5")]
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    reader = ProblemReader(ProblemSource(dataset=str(tmp_path / "rows.jsonl.gz"), where={"kind": ["even", "odd"]}))
    assert len(list(reader)) == reader.counts["problems"] == 6


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], {}, "rows.jsonl: no rows"),
        ([{"x": 1}], {}, r"no column of 'prompt', 'problem', 'question' for prompt_column; it has \['x'\]"),
        ([{"prompt": "a"}], {"reference_column": "gold"}, "no column 'gold' for reference_column"),
        ([{"prompt": "a", "answer": 1}], {"where": {"kind": 1}}, "no column 'kind' for a setting that names it"),
        ([{"prompt": "a", "answer": 1}, {"answer": 1}], {}, r"rows.jsonl:2: no column 'prompt'"),
        ([{"prompt": "a", "answer": 1}, {"prompt": " ", "answer": 1}], {}, r":2: 'prompt' must be text, or chat mess"),
        ([{"prompt": [{"role": "system", "content": "x"}], "answer": 1}], {}, "one of the user"),
        ([{"prompt": "a", "answer": True}], {}, r"rows.jsonl:1: 'answer' must be text or a number, not True"),
        ([{"prompt": "a", "answer": {"b": 1}}], {}, "'answer' must be text or a number"),
        ([{"prompt": "a", "answer": []}], {}, r"rows.jsonl:1: 'answer' holds no answer; empty_answers: skip"),
        ([{"prompt": "a", "answer": " "}], {}, "'answer' holds no answer"),
        ([{"prompt": "a", "answer": 1}] * 2, {}, "rows.jsonl:2: 'prompt': another row has it too"),
        ([{"id": 1, "prompt": p, "answer": 1} for p in "ab"], {}, r"rows.jsonl:2: 'id': another row .* \(id '1'\)"),
        ([{"id": None, "prompt": "a", "answer": 1}], {}, "rows.jsonl:1: 'id' must be text or a number"),
        ([{"prompt": "a", "answer": None}], {"empty_answers": "skip"}, "no problems; .*'empty_answers': 1"),
        (["{oops"], {}, "rows.jsonl:1: not valid JSON"),
    ],
)
def test_bad_rows_are_named(tmp_path, rows, settings, message):
    with pytest.raises(DataError, match=message):
        read(jsonl(tmp_path, *rows), **settings)


def test_wrong_encoding_and_missing_file_are_named(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"prompt": "a", "answer": 1}\n{"prompt": "\xe4"}\n')
    with pytest.raises(DataError, match=r"rows.jsonl:2: not valid UTF-8"):
        read(str(tmp_path / "rows.jsonl"))
    with pytest.raises(DataError, match=r"gone.jsonl: no such file"):
        read(str(tmp_path / "gone.jsonl"))
    with pytest.raises(DataError, match=r"a folder; name a file"):
        read(str(tmp_path))


def test_what_is_skipped_is_counted(tmp_path):
    rows = [{"prompt": p, "answer": a} for p, a in [("a", 1), ("a  ", 2), ("b", ""), ("c", 3)]]
    reader = ProblemReader(
        ProblemSource(dataset=jsonl(tmp_path, *rows), duplicates="skip", empty_answers="skip", limit=5)
    )
    assert [(p.question, p.reference) for p in reader] == [("a", "1"), ("c", "3")]
    assert reader.counts == {"rows": 4, "other": 0, "duplicates": 1, "empty_answers": 1, "problems": 2, "drawn": 2}


@given(st.lists(st.text(), unique=True, max_size=20), st.integers(0, 20), st.integers(), st.randoms())
def test_a_draw_depends_on_names_and_seed_alone(names, count, seed, random):
    drawn = draw(names, count, seed)
    shuffled = list(names)
    random.shuffle(shuffled)
    assert draw(shuffled, count, seed) == drawn == draw(names, None, seed)[:count]
    without = [name for name in names if name not in drawn]
    assert draw([*drawn, *without[:3]], count, seed) == drawn  # what was not drawn changes nothing


def test_a_sample_is_the_draw_in_the_order_of_the_file(tmp_path):
    rows = [{"id": n, "prompt": f"p{n}", "answer": n} for n in range(50)]
    sampled = [p.id for p in read(jsonl(tmp_path, *rows), sample=10, seed=3)]
    assert set(sampled) == set(draw(map(str, range(50)), 10, 3)) and sampled == sorted(sampled, key=int)
    random.Random(0).shuffle(rows)
    assert {p.id for p in read(jsonl(tmp_path, *rows), sample=10, seed=3)} == set(sampled)
    assert {p.id for p in read(jsonl(tmp_path, *rows), sample=10, seed=4)} != set(sampled)


def test_the_hub_is_streamed_with_the_preset(monkeypatch):
    from datasets import Dataset

    row = {"problem_type": "has_answer_extracted", "generated_solution": "long", "problem_source": "aops"}
    rows = [row | {"problem": p, "expected_answer": a} for p, a in [("p", "1"), ("p", "1"), ("q", None), ("r", "2")]]
    rows.append(rows[0] | {"problem_type": "no_answer_extracted", "problem": "s"})
    asked = []

    def stored(*arguments, **options):
        asked.append((arguments, options))
        return Dataset.from_list(rows).to_iterable_dataset()

    monkeypatch.setattr(reading, "hub_dataset", stored)
    monkeypatch.setattr(reading, "commit_of", lambda source, revision: "f" * 40)
    reader = ProblemReader(ProblemSource(dataset="openmathreasoning"))
    assert [(p.question, p.source, p.extra) for p in reader] == [
        ("p", "openmathreasoning", {"problem_source": "aops"}),
        ("r", "openmathreasoning", {"problem_source": "aops"}),
    ]
    columns = ["problem", "expected_answer", "problem_source", "problem_type"]
    assert [options for _, options in asked] == [{"streaming": True, "columns": c} for c in (None, columns)]
    assert asked[0][0] == ("nvidia/OpenMathReasoning", None, "cot", "f" * 40)
    assert dict(reader.counts, drawn=2) == {
        "rows": 5, "other": 1, "duplicates": 1, "empty_answers": 1, "problems": 2, "drawn": 2,
    }  # fmt: skip
    assert reader.identity()["revision"] == "f" * 40
    every = list(ProblemReader(ProblemSource(dataset="openmathreasoning", where={})))
    assert [p.question for p in every] == ["p", "r", "s"]


@pytest.mark.parametrize(("suffix", "left"), [("parquet", {"problem"}), ("jsonl", {"problem", "long"})])
def test_columns_that_are_not_wanted_are_not_fetched_where_the_files_allow_it(tmp_path, suffix, left):
    rows = [{"problem": "p", "long": "x"}]
    if suffix == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "cot.parquet")
    else:
        jsonl(tmp_path, *rows, name="cot.jsonl")
    dataset = hub.hub_dataset(str(tmp_path), None, "train", streaming=True, columns=["problem"])
    assert set(next(iter(dataset))) == left
    assert list(hub.hub_rows(dataset, "d", ["problem"])) == [{"problem": "p"}]


def test_what_can_only_be_the_right_answer_is_taken_before_what_may_be_a_models(tmp_path):
    (book,) = read(jsonl(tmp_path, {"question": "q", "answer": "We see that it is 4.", "reference_answer": "4"}))
    (pair,) = read(jsonl(tmp_path, {"question": "q", "answer": "5", "gold": "4"}))
    assert book.reference == pair.reference == "4"


def test_a_dataset_that_cannot_be_loaded_is_no_traceback():
    with pytest.raises(DataError, match=r"nobody/nothing \(neither a file here nor"):
        read("nobody/nothing")
    assert hub.commit_of("nobody/nothing", None) is None


@pytest.mark.parametrize(
    ("preset", "file", "count", "first"),
    [
        ("math500", "math500", 500, r"\left( 3, \frac{\pi}{2} \right)"),
        ("minerva", "minerva_math", 272, "1.6"),
        ("olympiadbench", "olympiadbench", 675, "2"),
    ],
)
def test_presets_read_the_local_benchmarks(shared, preset, file, count, first):
    path = shared / "data" / "benchmarks" / f"{file}.jsonl"
    problems = read(preset, path=str(path))
    assert (len(problems), problems[0].reference, problems[0].source) == (count, first, preset)


def test_presets_are_complete_and_pinned():
    for name, preset in PRESETS.items():
        assert preset.revision is None or len(preset.revision) == 40, name
        assert preset.graded_by == ("judge" if preset.kind == "hard" else "verifier")
    assert [name for name, preset in PRESETS.items() if preset.revision is None] == ["openmathreasoning"]
    with pytest.raises(ValueError, match="path needs a preset"):
        ProblemSource(dataset="x.jsonl", path="y.jsonl")


def in_verls_schema(**more):
    extra = {"split": "train", "index": 3}
    return {"prompt": [{"role": "user", "content": "2 + 2 ="}], "extra_info": extra, **more}


@pytest.mark.parametrize("settings", [{}, {"reference_column": "reward_model.ground_truth"}])
def test_verls_schema_is_read_without_a_word(tmp_path, settings):
    rows = [in_verls_schema(reward_model={"style": "rule", "ground_truth": "4"})]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for source in (jsonl(tmp_path, *rows), str(tmp_path / "a.parquet")):
        (problem,) = read(source, id_column="extra_info.index", keep_columns=["extra_info.split"], **settings)
        assert (problem.reference, problem.id) == ("4", "3")
        assert problem.extra == {"extra_info.split": "train"}


def test_a_column_that_is_no_object_does_not_hold_the_reference(tmp_path):
    (problem,) = read(jsonl(tmp_path, in_verls_schema(reward_model="some/model", answer="4")))
    assert problem.reference == "4"
    with pytest.raises(DataError, match=r"no column 'reward_model\.ground_truth'"):
        read(jsonl(tmp_path, in_verls_schema(reward_model="m")), reference_column="reward_model.ground_truth")
