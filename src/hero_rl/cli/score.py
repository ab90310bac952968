"""`hero score`: verdicts, scores, rewards and advantages for a file of rollouts, under any rule."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hero_rl.cli.arguments import interrupted, parse
from hero_rl.cli.rollout_arguments import RolloutArguments, columns_of, reading_bar, say_what_is_read, settings_of

if TYPE_CHECKING:
    from rich.table import Table

    from hero_rl.rescoring import Rescored, Rescoring
    from hero_rl.rollouts import RolloutReader

__all__ = ["run"]

_EPILOG = """
IN is JSON Lines (also gzipped) or Parquet, or a folder of them: rollouts of hero train, of TRL, verl, prime-rl,
NeMo-RL, open-instruct or slime, samples of evaluations, or one prompt a row with a list of completions. OUT ends in
.jsonl, .jsonl.gz or .parquet.

Verdicts: --verifier.NAME VALUE has them made anew; else the file's own are kept; a file without any gets the maths
verifier. Scores: --reward_model.path has them made anew; else the file's own are kept. The rule: --rule.NAME VALUE.
--rule.type audited_hero asks an auditor, a second and better verifier, about a few rollouts: --auditor.NAME VALUE.
An interrupted call goes on where it was when it is given again.

examples:
  hero score rollouts.jsonl shaped.jsonl
  hero score runs/a/rollouts shaped.parquet --rule.type weighted_sum --rule.weight 0.9
  hero score runs/trl/completions shaped.jsonl --verdict_column accuracy_reward --score_column my_reward_model
  hero score verl_dumps shaped.jsonl --reward_model.path nvidia/AceMath-7B-RM
  hero score verl_dumps shaped.jsonl --reward_model.type remote --reward_model.urls http://localhost:8000 \
    --reward_model.tokenizer nvidia/AceMath-7B-RM
  hero score rollouts.jsonl shaped.jsonl --rule.type audited_hero --rule.audits 8 \
    --auditor.url http://localhost:8000 --auditor.model Qwen/Qwen3-8B
  hero score rollouts.jsonl shaped.jsonl --reward_model.type cached --reward_model.path scores.sqlite \
    --reward_model.inner.path nvidia/AceMath-7B-RM

Formats and columns: docs/guides/rollouts.md
"""


@dataclass(kw_only=True)
class _Arguments(RolloutArguments):
    """Judge, score and shape the rollouts of a file."""

    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """File to write."""

    restart: bool = False
    """Begin anew, whatever an interrupted call left."""

    json: bool = False
    """Print the result as one JSON object and show no progress."""


def run(argv: list[str]) -> int:
    """Parse the arguments, rescore, and print what came of it."""
    arguments, rest = parse(_Arguments, argv, "score", _EPILOG)
    try:
        settings = settings_of(arguments, rest, "score", ("rule", "verifier", "reward_model", "auditor"))
        reader, found = _rescore(arguments, settings)
    except KeyboardInterrupt:
        return interrupted("score", argv)
    result = _result(found, settings, reader)
    if arguments.json:
        print(json.dumps(result | {"output": str(arguments.output)}))
    else:
        _print(result)
    print(f"written    {arguments.output}", file=sys.stderr)
    return 0


def _rescore(arguments: _Arguments, settings: Rescoring) -> tuple[RolloutReader, Rescored]:
    from transformers.utils import logging as transformers_logging

    from hero_rl.rescoring import rescore
    from hero_rl.rollouts import RolloutReader

    reader = RolloutReader(arguments.input, columns_of(arguments), arguments.format, arguments.tokenizer)
    transformers_logging.disable_progress_bar()
    say_what_is_read(reader, arguments)
    with reading_bar(reader, shown=not arguments.json) as moved:
        return reader, rescore(reader, arguments.output, settings, arguments.restart, moved)


def _result(found: Rescored, settings: Rescoring, reader: RolloutReader) -> dict[str, Any]:
    return {
        **found.summary,
        "rule": settings.rule.type,
        "state": found.state.model_dump(),
        "verdicts_from": found.verdicts_from,
        "scores_from": found.scores_from,
        "format": reader.layout.format,
        "resumed_rows": found.resumed,
        "passed_over": dict(reader.passed_over),
        "files_left_out": [str(file) for file in reader.left_out],
        "note": _note(found, settings),
    }


def _note(found: Rescored, settings: Rescoring) -> str | None:
    """What the numbers do not say by themselves."""
    missing, rows = found.summary["missing_scores"], found.summary["rows"]
    if missing < rows or not settings.rule.needs_score:
        return None
    if settings.rule.type == "hero":
        return "no rollout has a score: HERO falls back on the verdicts alone, and uniform groups stay starved"
    return f"no rollout has a score, which {settings.rule.type} needs; name a column or a reward model"


_KINDS = ("total", "mixed", "all_correct", "all_incorrect", "all_partial", "unjudged")


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console, groups = Console(), result["groups"]
    table = Table("groups", "", "share", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = table.columns[2].justify = "right"
    kinds = {name: groups[name] for name in _KINDS if groups[name] or name != "all_partial"}
    for name, count in (kinds | {"starved": result["starved"], "rescued": result["rescued"]}).items():
        said = {"starved": "starved under verifier-only", "rescued": f"rescued by {result['rule']}"}
        table.add_row(said.get(name, name.replace("_", " ")), f"{count:,}", f"{count / groups['total']:.1%}")
    console.print(table)
    console.print()
    table = Table("rollouts", "", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    for name, value in _rows_of_rollouts(result).items():
        table.add_row(name, value)
    console.print(table)
    if result["domains"]:
        console.print()
        console.print(_domains(result["domains"]))
    console.print(f"\nverdicts from {result['verdicts_from']}, scores from {result['scores_from']}", highlight=False)
    for left in ([result["note"]] if result["note"] else []) + _left_out(result):
        console.print(left, highlight=False, markup=False)


def _domains(domains: dict[str, dict[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("domain", "rows", "mean verdict", "mean score", "AUROC", "unscorable", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, of in domains.items():
        means = ["-" if of[each] is None else f"{of[each]:.4f}" for each in ("verdict_mean", "score_mean", "auroc")]
        table.add_row(escape(name), f"{of['rows']:,}", *means, f"{of['unscorable']:,}")
    return table


def _rows_of_rollouts(result: dict[str, Any]) -> dict[str, str]:
    counts = {"rows": result["rows"], "batches": result["batches"]}
    if result["resumed_rows"]:
        counts = {"rows": result["rows"], "  done before": result["resumed_rows"], "batches": result["batches"]}
    means = {name: result[f"{name}_mean"] for name in ("verdict", "score")}
    shown = {name: f"{count:,}" for name, count in counts.items()}
    shown |= {f"mean {name}": "-" if mean is None else f"{mean:.4f}" for name, mean in means.items()}
    shown["AUROC in mixed groups"] = "-" if result["auroc"] is None else f"{result['auroc']:.4f}"
    shown["advantage in uniform groups"] = _percent(result["advantage_mass_uniform"])
    shown["mean weight of a group"] = f"{result['weight_mean']:.3f}"
    if result["state"].get("sigma_bar") is not None:
        shown["sigma_bar at the end"] = f"{result['state']['sigma_bar']:.4f}"
    if unverified := result["without_verifier"]["rows"]:
        shown["no verifier applies"] = f"{unverified:,}"
        shown["  of them ranked by the score"] = f"{result['without_verifier']['ranked']:,}"
    if audits := result["audits"]:
        shown["judged by the auditor"] = f"{audits['calls']:,}"
        shown["  without verdict"] = f"{audits['failed']:,}"
        shown["  pairs told apart"] = f"{audits['pairs']:,}"
        shown["  AUROC in these"] = "-" if audits["auroc"] is None else f"{audits['auroc']:.4f}"
        shown["trust in uniform groups at the end"] = _trusts(result["state"])
    shown["without score"] = f"{result['missing_scores']:,}"
    shown["truncated"] = f"{result['truncated']:,}"
    shown["unscorable"] = f"{result['unscorable']['rows']:,}"
    reasons = result["unscorable"]["reasons"].items()
    return shown | {f"  {reason.replace('_', ' ')}": f"{count:,}" for reason, count in reasons}


def _trusts(state: dict[str, Any]) -> str:
    """The trust of the audits: by domain where the file names domains, as each then has its own."""
    domains = state["audit_domains"].items()
    return ", ".join(f"{name} {of['trust']:.2f}" for name, of in domains) or f"{state['audit']['trust']:.2f}"


def _left_out(result: dict[str, Any]) -> list[str]:
    count = len(result["files_left_out"])
    said = [f"{count} files that are not of training left out; give them by name"] if count else []
    return said + [f"{rows:,} rows left out: {why}" for why, rows in result["passed_over"].items()]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
