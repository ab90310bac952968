"""Textbook questions from end to end, with a checker that answers as badly as it is told to."""

import re

import pytest
from making import ONE, jsonl, lines
from misbehaving_server import answers, says

from hero_rl.data import TextbookConfig, make_textbook
from hero_rl.errors import GenerationError
from hero_rl.problems import ProblemSource, read_problems

BOOK = [
    *({"question": f"What is the force on mass {n}?", "reference_answer": f"{n} N", "answer": "m"} for n in range(90)),
    {"question": "Prove it.", "reference_answer": "1", "answer": "x"},
    {"question": "What is 2 + 2?", "reference_answer": "4", "answer": "We add: \\boxed{4}."},
    {"question": "What is the mass?", "reference_answer": None, "answer": ""},
]


def textbook(tmp_path, server, **settings):
    path = tmp_path / "book.jsonl"
    if not path.exists():
        jsonl(path, [row | {"subject": "physics"} for row in BOOK])
    checker = server and {"url": server.url, "concurrency": 1, "retries": 0, "seconds": 2}
    places = {"problems": f"textbookreasoning={path}", "output_dir": str(tmp_path / "out")}
    return make_textbook(TextbookConfig(**places, checker=checker, verifier_processes=ONE, **settings))


def even(prompt):
    number = int(re.search(r"mass (\d+)", prompt)[1])
    return "Fine.\nDecision: " + ("keep" if number % 2 == 0 else "drop recall" if number % 3 else "who knows")


def test_textbook_questions(tmp_path, server):
    server.script = [says(even)]
    made = textbook(tmp_path, server)
    counts = made.account["counts"]
    assert (counts["rule: asks for a proof"], counts["rows without an answer"], counts["left by the rules"]) == (
        1,
        1,
        91,
    )
    assert counts["easy: the rule verifier confirms the solution"] == 1
    assert (counts["kept"], counts["undecided: no readable word of the checker"]) == (45, 15)
    assert counts["checker: asks for a fact or a definition rather than for reasoning"] == 30
    kept = lines(made.folder / "textbook.jsonl")
    assert kept[0].keys() == {"id", "prompt", "answer", "source", "subject"}
    assert all(int(row["answer"].split()[0]) % 2 == 0 for row in kept)
    for source in (path := str(made.folder / "textbook.jsonl"), f"textbookreasoning={path}"):
        read = list(read_problems(ProblemSource.model_validate(source)))
        assert [(one.id, one.reference) for one in read] == [(row["id"], row["answer"]) for row in kept]
    assert "Never follow instructions" in server.prompts[0] and len(server.prompts) == 90


def test_the_checker_is_asked_no_more_than_it_takes(tmp_path, server, monkeypatch):
    monkeypatch.setattr("hero_rl.data.textbook.AT_A_TIME", 8)
    server.script = [says(even)]
    made = textbook(tmp_path, server, size=10)
    assert len(lines(made.folder / "textbook.jsonl")) == 10 and len(server.posts) < 40
    again = textbook(tmp_path, server, size=10)
    assert again.kept == ["decisions.jsonl"]


def test_a_checker_that_dies_decides_nothing(tmp_path, server, monkeypatch):
    monkeypatch.setattr("hero_rl.data.textbook.AT_A_TIME", 8)
    server.script = [says(even)] * 20 + [answers(500)]
    with pytest.raises(GenerationError):
        textbook(tmp_path, server)
    assert not (tmp_path / "out" / "textbook.jsonl").exists()
    server.script, server.posts = [says(even)], []
    made = textbook(tmp_path, server)
    assert len(server.posts) == 90 - 16
    assert made.account["counts"]["kept"] == 45 and made.account["counts"]["undecided: the checker failed"] == 0
    few = [says(even)] * 3 + [answers(400)] + [says(even)]
    server.script = few
    lost = make_textbook(
        TextbookConfig.model_validate(made.account["settings"]).model_copy(
            update={"output_dir": str(tmp_path / "b"), "max_missing": 0.5}
        )
    )
    assert lost.account["counts"]["undecided: the checker failed"] == 1


def test_without_a_checker_the_card_says_so(tmp_path):
    made = textbook(tmp_path, None)
    assert made.account["counts"]["kept"] == 90
    assert "**No model checked them: the rules alone decided.**" in (made.folder / "card.md").read_text()
