"""The cold start: solutions of the base model itself that are correct, in one script, properly ended and not too long.

    made = make_cold_start(ColdStartConfig(output_dir="sft", solutions="data/verified.jsonl"))
    print(made.account["counts"])

Every solution that is not kept is counted under the first reason against it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from hero_rl.data.card import Made, files_of, table, take_folder, verifier_version, withdraw_card, write_card
from hero_rl.data.endings import ended
from hero_rl.data.language import script_share
from hero_rl.data.settings import ColdStartConfig
from hero_rl.data.verifying import Matching, identity_of, text_of, verify_solutions
from hero_rl.data.writing import write_demonstrations
from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import short
from hero_rl.files.stages import Bars, no_bars, stage
from hero_rl.files.whole import write_jsonl
from hero_rl.problems import Problem, ProblemSource, draw, read_problems
from hero_rl.rollouts import Rollout, RolloutReader
from hero_rl.verifiers import AnyVerifier, MathVerifier

__all__ = ["REASONS", "make_cold_start", "objection"]

REASONS = {
    "held_out": "of a problem that is held out",
    "unjudged": "no verdict",
    "incorrect": "not correct",
    "short": "too short",
    "long": "too long",
    "script": "another script",
    "unended": "not properly ended",
    "repeated": "the same text as another of its problem",
}
"""Why a solution is left out, in the order in which it is asked."""

_HELD_OUT = ("trl/easy_validation.jsonl", "trl/hard_validation.jsonl")  # of which the mixed regime's is a part


def objection(solution: Rollout, config: ColdStartConfig) -> str | None:
    """What of `REASONS` speaks first against a solution and its text alone; None where nothing does."""
    text = text_of(solution.completion)
    tokens = solution.extra.get("tokens")
    if solution.verdict is None:
        return "unjudged"
    if solution.verdict != 1.0:
        return "incorrect"
    if len(text.strip()) < config.min_characters:
        return "short"
    if len(text) > config.max_characters:
        return "long"
    if config.max_tokens is not None and isinstance(tokens, (int, float)) and tokens > config.max_tokens:
        return "long"
    if script_share(text, config.script) < config.script_share:
        return "script"
    end = solution.extra.get("finish_reason")
    if not ended(text, end if isinstance(end, str) else None, config.max_after_answer):
        return "unended"
    return None


def make_cold_start(config: ColdStartConfig, restart: bool = False, bars: Bars = no_bars) -> Made:
    """Make the demonstrations of the cold start.

    Args:
        config: the settings.
        restart: begin anew, whatever earlier calls left.
        bars: shows how far it is.

    Raises:
        ConfigError: there is nothing to take verdicts from, or the folder holds data of something else.
        DataError: a bad row, named with its file; or fewer solutions are left than are to be drawn.
        UnscorableError: the verifier failed on too many; what was judged is kept for the next call.
    """
    folder = Path(config.output_dir)
    with take_folder(folder, "cold-start", restart):
        reader = RolloutReader(config.solutions, format=config.solutions_format)
        verifier = _verifier_of(reader, config)
        kept: list[str] = []
        if verifier is not None:
            reader, kept = _verified(reader, verifier, config, folder, restart, bars)
        return Made(folder, _write(reader, verifier, config, folder, bars), kept)


def _verifier_of(reader: RolloutReader, config: ColdStartConfig) -> AnyVerifier | None:
    """The verifier to ask; None where the file's verdicts are kept."""
    has = reader.layout.source
    if config.verifier is None and "verdict" in has and any(rollout.verdict is not None for rollout in reader):
        return None
    if "reference" not in has:
        raise ConfigError(
            f"solutions: {reader.path} has neither verdicts nor references to verify against; it is read as "
            f"{reader.layout.format!r} and has {reader.columns}"
        )
    return config.verifier or MathVerifier()


def _verified(
    reader: RolloutReader, verifier: AnyVerifier, config: ColdStartConfig, folder: Path, restart: bool, bars: Bars
) -> tuple[RolloutReader, list[str]]:
    """The solutions with fresh verdicts, and the stage if an earlier call had done it."""
    path = folder / "verified.jsonl"
    processes = config.verifier_processes
    head = {
        "solutions": identity_of(reader),
        "verifier": verifier_version(verifier),
        "time or memory limit": processes.model_dump(exclude={"workers"}),
    }
    judge = partial(
        verify_solutions, reader, _problem_of, verifier, processes, path, head, config.max_missing, restart, bars
    )
    kept = [path.name] if stage(path, head, restart, judge) else []
    return RolloutReader(path, format="rollouts"), kept


def _problem_of(solution: Rollout) -> Problem:
    """The problem that a row of rollouts is of."""
    if solution.reference is not None and not isinstance(solution.reference, str):
        raise DataError(f"{solution.place}: the reference must be one answer, not {short(solution.reference)}")
    source = solution.place.file.name.partition(".")[0] if solution.place else ""
    return Problem(
        id=str(solution.group),
        prompt=solution.prompt,
        reference=solution.reference or "",  # of an empty one, a verifier has no opinion
        source=source,
        question=text_of(solution.prompt),
    )


def _write(
    reader: RolloutReader, verifier: AnyVerifier | None, config: ColdStartConfig, folder: Path, bars: Bars
) -> dict[str, Any]:
    """Filter, draw and write; returns the account."""
    withdraw_card(folder)
    counts: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
    by_problem: dict[str, list[int]] = {}
    held_out = _held_out(config)
    write_jsonl(folder / "left_out.jsonl", _filtered(reader, config, held_out, counts, by_problem, bars))
    parts = _drawn(by_problem, config)
    wanted = {row: part for part, rows in parts.items() for row in rows}
    found = {n: rollout for n, rollout in enumerate(reader) if n in wanted}
    names = []
    for part in ("train", "validation") if config.validation else ("train",):
        rows = [(_problem_of(found[n]), text_of(found[n].completion), {"sample": n}) for n in parts[part]]
        trl, verl = f"trl/{part}.jsonl", f"verl/{part}.parquet"
        write_demonstrations(rows, folder / trl, folder / verl)
        names += [trl, verl]
    account = {
        "format": 1,
        "kind": "cold-start",
        "counts": {
            "solutions": counts["solutions"],
            **{f"left out: {REASONS[why]}": counts[why] for why in REASONS},
            "left": sum(map(len, by_problem.values())),
            "problems with one left": len(by_problem),
        },
        "drawn": {part: len(rows) for part, rows in parts.items()},
        "solutions": [str(file) for file in reader.files],
        "held_out": {name: len(problems) for name, problems in held_out.items()},
        "verifier": verifier_version(verifier) if verifier else "the file's own verdicts",
        "settings": config.model_dump(mode="json"),
        "notes": [],
        "files": files_of(folder, [*names, "left_out.jsonl"]),
    }
    write_card(folder, "Cold start", account, _sections(account))
    return account


def _held_out(config: ColdStartConfig) -> dict[str, list[Problem]]:
    """File -> problems that no solution may be of."""
    names = config.held_out
    if names is None:
        beside = (Path(config.solutions).parent / name for name in _HELD_OUT)
        names = [str(file) for file in beside if file.is_file() and file.stat().st_size]
    return {
        name: list(read_problems(ProblemSource(dataset=name, duplicates="skip", empty_answers="skip")))
        for name in names
    }


def _filtered(
    reader: RolloutReader,
    config: ColdStartConfig,
    held_out: Mapping[str, list[Problem]],
    counts: Counter[str],
    by_problem: dict[str, list[int]],
    bars: Bars,
) -> Iterator[dict[str, Any]]:
    """The solutions that are left out, each with its reason; the numbers of the others are noted by problem."""
    matching = Matching(problem for problems in held_out.values() for problem in problems)
    texts: set[tuple[str, bytes]] = set()
    groups: dict[bytes, str] = {}
    with bars("filter", reader.size) as bar:
        for number, solution in enumerate(reader):
            bar(reader.position)
            counts["solutions"] += 1
            # A run's file may have a group for each step that a problem came up in; it is one problem all the same.
            group = groups.setdefault(_digest(json.dumps(solution.prompt)), str(solution.group))
            why = "held_out" if matching.problem(solution) else objection(solution, config)
            same = (group, _digest(text_of(solution.completion)))
            if why is None and same in texts:
                why = "repeated"
            if why is None:
                texts.add(same)
                by_problem.setdefault(group, []).append(number)
            else:
                counts[why] += 1
                yield {"row": number + 1, "problem": group, "why": why}


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _drawn(
    by_problem: Mapping[str, list[int]], config: ColdStartConfig
) -> dict[Literal["train", "validation"], list[int]]:
    """Row numbers of the two parts, which share no problem."""
    chosen = {
        problem: [int(n) for n in draw(map(str, numbers), config.per_problem, config.seed, f"cold start {problem}")]
        for problem, numbers in by_problem.items()
    }
    order = iter(draw(chosen, None, config.seed, "cold start"))
    parts: dict[Literal["train", "validation"], list[int]] = {}
    sizes: dict[Literal["train", "validation"], int] = {"validation": config.validation, "train": config.size}
    for part, size in sizes.items():
        rows: list[int] = []
        while len(rows) < size and (problem := next(order, None)) is not None:
            rows += chosen[problem]
        if len(rows) < size:
            left = sum(map(len, chosen.values()))
            raise DataError(
                f"{left} solutions are left of {len(chosen)} problems, {config.size} + {config.validation} for "
                "validation are to be drawn (size, validation, per_problem); left_out.jsonl says why the others are out"
            )
        parts[part] = rows[:size]
    return parts


def _sections(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings, verifier = account["settings"], account["verifier"]
    judged = verifier
    if isinstance(verifier, dict):
        judged = f"`{verifier['settings']['type']}`, hero-rl {verifier['versions']['hero-rl']}, code {verifier['code']}"
    rules = {
        name: settings[name]
        for name in ("script", "script_share", "min_characters", "max_characters", "max_tokens", "max_after_answer")
    }
    return [
        ("Source", f"`{settings['solutions']}`; verdicts: {judged}. Drawn with seed {settings['seed']}."),
        ("Held out", table(account["held_out"], ("no solution is of", "problems")) if account["held_out"] else "None."),
        ("Counts", table(account["counts"], ("", "number"))),
        ("Drawn", table(account["drawn"], ("part", "solutions"))),
        ("Rules", table(rules, ("rule", "value"))),
        ("Files", table({name: told["sha256"] for name, told in account["files"].items()}, ("file", "SHA-256"))),
    ]
