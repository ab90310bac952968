"""What the verbs of `hero data` are told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hero_rl.data.language import check_script
from hero_rl.generation import GeneratorConfig, OpenAIGeneratorConfig, Sampling
from hero_rl.problems import GeneratedProblems, ProblemSource
from hero_rl.rollouts import Format
from hero_rl.settings import Block
from hero_rl.verifiers import AnyVerifier, MathVerifier, Processes

__all__ = ["ColdStartConfig", "GymConfig", "RegimesConfig", "Sizes", "TextbookConfig"]

Count = Annotated[int, Field(ge=0)]


def _names(given: Any) -> Any:
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given


class Sizes(Block):
    """How many problems of each verdict are drawn; the usual numbers are the paper's, which names no validation parts.

    Attributes:
        easy: training problems that are easy to verify.
        hard: training problems that are hard to verify.
        mixed: of each of the two in the mixed regime; they are the first that the easy and the hard regime drew.
        validation: of each of the two held out; the mixed regime's validation part has half as many of each.
    """

    easy: Count = 2000
    hard: Count = 2000
    mixed: Count = 1000
    validation: Count = 200

    @model_validator(mode="after")
    def _check(self) -> Sizes:
        if self.mixed > min(self.easy, self.hard):
            raise ValueError("mixed: more than easy or hard, of which it is the first part")
        return self


class RegimesConfig(Block):
    """Problems split into easy and hard to verify, and drawn from.

    Attributes:
        output_dir: folder of the data.
        problems: where they come from.
        solutions: file or folder of solutions in any layout of rollouts; else they are generated.
        solutions_format: whose columns `solutions` has; told from its first row unless given.
        generator: writes the solutions where there is no file.
        sampling: how it draws them; the paper has one of each problem.
        verifier: judges them.
        verifier_processes: the processes that a rule verifier runs in.
        easy_if: of several solutions to a problem, which must be correct for it to be easy to verify.
        benchmarks: problem sets that no problem may share text with; names may stand in one text with commas between.
        ngram: words in a row that are too many to share.
        ngram_share: share of a benchmark problem's n-grams that a problem must have to be left out; 0 means one n-gram.
            What shares less is listed and kept.
        sizes: how many problems are drawn.
        seed: of every draw.
        max_missing: stop when the verifier fails on a larger share than this of 128 solutions, or more of the requests
            to the generator fail; what was done before is kept for the next call.
    """

    output_dir: str
    problems: ProblemSource
    solutions: str | None = None
    solutions_format: Format | None = None
    generator: GeneratorConfig | None = None
    sampling: Sampling = Sampling(samples=1)
    verifier: AnyVerifier = MathVerifier()
    verifier_processes: Processes = Processes()
    easy_if: Literal["first", "any", "all"] = "first"
    benchmarks: tuple[ProblemSource, ...] = ()
    ngram: Annotated[int, Field(ge=2)] = 13
    ngram_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    sizes: Sizes = Sizes()
    seed: int = 0
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.1

    _listed = field_validator("benchmarks", mode="before")(_names)

    @model_validator(mode="after")
    def _check(self) -> RegimesConfig:
        if (self.solutions is None) == (self.generator is None):
            raise ValueError("give either solutions, a file, or a generator that writes them")
        return self


class ColdStartConfig(Block):
    """The solutions that a model is first fine-tuned on.

    Attributes:
        output_dir: folder of the data.
        solutions: file or folder of solutions in any layout of rollouts; `verified.jsonl` of `hero data regimes`.
        solutions_format: whose columns it has; told from its first row unless given.
        held_out: files of problems that no solution may be of, names may stand in one text with commas between; None
            takes the validation parts of `hero data regimes` that lie beside `solutions`.
        verifier: judges solutions anew; None keeps the file's verdicts, and takes the maths verifier where it has none.
        verifier_processes: the processes that a rule verifier runs in.
        script: the one script that a solution is written in, by its Unicode name. Greek letters and those of formulas
            belong to every script. A script is not a language: French passes for English.
        script_share: least share of a solution's letters that are of that script.
        max_characters: of a solution.
        max_tokens: of a solution, where the file has a column `tokens`.
        min_characters: of a solution.
        max_after_answer: characters behind the last box; more means that the model went on after it was done.
        per_problem: solutions that are kept of one problem.
        size: how many are drawn.
        validation: how many more are held out, of other problems.
        seed: of every draw.
        max_missing: stop when the verifier fails on a larger share than this of 128 solutions.
    """

    output_dir: str
    solutions: str
    solutions_format: Format | None = None
    held_out: tuple[str, ...] | None = None
    verifier: AnyVerifier | None = None
    verifier_processes: Processes = Processes()
    script: str = "Latin"
    script_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_characters: Annotated[int, Field(ge=1)] = 16_000
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    min_characters: Count = 16
    max_after_answer: Count = 300
    per_problem: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1)] = 2000
    validation: Count = 0
    seed: int = 0
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.1

    _listed = field_validator("held_out", mode="before")(_names)

    @field_validator("script")
    @classmethod
    def _known_script(cls, script: str) -> str:
        check_script(script)
        return script


class TextbookConfig(Block):
    """Textbook questions with one short answer that a judge can compare and a rule cannot.

    Attributes:
        output_dir: folder of the data.
        problems: where they come from.
        solution_column: column of a worked solution, which the verifier is shown as a candidate; where it confirms the
            answer the question is easy to verify, and left out. None leaves that check out.
        verifier: that rule.
        verifier_processes: the processes that it runs in.
        max_question: characters of a question.
        max_answer: characters of an answer.
        max_answer_words: words of an answer.
        checker: a language model at an endpoint, which is asked about each question that the rules keep; None asks
            nobody and takes the rules' word.
        sampling: how the checker draws its replies.
        size: how many questions are drawn; the checker is asked about no more than it takes.
        seed: of the draw.
        max_missing: stop when the checker fails on a larger share than this of 64 questions.
    """

    output_dir: str
    problems: ProblemSource = ProblemSource(dataset="textbookreasoning")
    solution_column: str | None = "answer"
    verifier: AnyVerifier = MathVerifier()
    verifier_processes: Processes = Processes()
    max_question: Annotated[int, Field(ge=1)] = 2000
    max_answer: Annotated[int, Field(ge=1)] = 200
    max_answer_words: Annotated[int, Field(ge=1)] = 25
    checker: OpenAIGeneratorConfig | None = None
    sampling: Sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=1024, samples=1)
    size: Annotated[int, Field(ge=1)] = 750
    seed: int = 0
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.1


class GymConfig(GeneratedProblems):
    """Problems of Reasoning Gym's generators, in a file.

    Attributes:
        output_dir: folder of the data.
    """

    output_dir: str
