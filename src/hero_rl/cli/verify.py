"""`hero verify`: a verifier on one pair or on a file of them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hero_rl.cli.arguments import bar, overrides_of, parse, processes_of
from hero_rl.errors import ConfigError

if TYPE_CHECKING:
    from hero_rl.rescoring.quality import Share
    from hero_rl.rescoring.verdicts import FileVerdicts
    from hero_rl.verifiers import Request, Verdict

__all__ = ["run"]

_EPILOG = """
A row of the file has the right answer (`reference` or `gold`; not where the verifier needs none), the text to judge
(`completion` or `response`, or `answer` where it is the final answer alone), and may have a `label` (1 right, 0 wrong):
then recall, precision and false-positive rate are shown with 95% intervals. Settings of the verifier are given as
--verifier.NAME VALUE.

examples:
  hero verify --reference '\\frac{1}{2}' --completion 'so \\boxed{0.5}'
  hero verify pairs.jsonl
  hero verify pairs.jsonl --output judged.jsonl --wrong 20
  hero verify pairs.jsonl --verifier.order kept --verifier.rounding_digits null
  hero verify pairs.jsonl --verifier.type math_verify
  hero verify pairs.jsonl --verifier.type judge --verifier.url http://localhost:8000 --verifier.preset tinyv
"""


@dataclass
class _Arguments:
    """Judge final answers against their references."""

    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")] = None
    """JSON Lines (also gzipped) or Parquet."""

    reference: str | None = None
    """The right answer, to judge one pair in place of a file."""

    completion: str | None = None
    """The text to judge against it."""

    question: str = ""
    """What was asked, which judges read."""

    reference_column: str | None = None
    """Column of the right answer."""

    completion_column: str | None = None
    """Column of the text to judge; one named `answer` holds the final answer alone."""

    question_column: str = "question"
    """Column of the question, which judges read."""

    label_column: str = "label"
    """Column of the label."""

    output: Path | None = None
    """Write the rows with their verdicts to this file; an interrupted call goes on where it was."""

    restart: bool = False
    """Begin anew, whatever an interrupted call left."""

    wrong: int = 0
    """Show so many rows whose verdict is not their label; an abstention never is."""

    workers: int | None = None
    """Processes that check; as many as its share of the cores unless told otherwise."""

    seconds: float = 1.0
    """Time limit of one check."""

    memory_mb: int = 2048
    """Memory limit of one process."""

    json: bool = False
    """Print the result as one JSON object and show no progress."""


def run(argv: list[str]) -> int:
    """Parse the arguments, judge, and print what came of it."""
    arguments, rest = parse(_Arguments, argv, "verify", _EPILOG)
    verifier = _verifier(rest)
    from hero_rl.verifiers import Request, in_processes
    from hero_rl.verifiers.base import takes_requests
    from hero_rl.verifiers.configured import needs_reference

    running = in_processes(verifier, processes_of(arguments))
    one = arguments.completion is not None and (arguments.reference is not None or not needs_reference(verifier))
    if (arguments.file is None) != one:
        raise ConfigError("give either a file or both --reference and --completion")
    if arguments.wrong < 0:
        raise ConfigError(f"--wrong is {arguments.wrong}; it must be 0 or more")
    if one:
        if arguments.output is not None:
            raise ConfigError("--output is for files")
        nothing = None if takes_requests(verifier) else ""
        reference = nothing if arguments.reference is None else arguments.reference
        verdict = _one(running, Request(reference, str(arguments.completion), arguments.question))
        _print_one(verdict, arguments.json)
        return 0
    assert arguments.file is not None
    _check_output(arguments.output, arguments.file)
    settings = {"verifier": verifier.model_dump(mode="json"), "seconds": arguments.seconds}
    start = time.perf_counter()
    try:
        found = _judge_file(arguments, arguments.file, running, settings)
    except KeyboardInterrupt:
        if arguments.output is not None:
            print("\ninterrupted; what was judged is kept, and the same command goes on from there", file=sys.stderr)
            return 130
        raise
    seconds = time.perf_counter() - start
    if arguments.json:
        print(json.dumps(_summary(found, seconds)))
    else:
        _print_summary(found, seconds, arguments.wrong)
    if arguments.output:
        print(f"written    {arguments.output}", file=sys.stderr)
    return 0


def _check_output(output: Path | None, source: Path) -> None:
    from hero_rl.files.whole import real

    if output is None:
        return
    if output.suffix in (".gz", ".parquet"):
        raise ConfigError(f"--output {output}: JSON Lines are written, so name it .jsonl")
    if real(output).is_dir() or not output.parent.is_dir():
        raise ConfigError(f"--output {output}: no such folder, or the name of a folder")
    if source.exists() and output.exists() and output.samefile(source):
        raise ConfigError(f"--output {output}: that is the input")


def _one(verifier: Any, pair: Request) -> Verdict:
    from hero_rl.verifiers import verdicts_of

    return verdicts_of(verifier, [pair])[0]


def _verifier(rest: list[str]) -> Any:
    from hero_rl.rescoring import Rescoring
    from hero_rl.settings import resolve

    overrides = overrides_of(rest, ("verifier",), "verify")
    return resolve({"verifier": {"type": "math"}}, overrides, "--", Rescoring).verifier


def _judge_file(arguments: _Arguments, path: Path, verifier: Any, settings: Any) -> FileVerdicts:
    from hero_rl.rescoring.verdicts import PairColumns, verify_file

    columns = PairColumns(
        arguments.reference_column, arguments.completion_column, arguments.question_column, arguments.label_column
    )
    with bar(not arguments.json, unit="row", desc=path.name) as shown:
        return verify_file(path, verifier, columns, arguments.output, settings, arguments.restart, shown.update)


def _print_one(verdict: Verdict, as_json: bool) -> None:
    value = None if verdict.abstained else int(verdict.value) if verdict.value in (0, 1) else verdict.value
    if as_json:
        print(json.dumps({"verdict": value, "reason": str(verdict.reason), "answer": verdict.answer}))
        return
    print(f"verdict  {'no opinion' if value is None else value}")
    print(f"reason   {verdict.reason!s}")
    print(f"answer   {verdict.answer if verdict.answer is not None else '-'}")


def _summary(found: FileVerdicts, seconds: float) -> dict[str, Any]:
    verdicts = found.verdicts
    quality = found.quality
    return {
        "rows": len(verdicts),
        "correct": sum(verdict.value == 1 for verdict in verdicts),
        "incorrect": sum(verdict.value == 0 for verdict in verdicts),
        "partial": sum(0 < verdict.value < 1 for verdict in verdicts),
        "abstained": sum(verdict.abstained for verdict in verdicts),
        "reasons": found.reasons,
        "domains": found.by_domain,
        "seconds": round(seconds, 3),
        "ms": _milliseconds(verdicts),
        "quality": None if quality is None else {name: _share(share) for name, share in vars(quality).items()},
    }


def _milliseconds(verdicts: list[Verdict]) -> dict[str, float]:
    """Time of the checks that were made; equal ones are made once."""
    import numpy

    times = numpy.array([verdict.seconds for verdict in verdicts if verdict.seconds > 0] or [0.0]) * 1e3
    picked = {"mean": times.mean(), "p50": numpy.median(times), "p99": numpy.quantile(times, 0.99), "max": times.max()}
    return {name: round(float(value), 3) for name, value in picked.items()}


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    return {"value": share.value, "low": low, "high": high, "hits": share.hits, "total": share.total}


def _print_summary(found: FileVerdicts, seconds: float, wrong: int) -> None:
    from rich.console import Console
    from rich.table import Table

    summary, console = _summary(found, seconds), Console()
    kinds = [name for name in ("correct", "incorrect", "partial", "abstained") if summary[name] or name != "partial"]
    for title, counts in (("verdict", kinds), ("reason", summary["reasons"])):
        table = Table(title, "rows", "share", box=None, pad_edge=False, header_style="bold")
        table.columns[1].justify = table.columns[2].justify = "right"
        for name in counts:
            count = summary["reasons"][name] if title == "reason" else summary[name]
            table.add_row(name.replace("_", " "), f"{count:,}", f"{count / summary['rows']:.1%}")
        console.print(table)
        console.print()
    if summary["domains"]:
        console.print(_domains(summary["domains"]))
        console.print()
    if summary["quality"]:
        _print_quality(console, summary["quality"])
    times = summary["ms"]
    console.print(
        f"{summary['rows']:,} rows in {seconds:.1f} s; a check takes {times['mean']:.2f} ms "
        f"(median {times['p50']:.2f}, longest {times['max']:.2f})",
        highlight=False,
    )
    _print_wrong(console, found, wrong)


def _domains(domains: dict[str, dict[str, Any]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("domain", "rows", "mean verdict", "abstained", box=None, pad_edge=False, header_style="bold")
    for name, of in domains.items():
        mean = "-" if of["verdict_mean"] is None else f"{of['verdict_mean']:.4f}"
        table.add_row(escape(name), f"{of['rows']:,}", mean, f"{of['abstained']:,}")
    return table


def _print_quality(console: Any, quality: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("against the labels", "share", "95% interval", "rows", box=None, pad_edge=False, header_style="bold")
    for name, share in quality.items():
        if name == "abstained" or share["value"] is None:
            continue
        interval = f"{share['low']:.1%} to {share['high']:.1%}"
        table.add_row(
            name.replace("_", " "), f"{share['value']:.2%}", interval, f"{share['hits']:,} of {share['total']:,}"
        )
    console.print(table)
    console.print()


def _print_wrong(console: Any, found: FileVerdicts, wrong: int) -> None:
    from rich.markup import escape

    for row in found.disagreements[:wrong]:
        verdict, label = found.verdicts[row], int(found.labels[row])
        console.print(
            f"[bold]{escape(found.places[row])}[/bold] label {label}, {str(verdict.reason).replace('_', ' ')}\n"
            f"  reference  {escape(found.references[row][-200:])}\n"
            f"  answer     {escape(str(verdict.answer)[:200])}",
            highlight=False,
            soft_wrap=True,  # a path broken in two leads nowhere
        )
