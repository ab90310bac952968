"""A comparison with a real model as one tidy table, from which its page is made without the runs.

write_words_table(result, Path("words.parquet"))
result = read_words_table(Path("words.parquet"))
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_lab.arena.demo import Arm
from hero_lab.arena.evaluation import KINDS, PromptAccuracy
from hero_lab.arena.results import START
from hero_lab.words.demo import WordsResult
from hero_lab.words.settings import WordsSettings
from hero_rl.errors import DataError
from hero_rl.files.whole import replacing

if TYPE_CHECKING:
    import pandas

__all__ = ["COLUMNS", "joined", "read_words_table", "write_words_table"]

COLUMNS = ("rule", "seed", "folder", "measure", "kind", "step", "problem", "value")
"""Columns of the table: a row is one number of one arm, or of the policy before RL (`start`).

`measure` is `sampled` or `greedy` (accuracy by the oracle on a held-out problem, which `problem` numbers), `exact` or
`bare` (share of the sampled responses to it that match the set's answer exactly, and whose answer is a number alone),
`near` (of `start`: 1 where a demonstration has a run of the same words),
`auroc` (of the reward model against the oracle, in a group of training; `problem` numbers those of a step that have
one), `curve` (greedy accuracy on development problems) or the name of a metric of training; `problem` is -1 and `kind`
empty where there is none. The settings lie in the file's own metadata.
"""

_HEAD = b"hero_words"
_SHARES = ("exact", "bare", "near")
_METRICS = (
    "entropy",
    "step_time",
    "reward_model/seconds",
    "completions/mean_length",
    "completions/clipped_ratio",
    "frac_reward_zero_std",
    "hero/frac_groups_mixed",
    "hero/frac_groups_all_correct",
    "hero/frac_groups_all_incorrect",
    "hero/advantage_mass_uniform",
    "hero/rm_auroc",
    "hero/trust",
    "rewards/verifier/mean",
    "rewards/reward_model/mean",
)
"""What of each step is kept."""


def write_words_table(result: WordsResult, path: Path) -> None:
    """Write a result as parquet, whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    rows = list(_rows(result))
    table = pyarrow.table({name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)})
    settings = result.settings.model_copy(
        update={name: _named(result.settings, name) for name in ("model", "problems")}
    )
    head = {"settings": settings.model_dump(mode="json"), "missing": result.missing, "made_of": result.made_of}
    table = table.replace_schema_metadata({_HEAD: json.dumps(head)})
    with replacing(path) as file:
        pyarrow.parquet.write_table(table, file, compression="zstd")


def _named(settings: WordsSettings, name: str) -> str:
    """A place on this machine says nothing elsewhere: of an absolute path the last part."""
    place = Path(getattr(settings, name))
    return place.name if place.is_absolute() else getattr(settings, name)


def _rows(result: WordsResult) -> Iterator[tuple[Any, ...]]:
    seeds = range(result.settings.first_seed, result.settings.first_seed + result.settings.seeds)
    for seed, accuracy in zip(seeds, result.start, strict=True):
        yield from ((START, seed, "", *row) for row in _measured(result, START, seed, accuracy, 0))
    for arm in result.arms:
        head = arm.name, arm.seed, arm.folder.name
        seen: Counter[int] = Counter()
        for step, value in result.aurocs.get((arm.name, arm.seed), []):
            yield *head, "auroc", "", step, seen[step], value
            seen[step] += 1
        for row in _measured(result, arm.name, arm.seed, arm.accuracy, result.settings.arm.steps):
            yield *head, *row
        for look in arm.curve:
            yield from ((*head, "curve", kind, look["step"], -1, look[kind]) for kind in KINDS if kind in look)
        for line in arm.steps:
            kept = [name for name in _METRICS if line.get(name) is not None]
            yield from ((*head, name, "", line["step"], -1, float(line[name])) for name in kept)


def _measured(
    result: WordsResult, name: str, seed: int, accuracy: dict[str, PromptAccuracy], step: int
) -> Iterator[tuple[Any, ...]]:
    for kind in KINDS:
        for measure, values in accuracy[kind].to_dict().items():
            yield from ((measure, kind, step, problem, value) for problem, value in enumerate(values))
        for measure, of in result.shares.get((name, seed), {}).items():
            yield from ((measure, kind, step, problem, value) for problem, value in enumerate(of.get(kind, [])))


def read_words_table(path: Path) -> WordsResult:
    """The result that a table was written from; an arm has the metrics that the table keeps.

    Raises:
        DataError: the file is missing, is no parquet file, or no table of such a comparison; names the file.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"{path}: {error}") from None
    settings, missing, made_of = _read_head(path, (table.schema.metadata or {}).get(_HEAD))
    lacking = [name for name in COLUMNS if name not in table.column_names]
    if lacking:
        raise DataError(f"{path}: no column {', '.join(map(repr, lacking))}")
    starts: list[dict[str, PromptAccuracy]] = []
    arms: list[Arm] = []
    shares: dict[tuple[str, int], dict[str, dict[str, list[float]]]] = {}
    aurocs: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for (rule, seed, folder), own in table.to_pandas().groupby(["rule", "seed", "folder"], sort=False):
        accuracy = {
            kind: PromptAccuracy(_by_problem(own, "sampled", kind), _by_problem(own, "greedy", kind)) for kind in KINDS
        }
        there = set(own["measure"])
        shares[rule, seed] = {
            measure: {kind: _by_problem(own, measure, kind) for kind in KINDS}
            for measure in _SHARES
            if measure in there
        }
        if rule == START:
            starts.append(accuracy)
        else:
            curve = _lines(own[own["measure"] == "curve"], "kind")
            steps = _lines(own[own["measure"].isin(_METRICS)], "measure")
            arms.append(Arm(rule, seed, Path(folder), accuracy, curve, steps))
            # Of a kind were those of an earlier version, over held-out problems.
            ranked = own[(own["measure"] == "auroc") & (own["kind"] == "")].sort_values(["step", "problem"])
            aurocs[rule, seed] = list(zip(ranked["step"].tolist(), ranked["value"].tolist(), strict=True))
    return WordsResult(settings, starts, arms, 0.0, missing, shares, aurocs, made_of)


def joined(parts: Sequence[tuple[Path, WordsResult]]) -> WordsResult:
    """Comparisons of seeds that follow one another, such as those of several machines, as one.

    Only seeds and rules may differ. A seed's rules must come from one table.

    Args:
        parts: each with the file that it was read from, in any order.

    Raises:
        DataError: another setting, the model's weights or the problems differ, or the seeds do not follow one another;
            names the file.
    """
    parts = sorted(parts, key=lambda part: part[1].settings.first_seed)
    seeds = _check_parts(parts)
    whole = [result for _, result in parts]
    rules = list(dict.fromkeys(rule for result in whole for rule in result.settings.arms))
    arms = [arm for result in whole for arm in result.arms]
    finished = {(arm.name, arm.seed) for arm in arms}
    unseen = [f"{rule} (seed {seed})" for seed in seeds for rule in rules if (rule, seed) not in finished]
    return WordsResult(
        whole[0].settings.model_copy(update={"seeds": len(seeds), "arms": rules}),
        [start for result in whole for start in result.start],
        arms,
        0.0,
        tuple(dict.fromkeys([*(name for result in whole for name in result.missing), *unseen])),
        {key: own for result in whole for key, own in result.shares.items()},
        {key: own for result in whole for key, own in result.aurocs.items()},
        whole[0].made_of,
    )


def _check_parts(parts: Sequence[tuple[Path, WordsResult]]) -> range:
    """The seeds of parts that belong together."""
    path_of_first, first, made_of = parts[0][0], parts[0][1].settings, parts[0][1].made_of
    own_to_each = {"arms", "seeds", "first_seed"}
    shared = first.model_dump(exclude=own_to_each)
    following = first.first_seed
    for path, result in parts:
        here = result.settings.model_dump(exclude=own_to_each)
        differ = [name for name in shared if here[name] != shared[name]]
        if differ:
            raise DataError(f"{path}: differs from {path_of_first} in {differ[0]}, and only seeds and rules may")
        differ = [name for name in made_of | result.made_of if made_of.get(name) != result.made_of.get(name)]
        if differ:
            what = {"weights": "the model's weights", "asked": "held-out problems", "prompts": "problems of RL"}
            raise DataError(f"{path}: differs from {path_of_first} in {what.get(differ[0], differ[0])}")
        if result.settings.first_seed != following:
            raise DataError(f"{path}: seed {following} is expected, and it begins with {result.settings.first_seed}")
        following += result.settings.seeds
    return range(first.first_seed, following)


def _read_head(path: Path, written: bytes | None) -> tuple[WordsSettings, tuple[str, ...], dict[str, str]]:
    """What was compared, the arms that were not finished, and what it was made of, where the table says it."""
    if written is None:
        raise DataError(f"{path}: a table that hero demo --policy wrote is expected")
    try:
        head = json.loads(written)
        return WordsSettings.model_validate(head["settings"]), tuple(head["missing"]), dict(head.get("made_of", {}))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: its metadata is not what this version writes: {error}") from None


def _by_problem(own: pandas.DataFrame, measure: str, kind: str) -> list[float]:
    found = own[(own["measure"] == measure) & (own["kind"] == kind)]
    return found.set_index("problem")["value"].sort_index().tolist()


def _lines(found: pandas.DataFrame, names: str) -> list[dict[str, Any]]:
    """A line for each step, with the values by that column's names; what a step does not define is left out."""
    lines = found.pivot(index="step", columns=names, values="value").sort_index()
    return [
        {"step": step} | {name: value for name, value in row.items() if value == value}
        for step, row in zip(lines.index.tolist(), lines.to_dict("records"), strict=True)
    ]
