r"""The maths verifier beside math-verify's, TRL's and verl's functions: quality, hangs, checks per second.

    python benchmarks/verifiers.py --data ../shared/data          # prints and writes docs/benchmarks/verifiers.md
    python benchmarks/verifiers.py --data ../shared/data --quick  # 512 checks a speed file, writes nothing

Every verifier judges every file under the same hard limit, in processes that are killed (`Supervised` with 5 s; the
time is the check's own). A pair without a response is put to all of them as `The final answer is: \boxed{answer}`;
peers get the gold with or without dollars, whichever they do better with. Speed is that of whole batches, each verifier
the way its own library runs it: TRL's function in a loop, verl's in its process pool, ours in `Supervised`, with the
start of its processes in the measured time. The labels of the speed files say how a row was made, not what it is worth,
so verdicts there are compared with TRL's. verl is measured where it is installed.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verifier_peers import (
    MathVerifyLibrary,
    TrlAccuracyReward,
    Unstaged,
    VerlMathReward,
    VerlMathVerify,
    VerlPrimeMath,
    delimited,
)

from hero_rl.rescoring.quality import Quality, measure_quality
from hero_rl.verifiers import MathVerifier, Reason, Supervised, Verdict, verify_math

QUALITY = {
    "hardverify_dev.jsonl": "HardVerify-Math, development half",
    "mathverify_tests.jsonl": "Math-Verify's own tests",
    "perturb_dev.jsonl": "golds with one change, or harmlessly rewritten",
    "hacks_dev.jsonl": "answers built to fool a verifier",
    "nasty_dev.jsonl": "inputs that hang, blow up or raise",
}
SPEED = {"easy": ("verify_speed_easy.jsonl", 4096), "hard": ("verify_speed_hard.jsonl.gz", 1024)}
TRL_LOOP = "TRL accuracy_reward in a loop"
CORES = len(os.sched_getaffinity(0))

# Rows of HardVerify-Math on which the verifier and the label differ: what is believed of each.
NOTES = {
    "hv-086-fn": "label believed wrong: the gold is damaged; as written it is no 221/8",
    "hv-133-fn": "label believed wrong: the gold is a heading of a damaged solution",
    "hv-146-fn": "right; in the gold `:` divides and binds tighter than `-`, which is read as a ratio",
    "hv-149-fn": "right; a sentence against an inequality is left to a judge",
    "hv-151-fn": "label believed wrong: 6 1/64 = 6.015625 rounds to 6.016, not to 6.018",
    "hv-160-fn": "right; a sentence against its gist is left to a judge",
    "hv-179-fn": "label believed wrong: a statement is asked for, 1 is none",
    "hv-181-fn": "right; a sentence against its gist is left to a judge",
    "hv-185-fn": "right; the gold is Hungarian",
    "hv-195-fn": "label believed wrong: other things are named",
    "hv-196-fn": "label believed wrong: 784 is not 785.12 (28 squared against 28.02 squared)",
    "hv-197-fn": "right if two significant digits are enough; three are asked for",
    "hv-198-fn": "label believed wrong: 6.015625 rounds to 6.02, not to 6.01",
    "hv-202-fn": "right; a sentence against its gist is left to a judge",
    "hv-211-fn": "label believed wrong: 113.33 rounds to 113.3, not to 113.4",
    "hv-213-fn": "right; a sentence against its gist is left to a judge",
    "hv-230-fn": "label believed wrong: open ends where the gold has closed ones",
    "hv-248-fn": "label believed wrong: 299.94 rounded to whole numbers is 300, but a weight in decimals is asked for",
}


def verifiers() -> dict[str, Any]:
    found: dict[str, Any] = {"hero_rl MathVerifier": MathVerifier(), "math-verify": MathVerifyLibrary()}
    if importlib.util.find_spec("trl"):
        found["TRL accuracy_reward"] = TrlAccuracyReward()
    if importlib.util.find_spec("verl"):
        found |= {
            "verl math_verify": VerlMathVerify(),
            "verl math_reward": VerlMathReward(),
            "verl prime_math": VerlPrimeMath(),
        }
    return found


def read(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pair(row: dict[str, Any]) -> tuple[str, str]:
    response = row.get("response")
    return row["gold"], response if response is not None else f"The final answer is: \\boxed{{{row['answer']}}}"


def judge(verifier: Any, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    with Supervised(Unstaged(verifier), workers=CORES, seconds=5.0, memory_mb=8192) as supervised:
        return supervised.verify_batch([pair(row) for row in rows])


def quality_of(verdicts: Sequence[Verdict], rows: Sequence[dict[str, Any]]) -> Quality:
    return measure_quality(verdicts, [bool(row["label"]) for row in rows])


def percent(share: Any) -> str:
    if share.value is None:
        return "-"
    low, high = share.interval
    return f"{share.value:.2%} ({low:.1%} to {high:.1%})"


def quality_table(name: str, rows: list[dict[str, Any]], judged: dict[str, list[Verdict]]) -> list[str]:
    lines = [
        f"### {QUALITY[name]} (`{name}`, {len(rows):,} pairs)\n",
        "| verifier | recall | precision | false positives | wrong accepted | timed out | crashed | ms, mean | max |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for verifier, verdicts in judged.items():
        found = quality_of(verdicts, rows)
        times = [verdict.seconds * 1e3 for verdict in verdicts if verdict.seconds > 0]
        reasons = [verdict.reason for verdict in verdicts]
        lines.append(
            f"| {verifier} | {percent(found.recall)} | {percent(found.precision)} | "
            f"{percent(found.false_positive_rate)} | "
            f"{found.false_positive_rate.hits} | {reasons.count(Reason.TIMED_OUT)} | {reasons.count(Reason.CRASHED)} | "
            f"{sum(times) / len(times):.2f} | {max(times):.0f} |"
        )
    return [*lines, ""]


# Sources of graders_dev.jsonl that nobody looked at while the rules were written; only their totals were.
LEFT_OUT = {"STACK-Units", "lambda-feedback", "math-verify-issues", "qwen-tora-graders", "rl-frameworks", "sieval"}


def kinds_table(data: Path) -> list[str]:
    """Recall and false positives by test suite: those that were built on, and those that were left out."""
    rows = [row for row in read(data / "graders_dev.jsonl") if not row.get("ambiguous")]
    lines = [
        "### Test suites of other graders (`graders_dev.jsonl`), by kind\n",
        "| verifier | kind | pairs | recall | false positives |",
        "|---|---|---:|---:|---:|",
    ]
    judged = {name: judge(verifier, rows) for name, verifier in list(verifiers().items())[:2]}
    kinds = sorted({row["source"] for row in rows}, key=lambda kind: (kind in LEFT_OUT, kind))
    groups = [("all built on", set(kinds) - LEFT_OUT), ("all left out", LEFT_OUT), *((kind, {kind}) for kind in kinds)]
    for name, verdicts in judged.items():
        for kind, sources in groups:
            chosen = [place for place, row in enumerate(rows) if row["source"] in sources]
            found = quality_of([verdicts[place] for place in chosen], [rows[place] for place in chosen])
            mark = " (left out)" if sources <= LEFT_OUT and len(sources) == 1 else ""
            lines.append(
                f"| {name} | {kind}{mark} | {len(chosen)} | {percent(found.recall)} | "
                f"{percent(found.false_positive_rate)} |"
            )
    return [*lines, ""]


def audit_table() -> list[str]:
    """The public audit `reward-doctor`, where it is installed."""
    if not importlib.util.find_spec("reward_doctor"):
        return []
    from reward_doctor import audit  # pyright: ignore[reportMissingImports]

    lines = ["### The audit reward-doctor\n", "| verifier | wrong accepted | right refused |", "|---|---:|---:|"]
    for name, verifier in verifiers().items():

        def reward(completion: str, reference: str, verifier: Any = verifier) -> float:
            return float(Unstaged(verifier).verify(reference, completion).value == 1)

        found = audit(reward)
        right, wrong = len(found.should_accept), len(found.should_reject)
        lines.append(f"| {name} | {len(found.false_positives)} of {wrong} | {len(found.false_negatives)} of {right} |")
    return [*lines, ""]


def disagreements(rows: list[dict[str, Any]], verdicts: list[Verdict]) -> list[str]:
    lines = ["| row | label | gold | answer | what is believed |", "|---|---:|---|---|---|"]
    for row, verdict in zip(rows, verdicts, strict=True):
        if (verdict.value == 1) != bool(row["label"]):
            cells = (str(row[key]).replace("|", "\\|").replace("\n", " ")[:90] for key in ("gold", "answer"))
            gold, answer = (f"`{cell}`" for cell in cells)
            lines.append(f"| {row['id']} | {row['label']} | {gold} | {answer} | {NOTES.get(row['id'], '')} |")
    return [*lines, ""]


# Speed


def by_trl(pairs: list[tuple[str, str]]) -> list[bool]:
    from trl.rewards import accuracy_reward

    completions = [[{"role": "assistant", "content": completion}] for _, completion in pairs]
    return [reward == 1.0 for reward in accuracy_reward(completions, [delimited(reference) for reference, _ in pairs])]


def by_verl(pairs: list[tuple[str, str]]) -> list[bool]:
    # verl's function has a pool of four processes; threads keep it busy, as verl's reward loop does.
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda one: VerlMathVerify().accepts(*one), pairs))


def by_hero(pairs: list[tuple[str, str]]) -> list[bool]:
    with Supervised(MathVerifier(), workers=CORES) as verifier:
        return [verdict.value == 1 for verdict in verifier.verify_batch(pairs)]


def by_hero_in_process(pairs: list[tuple[str, str]]) -> list[bool]:
    return [bool(verify_math(*one)) for one in pairs]


def speeds() -> dict[str, Callable[[list[tuple[str, str]]], list[bool]]]:
    found = {"hero_rl Supervised": by_hero, "hero_rl verify_math in a loop": by_hero_in_process}
    if importlib.util.find_spec("trl"):
        found[TRL_LOOP] = by_trl
    if importlib.util.find_spec("verl"):
        found["verl math_verify in its process pool"] = by_verl
    return found


def speed_table(data: Path, limit: int | None) -> list[str]:
    lines = ["| file | way | checks/s | against TRL | accepted | by it, not by TRL | by TRL, not by it |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    for kind, (file, rows) in SPEED.items():
        pairs = [pair(row) for row in read(data / file)[: limit or rows]]
        measured: dict[str, tuple[float, list[bool]]] = {}
        for name, way in speeds().items():
            start = time.perf_counter()
            accepted = way(pairs)
            measured[name] = len(pairs) / (time.perf_counter() - start), accepted
            print(f"{kind}: {name}: {measured[name][0]:,.0f} checks/s", flush=True)
        peer_rate, peer = measured.get(TRL_LOOP, (math.nan, []))
        for name, (rate, accepted) in measured.items():
            only = sum(ours and not theirs for ours, theirs in zip(accepted, peer, strict=False))
            lost = sum(theirs and not ours for ours, theirs in zip(accepted, peer, strict=False))
            speed = f"{kind}, {len(pairs):,} | {name} | {rate:,.0f} | {rate / peer_rate:.1f}x"
            lines.append(f"| {speed} | {sum(accepted):,} | {only} | {lost} |")
    return [*lines, ""]


def page(data: Path, limit: int | None) -> str:
    versions = ", ".join(
        f"{package} {version(package)}"
        for package in ("math-verify", "trl", "verl", "sympy", "mpmath")
        if importlib.util.find_spec(package.replace("-", "_"))
    )
    lines = [
        "# Verifiers side by side\n",
        f"`python benchmarks/verifiers.py --data ...` on {CORES} cores, {platform.machine()}, Python "
        f"{platform.python_version()}; {versions}. Shares with 95% Wilson score intervals. Rows that are marked as "
        "ambiguous are left out.\n",
        "## Speed\n",
        *speed_table(data, limit),
        "## Quality\n",
    ]
    for name in QUALITY:
        rows = [row for row in read(data / name) if not row.get("ambiguous")]
        judged = {}
        for verifier_name, verifier in verifiers().items():
            judged[verifier_name] = judge(verifier, rows)
            found = quality_of(judged[verifier_name], rows)
            print(
                f"{name}: {verifier_name}: recall {percent(found.recall)}, FPR {percent(found.false_positive_rate)}",
                flush=True,
            )
        lines += quality_table(name, rows, judged)
        if name == "hardverify_dev.jsonl":
            lines += ["Where the verifier and the label differ:\n"]
            lines += disagreements(rows, judged["hero_rl MathVerifier"])
    lines += [*kinds_table(data), *audit_table()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data files")
    parser.add_argument("--quick", action="store_true", help="512 checks a speed file, nothing written")
    arguments = parser.parse_args()
    written = page(arguments.data, 512 if arguments.quick else None)
    print(written)
    if not arguments.quick:
        Path(__file__).parents[1].joinpath("docs/benchmarks/verifiers.md").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
