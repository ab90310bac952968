"""The cold start: solutions of the base model itself that are correct, in one script, properly ended and not too long.

    made = make_cold_start(ColdStartConfig(output_dir="sft", solutions="data/verified.jsonl"))
    print(made.account["counts"])

Every solution that is not kept is counted under the first reason against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from hero_rl.data.card import files_of, table, verifier_version, write_card
from hero_rl.data.endings import ended
from hero_rl.data.language import script_share
from hero_rl.data.settings import ColdStartConfig
from hero_rl.data.stages import Bars, no_bars, open_folder, stage, write_jsonl, write_settings
from hero_rl.data.verifying import identity_of, text_of, verify_solutions
from hero_rl.data.writing import write_demonstrations
from hero_rl.errors import ConfigError, DataError
from hero_rl.problems import Problem, draw
from hero_rl.rollouts import Rollout, RolloutReader
from hero_rl.verifiers import AnyVerifier, MathVerifier

__all__ = ["REASONS", "ColdStart", "make_cold_start", "objection"]

REASONS = {
    "unjudged": "no verdict",
    "incorrect": "not correct",
    "short": "too short",
    "long": "too long",
    "script": "another script",
    "unended": "not properly ended",
    "repeated": "the same text as another of its problem",
}
"""Why a solution is left out, in the order in which it is asked."""


@dataclass(frozen=True)
class ColdStart:
    """What was made; see `hero_rl.data.regimes.Regimes`."""

    folder: Path
    account: dict[str, Any]
    kept: list[str]


def objection(solution: Rollout, config: ColdStartConfig) -> str | None:
    """The first of `REASONS` that speaks against a solution, `repeated` apart; None where none does."""
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


def make_cold_start(config: ColdStartConfig, restart: bool = False, bars: Bars = no_bars) -> ColdStart:
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
    open_folder(folder)
    write_settings(folder, config)
    reader = RolloutReader(config.solutions, format=config.solutions_format)
    verifier = _verifier_of(reader, config)
    kept: list[str] = []
    if verifier is not None:
        reader, kept = _verified(reader, verifier, config, folder, restart, bars)
    return ColdStart(folder, _write(reader, verifier, config, folder, bars), kept)


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
    judge = lambda: verify_solutions(  # noqa: E731
        reader, _problem_of, verifier, processes, path, head, config.max_missing, restart, bars
    )
    kept = [path.name] if stage(path, head, restart, judge) else []
    return RolloutReader(path, format="rollouts"), kept


def _problem_of(solution: Rollout) -> Problem:
    """The problem that a row of rollouts is of."""
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
    for card in ("card.json", "card.md"):  # a folder without a card is not finished
        (folder / card).unlink(missing_ok=True)
    counts: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
    by_problem: dict[str, list[int]] = {}
    write_jsonl(folder / "left_out.jsonl", _filtered(reader, config, counts, by_problem, bars))
    parts = _drawn(by_problem, config)
    wanted = {row: part for part, rows in parts.items() for row in rows}
    found = {n: rollout for n, rollout in enumerate(reader) if n in wanted}
    names = []
    for trainer in ("trl", "verl"):
        open_folder(folder / trainer)
    for part in ("train", "validation") if config.validation else ("train",):
        rows = [(_problem_of(found[n]), text_of(found[n].completion), {"sample": n}) for n in parts[part]]
        trl, verl = f"trl/{part}.jsonl", f"verl/{part}.parquet"
        write_demonstrations(rows, folder / trl, folder / verl)
        names += [trl, verl]
    account = {
        "format": 1,
        "counts": {
            "solutions": counts["solutions"],
            **{f"left out: {REASONS[why]}": counts[why] for why in REASONS},
            "left": sum(map(len, by_problem.values())),
            "problems with one left": len(by_problem),
        },
        "drawn": {part: len(rows) for part, rows in parts.items()},
        "solutions": [str(file) for file in reader.files],
        "verifier": verifier_version(verifier) if verifier else "the file's own verdicts",
        "settings": config.model_dump(mode="json"),
        "files": files_of(folder, [*names, "left_out.jsonl"]),
    }
    write_card(folder, "Cold start", account, _sections(account))
    return account


def _filtered(
    reader: RolloutReader,
    config: ColdStartConfig,
    counts: Counter[str],
    by_problem: dict[str, list[int]],
    bars: Bars,
) -> Iterator[dict[str, Any]]:
    """The solutions that are left out, each with its reason; the numbers of the others are noted by problem."""
    texts: set[tuple[str, bytes]] = set()
    with bars("filter", reader.size) as bar:
        for number, solution in enumerate(reader):
            bar(reader.position)
            counts["solutions"] += 1
            why, group = objection(solution, config), str(solution.group)
            same = (group, blake2b(text_of(solution.completion).encode("utf-8", "surrogatepass")).digest())
            if why is None and same in texts:
                why = "repeated"
            if why is None:
                texts.add(same)
                by_problem.setdefault(group, []).append(number)
            else:
                counts[why] += 1
                yield {"row": number + 1, "problem": group, "why": why}


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
        ("Counts", table(account["counts"], ("", "number"))),
        ("Drawn", table(account["drawn"], ("part", "solutions"))),
        ("Rules", table(rules, ("rule", "value"))),
        ("Files", table({name: told["sha256"] for name, told in account["files"].items()}, ("file", "SHA-256"))),
    ]
