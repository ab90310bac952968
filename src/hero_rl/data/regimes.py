"""From a problem set and a solution of each problem to the paper's three regimes: easy, hard, mixed to verify.

    made = make_regimes(RegimesConfig(output_dir="data", problems="problems.jsonl", solutions="solutions.jsonl"))
    print(made.account["counts"])

The steps: read and draw the problems; leave out those that share text with a benchmark; have each solved, if there is
no file of solutions; verify; split by verdict; draw by seed; write. Solutions and verdicts are kept as they come, so
that a call that was killed goes on where it was and ends in the same bytes, provided that generator and verifier repeat
themselves. A problem without a verdict is neither easy nor hard: it is kept apart and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

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
from hero_rl.data.settings import RegimesConfig
from hero_rl.data.solving import solve
from hero_rl.data.splitting import REGIMES, split_by_verdict, verdict_of
from hero_rl.data.verifying import Matching, identity_of, judged_rows, verify_solutions
from hero_rl.data.writing import write_problems
from hero_rl.errors import ConfigError, DataError
from hero_rl.files.stages import Bars, no_bars, stage
from hero_rl.files.whole import write_jsonl
from hero_rl.problems import Problem, ProblemReader
from hero_rl.problems.decontamination import BenchmarkIndex, Overlap, same_text
from hero_rl.rollouts import RolloutReader

__all__ = ["make_regimes"]

_EASY_IF = {"first": "its first solution is", "any": "any of its solutions is", "all": "all its solutions are"}
_PARTS: tuple[Literal["train", "validation"], ...] = ("train", "validation")


@dataclass(frozen=True)
class _Clean:
    """The problems that are left to use, and what became of the others.

    Attributes:
        problems: by id, in the order of the source.
        left_out: id and reason of the others.
        overlaps: every shared text that was found, of problems that were kept too.
        counts: the reader's.
        benchmarks: name -> problems and revision of each benchmark.
        identity: all that the choice of problems depends on.
    """

    problems: dict[str, Problem]
    left_out: list[dict[str, Any]]
    overlaps: list[dict[str, Any]]
    counts: dict[str, int]
    benchmarks: dict[str, Any]
    identity: dict[str, Any]


def make_regimes(config: RegimesConfig, restart: bool = False, bars: Bars = no_bars) -> Made:
    """Make the data of the three regimes.

    Args:
        config: the settings.
        restart: begin anew, whatever earlier calls left.
        bars: shows how far it is.

    Raises:
        ConfigError: the folder holds data of other problems, solutions or verifiers; two benchmarks have one name.
        DataError: a bad row, named with its file; or there are not as many problems as are to be drawn.
        GenerationError, UnscorableError: too much failed; what was done is kept for the next call.
    """
    folder = Path(config.output_dir)
    with take_folder(folder, "regimes", restart):
        reader = ProblemReader(config.problems)
        clean = _clean(reader, config, bars)
        kept, solutions = _solutions(reader, clean, config, folder, restart, bars)
        matching = Matching(clean.problems.values())
        head = {
            "problems": clean.identity,
            "solutions": identity_of(solutions),
            "verifier": verifier_version(config.verifier),
            "time or memory limit": config.verifier_processes.model_dump(exclude={"workers"}),
        }
        verified = folder / "verified.jsonl"
        judge = partial(
            verify_solutions,
            solutions,
            matching.problem,
            config.verifier,
            config.verifier_processes,
            verified,
            head,
            config.max_missing,
            restart,
            bars,
        )
        if stage(verified, head, restart, judge):
            kept = [*kept, verified.name]
        return Made(folder, _write(clean, verified, solutions, reader, config, folder), kept)


def _clean(reader: ProblemReader, config: RegimesConfig, bars: Bars) -> _Clean:
    """Read the problems, and leave out the repeated ones and those that a benchmark has."""
    benchmarks = _benchmarks(config)
    index = BenchmarkIndex((problem for each in benchmarks.values() for problem in each), config.ngram)
    problems: dict[str, Problem] = {}
    left_out: list[dict[str, Any]] = []
    overlaps: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    with bars("problems", reader.size) as bar:
        reader.progress = bar
        for problem in reader:
            hits = index.overlaps(problem)
            dropped = [hit for hit in hits if hit.kind == "exact" or hit.share >= config.ngram_share]
            overlaps += [asdict(hit) | {"left_out": bool(dropped)} for hit in hits]
            twin = seen.setdefault(same_text(problem.question), problem.id)
            if dropped:
                left_out.append({"id": problem.id, "why": "overlap", "with": _named(dropped[0])})
            elif twin != problem.id:
                left_out.append({"id": problem.id, "why": "repeated", "with": twin})
            else:
                problems[problem.id] = problem
    told = {
        name: {"problems": each.counts["drawn"], "from": str(each.path) if each.path else each.revision}
        for name, each in benchmarks.items()
    }
    chosen = {"ngram": config.ngram, "ngram_share": config.ngram_share}
    identity = {**reader.identity(), **chosen, "benchmarks": [each.identity() for each in benchmarks.values()]}
    return _Clean(problems, left_out, overlaps, dict(reader.counts), told, identity)


def _named(overlap: Overlap) -> str:
    return f"{overlap.benchmark} {overlap.benchmark_problem}"


def _benchmarks(config: RegimesConfig) -> dict[str, ProblemReader]:
    """Name -> reader; the finds are listed under the names, so no two may have one."""
    readers: dict[str, ProblemReader] = {}
    for source in config.benchmarks:
        reader = ProblemReader(source)
        if reader.name in readers:
            raise ConfigError(f"benchmarks: two are called {reader.name!r}; give one of the files another name")
        readers[reader.name] = reader
    return readers


def _solutions(
    reader: ProblemReader, clean: _Clean, config: RegimesConfig, folder: Path, restart: bool, bars: Bars
) -> tuple[list[str], RolloutReader]:
    """The solutions of the file, or those that the generator writes; and the stages that were done before."""
    if config.generator is None:
        assert config.solutions is not None
        return [], RolloutReader(config.solutions, format=config.solutions_format)
    path, generator = folder / "solutions.jsonl", config.generator
    head = {
        "problems": clean.identity,
        "generator": generator.identity,
        "sampling": config.sampling.model_dump(mode="json"),
    }
    problems = list(clean.problems.values())
    write = partial(solve, problems, generator, config.sampling, path, head, config.max_missing, restart, bars)
    kept = [path.name] if stage(path, head, restart, write) else []
    return kept, RolloutReader(path, format="rollouts")


def _write(
    clean: _Clean, verified: Path, solutions: RolloutReader, reader: ProblemReader, config: RegimesConfig, folder: Path
) -> dict[str, Any]:
    """Split, draw and write; returns the account."""
    verdicts, told = _verdicts(verified, clean, config)
    told["read"] = sum(1 for _ in solutions)
    parts = split_by_verdict(verdicts["easy"], verdicts["hard"], config.sizes, config.seed)
    names = []
    withdraw_card(folder)
    for regime in REGIMES:
        for part in _PARTS:
            rows = [(clean.problems[one], kind) for one, kind in parts[regime][part]]
            trl, verl = f"trl/{regime}_{part}.jsonl", f"verl/{regime}_{part}.parquet"
            write_problems(rows, part, folder / trl, folder / verl)
            names += [trl, verl]
    left_out = clean.left_out + [
        {"id": one, "why": why, "prompt": clean.problems[one].prompt, "answer": clean.problems[one].reference}
        for why in ("abstained", "unsolved")
        for one in verdicts[why]
    ]
    write_jsonl(folder / "left_out.jsonl", left_out)
    write_jsonl(folder / "overlaps.jsonl", clean.overlaps)
    account = {
        "format": 1,
        "kind": "regimes",
        "counts": _counts(clean, verdicts, told),
        "solutions": told,
        "drawn": {f"{r}_{p}": len(parts[r][p]) for r in REGIMES for p in _PARTS},
        "problems": reader.identity(),
        "benchmarks": clean.benchmarks,
        "decontamination": {"ngram": config.ngram, "ngram_share": config.ngram_share},
        "verifier": verifier_version(config.verifier),
        "settings": config.model_dump(mode="json"),
        "notes": [] if config.benchmarks else ["compared with no benchmark; --benchmarks math500 amc ... does"],
        "files": files_of(folder, [*names, "verified.jsonl", "overlaps.jsonl", "left_out.jsonl"]),
    }
    write_card(folder, "Easy, hard and mixed to verify", account, _sections(account))
    return account


def _verdicts(verified: Path, clean: _Clean, config: RegimesConfig) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Ids by what their solutions came to, and counts of the solutions."""
    by_problem: dict[str, list[float | None]] = {}
    reasons: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    models: Counter[str] = Counter()
    for rollout in judged_rows(verified) if verified.stat().st_size else ():
        by_problem.setdefault(str(rollout.group), []).append(rollout.verdict)
        reasons[str(rollout.extra.get("verdict_reason"))] += 1
        ends[str(rollout.extra.get("finish_reason") or "unknown")] += 1
        models[str(rollout.extra.get("model") or "unknown")] += 1
    if not by_problem:
        raise DataError(
            f"{config.solutions or verified}: no solution is of one of the {len(clean.problems)} problems; they are "
            "matched by the question's text, by a column problem_id, or by group or id where the prompt has it"
        )
    kinds: dict[str, list[str]] = {"easy": [], "hard": [], "abstained": [], "unsolved": []}
    for one in clean.problems:
        verdicts = by_problem.get(one)
        verdict = verdict_of(verdicts, config.easy_if) if verdicts else None
        kind = "unsolved" if not verdicts else {1.0: "easy", 0.0: "hard", None: "abstained"}[verdict]
        kinds[kind].append(one)
    told = {"reasons": reasons, "ends": ends, "models": models}
    return kinds, {"verified": reasons.total()} | {name: dict(each.most_common()) for name, each in told.items()}


def _counts(clean: _Clean, verdicts: Mapping[str, Sequence[str]], solutions: Mapping[str, Any]) -> dict[str, int]:
    why = Counter(row["why"] for row in clean.left_out)
    return {
        "rows read": clean.counts["rows"],
        "rows of another kind (where)": clean.counts["other"],
        "rows of a problem that was there": clean.counts["duplicates"],
        "rows without an answer": clean.counts["empty_answers"],
        "problems": clean.counts["problems"],
        "problems drawn": clean.counts["drawn"],
        "left out: shares text with a benchmark": why["overlap"],
        "left out: the text of another problem": why["repeated"],
        "solutions read": solutions["read"],
        "solutions of none of these problems": solutions["read"] - solutions["verified"],
        "left out: no solution": len(verdicts["unsolved"]),
        "left out: the verifier abstained": len(verdicts["abstained"]),
        "easy to verify": len(verdicts["easy"]),
        "hard to verify": len(verdicts["hard"]),
    }


def _models(account: Mapping[str, Any]) -> str:
    return ", ".join(f"`{model}`" for model in account["solutions"]["models"])


def _sections(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings, verifier = account["settings"], account["verifier"]
    seeds = f"Problems were drawn with seed {settings['problems']['seed']}, regimes with seed {settings['seed']}."
    drawn = ", ".join(f"{name} {value}" for name, value in settings["sampling"].items() if value != [])
    solved = f"`{settings['solutions']}`" if settings["solutions"] else f"generated by {_models(account)} with {drawn}"
    least = (
        f", at least {settings['ngram_share']:g} of its {settings['ngram']}-grams" if settings["ngram_share"] else ""
    )
    shared = (
        f"\n\nLeft out is what is a benchmark problem's text or has {settings['ngram']} words in a row from it{least}. "
        "Each find is a row of `overlaps.jsonl`."
    )
    found = {name: f"{told['problems']:,} problems, {told['from']}" for name, told in account["benchmarks"].items()}
    checked = table(found, ("benchmark", "from")) + shared if found else notes_of(account)
    return [
        ("Source", f"{source_of(account)}.\n\nSolutions: {solved}. {seeds}"),
        ("Counts", table(account["counts"], ("", "number"))),
        ("Drawn", table(account["drawn"], ("part", "problems"))),
        (
            "Verdicts",
            f"Verifier `{verifier['settings']['type']}`, hero-rl {verifier['versions']['hero-rl']}, code "
            f"{verifier['code']}; a problem is easy to verify if {_EASY_IF[settings['easy_if']]} judged "
            f"correct.\n\n{table(account['solutions']['reasons'], ('reason', 'solutions'))}\n\n"
            f"{table(account['solutions']['ends'], ('end of the text', 'solutions'))}",
        ),
        (
            "Benchmarks",
            checked,
        ),
        ("Files", table({name: f"{told['sha256']}" for name, told in account["files"].items()}, ("file", "SHA-256"))),
    ]
