"""The problem sets of the paper: where they lie, what their columns are called, and how their answers are judged.

A revision is a commit of the dataset at the Hub, so that a table can be made again; where none is known it is None, the
branch `main` is read, and a data card names the commit that it was at the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A problem set by name.

    Attributes:
        dataset: its id at the Hub.
        kind: whether answers are easy to verify by a rule (`easy`) or need a judge (`hard`); None for training data.
        graded_by: what the paper judges it by.
        name: configuration at the Hub.
        split: split at the Hub.
        revision: commit at the Hub.
        prompt: columns that may hold the question, the likeliest first.
        reference: columns that may hold the right answer.
        id: columns that may name a problem.
        context: column of text that belongs before the question.
        keep: columns to keep where they are there.
        where: column -> value of the rows to use.
        sample: how many problems the paper draws.
        duplicates: whether rows with one id, or without one and with one question, are one problem.
        empty_answers: what becomes of rows without an answer.
    """

    dataset: str
    kind: Literal["easy", "hard"] | None
    graded_by: Literal["verifier", "judge"] = "verifier"
    name: str | None = None
    split: str = "test"
    revision: str | None = None
    prompt: tuple[str, ...] = ("problem", "question")
    reference: tuple[str, ...] = ("answer",)
    id: tuple[str, ...] = ()
    context: str | None = None
    keep: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    sample: int | None = None
    duplicates: Literal["refuse", "skip"] = "refuse"
    empty_answers: Literal["refuse", "skip"] = "refuse"


PRESETS: dict[str, Preset] = {
    # Several solutions a problem, a row each, and no column that names the problem.
    "openmathreasoning": Preset(
        dataset="nvidia/OpenMathReasoning",
        kind=None,
        split="cot",
        reference=("expected_answer",),
        keep=("problem_source",),
        where={"problem_type": "has_answer_extracted"},
        sample=40_000,
        duplicates="skip",
        empty_answers="skip",
    ),
    "math500": Preset(
        dataset="HuggingFaceH4/MATH-500",
        kind="easy",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        id=("unique_id",),
        keep=("subject", "level"),
    ),
    "amc": Preset(
        dataset="AI-MO/aimo-validation-amc",
        kind="easy",
        split="train",
        revision="69d78a4a2c840e82d69af6bc742bda09005f6316",
        id=("id",),
    ),
    "minerva": Preset(
        dataset="math-ai/minervamath",
        kind="easy",
        revision="ee46ddc498933b1977577953250ca5c66be64f96",
        prompt=("question", "problem"),
        reference=("answer", "solution"),
        id=("idx",),
        keep=("type",),
    ),
    "olympiadbench": Preset(
        dataset="Hothan/OlympiadBench",
        kind="easy",
        name="OE_TO_maths_en_COMP",
        split="train",
        revision="91184b52131e7fc9455fef848035173aea8cc01a",
        prompt=("question",),
        reference=("final_answer",),
        id=("id",),
        context="context",
        keep=("subfield", "answer_type", "unit", "error"),
    ),
    "hardverify-math": Preset(
        dataset="zhangchenxu/HardVerify-Math",
        kind="hard",
        graded_by="judge",
        split="train",
        revision="8afc00dbb909beeefc42afab302f341c8df9114a",
        prompt=("question",),
        reference=("ground_truth",),
        id=("id",),
        keep=("source",),
    ),
    "textbookreasoning": Preset(
        dataset="MegaScience/TextbookReasoning",
        kind="hard",
        graded_by="judge",
        split="train",
        revision="ca7ecbec76d01bff2e99f3dc17735b02f87d4e96",
        prompt=("question", "prompt"),  # the second of each is what `hero data textbook` writes
        reference=("reference_answer", "answer"),
        id=("id",),
        keep=("subject", "answer"),
        duplicates="skip",
        empty_answers="skip",
    ),
}
