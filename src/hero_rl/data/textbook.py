"""Textbook questions for a judge: one short answer, out of the reach of a rule, and fit to be compared.

    made = make_textbook(TextbookConfig(output_dir="textbook", checker={"url": "http://localhost:8000"}))
    print(made.account["counts"])

Questions are taken in a random order that the seed fixes. Each passes the rules on its text, then the rule verifier (a
question whose worked solution it confirms is easy to verify, and left out), then the word of a language model. Nobody's
failure is a word: a question about which verifier or model said nothing is kept apart and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from hero_rl.budget import FailureBudget
from hero_rl.data.card import (
    Made,
    files_of,
    notes_of,
    source_of,
    table,
    take_folder,
    verifier_version,
    withdraw_card,
    write_card,
)
from hero_rl.data.checking import FAULTS, Opinion, ask
from hero_rl.data.questions import RULES, rule_against
from hero_rl.data.settings import TextbookConfig
from hero_rl.errors import DataError, GenerationError
from hero_rl.files.partial import Partial
from hero_rl.files.rows import read_rows
from hero_rl.files.stages import Bars, no_bars, stage
from hero_rl.files.whole import write_jsonl
from hero_rl.generation import Generator
from hero_rl.problems import Problem, ProblemReader, rank
from hero_rl.rollouts.writers import write_lines
from hero_rl.verifiers import BatchVerifier, Reason, Request, Verdict, Verifier, held, in_processes, verdicts_of

__all__ = ["make_textbook"]

AT_A_TIME = 64


def make_textbook(config: TextbookConfig, restart: bool = False, bars: Bars = no_bars) -> Made:
    """Make the benchmark of textbook questions.

    Args:
        config: the settings.
        restart: begin anew, whatever earlier calls left.
        bars: shows how far it is.

    Raises:
        ConfigError: the folder holds data of something else, or the endpoint can never answer.
        DataError: a bad row, named with its file.
        GenerationError: the checker failed on too many; what it said before is kept for the next call.
    """
    folder = Path(config.output_dir)
    with take_folder(folder, "textbook", restart):
        reader = _reader(config)
        counts: Counter[str] = Counter(dict.fromkeys(RULES, 0))
        candidates = _candidates(reader, config, counts, bars)
        head = {
            "problems": reader.identity(),
            "size, seed, limit, sampling or solution_column": config.model_dump(
                mode="json",
                exclude={"output_dir", "problems", "verifier", "verifier_processes", "checker", "max_missing"},
            ),
            "verifier": verifier_version(config.verifier),
            "time or memory limit": config.verifier_processes.model_dump(exclude={"workers"}),
            "checker": config.checker and config.checker.identity,
        }
        decisions = folder / "decisions.jsonl"
        decide = partial(_decide, candidates, config, decisions, head, restart, bars)
        kept = [decisions.name] if stage(decisions, head, restart, decide) else []
        return Made(folder, _write(candidates, decisions, reader, counts, config, folder), kept)


def _reader(config: TextbookConfig) -> ProblemReader:
    """The problems, with the worked solution among what is kept of them."""
    source = config.problems
    reader = ProblemReader(source)
    column = config.solution_column
    if column is None or column in reader.kept_columns:
        return reader
    return ProblemReader(source.model_copy(update={"keep_columns": (*reader.kept_columns, column)}))


def _candidates(reader: ProblemReader, config: TextbookConfig, counts: Counter[str], bars: Bars) -> list[Problem]:
    """The questions that no rule speaks against, in the order of the draw."""
    found = []
    with bars("questions", reader.size) as bar:
        reader.progress = bar
        for problem in reader:
            limits = (config.max_question, config.max_answer, config.max_answer_words)
            why = rule_against(problem.question, problem.reference, *limits)
            if why is None:
                found.append(problem)
            else:
                counts[why] += 1
    return sorted(found, key=lambda problem: (rank(problem.id, config.seed, "textbook"), problem.id))


def _decide(
    candidates: Sequence[Problem],
    config: TextbookConfig,
    output: Path,
    head: Mapping[str, Any],
    restart: bool,
    bars: Bars,
) -> None:
    """Ask verifier and checker about the candidates in turn, until as many are kept as are wanted."""
    with ExitStack() as stack:
        partial = stack.enter_context(Partial(output, head, restart))
        bar = stack.enter_context(bars("kept", config.size))
        verifier = held(in_processes(config.verifier, config.verifier_processes), stack)
        checker = stack.enter_context(config.checker.build(config.sampling)) if config.checker else None
        budget = FailureBudget(config.max_missing, window=AT_A_TIME)
        kept = sum(note["kept"] for note in partial.batches)
        rest = islice(candidates, sum(note["asked"] for note in partial.batches), None)
        bar(kept)
        while kept < config.size and (chunk := list(islice(rest, AT_A_TIME))):
            rows = _decisions(chunk, config, verifier, checker, budget)
            kept += (now := sum(row["decision"] == "keep" for row in rows))
            partial.add_batch(list(map(_line, rows)), {"asked": len(rows), "kept": now})
            bar(kept)
        write_lines(output, partial.rows())
        partial.remove()


def _decisions(
    chunk: Sequence[Problem],
    config: TextbookConfig,
    verifier: Verifier | BatchVerifier,
    checker: Generator | None,
    budget: FailureBudget,
) -> list[dict[str, Any]]:
    """A row for each question: what was decided, by whom and why."""
    verdicts = _verdicts(chunk, config, verifier)
    unsure = [problem for problem, verdict in zip(chunk, verdicts, strict=True) if _word(verdict) is None]
    opinions = dict(zip([p.id for p in unsure], _opinions(unsure, config, checker, budget), strict=True))
    rows = []
    for problem, verdict in zip(chunk, verdicts, strict=True):
        said = _word(verdict)
        if said is None:
            opinion = opinions[problem.id]
            decision = {True: "keep", False: "drop", None: "undecided"}[opinion.keep]
            by = "checker" if checker else "rules"
            rows.append({"id": problem.id, "decision": decision, "by": by, "why": opinion.why, "said": opinion.reply})
        else:
            reason = str(verdict.reason) if verdict else None
            rows.append({"id": problem.id, "decision": said, "by": "verifier", "why": reason, "said": None})
    return rows


def _word(verdict: Verdict | None) -> str | None:
    """What a verdict on the worked solution decides by itself: a rule that confirms it is all that is needed."""
    if verdict is None or verdict.value == 0.0 or verdict.reason is Reason.REFERENCE_UNREADABLE:
        return None
    return "undecided" if verdict.abstained else "drop"


def _verdicts(
    chunk: Sequence[Problem], config: TextbookConfig, verifier: Verifier | BatchVerifier
) -> list[Verdict | None]:
    """The verifier's word on each worked solution; None where there is none."""
    column = config.solution_column
    solved = [p for p in chunk if column and isinstance(p.extra.get(column), str) and p.extra[column].strip()]
    pairs = [Request(p.reference, p.extra[str(column)], p.question) for p in solved]
    found = dict(zip([p.id for p in solved], verdicts_of(verifier, pairs), strict=True))
    return [found.get(problem.id) for problem in chunk]


def _opinions(
    problems: Sequence[Problem], config: TextbookConfig, checker: Generator | None, budget: FailureBudget
) -> list[Opinion]:
    if checker is None:
        return [Opinion(True, None, "")] * len(problems)
    opinions = ask(checker, problems, config.sampling.seed)
    failed = [opinion for opinion in opinions if opinion.why == "failed"]
    if budget.add(len(failed), len(problems)):
        raise GenerationError(
            f"the checker failed on {len(failed)} of {len(problems)} questions, more than max_missing "
            f"{config.max_missing:g} allows; the last: {failed[-1].reply}. What it said before is kept, and the same "
            "command goes on there"
        )
    return opinions


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return (row for _, row in read_rows(path))


def _write(
    candidates: Sequence[Problem],
    decisions: Path,
    reader: ProblemReader,
    counts: Counter[str],
    config: TextbookConfig,
    folder: Path,
) -> dict[str, Any]:
    """Write the questions that were kept; returns the account."""
    withdraw_card(folder)
    rows = list(_rows(decisions))
    keep = [row["id"] for row in rows if row["decision"] == "keep"][: config.size]
    if not keep:
        raise DataError(f"{reader.path or reader.name}: no question is left; {decisions} says why")
    by_id = {problem.id: problem for problem in candidates}
    write_jsonl(folder / "textbook.jsonl", (_test_row(by_id[one], config) for one in keep))
    said = Counter((row["decision"], row["by"], row["why"]) for row in rows)
    account = {
        "format": 1,
        "kind": "textbook",
        "counts": _counts(reader, counts, candidates, rows, said, len(keep)),
        "problems": reader.identity(),
        "verifier": verifier_version(config.verifier),
        "checker": config.checker and config.checker.identity,
        "settings": config.model_dump(mode="json"),
        "notes": _notes(config, len(keep)),
        "files": files_of(folder, ["textbook.jsonl", "decisions.jsonl"]),
    }
    write_card(folder, "Textbook questions", account, _sections(account))
    return account


def _notes(config: TextbookConfig, kept: int) -> list[str]:
    """What whoever uses the questions must know."""
    notes = [] if config.checker else ["the rules alone decided, and no model; --checker.url asks one"]
    if kept < config.size:
        notes.append(f"{kept} questions instead of {config.size}: no more were left; problems.sample draws from more")
    return notes


def _test_row(problem: Problem, config: TextbookConfig) -> dict[str, Any]:
    more = {name: value for name, value in problem.extra.items() if name != config.solution_column}
    return {
        "id": problem.id, "prompt": problem.prompt, "answer": problem.reference, "source": problem.source, **more
    }  # fmt: skip


def _counts(
    reader: ProblemReader,
    counts: Counter[str],
    candidates: Sequence[Problem],
    rows: Sequence[Mapping[str, Any]],
    said: Counter[tuple[str, str, str | None]],
    kept: int,
) -> dict[str, int]:
    easy = sum(count for (decision, by, _), count in said.items() if (decision, by) == ("drop", "verifier"))
    unknown = sum(count for (decision, by, _), count in said.items() if (decision, by) == ("undecided", "verifier"))
    return {
        "rows read": reader.counts["rows"],
        "rows without an answer": reader.counts["empty_answers"],
        "rows of a question that was there": reader.counts["duplicates"],
        "questions drawn": reader.counts["drawn"],
        **{f"rule: {RULES[why]}": counts[why] for why in RULES},
        "left by the rules": len(candidates),
        "looked at": len(rows),
        "easy: the rule verifier confirms the solution": easy,
        **{f"checker: {FAULTS[why]}": said[("drop", "checker", why)] for why in FAULTS},
        "undecided: no readable word of the checker": said[("undecided", "checker", "unreadable")],
        "undecided: the checker failed": said[("undecided", "checker", "failed")],
        "undecided: the verifier failed": unknown,
        "kept": kept,
    }


def _sections(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings, verifier = account["settings"], account["verifier"]
    asked = f" Checked by `{account['checker']}`." if account["checker"] else ""
    return [
        (
            "Source",
            f"{source_of(account)}; seed {settings['seed']}.{asked}\n\n{notes_of(account)}",
        ),
        ("Counts", table(account["counts"], ("", "questions"))),
        (
            "Verifier",
            f"`{verifier['settings']['type']}`, hero-rl {verifier['versions']['hero-rl']}, {verifier['code']}",
        ),
        ("Files", table({name: told["sha256"] for name, told in account["files"].items()}, ("file", "SHA-256"))),
    ]
